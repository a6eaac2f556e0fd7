"""When everything fails at once, the observer is the likelier culprit (P14)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.safety.suspicion import GroupHealth, suspect_ourselves


def groups(*failing: bool | None) -> list[GroupHealth]:
    return [GroupHealth(name=f"g{number}", failing=one) for number, one in enumerate(failing)]


@pytest.mark.parametrize(
    ("failing", "total", "verdict"),
    [(10, 10, True), (1, 10, False), (5, 10, False), (6, 10, True), (3, 5, True), (2, 5, False)],
)
def test_more_than_half_of_five_or_more_groups_failing_is_our_fault(failing: int, total: int, verdict: bool) -> None:
    answer = suspect_ourselves(groups(*[True] * failing, *[False] * (total - failing)), (), None)
    assert answer.verdict is verdict
    assert f"{failing} of {total} groups" in answer.sentence


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_fewer_than_five_groups_may_all_fail(count: int) -> None:
    answer = suspect_ourselves(groups(*[True] * count), (), None)
    assert answer.verdict is False
    assert "too few" in answer.sentence


def test_groups_that_cannot_be_seen_are_neither_failing_nor_fine() -> None:
    assert suspect_ourselves(groups(True, True, True, False, False, None, None), (), None).verdict is True
    assert suspect_ourselves(groups(True, True, False, False, None), (), None).verdict is None


@pytest.mark.parametrize(
    ("reference", "verdict"),
    [
        ((), False),
        ((True,), False),
        ((False,), True),
        ((False, True), False),
        ((False, False, True), True),
        ((None,), None),
        ((None, False), True),
        ((None, True), False),
    ],
)
def test_a_failing_reference_probe_is_our_fault(reference: tuple[bool | None, ...], verdict: bool | None) -> None:
    assert suspect_ourselves(groups(True), reference, None).verdict is verdict


@pytest.mark.parametrize(
    ("share", "verdict"),
    [(None, False), (0.0, False), (0.5, False), (0.51, True), (1.0, True), (float("nan"), None), (1.2, None)],
)
def test_most_sources_broken_is_our_fault(share: float | None, verdict: bool | None) -> None:
    assert suspect_ourselves((), (), share).verdict is verdict


def test_a_yes_outweighs_what_could_not_be_told() -> None:
    answer = suspect_ourselves(groups(*[None] * 6), (False,), None)
    assert answer.verdict is True
    assert "reference" in answer.sentence


def test_what_could_not_be_told_outweighs_a_no() -> None:
    assert suspect_ourselves(groups(True, False), (None,), 0.0).verdict is None


@given(st.lists(st.sampled_from([True, False, None]), max_size=12), st.data())
def test_one_more_failing_group_never_clears_us(failing: list[bool | None], data: st.DataObject) -> None:
    before = suspect_ourselves(groups(*failing), (), None).verdict
    fine = [number for number, one in enumerate(failing) if one is False]
    if not fine:
        return
    failing[data.draw(st.sampled_from(fine))] = True
    after = suspect_ourselves(groups(*failing), (), None).verdict
    assert after is before or (before is False and after is True)


def test_long_lists_of_names_are_cut() -> None:
    assert "g0, g1, g10, g11, g12 ..." in suspect_ourselves(groups(*[True] * 50), (), None).sentence
