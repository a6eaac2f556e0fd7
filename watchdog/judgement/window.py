"""What all threshold rules share: the buffer, hysteresis, and how a standing becomes a verdict.

Role: the state machine around one shape of rule. Neighbours: `threshold` (the shapes say how the buffer stands), `polls`
(the buffer), `judge` (drives it).
Guarantees: fires only by what a shape says of known polls; once it fires it stays so until the shape's recovery condition
holds; data older than the limit make it blind (source silent) or inconclusive (no events), never failing and never
healthy; `first_bad` never moves later while it fires. Not guaranteed: that two windows agree on `since`, which is our own
moment of deciding, not event time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

from watchdog.judgement.polls import Poll, gather, of_release, usual_gap
from watchdog.judgement.rule import Context
from watchdog.judgement.wording import clock, duration
from watchdog.model import Health, Instant, Sample, SignalVerdict, Unknown, record

HORIZON_S = 3600.0
"""A poll older than this belongs to no run: evidence from before a long blindness is not evidence of now."""

STALE_S, STALE_POLLS = 60.0, 3
"""Without `stale_s`, a source is blind when it has not answered for three polls, and not within a minute."""

MOST_LATE_S = 1200.0
"""Data that comes later than this is no data of now."""

SUSPICIOUS_PROGRESS = 0.5
"""Half of what is needed to fire: evidence capture may begin, and nobody calls it healthy."""

SUSPICIOUS_RUN = 2
"""Bad polls in a row that make a target suspicious, and keep a signal from being called healthy."""

JITTER_S = 0.5
"""Forgiven when durations are compared: polls come with the latency of what they ask."""


@record
class Standing:
    """How the buffer stands by one shape. `enough` = enough data that the rule could have fired; `undecided` = leans to bad."""

    text: str
    fires: bool = False
    recovered: bool = False
    enough: bool = False
    undecided: bool = False
    progress: float = 0.0
    bad_run: int = 0
    first_bad: Instant | None = None
    value: float | None = None
    limit: float | None = None
    events: int = 0
    missing: str = ""
    recovery: str = ""


@record
class WindowState:
    """The frozen state of one threshold rule."""

    fresh_from: Instant
    release: str
    standing: Standing
    polls: tuple[Poll, ...] = ()
    firing: bool = False
    since: Instant | None = None
    first_bad: Instant | None = None
    late_s: float = 0.0
    """How old the newest answer was when it came."""
    heard: Instant | None = None
    """End of the newest answer before this window began: another release is no reason to call the source silent."""


class Windowed(ABC):
    """A rule over a window of polls of one signal. A shape adds its fields, `keep` and `stand`."""

    __slots__ = ()

    signal: str
    stale_s: float | None

    @property
    def signals(self) -> tuple[str, ...]:
        """The one signal it covers."""
        return (self.signal,)

    @property
    def compares(self) -> bool:
        """It counts one release alone."""
        return False

    @property
    def horizon_s(self) -> float:
        """Age at which a poll no longer belongs to any run."""
        return HORIZON_S

    @abstractmethod
    def keep(self, polls: tuple[Poll, ...]) -> tuple[Poll, ...]:
        """The part of the buffer that the shape needs; bounded."""

    @abstractmethod
    def stand(self, polls: tuple[Poll, ...], context: Context, first_bad: Instant | None) -> Standing:
        """How the buffer stands. `first_bad` is where the episode began as far as was known before."""

    def start(self, context: Context, now: Instant) -> WindowState:  # noqa: ARG002 - part of the interface
        """A fresh window that has seen nothing."""
        standing = self.stand((), context, None)
        return WindowState(fresh_from=context.fresh_from, release=context.release, standing=standing)

    def observe(self, state: WindowState, samples: Sequence[Sample], context: Context, now: Instant) -> WindowState:
        """The state after these samples."""
        before, state = state, self._moved_on(state, context, now)
        mine = [sample for sample in samples if sample.signal == self.signal]
        if not mine and state is before and state.polls and state.polls[0].end > now - self.horizon_s:
            return state  # nothing came, nothing aged out: the standing is as it was
        polls = gather(state.polls, mine, context)
        polls = self.keep(tuple(poll for poll in polls if poll.end > now - self.horizon_s))
        standing = self.stand(polls, context, state.first_bad)
        firing = standing.fires or (state.firing and not standing.recovered)
        return replace(
            state,
            release=context.release or state.release,
            polls=polls,
            standing=standing,
            firing=firing,
            since=(now if state.since is None else state.since) if firing else None,
            first_bad=_first_bad(state, standing, firing=firing),
            late_s=lateness(mine, now, state.late_s),
        )

    def verdicts(self, state: WindowState, context: Context, now: Instant) -> tuple[SignalVerdict, ...]:  # noqa: ARG002 - part of the interface
        """The one verdict of its signal."""
        answered = max((poll.end for poll in state.polls if poll.answered), default=None)
        data_at = max((poll.end for poll in state.polls if poll.speaks), default=None)
        limit = self._stale_after(state) + state.late_s
        heard_from = max(at for at in (state.fresh_from, state.heard, answered) if at is not None)
        if now - heard_from > limit:
            health, sentence, missing = (
                Health.BLIND,
                self._blind(state, heard_from, now, limit),
                "an answer of the source",
            )
        elif data_at is None or now - data_at > limit:
            health, sentence, missing = Health.INCONCLUSIVE, self._idle(state, data_at, now), "events to judge by"
        else:
            health, missing = _health(state), "" if state.firing else state.standing.missing
            sentence = self._seen(state, data_at, now)
        standing = state.standing
        verdict = SignalVerdict(
            signal=self.signal,
            health=health,
            sentence=sentence,
            missing=missing,
            progress=1.0 if state.firing else standing.progress,
            value=standing.value,
            limit=standing.limit,
            events=standing.events,
            data_at=data_at,
            first_bad=state.first_bad,
            since=state.since,
            blind_since=heard_from if health is Health.BLIND else None,
            late_s=state.late_s,
            bad_run=standing.bad_run,
            recovered=health is Health.HEALTHY and not state.firing and standing.recovered,
        )
        return (verdict,)

    def _moved_on(self, state: WindowState, context: Context, now: Instant) -> WindowState:
        """Leave what was said of another release behind. What was said of nobody in particular goes on to count.

        So a service that fails through the whole of a rollout keeps its first bad sample from before, and the new release
        is not blamed for it; while pods are judged by their own release from its first poll on.
        """
        if context.release in ("", state.release):
            return state
        polls = of_release(state.polls, context.release)
        if not any(poll.answered for poll in polls):
            heard = max((poll.end for poll in state.polls if poll.answered), default=state.heard)
            return replace(self.start(context, now), late_s=state.late_s, heard=heard)
        return replace(state, polls=polls)

    def _stale_after(self, state: WindowState) -> float:
        if self.stale_s is not None:
            return self.stale_s
        gap = usual_gap([poll.end for poll in state.polls if poll.answered])
        return max(STALE_S, STALE_POLLS * (gap or 0.0))

    def _blind(self, state: WindowState, heard_from: Instant, now: Instant, limit: float) -> str:
        last = next((poll for poll in reversed(state.polls) if not poll.answered), None)
        reason = last.voices[0].unknown if last is not None and last.voices else "nothing came from the source"
        return (
            f"{self.signal}: blind since {clock(heard_from)} ({duration(now - heard_from)}, limit {duration(limit)}):"
            f" {reason}"
        )

    def _idle(self, state: WindowState, data_at: Instant | None, now: Instant) -> str:
        words = (voice.unknown or voice.detail for poll in reversed(state.polls) for voice in poll.voices)
        why = next((word for word in words if word), "") if data_at is None else ""
        since = f"no events for {duration(now - data_at)}" if data_at is not None else "no events yet"
        before = ", was failing when the last came" if state.firing else ""
        return f"{self.signal}: {since}{before}" + (f" ({why})" if why else "")

    def _seen(self, state: WindowState, data_at: Instant, now: Instant) -> str:
        standing = state.standing
        words = f"{self.signal}: {standing.text}, newest {duration(now - data_at)} old"
        if state.firing and not standing.fires:
            words += f"; failing until {standing.recovery}"
        elif not standing.enough:
            words += "; too few to judge"
        detail = _last_failure(state.polls)
        return f"{words}; last failure: {detail}" if detail and (standing.bad_run or state.firing) else words


def lateness(samples: Sequence[Sample], now: Instant, before: float) -> float:
    """How old the newest answer among these was when it came; `before` when none came, or silence came after it. Bounded."""
    newest = max(samples, key=lambda sample: sample.end, default=None)
    if newest is None or isinstance(newest.reading, Unknown):
        return before
    return min(MOST_LATE_S, max(0.0, now - newest.end))


def _health(state: WindowState) -> Health:
    standing = state.standing
    if state.firing:
        return Health.FAILING
    leaning = standing.undecided or standing.progress >= SUSPICIOUS_PROGRESS or standing.bad_run >= SUSPICIOUS_RUN
    return Health.INCONCLUSIVE if leaning or not standing.enough else Health.HEALTHY


def _first_bad(state: WindowState, standing: Standing, *, firing: bool) -> Instant | None:
    """Where the episode began; while it fires it only ever moves earlier."""
    if not firing or not state.firing:
        return standing.first_bad
    known = [moment for moment in (state.first_bad, standing.first_bad) if moment is not None]
    return min(known, default=None)


def _last_failure(polls: Sequence[Poll]) -> str:
    """What a person wants to see: the detail of the newest voice that was bad."""
    failing = (voice for poll in reversed(polls) for voice in poll.voices if voice.bad and voice.detail)
    return next((voice.detail for voice in failing), "")
