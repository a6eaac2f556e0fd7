"""The release ledger: what was deployed when, what it has earned, and where the road back leads.

Role: pure changes of a `UnitRecord`; `engine.tracking` stores the result by compare-and-swap. Neighbours: `blame` (bake),
the gate (last known good). Guarantees: a grade is earned by *watched*, healthy time only; a condemned release stays so
until a person clears it; the ledger is bounded and drops good releases last. Not guaranteed: that a release which ran
before we looked was good - `ASSUMED_GOOD` is the weaker word for that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from watchdog.judgement.wording import count, duration
from watchdog.model import (
    Counts,
    Grade,
    Health,
    Instant,
    MinuteCount,
    Release,
    Sample,
    TargetPolicy,
    TargetVerdict,
    UnitRecord,
    WorkloadState,
    instant,
    record,
)

MOST_RELEASES = 30
BASELINE_S = 3600.0
"""The hour before a rollout says what is normal."""

MINUTES_S = 70 * 60.0
"""Minute counts that are kept: an hour of baseline and some minutes that may be left out of it."""


@record
class Choice:
    """The last known good release, or None with the reason.

    `steps_back` counts good releases (1 = the newest), `age_s` seconds since it last ran as a good one. `far` = further
    than the policy allows without asking. `stored` = the platform's history does not have it: our copy of the template.
    """

    release: Release | None
    sentence: str
    steps_back: int = 0
    age_s: float = 0.0
    far: bool = False
    stored: bool = False


# -- what runs now ---------------------------------------------------------------------------------------------------


def observe(
    unit: UnitRecord, state: WorkloadState, now: Instant, policy: TargetPolicy
) -> tuple[UnitRecord, tuple[str, ...]]:
    """Take in one fresh read: a new release, its progress, its completion, a condemned one that came back.

    A state that the controller has not yet looked at, or without a fingerprint, changes nothing.
    """
    seen = state.release
    if not state.observed or not seen.fingerprint:
        return unit, ()
    first_sight = not unit.current
    unit = unit if unit.first_seen is not None else replace(unit, first_seen=now)
    known = unit.release(seen.fingerprint)
    sentences: list[str] = []
    if known is None or unit.current != seen.fingerprint or _came_again(unit, state):
        entry = _begun(known, state, None if first_sight else now)
        sentences.append(_begun_sentence(entry, policy, first_sight=first_sight))
        unit, fought = _fought(unit, entry)
        sentences += fought
    else:
        entry, moved = _refreshed(known, state)
        sentences += moved
    if entry.completed is None and state.complete:
        entry = replace(entry, completed=_completed(entry, state, now))
        sentences.append(f"{entry.label} is rolled out")
    unit = replace(_put(unit, entry), current=entry.fingerprint)
    return _bounded(unit), tuple(sentences)


def assume_good(
    unit: UnitRecord, state: WorkloadState, verdict: TargetVerdict, now: Instant, policy: TargetPolicy
) -> tuple[UnitRecord, tuple[str, ...]]:
    """Grade what ran before we first looked: complete for longer than the soak, and healthy now.

    Only a release whose rollout we did not see, never a condemned or graded one, and only while it is what runs.
    """
    entry = unit.release(unit.current)
    if entry is None or entry.grade is not Grade.NEW or state.release.fingerprint != unit.current:
        return unit, ()
    if entry.completed is None or unit.first_seen is None:
        return unit, ()
    age = unit.first_seen - entry.completed
    if not state.complete or age <= policy.bake_s or verdict.health is not Health.HEALTHY:
        return unit, ()
    note = f"complete for {duration(age)} when first seen, and healthy"
    graded = replace(entry, grade=Grade.ASSUMED_GOOD, graded_at=now, note=note)
    return _put(unit, graded), (f"{entry.label} is assumed good: {note}",)


def credit(
    unit: UnitRecord,
    seconds_watched: float,
    events: int | None,
    healthy: bool,  # noqa: FBT001 - the order in which the sentence is said: so long, so many, healthy or not
    now: Instant,
    policy: TargetPolicy,
) -> tuple[UnitRecord, tuple[str, ...]]:
    """Count watched time towards the bake of the current release, and grade it good when it has passed.

    `seconds_watched` is 0 while paused or blind; `events` are new user events, None when nothing counts them. Time before
    completion and time in which it was not healthy earn nothing. After `bake_at_most_s` the wait for events ends.
    """
    entry = unit.release(unit.current)
    completed = None if entry is None else entry.completed
    if entry is None or completed is None or entry.grade is Grade.CONDEMNED or _has_baked(entry):
        return unit, ()
    if not healthy or seconds_watched <= 0:
        return unit, ()
    entry = replace(entry, watched_s=entry.watched_s + seconds_watched, events=entry.events + max(0, events or 0))
    waited_out = now - completed >= policy.bake_at_most_s
    enough = events is None or entry.events >= policy.bake_events or waited_out
    if entry.watched_s < policy.bake_s or not enough:
        return _put(unit, entry), ()
    seen = f" and {count(entry.events, 'user event')}" if entry.events else ""
    note = f"healthy for {duration(entry.watched_s)} watched{seen}"
    entry = replace(entry, grade=Grade.GOOD, graded_at=now, note=note)
    return _put(unit, entry), (f"{entry.label} has earned its grade good: {note}",)


def in_bake(unit: UnitRecord, fingerprint: str, now: Instant, policy: TargetPolicy) -> tuple[bool, str]:
    """Whether the release is under suspicion, and the sentence that says why.

    From the start of its rollout until it has earned its grade in this rollout, at most `bake_at_most_s` after completion
    (after the start, when it never completes). A release whose rollout nobody saw is not in bake.
    """
    entry = unit.release(fingerprint)
    if entry is None:
        return False, "the release is not in the ledger: its rollout was not seen"
    if entry.started is None:
        return False, f"the rollout of {entry.label} was not seen: it is not under suspicion"
    since = entry.started if entry.completed is None else entry.completed
    if now - since >= policy.bake_at_most_s:
        what = "began" if entry.completed is None else "completed"
        longest = duration(policy.bake_at_most_s)
        return False, f"{entry.label} {what} {duration(now - since)} ago: bake lasts at most {longest}"
    if entry.completed is None:
        return True, f"{entry.label} is still rolling out: it is under suspicion"
    if _has_baked(entry):
        return False, f"{entry.label} has passed its bake time"
    counted = f", {entry.events} of {policy.bake_events} user events" if entry.events else ""
    watched = f"{duration(entry.watched_s)} of {duration(policy.bake_s)} watched{counted}"
    return True, f"{entry.label} is in its bake time: {watched}"


# -- grades ----------------------------------------------------------------------------------------------------------


def condemn(unit: UnitRecord, fingerprint: str, now: Instant, why: str) -> UnitRecord:
    """Never roll back *to* it, and recognise it when it comes back. Stays until a person clears it."""
    entry = unit.release(fingerprint) or Release(fingerprint=fingerprint)
    return _put(unit, replace(entry, grade=Grade.CONDEMNED, graded_at=now, note=why))


def clear(unit: UnitRecord, fingerprint: str, who: str, now: Instant) -> UnitRecord:
    """A person takes back condemnation and refusal: it is new again and has to earn its grade."""
    entry = unit.release(fingerprint)
    if entry is not None and entry.grade is Grade.CONDEMNED:
        note = f"cleared by {who}; was condemned: {entry.note}"
        entry = replace(entry, grade=Grade.NEW, graded_at=now, note=note, watched_s=0.0, events=0)
        unit = _put(unit, entry)
    return replace(
        unit,
        cancelled=tuple(one for one in unit.cancelled if one != fingerprint),
        fought=tuple(one for one in unit.fought if one != fingerprint),
    )


def last_known_good(
    unit: UnitRecord, now: Instant, policy: TargetPolicy, available: Sequence[Release] | None
) -> Choice:
    """The newest good release that is neither condemned nor the current one, and that can be brought back.

    `available` is the platform's history, None when it could not be read. One that is neither there nor has a stored
    template is skipped: the walk back goes on, before any write.
    """
    good = [entry for entry in _newest_first(unit) if entry.is_good and entry.fingerprint != unit.current]
    if not unit.current:
        return Choice(release=None, sentence="what runs now is not known, so there is no way back")
    if not good:
        return Choice(release=None, sentence="no other release has earned the grade good: there is no way back")
    history = None if available is None else {one.fingerprint: one for one in available}
    skipped: list[str] = []
    for steps, entry in enumerate(good, start=1):
        found = None if history is None else history.get(entry.fingerprint)
        if found is not None:
            return _chosen(unit, _merged(entry, found), steps, now, policy, "; ".join(skipped))
        if entry.template is not None or history is None:
            why = "the platform's history could not be read" if history is None else "the history no longer has it"
            words = [*skipped, f"{why}: our stored copy would be used" if entry.template is not None else why]
            return _chosen(unit, entry, steps, now, policy, "; ".join(words), stored=entry.template is not None)
        skipped.append(f"{entry.label} is neither in the history nor stored")
    return Choice(release=None, sentence="no good release can be brought back: " + "; ".join(skipped))


# -- baseline --------------------------------------------------------------------------------------------------------


def minutes_before(unit: UnitRecord | None, moment: Instant) -> dict[str, tuple[tuple[int, int], ...]]:
    """By signal: (events, bad) of each kept minute that was over at `moment` and not older than an hour, oldest first."""
    found: dict[str, list[tuple[int, int]]] = {}
    for one in unit.minutes if unit else ():
        if moment - BASELINE_S <= one.minute <= moment - 60.0:
            found.setdefault(one.signal, []).append((one.good + one.bad, one.bad))
    return {signal: tuple(minutes) for signal, minutes in found.items()}


def count_minutes(unit: UnitRecord, samples: Sequence[Sample], now: Instant, *, baseline: bool = True) -> UnitRecord:
    """Add counts to their minutes and forget what is older than 70 minutes. Hand over each sample once.

    With `baseline` False (an incident is open, or what runs is condemned) the minutes that these samples speak of are
    taken out: they form no baseline. A sample of another release than the current one never counts.
    """
    minutes = {(one.minute, one.signal): one for one in unit.minutes if one.minute > now - MINUTES_S}
    for sample in samples:
        minute = instant(math.ceil(sample.end / 60.0) * 60.0 - 60.0)
        if not isinstance(sample.reading, Counts) or minute <= now - MINUTES_S:
            continue
        key = (minute, sample.signal)
        if not baseline:
            minutes.pop(key, None)
        elif sample.release in (None, unit.current):
            before = minutes.get(key, MinuteCount(minute=minute, signal=sample.signal, good=0, bad=0))
            good, bad = before.good + sample.reading.good, before.bad + sample.reading.bad
            minutes[key] = replace(before, good=good, bad=bad)
    return replace(unit, minutes=tuple(minutes[key] for key in sorted(minutes)))


def fill_minutes(unit: UnitRecord, samples: Sequence[Sample], now: Instant) -> UnitRecord:
    """Add minutes that a source remembers from before we looked. Never one that is known already, nor of a signal's later time.

    Minutes of a release that began within the hour and has not earned its grade are left out: it is what is to be judged.
    """
    entry = unit.release(unit.current)
    began = None if entry is None or entry.is_good else entry.started
    until = now if began is None or now - began >= BASELINE_S else began
    first: dict[str, Instant] = {}
    for one in unit.minutes:
        first[one.signal] = min(one.minute, first.get(one.signal, one.minute))
    early = [
        sample
        for sample in samples
        if sample.end <= min(until, first.get(sample.signal, until)) and sample.release is None
    ]
    return count_minutes(unit, early, now)


# -- inner workings --------------------------------------------------------------------------------------------------


def _has_baked(entry: Release) -> bool:
    """Its grade was earned or assumed since its latest rollout began."""
    if not entry.is_good or entry.graded_at is None:
        return False
    return entry.started is None or entry.graded_at >= entry.started


def _came_again(unit: UnitRecord, state: WorkloadState) -> bool:
    """The same fingerprint, though we rolled back from it meanwhile: somebody was faster than our reads."""
    entry = unit.release(state.release.fingerprint)
    if entry is None or state.started is None or entry.started is None or state.started <= entry.started:
        return False
    return any(act.from_release == entry.fingerprint and act.at < state.started for act in unit.acts)


def _begun(known: Release | None, state: WorkloadState, now: Instant | None) -> Release:
    """The entry at the start of a rollout. `now` None = at first sight, when only the platform can know the start.

    A release found complete, of which nobody knows since when, gets no start: it may be years old, and is not suspected.
    A later rollout of a known release keeps its grade, and bakes anew.
    """
    seen, started = state.release, state.started
    if now is None and state.complete and state.completed is None:
        started = None
    if known is None:
        entry = replace(seen, grade=Grade.NEW, graded_at=None, note="")
        return replace(entry, started=now if started is None else started, completed=None, watched_s=0.0, events=0)
    if started is None or started <= _moment(known):
        started = now  # the platform remembers its first rollout, not this one
    return replace(_merged(known, seen), started=started, completed=None, watched_s=0.0, events=0)


def _completed(entry: Release, state: WorkloadState, now: Instant) -> Instant:
    """The platform's word, unless it speaks of an earlier rollout of the same release."""
    if state.completed is None or (entry.started is not None and state.completed < entry.started):
        return now
    return state.completed


def _begun_sentence(entry: Release, policy: TargetPolicy, *, first_sight: bool) -> str:
    if first_sight:
        return f"{entry.label} was running when first seen"
    return f"{entry.label} is being rolled out: bake of {duration(policy.bake_s)} watched begins"


def _fought(unit: UnitRecord, entry: Release) -> tuple[UnitRecord, list[str]]:
    """Say once that somebody brings back what was condemned."""
    if entry.grade is not Grade.CONDEMNED or entry.fingerprint in unit.fought:
        return unit, []
    by = f" by {entry.actor}" if entry.actor else ""
    sentence = f"{entry.label}, which is condemned ({entry.note}), was applied again{by}: it is not rolled back twice"
    return replace(unit, fought=(*unit.fought, entry.fingerprint)), [sentence]


def _refreshed(known: Release, state: WorkloadState) -> tuple[Release, list[str]]:
    """The same release read again: what the platform has learned since, and an image that changed behind its tag."""
    changed = {
        name: digest
        for name, digest in state.release.digests.items()
        if digest and known.digests.get(name) not in (None, "", digest)
    }
    entry = _merged(known, state.release)
    if entry.started is None and entry.completed is None and state.started is not None:
        entry = replace(entry, started=state.started)
    if not changed:
        return entry, []
    return entry, [f"the image behind the tag changed in {', '.join(sorted(changed))}: same template, other content"]


def _merged(known: Release, seen: Release) -> Release:
    """What is known, with what the platform says now. The digests that a good release earned its grade with stay."""
    keep_digests = known.is_good and known.digests
    return replace(
        known,
        revision=seen.revision or known.revision,
        address=seen.address or known.address,
        images=seen.images or known.images,
        digests=known.digests if keep_digests else {**known.digests, **seen.digests},
        claims=seen.claims or known.claims,
        template=known.template if seen.template is None else seen.template,
        change_cause=seen.change_cause or known.change_cause,
        actor=seen.actor or known.actor,
    )


def _chosen(
    unit: UnitRecord,
    entry: Release,
    steps: int,
    now: Instant,
    policy: TargetPolicy,
    aside: str,
    *,
    stored: bool = False,
) -> Choice:
    age = max(0.0, now - _last_ran(unit, entry))
    too_many, too_old = steps > policy.good_back, age > policy.good_age_s
    place = "the newest good release" if steps == 1 else f"good release number {steps} counted back"
    words = f"{entry.label} is {place}, {_grade_words(entry)}, last ran {duration(age)} ago"
    if too_many:
        words += f"; further back than {count(policy.good_back, 'good release')}"
    if too_old:
        words += f"; older than {duration(policy.good_age_s)}"
    sentence = f"{words}; {aside}" if aside else words
    return Choice(release=entry, sentence=sentence, steps_back=steps, age_s=age, far=too_many or too_old, stored=stored)


def _grade_words(entry: Release) -> str:
    return "earned under our eyes" if entry.grade is Grade.GOOD else "assumed good at first sight"


def _last_ran(unit: UnitRecord, entry: Release) -> Instant:
    """When the next release took its place; when that is not known, when it was graded."""
    ran = max((at for at in (entry.started, entry.graded_at) if at is not None), default=Instant(0.0))
    return min((one.started for one in unit.releases if one.started is not None and one.started > ran), default=ran)


def _newest_first(unit: UnitRecord) -> list[Release]:
    return sorted(unit.releases, key=_moment, reverse=True)


def _moment(entry: Release) -> float:
    """Where it stands in the order of releases: its latest rollout, else its grade."""
    return max((at for at in (entry.started, entry.completed, entry.graded_at) if at is not None), default=0.0)


def _put(unit: UnitRecord, entry: Release) -> UnitRecord:
    if unit.release(entry.fingerprint) is None:
        return replace(unit, releases=(entry, *unit.releases))
    releases = tuple(entry if one.fingerprint == entry.fingerprint else one for one in unit.releases)
    return replace(unit, releases=releases)


def _bounded(unit: UnitRecord) -> UnitRecord:
    """At most `MOST_RELEASES`: new ones go first, then condemned ones, good ones last; the current one never.

    Templates are kept where they may bring a release back, or show what was wrong with the current one.
    """
    kept = _newest_first(unit)
    rank = {Grade.NEW: 0, Grade.CONDEMNED: 1}
    while len(kept) > MOST_RELEASES:
        others = [entry for entry in kept if entry.fingerprint != unit.current]
        kept.remove(min(others, key=lambda entry: (rank.get(entry.grade, 2), _moment(entry))))
    lean = (
        entry if entry.is_good or entry.fingerprint == unit.current else replace(entry, template=None) for entry in kept
    )
    return replace(unit, releases=tuple(lean))
