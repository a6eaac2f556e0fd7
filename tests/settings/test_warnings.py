"""What is allowed and perhaps not meant is said apart from the errors, and changes nothing."""

from __future__ import annotations

from tests.settings.texts import SMALLEST, TWO
from watchdog.settings import load_text


def warned(text, environ=None):
    loaded = load_text(text, {"TOKEN": "x", **(environ or {})})
    said = [(warning.line, warning.path, warning.message) for warning in loaded.warnings]
    return [entry for entry in said if not entry[1].startswith("groups.")]


def test_a_group_of_several_says_that_its_order_is_not_in_this_version():
    ((path, message),) = [(w.path, w.message) for w in load_text(TWO, {"TOKEN": "x"}).warnings]
    assert path == "groups.shop.order"
    assert "each member goes back by itself" in message


def test_a_careful_configuration_gives_no_warning():
    assert warned(TWO) == []


def test_data_not_said_under_enforce_is_a_warning_at_the_target():
    ((line, path, message),) = warned(TWO.replace("    data: none\n", ""))
    assert (line, path) == (9, "targets.web")
    assert "stays at `ask`" in message


def test_data_not_said_without_enforce_is_none():
    assert warned(TWO.replace("    data: none\n", "").replace("mode: enforce", "mode: ask")) == []


def test_state_in_memory_is_a_warning_unless_only_observing():
    assert [path for _, path, _ in warned(TWO + "state: {memory: true}\n")] == ["state.memory"]
    assert warned(TWO.replace("mode: enforce", "mode: observe") + "state: {memory: true}\n") == []


def test_no_channel_at_all_is_a_warning():
    assert [path for _, path, _ in warned(SMALLEST)] == ["notify"]


def test_a_mode_on_a_target_that_is_only_watched_is_a_warning():
    text = TWO + '  db: {mode: enforce, signals: {h: {http: "http://db"}}}\n'
    text = text.replace("groups:", '  db: {mode: enforce, signals: {h: {http: "http://db"}}}\ngroups:', 1).rsplit(
        "  db:", 1
    )[0]
    ((_, path, message),) = warned(text)
    assert path == "targets.db.mode"
    assert "watched only" in message


def test_a_control_of_the_same_group_is_a_warning():
    ((_, path, _),) = warned(TWO.replace("    data: none", "    control: api\n    data: none"))
    assert path == "targets.web.control"


def test_polls_rarer_than_the_tolerated_interruption_are_a_warning():
    ((_, path, message),) = warned(
        TWO.replace('"http://web/", rule: {above: 5%, for: 2m}', '"http://web/", every: 40s')
    )
    assert path == "targets.web.signals.home.every"
    assert "cannot be told from a fault" in message


def test_a_written_rule_that_fires_within_the_tolerated_interruption_is_a_warning():
    ((_, path, message),) = warned(TWO.replace("rule: {above: 5%, for: 2m}", "rule: {consecutive: 3}"))
    assert path == "targets.web.signals.home.rule"
    assert "fires after 15s" in message
