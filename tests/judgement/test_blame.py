from __future__ import annotations

from dataclasses import replace

import pytest

from tests.judgement.traces import at
from watchdog.judgement.blame import BlameFacts, blame
from watchdog.judgement.live_control import Control, LiveControl
from watchdog.model import Breach, Health, SignalVerdict, TargetVerdict

BREACH = Breach(target="api", at=at(200), first_bad=at(120), signals=("health",), sentence="api is failing")
FACTS = BlameFacts(breach=BREACH, rollout_started=at(100), rollout_completed=at(110), in_bake=True)


def other(name: str, health: Health, *, first_bad: float | None = None, suspicious: bool = False) -> TargetVerdict:
    began = None if first_bad is None else at(first_bad)
    return TargetVerdict(target=name, at=at(200), health=health, sentence="", first_bad=began, suspicious=suspicious)


def live(control: Control) -> LiveControl:
    return LiveControl(control=control, sentence=f"old pods: {control.value}")


def test_a_breach_in_bake_after_the_rollout_began_is_blamed():
    found = blame(FACTS)
    assert found.to_blame is True
    assert "the first bad sample came 20 s after the rollout began" in found.sentence
    assert {term.name for term in found.terms} == {"bake", "first bad sample", "old pods", "control", "siblings"}


def test_nothing_configured_is_said_and_does_not_count():
    unweighed = {term.name: term.sentence for term in blame(FACTS).terms if not term.counts}
    assert unweighed["control"] == "no control is configured: not checked"
    assert set(unweighed) == {"control", "old pods", "siblings"}


def test_outside_bake_it_is_not_blamed():
    found = blame(replace(FACTS, in_bake=False, bake_sentence="bake passed 3 h ago"))
    assert found.to_blame is False
    assert "bake passed 3 h ago" in found.sentence


def test_a_first_bad_sample_from_before_the_rollout_is_not_blamed():
    found = blame(replace(FACTS, breach=replace(BREACH, first_bad=at(99))))
    assert found.to_blame is False
    assert "1 s before the rollout began" in found.sentence


def test_a_start_that_was_noticed_late_is_given_its_uncertainty():
    early = replace(BREACH, first_bad=at(97))
    assert blame(replace(FACTS, breach=early, start_uncertain_s=5)).to_blame is True
    assert blame(replace(FACTS, breach=early, start_uncertain_s=2)).to_blame is False


def test_an_unknown_start_cannot_be_told():
    assert blame(replace(FACTS, rollout_started=None)).to_blame is None


def test_a_new_failure_beside_a_chronic_one_asks_a_person():
    signals = tuple(
        SignalVerdict(signal=name, health=Health.FAILING, sentence="", first_bad=at(moment))
        for name, moment in (("authors", 10), ("health", 120))
    )
    found = blame(replace(FACTS, breach=replace(BREACH, first_bad=at(10)), signals=signals))
    assert found.to_blame is None
    assert "but health only since then" in found.sentence
    assert blame(replace(FACTS, breach=replace(BREACH, first_bad=at(10)), signals=signals[:1])).to_blame is False


@pytest.mark.parametrize("first_bad", [50, 150])
def test_a_control_that_fails_at_the_same_time_takes_the_blame_away(first_bad):
    found = blame(replace(FACTS, controls=(other("postgres", Health.FAILING, first_bad=first_bad),)))
    assert found.to_blame is False
    assert "postgres, which was not released, fails as well" in found.sentence
    assert ("it began first" in found.sentence) is (first_bad == 50)


@pytest.mark.parametrize(
    "verdict",
    [
        other("postgres", Health.BLIND),
        other("postgres", Health.INCONCLUSIVE),
        other("postgres", Health.HEALTHY, suspicious=True),
    ],
)
def test_a_control_that_cannot_tell_makes_it_unknown(verdict):
    assert blame(replace(FACTS, controls=(verdict,))).to_blame is None


def test_a_configured_control_without_a_verdict_makes_it_unknown():
    found = blame(replace(FACTS, expected_controls=("postgres",)))
    assert found.to_blame is None
    assert "postgres has not been judged yet" in found.sentence


def test_a_healthy_control_speaks_for_the_blame():
    found = blame(replace(FACTS, expected_controls=("postgres",), controls=(other("postgres", Health.HEALTHY),)))
    assert found.to_blame is True
    assert "postgres is healthy" in found.sentence


def test_old_pods_that_fail_the_same_way_take_the_blame_away():
    assert blame(replace(FACTS, old_instances=live(Control.FAILING))).to_blame is False


@pytest.mark.parametrize("control", [Control.OK, Control.NONE])
def test_old_pods_that_are_well_or_absent_do_not(control):
    assert blame(replace(FACTS, old_instances=live(control))).to_blame is True


WELL = tuple(other(f"t{n}", Health.HEALTHY) for n in range(3))
ILL_BEFORE = tuple(other(f"f{n}", Health.FAILING, first_bad=90) for n in range(3))


def test_most_of_the_others_failing_since_before_the_rollout_takes_the_blame_away_and_one_of_them_does_not():
    assert blame(replace(FACTS, siblings=(*WELL, *ILL_BEFORE))).to_blame is False
    assert blame(replace(FACTS, siblings=(*WELL, ILL_BEFORE[0]))).to_blame is True
    assert blame(replace(FACTS, siblings=(*WELL, *ILL_BEFORE[:2]))).to_blame is True
    assert blame(replace(FACTS, siblings=(ILL_BEFORE[0],))).to_blame is True


def test_others_that_began_to_fail_after_the_rollout_may_be_its_victims_so_nobody_can_tell():
    after = tuple(other(f"f{n}", Health.FAILING, first_bad=115) for n in range(3))
    found = blame(replace(FACTS, siblings=(*WELL, *after)))
    assert found.to_blame is None
    assert "as cause or as consequence: f0, f1, f2" in found.sentence


def test_others_that_have_failed_for_ages_say_nothing_about_this_release():
    chronic = tuple(replace(one, first_bad=at(100 - 601)) for one in ILL_BEFORE)
    assert blame(replace(FACTS, siblings=(*WELL, *chronic))).to_blame is True


def test_others_that_cannot_be_seen_are_neither_well_nor_ill():
    unseen = tuple(other(f"b{n}", health) for n, health in enumerate([Health.BLIND, Health.INCONCLUSIVE] * 2))
    assert blame(replace(FACTS, siblings=(*unseen, *ILL_BEFORE[:2]))).to_blame is False
    (term,) = (term for term in blame(replace(FACTS, siblings=unseen)).terms if term.name == "siblings")
    assert not term.counts


def test_against_outweighs_unknown_and_every_term_is_shown():
    found = blame(
        replace(
            FACTS,
            controls=(other("postgres", Health.BLIND), other("redis", Health.FAILING)),
            old_instances=live(Control.OK),
            siblings=(other("web", Health.HEALTHY),),
        )
    )
    assert found.to_blame is False
    assert [term.name for term in found.terms] == [
        "bake",
        "first bad sample",
        "old pods",
        "control postgres",
        "control redis",
        "siblings",
    ]
