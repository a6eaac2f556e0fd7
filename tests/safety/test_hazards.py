"""The table of hazards and what a template claims about itself."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest

from tests.safety.passing import BAD
from watchdog.model import Outcome
from watchdog.safety.gate import CHECKS
from watchdog.safety.hazards import HAZARDS, Claims, claims_of, hazard_named, hazard_outcome, says_no_rollback


def test_every_letter_has_one_hazard_with_a_slug_of_its_own() -> None:
    assert [hazard.letter for hazard in HAZARDS] == list(string.ascii_uppercase)
    assert len({hazard.slug for hazard in HAZARDS}) == 26


def test_no_hazard_leads_to_a_rollback() -> None:
    assert {hazard.outcome for hazard in HAZARDS} == {Outcome.ESCALATE, Outcome.HOLD, Outcome.ASK}


def test_what_claims_to_be_checked_names_a_check_that_exists() -> None:
    assert {hazard.checked_by for hazard in HAZARDS} - {"", "judgement"} <= {name for name, _ in CHECKS}


@pytest.mark.parametrize("name", ["C", "c", " C ", "dependency-outage", "Dependency-Outage"])
def test_a_hazard_is_found_by_letter_or_slug(name: str) -> None:
    found = hazard_named(name)
    assert found is not None
    assert (found.letter, hazard_outcome(name)) == ("C", Outcome.HOLD)


def test_an_unheard_of_hazard_is_put_to_a_person() -> None:
    assert hazard_named("moon") is None
    assert hazard_outcome("moon") is Outcome.ASK


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({}, Claims()),
        ({"migration": "breaking"}, Claims(migration="breaking")),
        ({"migration": " Breaking "}, Claims(migration="breaking")),
        ({"migration": "compatible"}, Claims(migration="compatible")),
        ({"migration": "none"}, Claims(migration="compatible")),
        ({"migration": False}, Claims(migration="compatible")),
        ({"migration": True}, Claims(migration="unclear")),
        ({"migration": "0042_split_names"}, Claims(migration="unclear")),
        ({"migration": "braeking"}, Claims(migration="unclear")),
        ({"migration": ""}, Claims(migration="unclear")),
        ({"migration": None}, Claims()),
        ({"no-rollback": "true"}, Claims(no_rollback=True)),
        ({"no-rollback": ""}, Claims(no_rollback=True)),
        ({"no-rollback": "CVE-2031-1"}, Claims(no_rollback=True)),
        ({"no_rollback": True}, Claims(no_rollback=True)),
        ({"no-rollback": "False"}, Claims(no_rollback=False)),
        ({"no-rollback": "no", "no_rollback": "yes"}, Claims(no_rollback=True)),
        ({"other": "thing"}, Claims()),
    ],
)
def test_claims_are_read_carefully(claims: dict[str, object], expected: Claims) -> None:
    assert claims_of(replace(BAD, claims=claims)) == expected


@pytest.mark.parametrize("words", [None, "no-rollback", 7, ["no-rollback"]])
def test_hints_of_another_shape_say_nothing(words: object) -> None:
    assert not says_no_rollback(words)
