"""Signals without a rule are weighed together as evidence, with the very numbers that `config show` tells."""

from __future__ import annotations

import pytest

from watchdog.cli.judging import rules_of
from watchdog.judgement.evidence import EvidenceRule, Kind
from watchdog.judgement.threshold import Above, KOfN, default_rule
from watchdog.settings import configured, load_text


def rules(signals: str, more: str = ""):
    text = f"targets:\n  web:\n    {more}\n    kubernetes: {{namespace: n, deployment: web}}\n    signals: {signals}\n"
    (target,) = configured(load_text(text, {}).settings)
    return rules_of(target)


def test_all_signals_without_a_rule_are_weighed_by_one_rule():
    signals = '{home: {http: "http://web/"}, api: {http: "http://web/api", every: 15s, counts_users: true}}'
    (rule,) = rules(signals)
    assert isinstance(rule, EvidenceRule)
    assert rule.signals == ("home", "api")
    assert rule.kinds == {"home": Kind.PROBE, "api": Kind.ERR}
    assert (rule.poll_s, rule.every_s, rule.own) == (5.0, {"api": 15.0}, {})
    assert rule.compares


def test_a_written_rule_and_the_workload_count_for_themselves_beside_it():
    counted, workload, weighed = rules(
        '{a: {http: "http://a", rule: {above: 5%, for: 60s}}, workload: {}, b: {http: "http://b"}}'
    )
    assert isinstance(counted, Above)
    assert workload == default_rule("workload")
    assert weighed.signals == ("b",)
    assert not counted.compares


def test_a_rule_that_is_written_down_decides_alone():
    assert rules('{a: {http: "http://a", rule: {failed: 6, of: 12}}}') == (KOfN("a", failed=6, of=12, tolerant=False),)


def test_knobs_reach_the_rule():
    (rule,) = rules(
        '{a: {http: "http://a"}, b: {http: "http://b", unacceptable_error_rate: 20%}}',
        "tolerate_interruption: 2m\n    times_worse: 5\n    max_interruptions: 4 per 20m\n    false_alarm_bound: 2%",
    )
    knobs = rule.knobs
    assert (knobs.tolerate_interruption_s, knobs.times_worse, knobs.max_interruptions) == (120.0, 5.0, 4)
    assert (knobs.interruptions_within_s, knobs.expert.false_alarm_bound) == (1200.0, 0.02)
    assert knobs.expert.nothing_ready_s == 120.0
    assert set(rule.own) == {"b"}
    assert rule.own["b"].ceiling(Kind.PROBE) == pytest.approx(0.8)
    assert rule.own["b"].tolerate_interruption_s == 120.0
