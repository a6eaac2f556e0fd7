"""The store in the cluster: each document a Secret, etcd its disk.

Role: `ports.Store` for daemons that may stand on any node. Neighbours: `documents` says what a document may be, `clients.kubernetes` calls,
`kubernetes_lease` keeps one daemon acting. Guarantees: compare-and-swap by resourceVersion, in one conditional request each; an
answer that never came is StoreUnavailable, and the write may have happened; what is read comes from the API server, never from a cache
of ours. Secrets, because templates and journals may name what others should not read. Not guaranteed: more than
`MOST_BYTES` of one document once compressed (etcd takes 1.5 MiB a request; it is refused before it is sent).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
import zlib
from collections.abc import Awaitable, Sequence
from http import HTTPStatus
from typing import TypeVar

from watchdog.clients.kubernetes import (
    MERGE_PATCH,
    ConflictLost,
    Invalid,
    KubernetesClient,
    KubernetesError,
    NotFound,
    api_path,
)
from watchdog.clients.kubernetes.client import METADATA_LIST
from watchdog.model import JsonObject
from watchdog.ports import Conflict, Stored, StoreUnavailable, Unavailable
from watchdog.stores.documents import check_key, decode, encode

T = TypeVar("T")

MOST_BYTES = 1_000_000
"""Of one document, compressed and in base64: below the 1 MiB that a Secret may have."""
MARK = "store.watchdog/name"
"""Label: which store the Secret belongs to, so that two may share a namespace."""
KIND = "store.watchdog/kind"
"""Label: first part of the key, for lists."""
KEY = "store.watchdog/key"
"""Annotation: the whole key; names of objects cannot hold it."""
WRITE = "store.watchdog/write"
"""Annotation: which write it was."""
FIELD = "document"
WATCH_S = 1
"""Seconds that a look at the changes waits for more of them."""
CHANGES_BYTES = 8_000_000


class KubernetesStore:
    """Documents as Secrets in `namespace`. `name` tells stores of one namespace apart. Call `open` before the first use."""

    def __init__(self, client: KubernetesClient, namespace: str, name: str = "watchdog") -> None:
        """Nothing is asked yet; the client is closed by its owner."""
        self._client, self._namespace, self._name = client, namespace, name
        self._was_empty: bool | None = None
        self._closed = False

    async def open(self) -> None:
        """Find out whether there is anything. Raises StoreUnavailable; every later call tries again."""
        if self._was_empty is None:
            self._was_empty = not await self._secrets()

    async def read(self, key: str) -> Stored | None:
        """See `ports.Store`."""
        try:
            found = await self._call(self._client.get(self._path(check_key(key))))
        except NotFound:
            return None
        return _stored(found)

    async def list(self, kind: str) -> Sequence[Stored]:
        """See `ports.Store`. Raises StoreUnavailable also when one of them is unreadable."""
        found = await self._secrets(f"{MARK}={self._name},{KIND}={kind.partition('/')[0]}")
        return sorted(
            (_stored(one) for one in found if _key(one).startswith(f"{kind}/")), key=lambda stored: stored.key
        )

    async def create(self, key: str, document: JsonObject) -> Stored:
        """See `ports.Store`."""
        check_key(key)
        labels = {MARK: self._name, KIND: key.partition("/")[0]}
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self._object(key), "labels": labels, "annotations": {KEY: key}},
            "data": {FIELD: _packed(key, document)},
        }
        await self.open()
        try:
            return _stored(await self._call(self._client.create(self._folder(), body)))
        except ConflictLost as error:
            raise Conflict(f"{key} exists already") from error

    async def replace(self, key: str, document: JsonObject, version: str) -> Stored:
        """See `ports.Store`."""
        check_key(key)
        # A patch that changes nothing would win at an old version: the mark of this write makes each one a change.
        metadata = {"resourceVersion": version, "annotations": {WRITE: secrets.token_hex(8)}}
        body = {"metadata": metadata, "data": {FIELD: _packed(key, document)}}
        try:
            changed = self._client.patch(self._path(key), body, content_type=MERGE_PATCH)
            return _stored(await self._call(changed))
        except ConflictLost as error:
            raise Conflict(f"{key} was changed by somebody else") from error
        except NotFound as error:
            raise Conflict(f"{key} is gone") from error

    async def delete(self, key: str, version: str) -> None:
        """See `ports.Store`."""
        try:
            found = await self._call(self._client.get(self._path(check_key(key))))
            uid = str(found["metadata"]["uid"])
            await self._call(self._client.delete(self._path(key), uid=uid, resource_version=version))
        except NotFound as error:
            raise Conflict(f"{key} is gone") from error
        except ConflictLost as error:
            raise Conflict(f"{key} was changed by somebody else") from error

    async def changes(self, cursor: str) -> tuple[str, Sequence[str]]:
        """See `ports.Store`: what a watch from there tells. A cursor that is too old, or none of ours, gives every key."""
        listed = await self._call(self._client.get(self._folder(), {"labelSelector": self._mine}, accept=METADATA_LIST))
        here = str(listed["metadata"]["resourceVersion"])
        if not cursor:
            return here, []
        if not cursor.isdecimal() or int(cursor) > int(here):
            return here, sorted(_key(one) for one in listed.get("items") or [])
        query = {"labelSelector": self._mine, "watch": "1", "resourceVersion": cursor, "timeoutSeconds": str(WATCH_S)}
        told = await self._call(self._client.text(self._folder(), query, limit_bytes=CHANGES_BYTES))
        events = [json.loads(line) for line in told.content.splitlines() if line.strip()]
        if told.cut or any(event["type"] == "ERROR" for event in events):  # 410: the server has forgotten so far back
            return here, sorted(_key(one) for one in listed.get("items") or [])
        last = {_key(event["object"]): place for place, event in enumerate(events)}
        until = max([int(here), *(int(event["object"]["metadata"]["resourceVersion"]) for event in events)])
        return str(until), sorted(last, key=lambda key: last[key])

    async def found_empty(self) -> bool:
        """See `ports.Store`."""
        await self.open()
        return bool(self._was_empty)

    async def close(self) -> None:
        """Refuse from now on."""
        self._closed = True

    @property
    def _mine(self) -> str:
        return f"{MARK}={self._name}"

    async def _secrets(self, selector: str = "") -> Sequence[JsonObject]:
        return await self._call(self._client.list(self._folder(), label_selector=selector or self._mine))

    async def _call(self, call: Awaitable[T]) -> T:
        """What leaves the question open is StoreUnavailable; a known answer passes as it is."""
        if self._closed:
            close = getattr(call, "close", None)
            if close is not None:
                close()
            raise StoreUnavailable("the store is closed")
        try:
            return await call
        except (NotFound, ConflictLost):
            raise
        except Invalid as error:
            if error.status == HTTPStatus.CONFLICT:
                raise ConflictLost(str(error), status=error.status) from error
            raise StoreUnavailable(str(error)) from error
        except (KubernetesError, Unavailable) as error:
            raise StoreUnavailable(str(error)) from error

    def _folder(self) -> str:
        return api_path("v1", "secrets", self._namespace)

    def _path(self, key: str) -> str:
        return api_path("v1", "secrets", self._namespace, self._object(key))

    def _object(self, key: str) -> str:
        """The object's name: the key may hold what names may not, so it is a digest; the annotation says it in full."""
        return f"{self._name}-{hashlib.sha256(key.encode()).hexdigest()[:40]}"


def _packed(key: str, document: JsonObject) -> str:
    content = base64.b64encode(zlib.compress(encode(document).encode("ascii"), 6)).decode("ascii")
    if len(content) > MOST_BYTES:
        raise StoreUnavailable(f"{key} has {len(content)} bytes, and {MOST_BYTES} are the limit of a document")
    return content


def _stored(secret: JsonObject) -> Stored:
    key = _key(secret)
    try:
        text = zlib.decompress(base64.b64decode(secret["data"][FIELD], validate=True)).decode("ascii")
        document = decode(text)
    except (KeyError, TypeError, ValueError, zlib.error, binascii.Error) as error:
        raise StoreUnavailable(f"the Secret {secret['metadata']['name']} ({key}) cannot be read: {error}") from error
    return Stored(key=key, document=document, version=str(secret["metadata"]["resourceVersion"]))


def _key(secret: JsonObject) -> str:
    """The document's key. Raises StoreUnavailable for a Secret of ours that has lost it: what it held is not "nothing"."""
    key = (secret["metadata"].get("annotations") or {}).get(KEY)
    if not key:
        raise StoreUnavailable(f"the Secret {secret['metadata']['name']} has lost its annotation {KEY}")
    return str(key)
