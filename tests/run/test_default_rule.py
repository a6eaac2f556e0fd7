"""A signal without a rule gets the judgement's default one, and `config show` tells its very numbers."""

from __future__ import annotations

from watchdog.cli.composition import rule_of
from watchdog.judgement.threshold import KOfN, default_rule
from watchdog.settings import configured, load_text

TEXT = 'targets:\n  web:\n    signals:\n      home: {{http: "http://web/"{rule}}}\n'


def of(rule: str = ""):
    (target,) = configured(load_text(TEXT.format(rule=rule), {}).settings)
    return target.signals[0], rule_of(target.signals[0])


def test_no_rule_is_the_default_rule_and_shown_as_it_is():
    shown, used = of()
    assert used == default_rule("home")
    assert (shown.rule.failed, shown.rule.of, shown.rule.tolerant) == (used.failed, used.of, used.tolerant)


def test_a_rule_that_is_written_down_decides_alone():
    assert of(", rule: {failed: 6, of: 12}")[1] == KOfN("home", failed=6, of=12, tolerant=False)
