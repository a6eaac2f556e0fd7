"""Views: what faces see of the daemon, as JSON-able objects.

Role: renders board, ledger and incidents in the shapes of `ports.Control`. Neighbours: `engine.control`. Guarantees: reads
memory only (`status` never waits for the outside); moments are ISO 8601 texts. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from watchdog.engine.board import Seen
from watchdog.judgement import ledger
from watchdog.model import (
    CloseReason,
    Counts,
    Health,
    Incident,
    Instant,
    JsonObject,
    Pause,
    Sample,
    SignalVerdict,
    Stage,
    Unknown,
    iso,
    to_document,
)
from watchdog.ports import Held, LeaseState, LeaseUnknown, NotHolder
from watchdog.safety import pausing

if TYPE_CHECKING:
    from watchdog.engine.daemon import Daemon

POLLS = 120
"""Polls of a signal that a face is shown."""

_RESPONDING = frozenset(stage.value for stage in Stage) - {Stage.CLOSED.value, Stage.HELD.value, ""}


def status(daemon: Daemon) -> JsonObject:
    """The whole service on one screen."""
    now = daemon.clock.now()
    lease = daemon.lease.state()
    pauses = _running(daemon, now)
    trouble = daemon.store_trouble or daemon.register_trouble or daemon.pauses.trouble
    return {
        "at": iso(now),
        "mode": daemon.setup.mode,
        "headline": headline(daemon, pauses),
        "cycle": daemon.cycle,
        "leader": {"held": _held(lease), "sentence": daemon.gatherer.leadership().sentence},
        "config": {
            "hash": daemon.loaded.hash,
            "loaded_at": iso(daemon.loaded.at),
            "error": daemon.loaded.error,
            "reload_failed": daemon.loaded.failed,
        },
        "store": {"ok": not trouble, "sentence": trouble},
        "outbox": {"depth": daemon.outbox.depth, "last_error": daemon.outbox.last_error},
        "targets": [row(daemon, seen, pauses, now) for seen in daemon.board.seen.values()],
        "pauses": [pause_view(pause, now) for pause in pauses],
        "counters": dict(daemon.counters),
    }


def _held(lease: LeaseState) -> bool | None:
    """None = not known, which is neither yes nor no: the metric is then absent."""
    return None if isinstance(lease, LeaseUnknown) else isinstance(lease, Held)


def headline(daemon: Daemon, pauses: list[Pause]) -> str:
    """In words: may it act, and if not, why."""
    lease = daemon.lease.state()
    if isinstance(lease, NotHolder):
        return f"NOT HOLDER: {lease.holder} acts"
    if not isinstance(lease, Held):
        return f"BLIND: {daemon.gatherer.leadership().sentence}"
    trouble = daemon.store_trouble or daemon.register_trouble or daemon.pauses.trouble
    if trouble:
        return f"PAUSED: the store cannot be used ({trouble})"
    whole = [pause for pause in pauses if pause.scope == "all"]
    if whole:
        return f"PAUSED by {whole[0].who} until {iso(whole[0].until)[:16]}Z ({whole[0].why})"
    acting = [seen for seen in daemon.board.seen.values() if not seen.watch.policy.watch_only]
    if acting and all(seen.verdict is not None and seen.verdict.health is Health.BLIND for seen in acting):
        return "BLIND: no target can be seen"
    unarmed = [seen.watch.name for seen in acting if _unarmed(seen)]
    if daemon.setup.mode == "enforce" and acting and len(unarmed) == len(acting):
        return "OBSERVE: the store was empty at the first start; arm it with `watchdog arm`"
    words = {"enforce": "ARMED", "ask": "ASK", "observe": "OBSERVE"}[daemon.setup.mode]
    some = ", ".join(sorted({pause.scope for pause in pauses}))
    return f"{words}; paused: {some}" if some else words


def _unarmed(seen: Seen) -> bool:
    return seen.record is not None and not seen.record.armed and seen.watch.policy.first_start != "act"


def _running(daemon: Daemon, now: Instant) -> list[Pause]:
    known = (*daemon.pauses.known(), *annotated(daemon))
    return [pause for pause in known if pausing.is_active(pause, now) and pause.since <= now]


def annotated(daemon: Daemon) -> tuple[Pause, ...]:
    """The pauses that workloads ask for by their own annotations, as last read."""
    return tuple(pause for name, seen in daemon.board.seen.items() for pause in pausing.annotated(seen.state, name))


def pause_view(pause: Pause, now: Instant) -> dict[str, Any]:
    """A pause's document with `active`, `state` (``active``, ``upcoming``, ``ended``), `end` (how it ends) and its sentence.

    `end` is empty where ``watchdog resume`` ends it.
    """
    active = pausing.is_active(pause, now)
    coming = pause.ended_at is None and now < pause.since
    state = "active" if active else "upcoming" if coming else "ended"
    words = {"end": pausing.other_way_to_end(pause), "sentence": pausing.describe(pause, now)}
    return {**to_document(pause), "active": active, "state": state, **words}


def row(daemon: Daemon, seen: Seen, pauses: list[Pause], now: Instant) -> dict[str, Any]:
    """One target's line."""
    policy, verdict = seen.watch.policy, seen.verdict
    response = daemon.responses.get(policy.target)
    known = seen.record.release(seen.state.release.fingerprint) if seen.record and seen.state else None
    release = known or (seen.state.release if seen.state else None)
    good = ledger.last_known_good(seen.record, now, policy, None).release if seen.record else None
    bake = ledger.in_bake(seen.record, release.fingerprint, now, policy)[1] if seen.record and release else ""
    paused = any(pausing.covers(pause, policy) for pause in pauses)
    return {
        "name": policy.target,
        "group": policy.group,
        "platform": seen.state.unit.platform if seen.state else ("" if seen.watch.platform is None else "?"),
        "mode": policy.mode.value,
        "state": _state(
            seen, response.stage if response else "", response.needs_human if response else False, paused=paused
        ),
        "sentence": _sentence(seen),
        "release": release.label if release else "",
        "good": good.label if good else "",
        "since": iso(release.started) if release and release.started else None,
        "streak": _streak(seen),
        "bake": bake,
        "incident": response.incident.partition("/")[2] or None
        if response and response.stage not in ("", "closed")
        else None,
        "signals": [_signal(entry, now) for entry in (verdict.signals if verdict else ())],
        "polls": seen.polls,
        "late_polls": seen.late_polls,
    }


def _state(seen: Seen, stage: str, needs_human: bool, *, paused: bool) -> str:  # noqa: FBT001
    if stage in _RESPONDING:
        return "responding"
    if needs_human:
        return "needs_human"
    if seen.verdict is None:
        return "inconclusive"
    if paused:
        return "paused"
    if seen.verdict.health is Health.HEALTHY and seen.verdict.suspicious:
        return "suspect"
    return (
        "suspect"
        if seen.verdict.health is not Health.FAILING and seen.verdict.suspicious
        else seen.verdict.health.value
    )


def _sentence(seen: Seen) -> str:
    if seen.verdict is None:
        return f"a fresh window began ({seen.fresh_why}); nothing judged yet"
    trouble = f"; the platform cannot be read: {seen.state_error}" if seen.state_error and seen.watch.platform else ""
    return seen.verdict.sentence + trouble


def _streak(seen: Seen) -> str:
    signals = seen.verdict.signals if seen.verdict else ()
    worst = max((entry.progress for entry in signals), default=0.0)
    return f"{worst:.0%}" if worst else ""


def _signal(verdict: SignalVerdict, now: Instant) -> dict[str, Any]:
    return {
        "name": verdict.signal,
        "health": verdict.health.value,
        "sentence": verdict.sentence,
        "missing": verdict.missing,
        "progress": round(verdict.progress, 3),
        "value": verdict.value,
        "limit": verdict.limit,
        "events": verdict.events,
        "data_age_s": None if verdict.data_at is None else round(max(0.0, now - verdict.data_at), 3),
    }


def polls(names: Sequence[str], samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """The newest polls of each signal, oldest first."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for sample in reversed(samples):
        kept = found.get(sample.signal)
        if kept is not None and len(kept) < POLLS:
            kept.append(_poll(sample))
    return [{"name": name, "polls": kept[::-1]} for name, kept in found.items()]


def _poll(sample: Sample) -> dict[str, Any]:
    reading = sample.reading
    found: dict[str, Any] = {"at": iso(sample.end), "health": "good", "bad": 0, "events": 0, "value": None}
    if isinstance(reading, Unknown):
        found["health"] = "unknown"
    elif isinstance(reading, Counts):
        found |= {"health": "bad" if reading.bad else "good", "bad": reading.bad, "events": reading.events}
    else:
        found["value"] = reading.value
    reason = reading.reason if isinstance(reading, Unknown) else ""
    return {**found, "sentence": sample.detail or reason, "instance": sample.instance}


def incident_row(incident: Incident) -> dict[str, Any]:
    """One incident's line."""
    return {
        "id": incident.id,
        "target": incident.target,
        "group": incident.group,
        "stage": incident.stage.value,
        "reason": incident.reason.value if incident.reason else None,
        "headline": incident.headline,
        "blamed": incident.blamed.label,
        "good": incident.good.label if incident.good else None,
        "opened_at": iso(incident.opened_at),
        "closed_at": iso(incident.closed_at) if incident.closed_at else None,
        "simulated": incident.simulated or incident.reason is CloseReason.WOULD_HAVE,
        "manual": incident.manual,
        "needs_human": incident.needs_human and not incident.reviewed,
    }
