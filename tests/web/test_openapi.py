"""The OpenAPI document: whole, published, true of what the engine answers, and of what each route takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.contracts.test_control_contract import ANSWERS, TARGET, answer
from tests.web.conftest import Served
from tests.web.published import published
from watchdog.web.api import PREFIX, ROUTES, canonical
from watchdog.web.operations import OPERATIONS

DOCUMENT = published()
PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
TAKING = [route for route in ROUTES if OPERATIONS[route.handler].takes]
PLACES = {"target": TARGET, "incident": "inc-1", "pause": "p-1", "fingerprint": "f6", "verb": "condemn"}


def path_of(route: Any) -> str:
    """The route with something in its places."""
    path = canonical(route.path)
    for name, value in PLACES.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def operation_of(route: Any) -> Any:
    return DOCUMENT["paths"][canonical(route.path)][route.method.lower()]


def body_of(route: Any) -> Any:
    return operation_of(route)["requestBody"]["content"]["application/json"]["schema"]


def validator(form: Any) -> Draft202012Validator:
    whole = {**form, "components": DOCUMENT["components"]}
    return Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)


def everything(node: Any) -> Any:
    yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from everything(inner)


def test_what_is_published_is_what_the_code_says() -> None:
    assert json.loads(PUBLISHED.read_text()) == DOCUMENT, "python -m tests.web.published > docs/reference/openapi.json"


def test_every_route_is_described_and_nothing_else() -> None:
    described = {(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item}
    assert described == {(route.method, canonical(route.path)) for route in ROUTES}
    assert set(OPERATIONS) == {route.handler for route in ROUTES}
    ids = [operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))


def test_it_is_an_openapi_document_whose_references_lead_somewhere() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    for node in everything(DOCUMENT):
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            found: Any = DOCUMENT
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
        if isinstance(node, dict) and "schema" in node and isinstance(node["schema"], dict):
            Draft202012Validator.check_schema(node["schema"])
    for form in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(form)
    for path, item in DOCUMENT["paths"].items():
        for operation in item.values():
            named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            assert named == {part.strip("{}") for part in path.split("/") if part.startswith("{")}


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize("name", ANSWERS)
async def test_what_the_engine_answers_is_what_the_document_says(name: str) -> None:
    route = next(route for route in ROUTES if route.handler == name)
    form = operation_of(route)["responses"]["200"]["content"]["application/json"]["schema"]
    validator(form).validate(await answer("real", name))


@pytest.mark.asyncio
@pytest.mark.parametrize("route", TAKING, ids=lambda route: f"{route.method} {route.path}")
async def test_a_body_takes_the_keys_that_the_document_names_and_no_others(served: Served, route: Any) -> None:
    served.control.add_incident("inc-1")
    form = body_of(route)
    known, needed = form["properties"], dict.fromkeys(form.get("required", ()), "x")
    end = {"for_s": 60} if "for_s" in known else {}
    status, told = await served.post(path_of(route), {**needed, "nonsense": 1}, route.method)
    assert (status, told["code"]) == (400, "malformed")
    for key in known:
        status, told = await served.post(path_of(route), {**end, **needed, key: {"an": "object"}}, route.method)
        assert (status, told["detail"].split(":")[0]) == (400, key), (key, told)
        validator(DOCUMENT["components"]["schemas"]["Problem"]).validate(told)
    for key in needed:
        status, told = await served.post(path_of(route), {k: v for k, v in needed.items() if k != key}, route.method)
        assert (status, told["detail"]) == (400, f"{key}: missing")


@pytest.mark.asyncio
async def test_the_document_is_served(served: Served) -> None:
    assert await served.get("/openapi.json") == (200, DOCUMENT)
    assert DOCUMENT["servers"] == [{"url": PREFIX}]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[Any, Any]:
    """A route and a body with some of its keys, holding anything, or just anything."""
    route = draw(st.sampled_from(TAKING))
    body = draw(st.fixed_dictionaries({}, optional=dict.fromkeys(body_of(route)["properties"], JUNK)) | JUNK)
    return route, body


@pytest.mark.asyncio
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=requests())
async def test_whatever_is_sent_is_answered_and_never_by_a_defect(served: Served, asked: tuple[Any, Any]) -> None:
    route, body = asked
    served.control.add_incident("inc-1")
    status, told = await served.post(path_of(route), body, route.method)
    assert status < 500, (route, body, told)
    if status >= 400:
        validator(DOCUMENT["components"]["schemas"]["Problem"]).validate(told)


def test_a_schema_that_says_something_else_would_be_found() -> None:
    form = {"$ref": "#/components/schemas/Target"}
    assert list(validator(form).iter_errors({"name": 3}))
