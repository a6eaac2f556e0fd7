"""How checks say numbers, and which outcome wins."""

from __future__ import annotations

import itertools

import pytest

from tests.safety.passing import NOW
from watchdog.model import Outcome
from watchdog.safety.answers import also, clock_time, spell, strongest


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0.0 s"),
        (0.44, "0.4 s"),
        (1.4, "1 s"),
        (119, "119 s"),
        (120, "2 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86_400, "1 d"),
        (90_000, "1 d 1 h"),
        (float("nan"), "an unknown time"),
        (float("inf"), "an unknown time"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert spell(seconds) == words


def test_moments_carry_their_zone() -> None:
    assert clock_time(NOW) == "1970-01-12 13:46:40 UTC"


def test_a_second_sentence_is_joined_only_when_there_is_one() -> None:
    assert (also("a", ""), also("a", "b")) == ("a", "a: b")


def test_nothing_in_the_way_means_roll_back_and_the_order_of_asking_does_not_matter() -> None:
    assert strongest([]) is Outcome.ROLL_BACK
    for left, right in itertools.combinations(Outcome, 2):  # declared strongest first
        assert strongest([left, right]) is strongest([right, left]) is left
