"""A source whose data is minutes late is not blind for that; one that falls silent is."""

from __future__ import annotations

import pytest

from watchdog.judgement.evidence import EvidenceRule, Kind, Knobs
from watchdog.judgement.rule import Context
from watchdog.judgement.threshold import KOfN
from watchdog.model import Counts, Health, Instance, Sample, Unknown, instant

START = 1_700_000_000.0
LATE_S = 240.0


def rules():
    return [
        KOfN("telemetry", failed=3, of=5),
        EvidenceRule(("telemetry",), {"telemetry": Kind.ERR}, Knobs(), poll_s=60.0),
    ]


def sample(end, bad=0):
    return Sample(
        signal="telemetry", start=instant(end - 60), end=instant(end), reading=Counts(good=100 - bad, bad=bad)
    )


def watched(rule, polls, *, unknown=False):
    """The verdict after so many polls a minute, each with the minute that is four minutes old; then what comes at once."""
    context = Context(target="api", fresh_from=instant(START), release="r", tolerate_interruption_s=30.0)
    state, now = rule.start(context, instant(START)), START
    for _ in range(polls):
        now += 60.0
        samples = [sample(now - LATE_S)] if now - LATE_S > START else []
        state = rule.observe(state, samples, context, instant(now))
    return state, context, now


@pytest.mark.parametrize("rule", rules(), ids=["threshold", "evidence"])
def test_late_data_is_healthy_data(rule):
    state, context, now = watched(rule, 20)
    (verdict,) = rule.verdicts(state, context, instant(now))
    assert verdict.health is Health.HEALTHY, verdict.sentence
    assert verdict.late_s == LATE_S


@pytest.mark.parametrize("rule", rules(), ids=["threshold", "evidence"])
def test_a_late_source_that_falls_silent_is_blind_after_its_lateness_and_its_limit(rule):
    state, context, now = watched(rule, 20)
    for _ in range(8):
        now += 60.0
        down = Sample(signal="telemetry", start=instant(now), end=instant(now), reading=Unknown(reason="down"))
        state = rule.observe(state, [down], context, instant(now))
    (verdict,) = rule.verdicts(state, context, instant(now))
    assert verdict.health is Health.BLIND, verdict.sentence


@pytest.mark.parametrize("rule", rules(), ids=["threshold", "evidence"])
def test_a_prompt_source_is_blind_as_soon_as_before(rule):
    context = Context(target="api", fresh_from=instant(START), release="r", tolerate_interruption_s=30.0)
    state, now = rule.start(context, instant(START)), START
    for _ in range(20):
        now += 60.0
        state = rule.observe(state, [sample(now)], context, instant(now))
    (verdict,) = rule.verdicts(state, context, instant(now + 181.0))
    assert verdict.health is Health.BLIND


@pytest.mark.parametrize("poll_s", [1.0, 5.0, 29.0, 30.0, 31.0, 60.0, 300.0, 3600.0])
@pytest.mark.parametrize("pods", [False, True])
def test_a_slow_source_is_weighed_from_its_first_poll_on(poll_s, pods):
    rule = EvidenceRule(("probe", "telemetry"), {"probe": Kind.PROBE, "telemetry": Kind.ERR}, Knobs(), poll_s=poll_s)
    new = (
        tuple(Instance(name=f"p{n}", release="r", ready=True, started=instant(START)) for n in range(2)) if pods else ()
    )
    context = Context(
        target="api", fresh_from=instant(START), release="r", instances=new, wanted=len(new), ready=len(new)
    )
    state = rule.start(context, instant(START))
    for n in range(8):
        now = START + n * poll_s
        samples = [
            Sample(
                signal=name,
                start=instant(now - poll_s),
                end=instant(now + 0.01),
                reading=Counts(good=5, bad=5),
                instance=new[0].name if new else None,
                release="r" if new else None,
            )
            for name in ("probe", "telemetry")
        ]
        state = rule.observe(state, samples, context, instant(now + 0.02))
        rule.verdicts(state, context, instant(now + 0.02))
