"""The HTTP side of the fake API server.

Neighbours: `objects` keeps, `controllers` acts, `patching` patches. Every request is kept in `requests`: the witness of who
wrote what.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from watchdog.ports import Clock
from watchdog.testing.kubernetes import patching
from watchdog.testing.kubernetes.controllers import APPS, Controllers, behaving
from watchdog.testing.kubernetes.objects import Key, Lost, Manifest, Objects, selects

LOOK_S = 0.01
"""How often an open watch looks for what is new."""

_PATCHES: dict[str, Callable[[Any, Any], Any]] = {
    "application/strategic-merge-patch+json": patching.strategic,
    "application/merge-patch+json": patching.merge,
    "application/json-patch+json": patching.json_patch,
}
_REASONS = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired", 422: "Invalid"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that arrived."""

    verb: str
    path: str
    query: Mapping[str, str]
    body: Any
    content_type: str
    accept: str
    agent: str

    @property
    def writes(self) -> bool:
        """Whether it asked for a lasting change."""
        asks = self.path.endswith("reviews")
        return self.verb in ("PATCH", "POST", "PUT", "DELETE") and "dryRun" not in self.query and not asks


@dataclass(slots=True)
class Fault:
    """What happens to the next `times` requests of a verb whose path contains `path`.

    `answer`: an HTTP status, ``drop`` (connection closed, nothing done), ``lose`` (done, connection closed), ``hang``
    (nothing done, never answered), ``html`` (502 of a proxy).
    """

    verb: str
    answer: int | str
    path: str = ""
    times: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)


class FakeKubernetes:
    """Use with ``async with``. One namespace is enough: objects carry theirs."""

    def __init__(self, clock: Clock) -> None:
        """Timestamps come from `clock`."""
        self.objects = Objects(now=lambda: _timestamp(clock.now()))
        self.controllers = Controllers(self.objects)
        self.lagging = False
        """While true no controller acts: observedGeneration stays behind."""
        self.requests: list[Seen] = []
        self.faults: list[Fault] = []
        self.denied: set[tuple[str, str]] = set()
        """(verb, resource) that are forbidden: ``("list", "pods")``, ``("get", "pods/log")``."""
        self.served: dict[str, list[str]] = {}
        """Resources of further groups, as discovery tells: ``{"argoproj.io/v1alpha1": ["rollouts"]}``."""
        self.logs: dict[tuple[str, str, bool], bytes] = {}
        """(pod, container, previous) to what it wrote."""
        self.before: list[tuple[str, Callable[[], None]]] = []
        """(verb, act): each act runs once, just before the next request of that verb is looked at."""
        self.forgets = 0
        """How many continued lists are answered with 410."""
        self.forgotten = 0
        """Watches from an older version than this are told that it is gone."""
        self.watching: list[str] = []
        """Paths of the watches that are open now."""
        self._said: list[tuple[int, bytes]] = []
        self._round = 0
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._hanging = asyncio.Event()

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hanging.set()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def writes(self) -> list[Seen]:
        """Requests that asked for a lasting change."""
        return [seen for seen in self.requests if seen.writes]

    def kubeconfig(self, token: str = "anybody") -> str:  # noqa: S107 - a name, not a secret
        """The text of a kubeconfig that leads here."""
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "fake",
                "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
                "users": [{"name": "me", "user": {"token": token}}],
                "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "me"}}],
            }
        )

    # -- what a test says --------------------------------------------------------------------------------------------

    def behave(self, image: str, **how: Any) -> None:
        """From now on pods that start with this image come to that (`Behaviour`)."""
        self.controllers.behaviours[image] = behaving(self.controllers.behaviours.get(image), **how)

    def apply(self, resource: str, manifest: Manifest, group_version: str = APPS, manager: str = "kubectl") -> Manifest:
        """Create or replace an object and let the controllers act."""
        metadata = manifest["metadata"]
        key = Key(group_version, resource, metadata.get("namespace", ""), metadata["name"])
        if key in self.objects.kept:
            self.objects.edit(key, lambda there: there.update(copy.deepcopy(_kept_metadata(manifest, there))), manager)
        else:
            self.objects.put(key, manifest, manager)
        self.settle()
        return self.objects.kept[key]

    def edit(
        self, resource: str, namespace: str, name: str, change: Callable[[Manifest], None], group_version: str = APPS
    ) -> Manifest:
        """Change an object as somebody else would, and let the controllers act."""
        key = Key(group_version, resource, namespace, name)
        self.objects.edit(key, change, "kubectl-edit")
        self.settle()
        return self.objects.kept[key]

    def get(self, resource: str, namespace: str, name: str, group_version: str = APPS) -> Manifest:
        """A copy of an object."""
        return copy.deepcopy(self.objects.kept[Key(group_version, resource, namespace, name)])

    def all(self, resource: str, namespace: str, group_version: str = APPS) -> list[Manifest]:
        """Copies of all objects of a resource, in order of creation."""
        return [copy.deepcopy(manifest) for _, manifest in self.objects.of(group_version, resource, namespace)]

    def remove(self, resource: str, namespace: str, name: str, group_version: str = APPS) -> None:
        """Take an object away, silently."""
        del self.objects.kept[Key(group_version, resource, namespace, name)]

    def settle(self) -> None:
        """Let the controllers act, unless they lag."""
        if not self.lagging:
            self.controllers.settle()

    def say(self, line: bytes) -> None:
        """A line to every open watch, as it is."""
        self._said.append((self._round, line))

    def bookmark(self) -> None:
        """Tell every open watch where it is."""
        version = {"metadata": {"resourceVersion": str(self.objects.version)}}
        self.say(json.dumps({"type": "BOOKMARK", "object": version}).encode())

    def end_watches(self) -> None:
        """Close every open watch."""
        self._round += 1

    # -- serving -----------------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        text = await request.read()
        seen = Seen(
            verb=request.method,
            path=request.path,
            query=dict(request.query),
            body=json.loads(text) if text else None,
            content_type=request.content_type,
            accept=request.headers.get("Accept", ""),
            agent=request.headers.get("User-Agent", ""),
        )
        self.requests.append(seen)
        self._run_before(seen)
        fault = self._fault_for(seen)
        if fault is not None and fault.answer != "lose":
            return await self._fail(request, fault)
        try:
            if seen.query.get("watch") == "1":
                return await self._watch(request, seen)
            answer = self._answer(seen)
        except _Refused as refused:
            answer = refused.response()
        if fault is not None:
            _cut(request)
        return answer

    async def _watch(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        """Events from a version on, or from the present state with one ADDED for each object."""
        where = _Where.of(seen.path)
        assert where is not None  # noqa: S101 - nobody watches discovery
        self._demand_right(seen, where)
        lines = self._events(seen, where)
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        self.watching.append(seen.path)
        mine, said, until = (
            self._round,
            len(self._said),
            asyncio.get_running_loop().time() + int(seen.query.get("timeoutSeconds", "300")),
        )
        try:
            while mine == self._round and asyncio.get_running_loop().time() < until and not self._hanging.is_set():
                told = [*next(lines), *(line for place, line in self._said[said:] if place == mine)]
                said = len(self._said)
                for line in told:
                    await answer.write(line + b"\n")
                await asyncio.sleep(LOOK_S)
        except ConnectionError:
            pass  # whoever watched has left
        finally:
            self.watching.remove(seen.path)
        return answer

    def _events(self, seen: Seen, where: _Where) -> Iterator[list[bytes]]:
        """What is new since the last look, again and again."""
        begin, place = seen.query.get("resourceVersion", ""), len(self.objects.changes)
        if begin and int(begin) < self.forgotten:
            status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            yield [json.dumps({"type": "ERROR", "object": status}).encode()]
        elif begin:
            place = next((n for n, one in enumerate(self.objects.changes) if one.version > int(begin)), place)
            yield []
        else:
            there = self.objects.of(where.group_version, where.resource, where.namespace)
            yield [_event("ADDED", manifest, seen.accept) for _, manifest in there]
        while True:
            fresh, place = self.objects.changes[place:], len(self.objects.changes)
            yield [
                _event(one.kind, one.manifest, seen.accept)
                for one in fresh
                if (one.key.group_version, one.key.resource) == (where.group_version, where.resource)
                and where.namespace in ("", one.key.namespace)
            ]

    def _run_before(self, seen: Seen) -> None:
        for entry in [entry for entry in self.before if entry[0] == seen.verb]:
            self.before.remove(entry)
            entry[1]()

    def _fault_for(self, seen: Seen) -> Fault | None:
        for fault in self.faults:
            if fault.verb == seen.verb and fault.path in seen.path and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.answer == "drop":
            _cut(request)
            return web.Response()
        if fault.answer == "hang":
            await self._hanging.wait()
            return web.Response()
        if fault.answer == "html":
            return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
        return _Refused(int(fault.answer), "made to fail").response(fault.headers)

    def _answer(self, seen: Seen) -> web.Response:
        if seen.path.endswith("/selfsubjectaccessreviews"):
            return web.json_response(self._review(seen.body), status=201)
        where = _Where.of(seen.path)
        if where is None:
            return self._discovery(seen.path)
        if where.group_version not in ("v1", APPS, *self.served):
            raise _Refused(404, "the server could not find the requested resource")
        self._demand_right(seen, where)
        if where.sub == "log":
            return self._log(seen, where)
        handlers = {"GET": self._read, "PATCH": self._patch, "POST": self._create, "DELETE": self._delete}
        return handlers[seen.verb](seen, where)

    def _demand_right(self, seen: Seen, where: _Where) -> None:
        verb = {"GET": "get" if where.name else "list", "POST": "create"}.get(seen.verb, seen.verb.lower())
        verb = "watch" if seen.query.get("watch") == "1" else verb
        resource = f"{where.resource}/{where.sub}" if where.sub else where.resource
        if (verb, resource) in self.denied:
            raise _Refused(403, f'{resource} is forbidden: User "watchdog" cannot {verb} resource "{resource}"')

    def _review(self, body: Manifest) -> Manifest:
        asked = body["spec"]["resourceAttributes"]
        sub = asked.get("subresource")
        resource = f"{asked['resource']}/{sub}" if sub else asked["resource"]
        return {**body, "status": {"allowed": (asked["verb"], resource) not in self.denied}}

    def _discovery(self, path: str) -> web.Response:
        group_version = path.removeprefix("/apis/").removeprefix("/api/").strip("/")
        if group_version not in self.served:
            raise _Refused(404, "the server could not find the requested resource")
        resources = [{"name": name} for name in self.served[group_version]]
        return web.json_response({"kind": "APIResourceList", "resources": resources})

    def _read(self, seen: Seen, where: _Where) -> web.Response:
        if where.name:
            return web.json_response(_view(self._there(where), seen.accept))
        found = [
            manifest
            for _, manifest in self.objects.of(where.group_version, where.resource, where.namespace)
            if selects(seen.query.get("labelSelector", ""), manifest["metadata"].get("labels") or {})
            and _fields(seen.query.get("fieldSelector", ""), manifest)
        ]
        begin, limit = int(seen.query.get("continue", "0")), int(seen.query.get("limit", "500"))
        if begin and self.forgets:
            self.forgets -= 1
            raise _Refused(410, "the provided continue parameter is too old")
        more = {"continue": str(begin + limit)} if begin + limit < len(found) else {}
        items = [_view(manifest, seen.accept) for manifest in found[begin : begin + limit]]
        return web.json_response({"kind": "List", "metadata": {"resourceVersion": "1", **more}, "items": items})

    def _patch(self, seen: Seen, where: _Where) -> web.Response:
        there = self._there(where)
        if seen.content_type not in _PATCHES:
            raise _Refused(415, f"the body of the request was in an unknown format: {seen.content_type}")
        try:
            fresh = _PATCHES[seen.content_type](there, seen.body)
        except patching.TestFailed as error:
            raise _Refused(422, "the server rejected our request due to an error in our request") from error
        except (KeyError, IndexError) as error:
            raise _Refused(422, f"the path {error} does not exist") from error
        version = fresh["metadata"].get("resourceVersion", "")
        self._demand(where, version=version, uid=fresh["metadata"].get("uid", ""))
        return self._keep(seen, where, fresh)

    def _create(self, seen: Seen, where: _Where) -> web.Response:
        where = _Where(where.group_version, where.resource, where.namespace, seen.body["metadata"]["name"], "")
        if where.key in self.objects.kept:
            raise _Refused(409, f'{where.resource} "{where.name}" already exists')
        return self._keep(seen, where, seen.body, status=201)

    def _keep(self, seen: Seen, where: _Where, fresh: Manifest, status: int = 200) -> web.Response:
        if "dryRun" in seen.query:
            return web.json_response(fresh, status=status)
        manager = seen.query.get("fieldManager") or seen.agent.partition("/")[0]
        self.objects.put(where.key, fresh, manager)
        kept = self.objects.kept[where.key]
        self.settle()
        return web.json_response(kept, status=status)

    def _delete(self, seen: Seen, where: _Where) -> web.Response:
        self._there(where)
        conditions = (seen.body or {}).get("preconditions") or {}
        self._demand(where, version=conditions.get("resourceVersion", ""), uid=conditions.get("uid", ""))
        if "dryRun" not in seen.query:
            del self.objects.kept[where.key]
            self.objects.version += 1
            self.settle()
        return web.json_response({"kind": "Status", "status": "Success"})

    def _log(self, seen: Seen, where: _Where) -> web.Response:
        self._there(where)
        container, previous = seen.query.get("container", ""), seen.query.get("previous") == "true"
        text = self.logs.get((where.name, container, previous))
        if text is None and previous:
            raise _Refused(400, f'previous terminated container "{container}" in pod "{where.name}" not found')
        if text is None:
            raise _Refused(400, f'container "{container}" in pod "{where.name}" is waiting to start')
        return web.Response(body=text[: int(seen.query.get("limitBytes", len(text)))], content_type="text/plain")

    def _there(self, where: _Where) -> Manifest:
        if where.key not in self.objects.kept:
            raise _Refused(404, f'{where.resource} "{where.name}" not found')
        return self.objects.kept[where.key]

    def _demand(self, where: _Where, *, version: str, uid: str) -> None:
        try:
            self.objects.demand(where.key, version=version, uid=uid)
        except Lost as error:
            raise _Refused(409, f"Operation cannot be fulfilled on {error}") from error


@dataclass(frozen=True, slots=True)
class _Where:
    """What a path names."""

    group_version: str
    resource: str
    namespace: str
    name: str
    sub: str

    @property
    def key(self) -> Key:
        return Key(self.group_version, self.resource, self.namespace, self.name)

    @classmethod
    def of(cls, path: str) -> Self | None:
        """None for a path of discovery."""
        parts = path.strip("/").split("/")
        length = 2 if parts[0] == "api" else 3
        group_version, rest = "/".join(parts[1:length]), parts[length:]
        namespace = ""
        if rest[:1] == ["namespaces"]:
            namespace, rest = rest[1], rest[2:]
        if not rest:
            return None
        resource, name, sub = [*rest, "", ""][:3]
        return cls(group_version, resource, namespace, name, sub)


class _Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    def response(self, headers: Mapping[str, str] | None = None) -> web.Response:
        body = {
            "kind": "Status",
            "status": "Failure",
            "message": self.message,
            "reason": _REASONS.get(self.status, ""),
            "code": self.status,
        }
        return web.json_response(body, status=self.status, headers=headers)


def _event(kind: str, manifest: Manifest, accept: str) -> bytes:
    return json.dumps({"type": kind, "object": _view(manifest, accept)}).encode()


def _view(manifest: Manifest, accept: str) -> Manifest:
    """Metadata alone when that was asked for: no Secret's data travels then."""
    return {"metadata": manifest["metadata"]} if "PartialObjectMetadata" in accept else manifest


def _fields(selector: str, manifest: Manifest) -> bool:
    for term in filter(None, selector.split(",")):
        path, _, value = term.partition("=")
        node: Any = manifest
        for part in path.split("."):
            node = (node or {}).get(part)
        if str(node) != value:
            return False
    return True


def _kept_metadata(manifest: Manifest, there: Manifest) -> Manifest:
    """What was applied, over the metadata and status that are there."""
    annotations = {**(there["metadata"].get("annotations") or {}), **(manifest["metadata"].get("annotations") or {})}
    metadata = {**there["metadata"], **manifest["metadata"], **({"annotations": annotations} if annotations else {})}
    return {**manifest, "metadata": metadata}


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
