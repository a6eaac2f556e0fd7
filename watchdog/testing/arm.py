"""Azure Resource Manager with container apps, for tests: real HTTP, the states a revision goes through, and what Azure refuses.

Role: public fake of the outside behind `platforms.container_app`. Guarantees: a new revision takes `provisioning_s` to become
ready; in single mode the old one serves until then and is deactivated afterwards, in multiple mode weights decide; a PATCH is
answered 202 without a body; refused are weights that are not 100 together, weights in single mode, a suffix that is taken, a
secret that is not there, and a change while another one is in progress (409). Not proved against Azure, and so *assumed*:
that 409, and the provisioning state of an app whose revision failed. Source: facts/back-ends 6.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from watchdog.model import JsonObject

TOKEN = "token-of-the-identity"  # noqa: S105 - of the fake
NAME = "bookstore-api"
PATH = f"/subscriptions/sub/resourceGroups/shop/providers/Microsoft.App/containerApps/{NAME}"


@dataclass
class FakeRevision:
    """One revision. `fails` = it will never become ready."""

    name: str
    template: dict[str, Any]
    created: float
    ready_at: float
    active: bool = True
    fails: bool = False


@dataclass
class FakeApp:
    """One app, changed by people with `deploy` and by us over HTTP."""

    now: Callable[[], float]
    single: bool = True
    provisioning_s: float = 3.0
    revisions: list[FakeRevision] = field(default_factory=list)
    """Oldest first."""
    traffic: list[dict[str, Any]] = field(default_factory=lambda: [{"latestRevision": True, "weight": 100}])
    tags: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    ingress: bool = True
    changes: int = 0

    def deploy(self, image: str, *, suffix: str = "", fails: bool = False) -> FakeRevision:
        """Somebody deploys an image."""
        template = {"containers": [{"name": "api", "image": image}], "scale": {"minReplicas": 1}}
        return self.add({**template, **({"revisionSuffix": suffix} if suffix else {})}, fails=fails)

    def add(self, template: dict[str, Any], *, fails: bool = False) -> FakeRevision:
        """A new revision of this template."""
        self.changes += 1
        name = f"{NAME}--{template.get('revisionSuffix') or f'r{len(self.revisions) + 1:06}'}"
        at = self.now()
        made = FakeRevision(name, copy.deepcopy(template), at, at + self.provisioning_s, fails=fails)
        self.revisions.append(made)
        return made

    def settle(self) -> None:
        """What has happened by now: in single mode the ready one takes over."""
        ready = [one for one in self.revisions if self.is_ready(one)]
        if self.single and ready:
            newest = ready[-1]
            for one in self.revisions[: self.revisions.index(newest)]:
                one.active = False

    def is_ready(self, one: FakeRevision) -> bool:
        """It can serve now."""
        return one.active and not one.fails and self.now() >= one.ready_at

    @property
    def busy(self) -> bool:
        """The newest revision is still being provisioned."""
        newest = self.revisions[-1]
        return newest.active and self.now() < newest.ready_at

    def latest_ready(self) -> str:
        """Name of the newest revision that is ready."""
        ready = [one for one in self.revisions if self.is_ready(one)]
        return ready[-1].name if ready else ""

    def weight(self, one: FakeRevision) -> int:
        """Its share of the traffic."""
        if self.single:
            return 100 if one.name == self.latest_ready() else 0
        total = 0
        for entry in self.traffic:
            name = self.latest_ready() if entry.get("latestRevision") else entry.get("revisionName")
            total += int(entry.get("weight", 0)) if name == one.name else 0
        return total

    def serving(self) -> dict[str, int]:
        """Images by share of the traffic."""
        self.settle()
        found: dict[str, int] = {}
        for one in self.revisions:
            if self.weight(one):
                image = one.template["containers"][0]["image"]
                found[image] = found.get(image, 0) + self.weight(one)
        return found


class FakeArm:
    """The server. `trouble` answers everything instead; `lose_replies` takes writes and answers none."""

    def __init__(self, app: FakeApp) -> None:
        """One app behind it."""
        self.app = app
        self.url = ""
        self.requests: list[tuple[str, str, Any]] = []
        self.trouble: tuple[int, dict[str, str], str] | None = None
        self.hang = False
        self.lose_replies = False
        self._runner: web.AppRunner | None = None

    @property
    def writes(self) -> list[tuple[str, Any]]:
        """Requests that asked for a change: (verb and last part of the path, body)."""
        return [(f"{verb} {path.rpartition('/')[2]}", body) for verb, path, body in self.requests if verb != "GET"]

    async def __aenter__(self) -> Self:
        """Listen on a free port of the loopback."""
        app = web.Application()
        app.router.add_route("*", "/{any:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True, keepalive_timeout=0.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        assert self._runner is not None  # noqa: S101 - entered before left
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        if request.path == "/token":
            answer = {"access_token": TOKEN, "expires_on": "4102444800", "token_type": "Bearer"}
            return web.json_response({**answer, "resource": request.query.get("resource", "")})
        text = await request.text()
        body = json.loads(text) if text else None
        self.requests.append((request.method, request.path, body))
        if self.hang:
            await asyncio.Event().wait()
        if self.trouble is not None:
            status, headers, words = self.trouble
            return web.Response(status=status, headers=headers, text=words, content_type="application/json")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return refusal(401, "InvalidAuthenticationToken", "no")
        self.app.settle()
        answered = self._routed(request.method, request.path.removeprefix(PATH), body)
        if self.lose_replies and request.method != "GET":
            assert request.transport is not None  # noqa: S101 - it is being served
            request.transport.abort()
        return answered

    def _routed(self, verb: str, rest: str, body: Any) -> web.Response:
        parts = [part for part in rest.split("/") if part]
        if verb == "GET" and not parts:
            return web.json_response(self._app())
        if verb == "PATCH" and not parts:
            return self._patched(body)
        if parts == ["revisions"]:
            return web.json_response({"value": [self._revision(one) for one in self.app.revisions]})
        found = next((one for one in self.app.revisions if len(parts) > 1 and one.name == parts[1]), None)
        if found is None:
            return refusal(404, "ResourceNotFound", "not here")
        if verb == "POST" and parts[2:] == ["activate"]:
            return self._activated(found)
        if parts[2:] == ["replicas"]:
            return web.json_response({"value": [self._replica(found)] if found.active else []})
        return refusal(404, "ResourceNotFound", "not here")

    def _activated(self, one: FakeRevision) -> web.Response:
        self.app.changes += 1
        if not one.active:
            one.active, one.ready_at = True, self.app.now() + self.app.provisioning_s
        return web.Response(status=200)

    def _patched(self, body: Any) -> web.Response:
        app, properties = self.app, body.get("properties", {})
        if app.busy:
            return refusal(409, "ContainerAppOperationInProgress", "another operation is in progress")
        traffic = ((properties.get("configuration") or {}).get("ingress") or {}).get("traffic")
        if traffic is not None:
            if app.single:
                return refusal(400, "ContainerAppInvalidTrafficWeights", "traffic weights need multiple revision mode")
            if sum(int(entry.get("weight", 0)) for entry in traffic) != 100:  # noqa: PLR2004 - percent
                return refusal(400, "ContainerAppInvalidTrafficWeights", "the weights must be 100 together")
            app.traffic = traffic
        template = properties.get("template")
        if template is not None:
            refused = self._refused(template)
            if refused is not None:
                return refused
            app.add(template)
        if "tags" in body:
            app.tags = dict(body["tags"])
        app.changes += 1
        return web.Response(status=202)

    def _refused(self, template: dict[str, Any]) -> web.Response | None:
        suffix = template.get("revisionSuffix")
        if suffix and any(one.name == f"{NAME}--{suffix}" for one in self.app.revisions):
            return refusal(400, "ContainerAppInvalidRevisionSuffix", "a revision of this suffix is there")
        named = {e.get("secretRef") for c in template["containers"] for e in c.get("env", ())} - {None}
        if not named <= self.app.secrets:
            return refusal(400, "ContainerAppSecretRefNotFound", "a secret is not there")
        return None

    def _app(self) -> JsonObject:
        app = self.app
        newest = app.revisions[-1]
        state = "InProgress" if app.busy else "Failed" if newest.fails else "Succeeded"
        ingress = {"external": True, "traffic": app.traffic} if app.ingress else None
        return {
            "id": PATH,
            "name": NAME,
            "tags": app.tags,
            "systemData": {"lastModifiedBy": "pipeline", "lastModifiedAt": _iso(app.changes)},
            "properties": {
                "provisioningState": state,
                "latestRevisionName": newest.name,
                "latestReadyRevisionName": app.latest_ready(),
                "configuration": {
                    "activeRevisionsMode": "Single" if app.single else "Multiple",
                    "ingress": ingress,
                    "secrets": [{"name": name} for name in sorted(app.secrets)],
                },
                "template": newest.template,
            },
        }

    def _revision(self, one: FakeRevision) -> JsonObject:
        app = self.app
        ready, waiting = app.is_ready(one), one.active and app.now() < one.ready_at
        return {
            "name": one.name,
            "properties": {
                "createdTime": _iso(one.created),
                "template": one.template,
                "active": one.active,
                "replicas": int(ready),
                "trafficWeight": app.weight(one),
                "provisioningState": "Provisioning" if waiting else "Failed" if one.fails else "Provisioned",
                "runningState": "Processing"
                if waiting
                else "Running"
                if ready
                else "Failed"
                if one.fails and one.active
                else "Stopped",
                "healthState": "Healthy" if ready else "Unhealthy" if one.fails and not waiting else "None",
                "provisioningError": "container api crashed" if one.fails and not waiting else "",
            },
        }

    def _replica(self, one: FakeRevision) -> JsonObject:
        ready = self.app.is_ready(one)
        container = {"name": "api", "ready": ready, "restartCount": 0 if ready else 3}
        state = "Running" if ready else "NotRunning"
        return {
            "name": f"{one.name}-5d8f",
            "properties": {"createdTime": _iso(one.created), "runningState": state, "containers": [container]},
        }


def refusal(status: int, code: str, message: str) -> web.Response:
    """An error in Azure's form."""
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
