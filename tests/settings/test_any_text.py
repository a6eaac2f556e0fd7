"""Whatever stands in the file, the answer is settings or a refusal with problems: nothing else ever escapes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.settings.texts import SMALLEST
from watchdog.settings import ConfigurationRefused, effective, load_text
from watchdog.settings.root import Settings
from watchdog.settings.section import Section
from watchdog.settings.wording import keys_of

EXAMPLE = (Path(__file__).parents[2] / "config" / "bookstore.yaml").read_text(encoding="utf-8")
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def words():
    """Every key of the language."""
    found = set(keys_of(Settings))
    for other in Section.__subclasses__():
        found |= set(keys_of(other))
    return sorted(found)


VALUES = st.recursive(
    st.sampled_from(
        ["30s", "5%", "observe", "http://api/", "/x", "all", "target/api", "3 per 10m", "", "no", "api", "{", "\ud800"]
    )
    | st.integers(-5, 99999)
    | st.floats(allow_nan=True)
    | st.booleans()
    | st.none()
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(words()) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=15,
)


def problems_of(text, environ):
    """The problems of a refusal; () when the text is taken, and then it can be shown."""
    try:
        loaded = load_text(text, environ)
    except ConfigurationRefused as error:
        return error.problems or pytest.fail("refused without a problem")
    json.dumps(effective(loaded.settings))
    return ()


def judged(text):
    """Load and check what every outcome must hold."""
    problems = problems_of(text, {})
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in problems)
    "".join(str(problem) for problem in problems).encode("utf-8")


@QUICK
@given(st.text())
def test_any_text_is_taken_or_refused(text):
    judged(text)


@QUICK
@given(st.binary())
def test_any_bytes_are_taken_or_refused(content):
    judged(content)


@QUICK
@given(st.text(alphabet="abc:-[]{}&*!|>'\"%@`#,?\n\t <~\\ux01", max_size=80))
def test_any_heap_of_yaml_signs_is_taken_or_refused(text):
    judged(text)


@QUICK
@given(st.integers(0, len(EXAMPLE)), st.integers(0, 30), st.text(max_size=6))
def test_the_example_with_a_piece_cut_out_and_another_put_in_is_taken_or_refused(start, length, put_in):
    judged(EXAMPLE[:start] + put_in + EXAMPLE[start + length :])


@QUICK
@given(st.dictionaries(st.sampled_from(sorted(keys_of(Settings))), VALUES, max_size=6))
def test_any_tree_of_known_words_is_taken_or_refused(tree):
    judged(json.dumps(tree))


@QUICK
@given(
    st.dictionaries(st.sampled_from(words()), VALUES, max_size=6),
    st.dictionaries(st.sampled_from(words()), VALUES, max_size=4),
)
def test_any_target_and_signal_are_taken_or_refused(target, signal):
    tree = {"targets": {"api": {**target, "signals": {"health": {"http": "http://api/", **signal}}}}}
    judged(json.dumps(tree))


@QUICK
@given(
    st.dictionaries(
        st.sampled_from(
            [f"WATCHDOG_{name.upper()}" for name in keys_of(Settings)]
            + [
                "WATCHDOG_TARGETS__API",
                "WATCHDOG_TARGETS__API__SIGNALS__HEALTH__HTTP__TIMEOUT",
                "WATCHDOG_API__METRICS__PORT",
                "WATCHDOG_DEFAULTS__ASK",
                "WATCHDOG_X",
            ]
        ),
        st.text(max_size=20) | VALUES.map(json.dumps),
        max_size=4,
    )
)
def test_any_variables_are_taken_or_refused(environ):
    problems = problems_of(SMALLEST, environ)
    assert all(problem.message for problem in problems)
