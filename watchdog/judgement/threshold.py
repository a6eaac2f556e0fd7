"""Threshold rules, which every operator understands: above a limit for a while, n in a row, k of n.

Role: one frozen class a shape; the fallback and the explanation beside the sequential rule. Neighbours: `window` (buffer,
hysteresis, verdict), `polls` (what one poll comes to), `stretch` (sums over event time).
Guarantees: a disturbance that lasts shorter than `Above.for_s`, touches fewer polls than `Consecutive.n` or
`KOfN.failed`, or (default rule) is shorter than the tolerated interruption, never fires, however violent. Recovery has
its own threshold. Not guaranteed: anything about two disturbances that follow each other closely; they may count as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from watchdog.judgement.polls import Poll, Tone, newest, tone, usual_gap
from watchdog.judgement.rule import Context
from watchdog.judgement.stretch import Bucket, Series, buckets_of
from watchdog.judgement.window import HORIZON_S, JITTER_S, STALE_POLLS, STALE_S, Standing, Windowed
from watchdog.judgement.wording import count, duration, percent
from watchdog.model import Instant

FAILS_ABOVE = 0.05
"""A poll of a counter fails above this share of bad events (`unacceptable_error_rate`); a probe is one event."""

SPARE = 20
"""Polls kept beyond what a rule counts, so that late ones find their place."""

MOST_POLLS = 5000
"""Hard bound of the buffer of `Above`, far beyond any sensible poll interval."""

ALMOST = 0.99
"""Progress of a rule that has not fired."""

Heard = tuple[Poll, Tone]


@dataclass(frozen=True, slots=True)
class KOfN(Windowed):
    """Fires when `failed` of the last `of` known polls failed; recovers when at most `recover_failed` of them did.

    `recover_failed` None = a third of `failed`. With `tolerant`, the failures must also span the target's tolerated
    interruption, so that a short poll interval does not make the rule hasty. Raises ValueError for impossible numbers.
    """

    signal: str
    failed: int
    of: int
    recover_failed: int | None = None
    stale_s: float | None = None
    fails_above: float = FAILS_ABOVE
    tolerant: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that could never fire or never recover."""
        if not 1 <= self.failed <= self.of:
            raise ValueError(f"{self.signal}: {self.failed} of {self.of} can never be")
        if self.recover_failed is not None and not 0 <= self.recover_failed < self.failed:
            raise ValueError(f"{self.signal}: recovery must allow fewer failures than the {self.failed} that fire")

    @property
    def recovers_at(self) -> int:
        """Failures in the window that still count as recovered."""
        return self.failed // 3 if self.recover_failed is None else self.recover_failed

    def keep(self, polls: tuple[Poll, ...]) -> tuple[Poll, ...]:
        """The newest polls."""
        return newest(polls, self.of + SPARE)

    def stand(self, polls: tuple[Poll, ...], context: Context, first_bad: Instant | None) -> Standing:
        """Count failures in the window."""
        heard = _heard(polls, self.fails_above)
        window = heard[-self.of :]
        bad = [poll.end for poll, said in window if said is Tone.BAD]
        began = _episode(heard, max(3, self.of - self.failed), first_bad)
        span = context.tolerate_interruption_s if self.tolerant else 0.0
        lasted = bad[-1] - began if bad and began is not None else 0.0
        fires = len(bad) >= self.failed and lasted >= span - JITTER_S
        share = len(bad) / self.failed if not span else min(len(bad) / self.failed, lasted / span)
        run = _trailing(heard, Tone.BAD)
        well = sum(1 for _, said in window if said is Tone.WELL)
        return Standing(
            text=f"{len(bad)} of the last {count(len(window), 'poll')} failed (limit {self.failed} of {self.of})",
            fires=fires,
            recovered=well >= self.failed and len(bad) <= self.recovers_at,
            enough=len(window) >= self.failed,
            progress=1.0 if fires else min(ALMOST, share),
            bad_run=run,
            first_bad=began,
            value=float(len(bad)),
            limit=float(self.failed),
            events=len(window),
            missing="" if fires else _missing_polls(self.failed - len(bad), span - lasted, heard, begun=bool(bad)),
            recovery=f"at most {self.recovers_at} of {self.of} fail",
        )


@dataclass(frozen=True, slots=True)
class Consecutive(Windowed):
    """Fires when the last `n` known polls failed; recovers after `recover` good ones in a row (None = twice `n`).

    Twice, because the up phase of a crash loop must not look like recovery. Raises ValueError for impossible numbers.
    """

    signal: str
    n: int = 3
    recover: int | None = None
    stale_s: float | None = None
    fails_above: float = FAILS_ABOVE

    def __post_init__(self) -> None:
        """Refuse numbers below one."""
        if self.n < 1 or (self.recover is not None and self.recover < 1):
            raise ValueError(f"{self.signal}: at least one poll in a row")

    @property
    def recovers_at(self) -> int:
        """Good polls in a row that make it recovered."""
        return 2 * self.n if self.recover is None else self.recover

    def keep(self, polls: tuple[Poll, ...]) -> tuple[Poll, ...]:
        """The newest polls."""
        return newest(polls, max(self.n, self.recovers_at) + SPARE)

    def stand(self, polls: tuple[Poll, ...], context: Context, first_bad: Instant | None) -> Standing:  # noqa: ARG002 - part of the interface
        """Count the run up to now."""
        heard = _heard(polls, self.fails_above)
        run = _trailing(heard, Tone.BAD)
        fires = run >= self.n
        return Standing(
            text=f"{count(run, 'poll')} in a row failed (limit {self.n}; {count(len(heard), 'poll')} known)",
            fires=fires,
            recovered=_good_run(heard) >= self.recovers_at,
            enough=len(heard) >= self.n,
            progress=1.0 if fires else min(ALMOST, run / self.n),
            bad_run=run,
            first_bad=_episode(heard, 1, first_bad),
            value=float(run),
            limit=float(self.n),
            events=len(heard),
            missing="" if fires else _missing_polls(self.n - run, 0.0, heard, begun=run > 0),
            recovery=f"{count(self.recovers_at, 'poll')} in a row are good",
        )


@dataclass(frozen=True, slots=True)
class Above(Windowed):
    """Fires when the share of bad events (or a value) was above `above` for `for_s` seconds of event time.

    "Was above" means: from the first to the last poll above the limit at least `for_s` passed, and at no poll in between
    the share over the last quarter of `for_s` (reaching further back, at most `for_s`, until it has `min_events`) was
    at or below the limit. Time without an answer stops that clock: it neither resets nor completes. Recovers when the
    share over the last `for_s` is at most `recover_below` (None = half of `above`). `min_events` does not apply to
    values. Raises ValueError for impossible numbers.
    """

    signal: str
    above: float
    for_s: float = 60.0
    min_events: int = 20
    recover_below: float | None = None
    stale_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse a recovery threshold above the limit, and negative numbers."""
        if self.for_s < 0 or self.min_events < 0:
            raise ValueError(f"{self.signal}: duration and least events cannot be negative")
        if self.recover_below is not None and self.recover_below > self.above:
            raise ValueError(f"{self.signal}: recovers below {self.recover_below:g}, above the limit {self.above:g}")

    @property
    def horizon_s(self) -> float:
        """A long window needs a longer memory."""
        return max(HORIZON_S, 3 * self.for_s)

    @property
    def recovers_at(self) -> float:
        """Share or value at or below which it has recovered."""
        return self.above / 2 if self.recover_below is None else self.recover_below

    def keep(self, polls: tuple[Poll, ...]) -> tuple[Poll, ...]:
        """Polls of twice the window and a minute, and the newest few however old: some sources speak once in minutes."""
        if not polls:
            return polls
        oldest = polls[-1].end - 2 * self.for_s - 60
        few = {poll.end for poll in newest(polls, SPARE)}
        return tuple(poll for poll in polls[-MOST_POLLS:] if poll.end > oldest or poll.end in few)

    def stand(self, polls: tuple[Poll, ...], context: Context, first_bad: Instant | None) -> Standing:  # noqa: ARG002 - part of the interface
        """Follow the share through event time."""
        buckets = buckets_of(polls, self.above)
        if not buckets:
            return Standing(text="no data yet", limit=self.above, missing=f"{duration(self.for_s)} above the limit")
        series, last = Series(buckets), len(buckets) - 1
        first = series.first_within(last, self.for_s)
        events, bad = series.sums(first, last)
        newest_value = buckets[last].value
        value = newest_value if newest_value is not None else (bad / events if events else None)
        run = self._run(series)
        held = 0.0 if run is None else series.lasted(*run, longest_gap=self._longest_gap(buckets))
        fires = run is not None and held >= self.for_s - JITTER_S
        return Standing(
            text=self._text(value, events, buckets[last]),
            fires=fires,
            recovered=self._recovered(series, first, last),
            enough=newest_value is not None or events >= self.min_events,
            undecided=self._over(series, last) is True,
            progress=1.0 if fires else min(ALMOST, held / self.for_s if self.for_s else ALMOST * bool(run)),
            bad_run=_hot_run(buckets),
            first_bad=None if run is None else buckets[run[0]].end,
            value=value,
            limit=self.above,
            events=events or sum(1 for bucket in buckets[first:] if bucket.value is not None),
            missing="" if fires else self._missing(held, events, newest_value),
            recovery=f"it is at most {self._limit(self.recovers_at, newest_value)} over {duration(self.for_s)}",
        )

    def _over(self, series: Series, index: int) -> bool | None:
        """Whether the share up to this bucket is above the limit; None = too few events to say."""
        bucket = series.buckets[index]
        if bucket.value is not None:
            return bucket.hot
        first = series.shortest(index, self.for_s / 4, self.min_events, self.for_s)
        events, bad = series.sums(first, index)
        if not events or events < self.min_events:
            return None
        return bad > self.above * events

    def _run(self, series: Series) -> tuple[int, int] | None:
        """First and last bucket above the limit in the run that is still alive at the newest one."""
        first: int | None = None
        last = 0
        for index, bucket in enumerate(series.buckets):
            over = self._over(series, index)
            if bucket.hot and over:
                first = self._reach_back(series, index) if first is None else first
                last = index
            elif over is False:
                first = None
        return None if first is None else (first, last)

    def _reach_back(self, series: Series, index: int) -> int:
        """The run began with the first of the hot buckets right before the share rose above the limit."""
        oldest = series.first_within(index, self.for_s)
        while index > oldest and series.buckets[index - 1].hot:
            index -= 1
        return index

    def _longest_gap(self, buckets: Sequence[Bucket]) -> float:
        """Seconds between two polls beyond which nobody knows what was in between."""
        if self.stale_s is not None:
            return self.stale_s
        return max(STALE_S, STALE_POLLS * (usual_gap([bucket.end for bucket in buckets]) or 0.0))

    def _recovered(self, series: Series, first: int, last: int) -> bool:
        stretch = series.buckets[first : last + 1]
        values = [bucket.value for bucket in stretch if bucket.value is not None]
        if values:
            return max(values) <= self.recovers_at
        events, bad = series.sums(first, last)
        return events >= max(1, self.min_events) and bad <= self.recovers_at * events

    def _text(self, value: float | None, events: int, newest_bucket: Bucket) -> str:
        if newest_bucket.value is not None:
            unit = f" {newest_bucket.unit}" if newest_bucket.unit else ""
            return f"{newest_bucket.value:.4g}{unit} (limit {self.above:g}{unit} for {duration(self.for_s)})"
        share = percent(value or 0.0)
        return f"{share} of {count(events, 'event')} bad in {duration(self.for_s)} (limit {percent(self.above)})"

    def _limit(self, limit: float, value: float | None) -> str:
        return f"{limit:g}" if value is not None else percent(limit)

    def _missing(self, held: float, events: int, value: float | None) -> str:
        limit = self._limit(self.above, value)
        more = [f"{duration(self.for_s - held)} more above {limit}"] if held < self.for_s else [f"more above {limit}"]
        if value is None and events < self.min_events:
            more.append(count(self.min_events - events, "more event"))
        return " and ".join(more)


def default_rule(signal: str, *, stale_s: float | None = None, fails_above: float = FAILS_ABOVE) -> KOfN:
    """What a signal that gives states gets without a `rule:`: 6 of 12 polls, spanning at least the tolerated interruption."""
    return KOfN(signal, failed=6, of=12, stale_s=stale_s, fails_above=fails_above, tolerant=True)


def _heard(polls: Sequence[Poll], fails_above: float) -> list[Heard]:
    """Polls that are known to be good or bad, with their tone."""
    told = ((poll, tone(poll, fails_above)) for poll in polls)
    return [(poll, said) for poll, said in told if said in (Tone.BAD, Tone.GOOD, Tone.WELL)]


def _trailing(heard: Sequence[Heard], wanted: Tone) -> int:
    run = 0
    for _, said in reversed(heard):
        if said is not wanted:
            break
        run += 1
    return run


def _good_run(heard: Sequence[Heard]) -> int:
    """Well polls since the last bad one."""
    run = 0
    for _, said in reversed(heard):
        if said is Tone.BAD:
            break
        run += said is Tone.WELL
    return run


def _hot_run(buckets: Sequence[Bucket]) -> int:
    run = 0
    for bucket in reversed(buckets):
        if not bucket.hot:
            break
        run += 1
    return run


def _episode(heard: Sequence[Heard], apart: int, known: Instant | None) -> Instant | None:
    """Event time of the first bad poll of the episode that still goes on; None when there is none.

    `apart` good polls in a row separate two episodes. One that reaches back to the edge of the buffer began where it was
    `known` to have begun before the edge moved on.
    """
    began: Instant | None = None
    good, at_edge, from_edge = 0, True, True
    for poll, said in heard:
        if said is Tone.BAD:
            if began is None:
                began, from_edge = poll.end, at_edge
            good = 0
            continue
        good += 1
        if good >= apart:
            began, at_edge = None, False
    if began is not None and from_edge and known is not None:
        return min(began, known)
    return began


def _missing_polls(polls: int, seconds: float, heard: Sequence[Heard], *, begun: bool) -> str:
    """``3 more failing polls, about 15 s``. Not `begun`: one more poll is needed to start the span of `seconds`."""
    gap = usual_gap([poll.end for poll, _ in heard])
    if gap and seconds - JITTER_S > 0:
        polls = max(polls, ceil((seconds - JITTER_S) / gap) + (not begun))
    words = count(max(1, polls), "more failing poll")
    return f"{words}, about {duration(max(1, polls) * gap)}" if gap else words
