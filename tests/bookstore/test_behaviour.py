"""What the suffixes of a release's name mean, and that a typing error means nothing good."""

from __future__ import annotations

import pytest

from watchdog.testing.bookstore.behaviour import BLIP_AFTER_S, CRASH_AFTER_S, SLOW_S, Behaviour, behaviour_of
from watchdog.testing.bookstore.store import ReaderCounts


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("1.2", Behaviour()),
        ("1.3-err30", Behaviour(error_share=0.3)),
        ("1.3-crash", Behaviour(crash_after_s=CRASH_AFTER_S)),
        ("1.3-blip5", Behaviour(blip_s=5.0)),
        ("2.0-slow-err5", Behaviour(slow_s=SLOW_S, error_share=0.05)),
        ("2.0-unready", Behaviour(unready=True)),
    ],
)
def test_suffixes_say_what_a_release_does_wrong(release, expected):
    assert behaviour_of(release) == expected


@pytest.mark.parametrize(
    "release", ["", "-err30", "1.3-er30", "1.3-", "1.3-err", "1.3-err101", "a b", "../x", "1.3-crash9"]
)
def test_a_name_that_means_nothing_is_refused_and_not_a_good_release(release):
    with pytest.raises(ValueError, match=r"no name|means nothing|cannot fail"):
        behaviour_of(release)


def test_a_blip_begins_after_the_start_so_that_the_release_has_served_before():
    assert BLIP_AFTER_S > 0


def test_readers_counts_tell_when_failures_began_and_ended():
    counts = ReaderCounts(40, 3, ((100, 10, 0), (101, 10, 1), (102, 10, 2), (103, 10, 0)))
    assert (counts.first_failed, counts.last_failed) == (101, 102)
    assert counts.between(100, 102) == ReaderCounts(20, 1, ((100, 10, 0), (101, 10, 1)))
    assert ReaderCounts(0, 0).first_failed is None
