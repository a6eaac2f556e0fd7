"""The published schema of report.json: up to date, itself a schema, and every report holds to it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.incidents.test_report import recovered, samples
from watchdog.incidents.report import report_json
from watchdog.incidents.schema import report_schema
from watchdog.model import Approval, CloseReason, Incident, Instant, Override, Stage
from watchdog.redaction import Redactor

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "report.schema.json"
VALIDATOR = Draft202012Validator(report_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def report(incident: Incident, **more: object) -> dict:
    return json.loads(json.dumps(report_json(incident, redactor=Redactor(), written_at=Instant(1e9), **more)))


def test_what_is_published_is_what_the_code_says_and_is_a_schema() -> None:
    Draft202012Validator.check_schema(report_schema())
    assert json.loads(PUBLISHED.read_text()) == json.loads(json.dumps(report_schema())), (
        "write it anew: python -m watchdog.incidents.schema > docs/reference/report.schema.json"
    )


def test_the_example_of_the_docs_holds_to_the_schema() -> None:
    VALIDATOR.validate(json.loads((PUBLISHED.parents[1] / "example" / "report.json").read_text()))


APPROVAL = Approval(
    id="a",
    who="ann",
    at=Instant(1.0),
    from_release="b",
    to_release="g",
    checks=("data",),
    expires=Instant(2.0),
    why="yes",
)


@pytest.mark.parametrize(
    "incident",
    [
        recovered(),
        replace(recovered(), approvals=(APPROVAL,)),
        replace(recovered(), overrides=(Override(id="o", who="ann", at=Instant(1.0), checks=("pause",), why="now"),)),
        replace(recovered(), good=None, evidence=None, decision=None, plan=None, intents=(), verify_from=None),
        *(replace(recovered(), reason=reason) for reason in CloseReason),
        *(
            replace(recovered(), stage=stage, reason=None, closed_at=None)
            for stage in Stage
            if stage is not Stage.CLOSED
        ),
    ],
)
def test_a_report_holds_to_the_schema(incident: Incident) -> None:
    for given in (samples(), ()):
        VALIDATOR.validate(report(incident, samples=given))


def test_what_is_missing_or_of_another_kind_does_not_hold_and_what_is_new_does() -> None:
    good = report(recovered(), samples=samples())
    for path, wrong in (
        (("headline",), 7),
        (("state", "stage"), "asleep"),
        (("written_at",), "yesterday"),
        (("impact",), {}),
    ):
        other = json.loads(json.dumps(good))
        part = other
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = wrong
        assert not VALIDATOR.is_valid(other), path
    for key in good:
        assert not VALIDATOR.is_valid({name: value for name, value in good.items() if name != key}), key
    VALIDATOR.validate({**good, "something_of_tomorrow": 1})
