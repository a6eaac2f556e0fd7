"""The checker finds what it is there to find: for each thing that must never happen, one story in which it did."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.checker import Evidence, Write, violations, writes_of

GOOD, BAD = "shop:1", "shop:2-bad"
CI, US = "ci", "watchdog"
TEMPLATE = {"spec": {"template": {"spec": {}}}}
INTENT = {"id": "i-1", "outcome": "issued"}
CLOSED: dict[str, Any] = {"id": "shop-1", "stage": "closed", "blamed": {"images": {"shop": BAD}}, "intents": [INTENT]}
RIGHT = Evidence(
    writes=(Write(10, CI, 1.0, GOOD), Write(20, CI, 2.0, BAD), Write(30, US, 3.0, GOOD)),
    incidents=(CLOSED,),
    live=GOOD,
    bad=frozenset({BAD}),
)


def test_what_is_right_is_not_objected_to() -> None:
    assert violations(RIGHT) == []
    assert violations(replace(RIGHT, paused=((0.0, 1.5), (4.0, 9.0)))) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"writes": (Write(1, CI, 1.0, "shop:3"), Write(2, US, 2.0, GOOD))}, "which is not bad, was overwritten"),
        (
            {
                "writes": (Write(1, CI, 1.0, "shop:4-bad"), Write(2, US, 2.0, BAD)),
                "bad": frozenset({BAD, "shop:4-bad"}),
            },
            "was put back",
        ),
        (
            {
                "writes": (*RIGHT.writes, Write(40, US, 4.0, "shop:0")),
                "incidents": ({**CLOSED, "intents": [INTENT, INTENT]},),
            },
            "a second write of ours",
        ),
        ({"paused": ((2.5, 3.5),)}, "was written while paused"),
        ({"incidents": ({**CLOSED, "stage": "issued"},)}, "stands at issued"),
        ({"incidents": ({**CLOSED, "intents": [{"id": "i-1"}]},)}, "the outcome of intent i-1 is not known"),
        ({"writes": RIGHT.writes[:2], "live": BAD, "incidents": ()}, "no incident is about it"),
        ({"incidents": ({**CLOSED, "intents": []},)}, "1 writes of ours and 0 stored intents"),
    ],
)
def test_what_must_never_happen_is_found(wrong: dict[str, Any], words: str) -> None:
    assert any(words in sentence for sentence in violations(replace(RIGHT, **wrong)))


def test_intents_of_earlier_openings_of_an_incident_count() -> None:
    assert violations(replace(RIGHT, incidents=({**CLOSED, "intents": [], "past_intents": [INTENT]},))) == []


@pytest.mark.parametrize(
    "more", [{"needs_human": True}, {"decision": {"outcome": "hold"}}, {"decision": {"outcome": "ask"}}]
)
def test_what_waits_for_a_person_is_no_violation(more: dict[str, Any]) -> None:
    assert violations(replace(RIGHT, incidents=({**CLOSED, "stage": "opened", **more},))) == []


def test_writes_are_read_in_the_order_in_which_they_were_stored_and_without_those_that_were_not() -> None:
    def event(
        version: int, image: str, *, user: str = CI, code: int = 200, uri: str = "/x", asked: Any = None, **about: Any
    ) -> dict[str, Any]:
        return {
            "requestObject": asked,
            "objectRef": {"resource": "deployments", **about},
            "requestURI": uri,
            "responseStatus": {"code": code},
            "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
            "user": {"username": user},
            "responseObject": {
                "metadata": {"name": "shop", "resourceVersion": str(version)},
                "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
            },
        }

    events = [
        event(100, BAD),
        event(9, GOOD),
        event(120, BAD),  # a change of something else
        event(130, GOOD, uri="/x?dryRun=All", user=US),
        event(140, GOOD, code=409, user=US),
        event(150, "shop:x", subresource="status"),
        event(160, GOOD, user=US, asked=TEMPLATE),
        event(170, GOOD, user=US, asked={"metadata": {"annotations": {}}}),
        event(180, GOOD, user=US, asked=TEMPLATE),  # the same once more
    ]
    assert [(write.version, write.user, write.image) for write in writes_of(events, "shop", US)] == [
        (9, CI, GOOD), (100, CI, BAD), (160, US, GOOD), (180, US, GOOD),
    ]  # fmt: skip
    assert writes_of(events, "other", US) == ()
