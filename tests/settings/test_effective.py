"""What `config show` prints is in force, complete, and a configuration again."""

from __future__ import annotations

import json

import pytest

from tests.settings.texts import SMALLEST, TWO
from watchdog.settings import effective, load_text

EVERYTHING = TWO + (
    "pauses: [{scope: group/shop, from: 2026-03-01T02:00:00Z, for: 2h, why: database}]\n"
    "state: {memory: true}\n"
    "environment: production\n"
    "defaults: {tolerate_interruption: 1m}\n"
)


def without(tree, key):
    if isinstance(tree, dict):
        return {name: without(value, key) for name, value in tree.items() if name != key}
    return [without(item, key) for item in tree] if isinstance(tree, list) else tree


@pytest.mark.parametrize("text", [SMALLEST, TWO, EVERYTHING])
def test_what_is_shown_is_a_configuration_that_shows_the_same(text):
    shown = effective(load_text(text, {"TOKEN": "x"}).settings)
    again = load_text(json.dumps(without(shown, "derived")), {"TOKEN": "x"})
    assert effective(again.settings) == shown


EVIDENCE = {
    "fires_after": "40s",
    "rule": {"evidence": {"tolerate_error_rate": "0.5%", "unacceptable_error_rate": "5%", "times_worse": 3}},
}


def test_derived_limits_are_shown():
    shown = effective(load_text(TWO, {"TOKEN": "x"}).settings)
    api = shown["targets"]["api"]
    assert api["derived"] == {
        "group": "shop",
        "watch_only": False,
        "stays_at_ask": False,
        "no_rollback_before": "40s",
        "verify_healthy_for": "1m",
    }
    assert api["signals"]["health"]["derived"] == EVIDENCE
    assert shown["targets"]["web"]["signals"]["home"]["derived"] == {"fires_after": "2m"}


def test_the_speed_limit_is_the_tolerated_interruption_and_two_polls_of_the_slowest_signal():
    text = 'targets: {api: {tolerate_interruption: 1m, signals: {a: {http: "http://a"}, b: {http: "http://b", every: 20s}}}}\n'
    assert effective(load_text(text, {}).settings)["targets"]["api"]["derived"]["no_rollback_before"] == "1m40s"


def test_none_is_shown_as_what_it_means():
    api = effective(load_text(SMALLEST, {}).settings)["targets"]["api"]
    assert api["signals"]["health"]["derived"] == EVIDENCE
    assert api["signals"]["health"]["http"]["timeout"] == "3s"
    assert (api["mode"], api["bake_time"], api["budget"]) == ("observe", "30m", {"per_target": "2 per 1d"})


def test_the_default_state_is_shown_with_its_path():
    assert effective(load_text(SMALLEST, {}).settings)["state"] == {"sqlite": "/var/lib/watchdog/state.db"}


def test_a_target_that_will_stay_at_ask_says_so():
    text = TWO.replace("    data: none\n", "")
    shown = effective(load_text(text, {"TOKEN": "x"}).settings)
    assert shown["targets"]["web"]["derived"]["stays_at_ask"]
    assert "data" not in shown["targets"]["web"]


def test_keys_of_later_versions_are_not_shown():
    assert "profiles" not in effective(load_text(SMALLEST, {}).settings)


def test_a_rule_that_is_written_down_is_shown_with_its_own_defaults():
    text = SMALLEST.replace('"http://api/health"', '"http://api/health", rule: {consecutive: 4}')
    assert effective(load_text(text, {}).settings)["targets"]["api"]["signals"]["health"]["rule"] == {
        "consecutive": 4,
        "recover": 8,
    }
