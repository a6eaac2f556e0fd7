"""Knobs tried over history: what a choice would have cost, and how soon it would have noticed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.judgement.test_replaying import EVIDENCE, samples
from watchdog.judgement.evidence.knobs import Expert, Kind, Knobs
from watchdog.judgement.evidence.rule import EvidenceRule
from watchdog.judgement.replaying import Recording, Rhythm
from watchdog.judgement.tuning import FAULTS, Stretch, Tried, best, failing, stretches_of, try_out
from watchdog.model import Counts, Instant, Sample, instant
from watchdog.testing.clock import NEW_YEAR

RHYTHM = Rhythm(target="api", tolerate_s=30.0, watch_s=1800.0, step_s=15.0)
QUIET = Recording(samples(0, 6 * 3600, 0.001, None))


def blip(seconds: float) -> Recording:
    """Six hours with one interruption of that length in the middle."""
    begin = 3 * 3600.0
    found = samples(0, begin, 0.001, None) + samples(begin, begin + seconds, 0.9, None)
    return Recording(found + samples(begin + seconds, 6 * 3600, 0.001, None))


def tried(recording: Recording, tolerate_s: float = 30.0) -> Tried:
    rule = EvidenceRule(
        signals=("errors",),
        kinds={"errors": Kind("err")},
        poll_s=15.0,
        knobs=Knobs(tolerate_interruption_s=tolerate_s, expert=Expert(nothing_ready_s=120.0, none_new_ready_s=120.0)),
    )
    rhythm = Rhythm(target="api", tolerate_s=tolerate_s, watch_s=1800.0, step_s=15.0)
    return try_out((rule,), stretches_of(recording, 1800.0, 30), 6, rhythm, 0.05)


def test_a_quiet_history_blames_nothing_and_every_fault_is_noticed_the_worse_the_sooner() -> None:
    found = tried(QUIET)
    assert (found.fired, found.stretches) == (0, 30)
    assert found.at_most == pytest.approx(1 - 0.05 ** (1 / 8))  # eight of the thirty do not overlap
    down, thirty, five = (found.notices[name] for name in FAULTS)
    assert 30 <= down <= thirty <= five < 300


def test_a_longer_tolerated_interruption_bears_longer_blips_and_notices_later() -> None:
    short, long = tried(blip(90.0)), tried(blip(90.0), tolerate_s=120.0)
    assert short.fired > 0
    assert long.fired == 0
    assert long.notices["down"] > short.notices["down"]


def test_a_fault_too_weak_to_be_noticed_is_said() -> None:
    rule = EvidenceRule(
        signals=("errors",), kinds={"errors": Kind("err")}, poll_s=15.0, knobs=Knobs(tolerate_error_rate=0.2, unacceptable_error_rate=0.5)
    )  # fmt: skip
    found = try_out((rule,), stretches_of(QUIET, 1800.0, 10), 5, RHYTHM, 0.5)
    assert found.notices["5 %"] is None
    assert found.notices["down"] is not None


def test_stretches_have_an_hour_before_and_spare_what_was_really_wrong() -> None:
    found = stretches_of(QUIET, 1800.0, 200)
    assert found[0].began >= NEW_YEAR + 3600
    assert found[-1].until <= QUIET.last + 1
    assert all(len(one.baseline["errors"]) == 60 for one in found)
    wrong = (Instant(NEW_YEAR + 7200), Instant(NEW_YEAR + 9000))
    spared = stretches_of(QUIET, 1800.0, 200, [wrong])
    assert 0 < len(spared) < len(found)
    assert not any(one.began < wrong[1] and wrong[0] < one.until for one in spared)


@pytest.mark.parametrize("hours", [0, 1, 1.4])
def test_a_history_too_short_has_no_stretch(hours: float) -> None:
    assert stretches_of(Recording(samples(0, hours * 3600, 0.0, None)), 1800.0, 10) == ()


def sample(at: float, good: int, bad: int) -> Sample:
    return Sample(signal="errors", start=instant(at), end=instant(at + 1), reading=Counts(good=good, bad=bad))


@given(
    counts=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=60),
    share=st.floats(0.0, 1.0),
)
def test_faults_lose_no_event_and_fail_their_share_spread_evenly(counts, share: float) -> None:
    given_ = [sample(at, good, bad) for at, (good, bad) in enumerate(counts)]
    failed_so_far = good_so_far = 0
    for before, after in zip(given_, failing(given_, share), strict=True):
        assert after.reading.events == before.reading.events
        assert after.reading.bad >= before.reading.bad
        failed_so_far += after.reading.bad - before.reading.bad
        good_so_far += before.reading.good
        assert abs(failed_so_far - share * good_so_far) < 1.001


def choice(fired: int, seconds: float | None, tolerate_s: float = 30.0, unacceptable: float = 0.05) -> Tried:
    notices = dict.fromkeys(FAULTS, seconds)
    return Tried(
        tolerate_s=tolerate_s, unacceptable=unacceptable, stretches=100, fired=fired, at_most=0.1, notices=notices
    )


@pytest.mark.parametrize(
    ("tried", "chosen"),
    [
        ([choice(0, 90.0), choice(1, 30.0)], 0),
        ([choice(0, 90.0), choice(0, 60.0)], 1),
        ([choice(0, None), choice(0, 600.0)], 1),
        ([choice(3, 30.0), choice(2, 90.0)], 1),
        ([choice(0, 60.0, 15.0, 0.1), choice(0, 60.0, 30.0, 0.1), choice(0, 60.0, 30.0, 0.05)], 2),
    ],
)
def test_the_proposal_is_the_quickest_of_those_that_blamed_least_and_changes_no_more_than_it_must(
    tried, chosen
) -> None:
    assert best(tried, (30.0, 0.05)) is tried[chosen]


def test_a_stretch_is_judged_by_the_same_rule_as_a_rollout() -> None:
    stretch = stretches_of(QUIET, 1800.0, 1)[0]
    assert isinstance(stretch, Stretch)
    found = try_out((EVIDENCE,), [stretch], 1, RHYTHM, 0.05)
    assert (found.stretches, found.fired) == (1, 0)
