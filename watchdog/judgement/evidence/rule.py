"""The evidence rule as a value behind the interface of all rules.

Role: what `judge` drives; weighs all its signals together. Neighbours: `intaking` (samples to looks), `weighing` (looks to
evidence), `wording` (sentences).
Guarantees: pure; an Unknown never moves it; a sample counts once; what came before `Context.fresh_from`, or before the
release now running was first seen, does not count; shown evidence never rises on good samples. Once it fires it stays so
until twice the tolerated interruption was good. Not guaranteed: that it can tell a dependency outage from a bad release
when there is neither a control nor an old pod.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from watchdog.judgement.evidence.baseline import Pair, tolerated_rate
from watchdog.judgement.evidence.detector import log_sum
from watchdog.judgement.evidence.groups import Group, way
from watchdog.judgement.evidence.intaking import Ends, counts_of, heard, looks_of, restarts_before
from watchdog.judgement.evidence.knobs import Kind, Knobs
from watchdog.judgement.evidence.look import Look
from watchdog.judgement.evidence.memory import MOST_FAILURES, SHOWN_S
from watchdog.judgement.evidence.recent import looks_fine, sums
from watchdog.judgement.evidence.terms import Terms, terms_of
from watchdog.judgement.evidence.weighing import Weighed, begin, weigh
from watchdog.judgement.evidence.wording import readings, said, seconds_more, weighed
from watchdog.judgement.rule import Context
from watchdog.judgement.window import STALE_POLLS, STALE_S, SUSPICIOUS_PROGRESS, SUSPICIOUS_RUN, lateness
from watchdog.judgement.wording import clock, duration
from watchdog.model import Health, Instant, Sample, SignalVerdict, record

ALMOST = 0.99
"""Progress of a rule that has not fired."""

RECOVERED_AFTER = 2.0
"""So many times the tolerated interruption must be good: the up phase of a crash loop is not recovery."""

TREND = 4
"""Looks whose pace says how many seconds are missing."""


@record
class Watched:
    """What is remembered of one signal beside its streams."""

    answered: Instant | None = None
    data: Instant | None = None
    unknown: str = ""
    bad_run: int = 0
    last_bad: Instant | None = None
    shown: float = 0.0
    first_bad: Instant | None = None
    late_s: float = 0.0
    """How old its newest answer was when it came."""
    bad_ends: tuple[Instant, ...] = ()
    """Ends of the latest samples in which something was bad."""


@record
class EvidenceState:
    """The frozen state of the rule. `origin` = the moment from which event time is counted."""

    fresh_from: Instant
    release: str
    origin: Instant
    terms: Terms
    weighed: Weighed
    watched: Mapping[str, Watched]
    ends: Ends = field(default_factory=dict)
    since: Instant | None = None
    first_bad: Instant | None = None
    trend: tuple[tuple[float, float], ...] = ()
    held: str = ""
    knew: bool = False
    """Something was known of the hour before when the window began."""
    restarts: Mapping[str, int] | None = None
    """Restarts of pods when the watch first saw them, where they are older than the watch."""


@dataclass(frozen=True, slots=True)
class EvidenceRule:
    """One rule over several signals.

    `kinds` says what the events of each signal are; `own` holds the knobs of signals whose rates were set apart; `baseline`
    minute counts (events, bad) of the hour before, oldest first, where the context brings none; `every_s` seconds that one delivery covers where that is longer than a poll; `limits` the value
    above which a `Value` sample is a bad event. Raises ValueError when a signal has no kind.
    """

    signals: tuple[str, ...]
    kinds: Mapping[str, Kind]
    knobs: Knobs = field(default_factory=Knobs)
    baseline: Mapping[str, Sequence[Pair]] = field(default_factory=dict)
    poll_s: float = 5.0
    every_s: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    stale_s: float | None = None
    own: Mapping[str, Knobs] = field(default_factory=dict)

    @property
    def compares(self) -> bool:
        """The old release's pods are the live control."""
        return True

    def __post_init__(self) -> None:
        """Refuse a signal whose events nobody named."""
        without = [name for name in self.signals if name not in self.kinds]
        if without or not self.signals:
            raise ValueError(f"no kind (probe, err or slow) is given for {', '.join(without) or 'any signal'}")
        if self.poll_s <= 0:
            raise ValueError("the poll period must be above zero")

    def start(self, context: Context, now: Instant) -> EvidenceState:  # noqa: ARG002 - part of the interface
        """A fresh window that has seen nothing. The watch begins with the rollout, or with the window where that is later."""
        origin = max(context.fresh_from, context.rollout_started or context.fresh_from)
        terms = self._terms(context)
        return EvidenceState(
            fresh_from=context.fresh_from,
            release=context.release,
            origin=origin,
            terms=terms,
            weighed=begin(terms),
            watched={name: Watched() for name in self.signals},
            knew=bool(context.baseline),
        )

    def observe(self, state: EvidenceState, samples: Sequence[Sample], context: Context, now: Instant) -> EvidenceState:
        """The state after these samples."""
        state = self._moved_on(state, context, now)
        heard_of = [one for one in samples if one.signal in self.kinds]
        mine = [one for one in heard_of if one.end > state.origin]
        found, ends = heard(mine, state.ends, self.limits)
        known = restarts_before(context, state.origin) if state.restarts is None else state.restarts
        state = replace(state, ends=ends, watched=self._remembered(state, heard_of, context, now), restarts=known)
        if not found and not context.instances and not context.wanted:
            return state
        for look in looks_of(found, context, state.origin, now, known):
            state = self._after(state, look)
        return self._fired_or_recovered(state, context, now)

    def verdicts(self, state: EvidenceState, context: Context, now: Instant) -> tuple[SignalVerdict, ...]:  # noqa: ARG002 - part of the interface
        """One verdict for each signal."""
        return tuple(self._verdict(name, state, now) for name in self.signals)

    def _terms(self, context: Context) -> Terms:
        """The target's tolerated interruption may be longer than the knob's (one replica, Recreate): the longer one holds."""
        knobs = _at_least(self.knobs, context.tolerate_interruption_s)
        own = {name: _at_least(apart, context.tolerate_interruption_s) for name, apart in self.own.items()}
        kinds = {name: self.kinds[name] for name in self.signals}
        minutes = {name: context.baseline.get(name) or self.baseline.get(name, ()) for name in kinds}
        baselines = {name: tolerated_rate(minutes[name], kind, own.get(name, knobs)) for name, kind in kinds.items()}
        return terms_of(kinds, baselines, knobs, self.poll_s, self.every_s, own)

    def _moved_on(self, state: EvidenceState, context: Context, now: Instant) -> EvidenceState:
        """Old samples do not count after stall, resume, rollback or another release.

        Nor where the hour before is known only now: after a start the ledger may be read later than the first polls come.
        """
        other = context.release not in ("", state.release)
        late = bool(context.baseline) and not state.knew
        if context.fresh_from <= state.fresh_from and not other and not late:
            return state
        fresh = self.start(context, now)
        # Neither is a reason to call a source silent: it may be minutes late, and has answered as always.
        kept = {
            name: replace(one, answered=state.watched[name].answered, late_s=state.watched[name].late_s)
            for name, one in fresh.watched.items()
        }
        return replace(fresh, watched=kept)

    def _remembered(
        self, state: EvidenceState, samples: Sequence[Sample], context: Context, now: Instant
    ) -> dict[str, Watched]:
        """Who answered, with what run of bad readings. Samples of the old release say nothing here."""
        watched = {
            name: replace(one, late_s=lateness([s for s in samples if s.signal == name], now, one.late_s))
            for name, one in state.watched.items()
        }
        for sample in sorted(samples, key=lambda one: one.end):
            if context.release and sample.release not in (None, context.release):
                continue
            known = watched[sample.signal]
            if sample.end <= state.origin:  # of before the watch: the source answers, and that is all it says
                if counts_of(sample, self.limits) is not None:
                    watched[sample.signal] = replace(known, answered=max(sample.end, known.answered or sample.end))
                continue
            counts = counts_of(sample, self.limits)
            if counts is None:
                watched[sample.signal] = replace(known, unknown=getattr(sample.reading, "reason", "no number"))
                continue
            known = replace(known, answered=max(sample.end, known.answered or sample.end), unknown="")
            if counts[1]:
                known = replace(known, bad_ends=(*known.bad_ends[-MOST_FAILURES:], sample.end))
            if counts[0] and sample.end > (known.data or -math.inf):
                known = _with_counts(known, sample.end, bad=self._is_bad(state.terms, sample.signal, counts))
            watched[sample.signal] = known
        return watched

    def _is_bad(self, terms: Terms, name: str, counts: Pair) -> bool:
        events, bad = counts
        return bad > max(terms.unacceptable(name), terms.ladders[name].tolerated) * events

    def _after(self, state: EvidenceState, look: Look) -> EvidenceState:
        before, after = state.weighed, weigh(state.terms, state.weighed, look)
        watched = dict(state.watched)
        for name in self.signals:
            share, since = _share(state.terms, after, name)
            bad = look.counts.get(name, (0, 0))[1]
            shown = share if bad else min(share, watched[name].shown)
            first = None if since is None else _first_bad(watched[name], state.origin + since)
            watched[name] = replace(watched[name], shown=shown, first_bad=first)
        trend = (*state.trend, (after.at, after.evidence))[-TREND:] if after.at > before.at else state.trend
        return replace(state, weighed=after, watched=watched, trend=trend, held=look.held)

    def _fired_or_recovered(self, state: EvidenceState, context: Context, now: Instant) -> EvidenceState:
        if not state.weighed.fires:
            return state
        known = [one.first_bad for one in state.watched.values() if one.first_bad is not None and one.shown > 0]
        state = replace(
            state,
            since=now if state.since is None else state.since,
            first_bad=min([*known, *([state.first_bad] if state.first_bad is not None else [])], default=None),
        )
        if not all(self._good_for_long(state, name) for name in self.signals):
            return state
        origin = max(one.data or state.origin for one in state.watched.values())
        fresh = begin(state.terms, origin - state.origin)
        fresh = replace(fresh, memory=state.weighed.memory)
        again = weigh(state.terms, fresh, looks_of([], context, state.origin, now, state.restarts or {})[0])
        if again.fires:  # what is counted, restarts say, still stands
            return state
        watched = {name: replace(one, shown=0.0, first_bad=None) for name, one in state.watched.items()}
        return replace(state, weighed=fresh, watched=watched, since=None, first_bad=None, trend=())

    def _good_for_long(self, state: EvidenceState, name: str) -> bool:
        """Good and known for twice the tolerated interruption."""
        one, terms = state.watched[name], state.terms
        if one.data is None:
            return False
        long = RECOVERED_AFTER * terms.knobs.tolerate_interruption_s
        began = max(one.last_bad or state.origin, state.since or state.origin) if state.since else one.last_bad
        good_since = state.origin if began is None else began
        recent = sums(state.weighed.memory.recent.get(name, ()), one.data - state.origin, SHOWN_S)
        return one.data - good_since >= long and looks_fine(recent, terms.ladders[name].tolerated)

    def _verdict(self, name: str, state: EvidenceState, now: Instant) -> SignalVerdict:
        one, terms = state.watched[name], state.terms
        health, missing = self._health(name, state, now)
        recent = sums(state.weighed.memory.recent.get(name, ()), state.weighed.at, SHOWN_S)
        firing = state.weighed.fires and name in _telling(state)
        blind = health is Health.BLIND
        return SignalVerdict(
            signal=name,
            health=health,
            sentence=self._sentence(name, state, health, recent, now),
            missing=missing,
            progress=1.0 if firing else min(ALMOST, one.shown),
            value=recent[1] / recent[0] if recent[0] else None,
            limit=terms.ladders[name].tolerated,
            events=recent[0],
            data_at=one.data,
            first_bad=(state.first_bad if firing else None) or (one.first_bad if one.shown > 0 else None),
            since=state.since if firing else None,
            blind_since=_heard_from(state, one) if blind else None,
            late_s=one.late_s,
            bad_run=one.bad_run,
            recovered=health is Health.HEALTHY and self._good_for_long(state, name),
        )

    def _stale_after(self, name: str) -> float:
        if self.stale_s is not None:
            return self.stale_s
        return max(STALE_S, STALE_POLLS * max(self.poll_s, self.every_s.get(name, 0.0)))

    def _health(self, name: str, state: EvidenceState, now: Instant) -> tuple[Health, str]:
        one = state.watched[name]
        limit = self._stale_after(name) + one.late_s
        if now - _heard_from(state, one) > limit:
            return Health.BLIND, "an answer of the source"
        if state.weighed.fires and name in _telling(state):
            return Health.FAILING, ""
        if one.data is None or now - one.data > limit:
            return Health.INCONCLUSIVE, "events to judge by"
        missing = weighed(one.shown, seconds_more(state.trend, state.terms.need), state.held)
        if one.shown >= SUSPICIOUS_PROGRESS or one.bad_run >= SUSPICIOUS_RUN or state.weighed.fires:
            return Health.INCONCLUSIVE, missing
        return Health.HEALTHY, missing

    def _sentence(self, name: str, state: EvidenceState, health: Health, recent: Pair, now: Instant) -> str:
        one = state.watched[name]
        if health is Health.BLIND:
            since = _heard_from(state, one)
            why = one.unknown or "nothing came from the source"
            return f"{name}: blind since {clock(since)} ({duration(now - since)}): {why}"
        seen = said(name, recent, state.terms.ladders[name].tolerated)
        if health is Health.FAILING:
            return f"{seen}: enough evidence against the release ({state.weighed.why})"
        if one.data is None:
            return f"{name}: no events yet"
        words = weighed(one.shown, seconds_more(state.trend, state.terms.need), state.held)
        run = f"; {readings(one.bad_run)}" if one.bad_run >= SUSPICIOUS_RUN else ""
        return f"{seen}: {words}{run}, newest {duration(now - one.data)} old"


def _heard_from(state: EvidenceState, one: Watched) -> Instant:
    """Since when its silence is counted: its newest answer, and never before the window itself began."""
    return state.fresh_from if one.answered is None else max(one.answered, state.fresh_from)


def _at_least(knobs: Knobs, tolerated_s: float) -> Knobs:
    return knobs.tolerating(tolerated_s) if tolerated_s > knobs.tolerate_interruption_s else knobs


def _with_counts(known: Watched, end: Instant, *, bad: bool) -> Watched:
    return replace(known, data=end, bad_run=known.bad_run + 1 if bad else 0, last_bad=end if bad else known.last_bad)


def _first_bad(known: Watched, since: float) -> Instant:
    """The end of the first bad sample of a run: the run itself begins where that sample's interval does."""
    return min((end for end in known.bad_ends if end > since), default=Instant(since))


def _telling(state: EvidenceState) -> set[str]:
    """The signals that speak against the release; all, where readiness or restarts do."""
    most = max(one.shown for one in state.watched.values())
    if most < SUSPICIOUS_PROGRESS or not state.weighed.why.startswith("evidence"):
        return set(state.watched)
    return {name for name, one in state.watched.items() if one.shown >= most / 2}


def _share(terms: Terms, after: Weighed, name: str) -> tuple[float, float | None]:
    """Share of the evidence needed that this signal has by itself, and the event time at which its best run began."""
    groups: list[Group] = [after.service, *([after.new] if after.new else [])]
    groups += [pod.group for pod in after.pods.known.values()]
    best, since = 0.0, None
    for group in groups:
        stream = group.streams[name]
        spread = math.log(len(stream.evidence) * len(group.streams)) - group.share
        value, ground = log_sum(list(stream.evidence)) - spread, log_sum(list(stream.floor)) - spread
        share = way(value, ground, terms.need)
        if share > best:
            top = max(range(len(stream.evidence)), key=lambda k: stream.evidence[k])
            best, since = share, stream.since[top]
    return best, since
