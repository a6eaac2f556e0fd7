"""A redactor that is told more secrets later keeps the old ones."""

from __future__ import annotations

from watchdog.redaction import Redactor


def test_what_is_learned_is_taken_out_from_then_on_and_what_was_known_stays_out() -> None:
    redactor = Redactor(["first-value"])
    assert redactor.text("second-value")[0] == "second-value"
    redactor.learn(["second-value"])
    clean, _ = redactor.text("first-value and second-value")
    assert "first-value" not in clean
    assert "second-value" not in clean
