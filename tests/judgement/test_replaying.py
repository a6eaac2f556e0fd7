"""What has been, judged by the daemon's own judgement: the same verdict at the same moment."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.engine.board import Board, Watch
from watchdog.judgement.evidence.knobs import Kind
from watchdog.judgement.evidence.rule import EvidenceRule
from watchdog.judgement.ledger import count_minutes
from watchdog.judgement.replaying import Recording, Replayed, Rhythm, Rollout, replay
from watchdog.judgement.threshold import Above
from watchdog.model import Counts, Grade, Health, Instant, Release, Sample, TargetPolicy, UnitRecord, UnitRef
from watchdog.testing.clock import NEW_YEAR, WorldClock
from watchdog.testing.platforms import FakeWorld

EVIDENCE = EvidenceRule(signals=("errors",), kinds={"errors": Kind("err")}, poll_s=15.0)
ABOVE = Above(signal="errors", above=0.05, for_s=120.0, min_events=20, recover_below=0.025)
POLL_S = 15.0


def samples(begin: float, end: float, share: float, release: str | None, seed: int = 1) -> list[Sample]:
    """60 requests every 15 s, of which that share fails."""
    chance = random.Random(seed)
    found = []
    for place in range(int((end - begin) / POLL_S)):
        at = NEW_YEAR + begin + POLL_S * (place + 1)
        bad = sum(chance.random() < share for _ in range(60))
        reading = Counts(good=60 - bad, bad=bad)
        found.append(
            Sample(signal="errors", start=Instant(at - POLL_S), end=Instant(at), reading=reading, release=release)
        )
    return found


def judged(recorded: list[Sample], *rollouts: tuple[str, float], rule=EVIDENCE) -> list[Replayed]:
    begun = [Rollout(release=name, began=Instant(NEW_YEAR + at)) for name, at in rollouts]
    rhythm = Rhythm(target="api", tolerate_s=30.0, watch_s=1800.0, step_s=15.0)
    found = replay((rule,), Recording(recorded), begun, rhythm)
    return list(found)


HOUR = samples(0, 3600, 0.001, "one")


@pytest.mark.parametrize("rule", [EVIDENCE, ABOVE])
def test_a_bad_release_fires_with_its_moment_and_sentence_and_a_good_one_does_not(rule) -> None:
    recorded = HOUR + samples(3600, 7200, 0.2, "two") + samples(7200, 10_800, 0.001, "three")
    bad, good = judged(recorded, ("two", 3600), ("three", 7200), rule=rule)
    assert (bad.release, bad.signals) == ("two", ("errors",))
    assert bad.fired_at is not None
    assert 30 < bad.fired_at - bad.began < 180
    assert bad.began <= bad.first_bad <= bad.fired_at
    assert "errors" in bad.sentence
    assert bad.progress == 1.0
    assert (good.fired_at, good.signals, good.release) == (None, (), "three")
    assert good.progress < 0.5
    assert good.ended - good.began == 1800
    assert 0.1 < bad.bad_events / bad.events < 0.3


def test_what_was_bad_before_is_not_the_releases_doing() -> None:
    before, after = samples(0, 3600, 0.2, "one"), samples(3600, 7200, 0.2, "two")
    (found,) = judged(before + after, ("two", 3600))
    assert found.fired_at is None
    assert found.baseline_minutes == 60


def test_the_minutes_after_a_release_fired_are_no_baseline_for_the_next() -> None:
    recorded = HOUR + samples(3600, 4200, 0.2, "two") + samples(4200, 7200, 0.2, "three")
    first, second = judged(recorded, ("two", 3600), ("three", 4200))
    assert first.fired_at is not None
    assert second.fired_at is not None  # as bad as the one before, which does not make it normal
    assert second.baseline_minutes <= 51


def test_silence_says_nothing() -> None:
    (found,) = judged([*HOUR, replace(HOUR[-1], end=Instant(NEW_YEAR + 7200))], ("two", 3600))
    assert found.fired_at is None
    assert found.events == 0


def test_old_pods_beside_the_new_ones_do_not_count_for_the_release() -> None:
    beside = samples(3600, 5400, 0.4, "one", seed=2) + samples(3600, 5400, 0.0, "two")
    (found,) = judged(HOUR + beside, ("two", 3600))
    assert found.fired_at is None
    assert found.bad_events == 0


@given(seed=st.integers(0, 10_000))
def test_the_order_of_what_was_recorded_is_of_no_consequence(seed: int) -> None:
    recorded = HOUR[-100:] + samples(3600, 4500, 0.1, "two")
    mixed = list(recorded)
    random.Random(seed).shuffle(mixed)
    assert judged(mixed, ("two", 3600)) == judged(recorded, ("two", 3600))


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize("rule", [EVIDENCE, ABOVE])
@pytest.mark.parametrize("share", [0.03, 0.08, 0.5])
async def test_a_running_board_fires_at_the_same_moment(rule, share: float) -> None:
    clock = WorldClock()
    board = Board(clock)
    unit = FakeWorld(clock).add("api", "two")
    seen = board.put(Watch(policy=TargetPolicy(target="api"), signals=(), rules=(rule,)), "start-up")
    recorded = HOUR + samples(3600, 5400, share, "two")
    (replayed,) = judged(recorded, ("two", 3600), rule=rule)
    clock.step(NEW_YEAR + 3600 - clock.now())
    release = Release(fingerprint="two", started=clock.now(), grade=Grade.NEW)
    minutes = tuple(minute_counts())
    ref = UnitRef(target="api", platform="fake", uid="u", name="api")
    seen.record = UnitRecord(unit=ref, releases=(release,), current="two", minutes=minutes)
    seen.state = replace(unit.state(), release=release, instances=(), wanted=0, ready=0, started=clock.now())
    board.rearm("api", "the rollout")
    fired = None
    for sample in recorded[len(HOUR) :]:
        clock.step(sample.end - clock.now())
        verdict = board.take("api", [sample])
        if verdict is not None and verdict.health is Health.FAILING:
            fired = verdict.at
            break
    assert fired == replayed.fired_at


def minute_counts():
    """The ledger's minutes of the hour before."""
    ref = UnitRef(target="api", platform="fake", uid="u", name="api")
    record = UnitRecord(unit=ref, current="one")
    return count_minutes(record, HOUR, Instant(NEW_YEAR + 3600)).minutes
