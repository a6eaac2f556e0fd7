"""Verification: did the rollback help? The same signals, in a fresh window.

Role: a pure look at the board, called each cycle by `engine.response`. Neighbours: `engine.board` was re-armed when the
rollback was confirmed, so nothing of before counts; a read of the target from before says nothing either. Guarantees: recovered only after every signal was healthy for
`policy.verify_s` without a break; failing again = not recovered; neither within `verify_within_s` = unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

from watchdog.engine.board import Seen
from watchdog.model import CloseReason, Health, Incident, Instant
from watchdog.safety.machine import Superseded, Verified


@dataclass(frozen=True)
class Window:
    """The verification's own time: `began` and `at` on the monotonic clock, `passed_s` since it began, over restarts."""

    began: float
    at: float
    passed_s: float
    now: Instant


def look(seen: Seen, incident: Incident, window: Window) -> Verified | Superseded | None:
    """The end of the verification, or None while it goes on. The board was re-armed at `window.began`."""
    intent, policy, verdict = incident.intent, seen.watch.policy, seen.verdict
    fresh = seen.state if seen.state_at >= window.began else None
    if intent is not None and fresh is not None and fresh.release.fingerprint != intent.to_release:
        return Superseded(sentence=f"{fresh.release.label} was deployed during the verification; it is judged anew")
    if verdict is not None and verdict.health is Health.FAILING:
        return Verified(reason=CloseReason.NOT_RECOVERED, sentence=f"still failing: {verdict.sentence}")
    recovered = verdict is not None and verdict.recovered
    if recovered and seen.healthy_since is not None and window.at - seen.healthy_since >= policy.verify_s:
        whole = window.now - (incident.first_bad or incident.opened_at)
        text = f"every signal healthy for {policy.verify_s:.0f} s; {whole:.0f} s since the first bad sample"
        return Verified(reason=CloseReason.RECOVERED, sentence=text)
    if window.passed_s >= policy.verify_within_s:
        why = verdict.sentence if verdict else "no verdict"
        return Verified(reason=CloseReason.UNKNOWN, sentence=f"neither healthy nor failing in time: {why}")
    return None
