"""Helm's own records, decoded: what each revision deployed, and how it ended.

Role: from the Secrets that Helm keeps to frozen records. Pure. Neighbours: `reading` lists the Secrets. Source (facts/back-ends
3): Secret ``sh.helm.release.v1.NAME.vN``, label owner=helm, ``data.release`` = base64 of base64 of gzip of JSON. Guarantees:
values (``config``) and notes are never kept: they hold secrets; a record that cannot be decoded raises `Undecodable`. The
fingerprint of a release is the SHA-256 of its manifest: "superseded" says nothing about health, and a rollback's record has
the manifest of what it went back to.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import yaml

from watchdog.model import Instant, JsonObject, instant, record

MOST_BYTES = 32 * 1024 * 1024
"""A record is at most 1 MiB compressed; what unpacks to more is no record."""
OURS = "watchdog "
"""Begin of the description of our own rollbacks; the id of the intent follows."""
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
PENDING = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")


class Undecodable(ValueError):
    """A release Secret that is no release record."""


@record
class Thing:
    """One object of a manifest: what it is, and for workloads the pod template."""

    api_version: str
    kind: str
    namespace: str
    name: str
    keep: bool = False
    """``helm.sh/resource-policy: keep``: Helm does not delete it."""
    template: JsonObject | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The same object in another manifest, whatever version of its API it is written in."""
        return self.api_version.rpartition("/")[0], self.kind, self.namespace, self.name


@record
class Record:
    """One revision. `rolled_back_to` is the revision whose manifest a rollback put back, 0 for installs and upgrades."""

    version: int
    status: str
    description: str
    fingerprint: str
    deployed_at: Instant
    first_deployed: Instant
    chart: str
    app_version: str
    things: tuple[Thing, ...]
    hooks: tuple[tuple[str, str], ...] = ()
    """(name, event) of hooks that run before or after a rollback to it."""
    rollback: bool = False

    @property
    def is_pending(self) -> bool:
        """Helm is at work, or was killed at it."""
        return self.status in PENDING

    @property
    def was_deployed(self) -> bool:
        """It was deployed completely, as far as Helm knows."""
        return self.status in ("deployed", "superseded")

    @property
    def workloads(self) -> tuple[Thing, ...]:
        """What runs pods and can be watched."""
        return tuple(thing for thing in self.things if thing.kind in WORKLOADS)

    @property
    def intent(self) -> str:
        """Id of the intent of ours that made it; empty for everybody else's."""
        return self.description.removeprefix(OURS) if self.description.startswith(OURS) else ""


def record_of(secret: JsonObject, namespace: str) -> Record:
    """The record in a Secret. Raises Undecodable."""
    try:
        body = _unpacked(str(secret["data"]["release"]))
        info = body["info"]
        manifest = str(body.get("manifest") or "")
        description = str(info.get("description") or "")
        metadata = (body.get("chart") or {}).get("metadata") or {}
        return Record(
            version=int(body["version"]),
            status=str(info["status"]),
            description=description,
            fingerprint=hashlib.sha256(manifest.encode()).hexdigest(),
            deployed_at=_moment(info["last_deployed"]),
            first_deployed=_moment(info["first_deployed"]),
            chart=f"{metadata.get('name', '')}-{metadata.get('version', '')}".strip("-"),
            app_version=str(metadata.get("appVersion") or ""),
            things=things_of(manifest, namespace),
            hooks=_hooks(body.get("hooks") or ()),
            rollback=bool(info.get("rollback_revision")) or description.startswith(("Rollback", OURS)),
        )
    except Undecodable:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, yaml.YAMLError) as error:
        raise Undecodable(f"a release record could not be read ({type(error).__name__})") from None


def things_of(manifest: str, namespace: str) -> tuple[Thing, ...]:
    """The objects of a manifest, in its order."""
    found: list[Thing] = []
    for document in yaml.load_all(manifest, Loader=yaml.CSafeLoader):
        entries = (
            document.get("items") or [] if isinstance(document, dict) and document.get("kind") == "List" else [document]
        )
        found += [_thing(entry, namespace) for entry in entries if isinstance(entry, dict) and entry.get("kind")]
    return tuple(found)


def running(records: Sequence[Record]) -> Record | None:
    """What is meant to run now: the newest record that is no rollback which failed or did not end."""
    return next((one for one in records if not (one.rollback and not one.was_deployed)), None)


def newest_of_others(records: Sequence[Record]) -> Record:
    """The newest record without what a rollback of ours has left that failed or was killed: the same one again is its cure."""
    return next((one for one in records if not (one.intent and not one.was_deployed)), records[0])


def _thing(body: JsonObject, namespace: str) -> Thing:
    metadata = body.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    kind = str(body["kind"])
    template = (body.get("spec") or {}).get("template") if kind in WORKLOADS else None
    return Thing(
        api_version=str(body.get("apiVersion") or ""),
        kind=kind,
        namespace=str(metadata.get("namespace") or namespace),
        name=str(metadata.get("name") or ""),
        keep=str(annotations.get("helm.sh/resource-policy", "")).strip() == "keep",
        template=template if isinstance(template, dict) else None,
    )


def _hooks(hooks: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (str(hook.get("name") or ""), str(event))
        for hook in hooks
        for event in hook.get("events") or ()
        if str(event) in ("pre-rollback", "post-rollback")
    )


def _unpacked(text: str) -> JsonObject:
    try:
        packed = base64.b64decode(base64.b64decode(text, validate=True), validate=True)
        plain = _inflated(packed) if packed[:2] == b"\x1f\x8b" else packed
        body = json.loads(plain)
    except (binascii.Error, zlib.error, gzip.BadGzipFile, EOFError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Undecodable(f"a release record could not be unpacked ({type(error).__name__})") from None
    if not isinstance(body, dict):
        raise Undecodable("a release record is no object")
    return body


def _inflated(packed: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    plain = stream.decompress(packed, MOST_BYTES)
    if stream.unconsumed_tail:
        raise Undecodable("a release record unpacks to more than 32 MiB")
    return plain


def _moment(text: Any) -> Instant:
    """Go's RFC 3339 with nanoseconds."""
    return instant(datetime.fromisoformat(_micro(str(text))).timestamp())


def _micro(text: str) -> str:
    head, dot, rest = text.partition(".")
    if not dot:
        return text
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{head}.{rest[:digits][:6].ljust(6, '0')}{rest[digits:]}"
