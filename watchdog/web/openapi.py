"""The OpenAPI 3.1 document of the API, made from the routes, the records, and what each route takes and gives.

Role: what programs may build on; served at ``/api/v1/openapi.json`` and published as ``docs/reference/openapi.json``. Neighbours: `api` has
the routes, `ports.Control` says the answers. Guarantees: every route is described; tests hold each answer of the real engine
against its schema here, and each body against what the route takes. Keys that a later version adds are allowed everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Protocol

from watchdog.model import JsonObject
from watchdog.model.schema import DIALECT, TEXT
from watchdog.web.operations import OPERATIONS, Operation, ref, schemas


class Routed(Protocol):
    """A line of `api.ROUTES`."""

    @property
    def method(self) -> str:
        """GET, POST or DELETE."""
        ...

    @property
    def path(self) -> str:
        """With its places in braces, some with what they may hold."""
        ...

    @property
    def handler(self) -> str:
        """Its name in `OPERATIONS`."""
        ...

    @property
    def scope(self) -> str:
        """What a token needs for it."""
        ...


def document(routes: Sequence[Routed], prefix: str) -> JsonObject:
    """The whole document for these routes (`api.Route`)."""
    paths: dict[str, dict[str, JsonObject]] = {}
    for route in routes:
        paths.setdefault(re.sub(r":[^}]+}", "}", route.path), {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": DIALECT,
        "info": {
            "title": "rollback-watchdog",
            "version": version("rollback-watchdog"),
            "description": "Keys are only ever added. Moments are UTC, durations seconds in keys that end in _s.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": prefix}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Over TCP: `watchdog token`. On the unix socket the file's mode is the credential.",
                }
            },
            "responses": {
                "Problem": {
                    "description": "Not done.",
                    "content": _content("application/problem+json", ref("Problem")),
                }
            },
        },
    }


def _operation(route: Routed) -> JsonObject:
    operation = OPERATIONS[route.handler]
    media = "text/plain" if route.handler == "metrics" else "application/json"
    responses: dict[str, JsonObject] = {"200": {"description": "Done.", "content": _content(media, operation.gives)}}
    if operation.waits:
        pending = {
            "type": "object",
            "required": ["applied"],
            "properties": {"applied": {"const": False}, "sentence": TEXT},
        }
        words = "Taken, and not yet acknowledged: it is pending, and was not refused."
        responses["202"] = {"description": words, "content": _content("application/json", pending)}
    responses["default"] = {"$ref": "#/components/responses/Problem"}
    named: list[str] = re.findall(r"{([^:}]+)", route.path)
    parameters = [*(_parameter(name, route.path) for name in named), *_query(operation)]
    body = {} if operation.takes is None else {"requestBody": _body(operation, named)}
    return {
        "operationId": f"{route.handler}{'_by_id' if route.method == 'DELETE' else ''}",
        "summary": operation.summary,
        "x-scope": route.scope,
        **({"parameters": parameters} if parameters else {}),
        **body,
        "responses": responses,
    }


def _parameter(name: str, path: str) -> JsonObject:
    allowed = re.search(rf"{{{name}:([^}}]+)}}", path)
    form = {"enum": allowed[1].split("|")} if allowed else {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": form}


def _query(operation: Operation) -> list[JsonObject]:
    return [{"name": name, "in": "query", "schema": form} for name, form in (operation.query or {}).items()]


def _body(operation: Operation, named: list[str]) -> JsonObject:
    """What stands in the path does not stand in the body."""
    by_id = "pause" in named
    takes = {key: form for key, form in (operation.takes or {}).items() if not (by_id and key == "scope")}
    needs = [*operation.needs, *(["scope"] if operation is OPERATIONS["resume"] and not by_id else [])]
    form = {"type": "object", "additionalProperties": False, "properties": takes}
    return {
        "required": bool(needs),
        "content": _content("application/json", {**form, "required": needs} if needs else form),
    }


def _content(media: str, form: JsonObject) -> JsonObject:
    return {media: {"schema": form}}
