"""What `watchdog doctor` looks at: whether every target can be read, judged and rolled back.

Role: asks platforms and signals the same questions as the daemon does, once. Neighbours: `cli.doctor` prints. Guarantees:
nothing is written anywhere; each question has its own deadline and one that hangs costs only its own line; what could not
be asked is unknown, never fine.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from watchdog.engine.board import Watch, WatchedSignal
from watchdog.engine.control import looking
from watchdog.model import Counts, Finding, Owner, Unknown, WorkloadState, record
from watchdog.ports import IncidentObjects, PauseObjects, Platform, PollContext, SchemaSource, Unavailable
from watchdog.safety.databases import describe

QUESTION_S = 15.0
"""Deadline of one question to a platform."""
AGAIN_S = 2.0
"""Between two looks at a source that compares them."""

T = TypeVar("T")


@record
class Examined:
    """One line: `ok` None = could not be found out. `next_command` is what helps."""

    subject: str
    question: str
    ok: bool | None
    sentence: str
    next_command: str = ""


@runtime_checkable
class ChecksPermissions(Protocol):
    """A platform that can ask what it is allowed to do."""

    async def check_permissions(self) -> Sequence[Finding]:
        """One finding for each right that is missing or unknown; none when all is granted."""
        ...


async def examine(watches: Sequence[Watch], known_good: Mapping[str, str] | None) -> list[Examined]:
    """Everything about all targets, side by side.

    `known_good` = the running daemon's last known good per target (empty text: none), None when no daemon answered.
    """
    found = await asyncio.gather(*(_target(watch, known_good) for watch in watches))
    return [line for lines in found for line in lines]


async def ask_sources(watches: Sequence[Watch], windows: Mapping[tuple[str, str], float]) -> list[Examined]:
    """Whether each signal and database tells, side by side, and what of it does not fit to the `windows` that judge it.

    `windows` = seconds over which a share is taken, by target and signal.
    """
    found = await asyncio.gather(*(_sources(watch, windows) for watch in watches))
    return [line for lines in found for line in lines]


async def _sources(watch: Watch, windows: Mapping[tuple[str, str], float]) -> list[Examined]:
    state, lines = None, []
    if watch.platform is not None:
        state, read = await _read(watch.name, watch.platform)
        lines.append(read)
    databases = await asyncio.gather(*(_database(watch.name, source) for source in watch.databases))
    looks = _looks(watch)
    told = await _signals(watch.name, looks, state)
    return [*lines, *told, *databases, *_paces(watch.name, looks, windows)]


def _looks(watch: Watch) -> list[WatchedSignal]:
    """The signals as a person may ask them."""
    return [replace(entry, signal=looking(entry.signal)) for entry in watch.signals]


def _paces(name: str, looks: Sequence[WatchedSignal], windows: Mapping[tuple[str, str], float]) -> list[Examined]:
    """A window that holds fewer than two scrapes is decided by one of them. Known once the source was asked."""
    found = []
    for entry in looks:
        window, scrape = windows.get((name, entry.signal.name)), getattr(entry.signal, "learned_s", None)
        if window is None or scrape is None or window >= 2 * scrape:
            continue
        words = f"its rule looks at {window:g} s, in which fewer than two scrapes lie ({scrape:g} s apart): one decides"
        found.append(
            _line(name, f"signal {entry.signal.name} rule", False, words, f"write for: {2 * scrape:g}s, or more")
        )
    return found


def places(state: str, bundles: str) -> list[Examined]:
    """Whether state and incidents can be kept where the configuration says; `state` is empty when it is kept in memory."""
    files = [("state", Path(state), True)] if state else []
    return [_place(*entry) for entry in (*files, ("bundles", Path(bundles), False))]


def _place(question: str, path: Path, is_file: bool) -> Examined:  # noqa: FBT001
    """By the rights of this user, without a write: what is missing would be made in the nearest folder that is there."""
    if path.exists():
        ok = os.access(path, os.R_OK | os.W_OK | (0 if is_file else os.X_OK)) and path.is_file() == is_file
        words = f"{path} can be used" if ok else f"{path} is there and cannot be used by this user"
        if not is_file or not ok:
            return _line("(service)", question, ok, words)
    around = next(folder for folder in path.parents if folder.exists())
    ok = around.is_dir() and os.access(around, os.W_OK | os.X_OK)
    words = (
        f"{path} can be kept" if ok else f"{path} cannot be kept: {around} is not a folder that this user may write to"
    )
    return _line("(service)", question, ok, words)


class AsksRights(Protocol):
    """A client of a cluster, as far as it is asked here."""

    async def may(
        self, verb: str, group: str, resource: str, namespace: str, name: str = "", *, subresource: str = ""
    ) -> bool:
        """Whether we may. Raises Unavailable."""
        ...


STATE_RIGHTS = (
    *((verb, "", "secrets", False) for verb in ("get", "list", "create", "patch", "delete")),
    ("create", "coordination.k8s.io", "leases", False),
    *((verb, "coordination.k8s.io", "leases", True) for verb in ("get", "patch")),
)
"""Verb, group and resource of `deploy/kubernetes/state/role.yaml`, and whether for the one Lease alone."""


OBJECT_RIGHTS = (
    ("list", "pauses", ""),
    ("patch", "pauses", "status"),
    *((verb, "incidents", "") for verb in ("get", "list", "create")),
    ("patch", "incidents", "status"),
)
"""Verb, resource and subresource of `deploy/kubernetes/objects/role.yaml`."""


async def state_in_cluster(client: AsksRights, namespace: str, name: str) -> list[Examined]:
    """Whether the state can be kept in the cluster, by the rights of this user."""
    asked = {
        f"{verb} {resource}": client.may(verb, group, resource, namespace, name if named else "")
        for verb, group, resource, named in STATE_RIGHTS
    }
    words = f"Secrets and the Lease {name} in {namespace} can be kept"
    return [await _rights("state", asked, namespace, "state", words)]


async def objects_in_cluster(
    client: AsksRights, pauses: PauseObjects, incidents: IncidentObjects, namespace: str
) -> list[Examined]:
    """Whether pauses and incidents can be objects there: the definitions are there, and this user may."""
    command = "kubectl apply -k deploy/kubernetes/objects"
    group = "rollback-watchdog.dev"
    asked = {
        f"{verb} {resource}{'/' if sub else ''}{sub}": client.may(verb, group, resource, namespace, subresource=sub)
        for verb, resource, sub in OBJECT_RIGHTS
    }
    lines = [await _rights("objects", asked, namespace, "objects", f"pauses and incidents in {namespace} can be kept")]
    if not lines[0].ok:
        return lines
    for question, call in (("pauses", pauses.list()), ("incidents", incidents.shown())):
        found, trouble = await _bounded(call)
        words = trouble or f"{len(found or ())} {question} are there as objects"
        lines.append(_line("(service)", question, found is not None, words, "" if found is not None else command))
    return lines


async def _rights(
    question: str, asked: Mapping[str, Awaitable[bool]], namespace: str, overlay: str, words: str
) -> Examined:
    """One line about all these rights."""
    missing = []
    answers = await asyncio.gather(*(_bounded(call) for call in asked.values()))
    for right, (allowed, trouble) in zip(asked, answers, strict=True):
        if allowed is None:
            return _line("(service)", question, None, trouble)
        missing += [] if allowed else [right]
    if not missing:
        return _line("(service)", question, True, words)
    command = f"kubectl apply -n {namespace} -k deploy/kubernetes/{overlay}"
    return _line("(service)", question, False, f"in {namespace} may not: {', '.join(missing)}", command)


async def _target(watch: Watch, known_good: Mapping[str, str] | None) -> list[Examined]:
    if watch.platform is None:
        line = Examined(subject=watch.name, question="platform", ok=True, sentence="watch only: never rolled back")
        return [line, *await _signals(watch.name, _looks(watch), None)]
    state, read = await _read(watch.name, watch.platform)
    lines = [read, *await _permissions(watch.name, watch.platform)]
    if state is not None:
        lines += [await _owner(watch.name, watch.platform), await _history(watch.name, watch.platform)]
    databases = await asyncio.gather(*(_database(watch.name, source) for source in watch.databases))
    return [*lines, _good(watch.name, known_good), *await _signals(watch.name, _looks(watch), state), *databases]


async def _read(name: str, platform: Platform) -> tuple[WorkloadState | None, Examined]:
    state, trouble = await _bounded(platform.read_state())
    if state is None:
        return None, _line(name, "readable", False, trouble)
    words = f"{state.release.label}, {state.ready} of {state.wanted} ready"
    return state, _line(name, "readable", True, words)


async def _permissions(name: str, platform: Platform) -> list[Examined]:
    if not isinstance(platform, ChecksPermissions):
        return []
    findings, trouble = await _bounded(platform.check_permissions())
    if findings is None:
        return [_line(name, "permissions", None, trouble)]
    lines = [
        _line(name, "permissions", None if finding.unknown else not finding.blocks, finding.sentence)
        for finding in findings
    ]
    return lines or [_line(name, "permissions", True, "everything needed is granted")]


async def _owner(name: str, platform: Platform) -> Examined:
    owner, trouble = await _bounded(platform.detect_owner())
    if owner is None:
        return _line(name, "owner", None, trouble)
    return _line(name, "owner", None if owner.owner is Owner.UNKNOWN else owner.owner is Owner.NOBODY, owner.sentence)


async def _history(name: str, platform: Platform) -> Examined:
    releases, trouble = await _bounded(platform.history())
    if releases is None:
        return _line(name, "history", None, trouble)
    enough = len(releases) > 1
    words = f"{len(releases)} releases are remembered" if enough else "there is no earlier release to go back to"
    return _line(name, "history", enough, words)


def _good(name: str, known_good: Mapping[str, str] | None) -> Examined:
    question = "last known good"
    if known_good is None:
        return _line(name, question, None, "no daemon answers: only it knows", "watchdog run")
    if name not in known_good:
        return _line(name, question, None, "the running daemon does not know this target", "watchdog status")
    if not known_good[name]:
        return _line(name, question, False, "none yet: a release earns it by its bake", f"watchdog history {name}")
    return _line(name, question, True, known_good[name])


async def _signals(name: str, looks: Sequence[WatchedSignal], state: WorkloadState | None) -> list[Examined]:
    context = PollContext(state=state, release=state.release.fingerprint if state else "")
    return list(await asyncio.gather(*(_signal(name, entry, context) for entry in looks)))


async def _database(name: str, source: SchemaSource) -> Examined:
    """What the watchdog sees of a database that says whether the code may go back."""
    question = f"database {source.name}"
    schema, trouble = await _bounded(source.read())
    if schema is None:
        return _line(name, question, False, trouble)
    if schema.unreadable:
        words = f"{', '.join(schema.unreadable)} may not be read: grant SELECT to the watchdog's role"
        return _line(name, question, False, words)
    return _line(name, question, not schema.half_done, describe(schema))


async def _signal(name: str, watched: WatchedSignal, context: PollContext) -> Examined:
    question = f"signal {watched.signal.name}"
    samples, trouble = await _bounded(watched.signal.poll(context), watched.timeout_s)
    if samples is not None and not samples:  # what is counted takes two looks
        await asyncio.sleep(min(AGAIN_S, watched.every_s))
        samples, trouble = await _bounded(watched.signal.poll(context), watched.timeout_s)
    command = f"watchdog check {name} {watched.signal.name}"
    if samples is None:
        return _line(name, question, False, trouble, command)
    unknown = [sample.reading.reason for sample in samples if isinstance(sample.reading, Unknown)]
    if unknown:
        return _line(name, question, False, f"cannot tell: {unknown[0]}", command)
    if not samples:
        return _line(name, question, None, "nothing to say yet", command)
    bad = next((s for s in samples if isinstance(s.reading, Counts) and s.reading.bad), None)
    if bad is not None:  # the source works, and that is what was asked
        return _line(name, question, True, f"tells, and is bad now: {bad.detail}", command)
    return _line(name, question, True, samples[0].detail or "tells")


async def _bounded(question: Awaitable[T], deadline_s: float | None = None) -> tuple[T | None, str]:
    deadline_s = QUESTION_S if deadline_s is None else deadline_s
    try:
        async with asyncio.timeout(deadline_s):
            return await question, ""
    except TimeoutError:
        return None, f"no answer within {deadline_s:g} s"
    except Unavailable as error:
        return None, str(error)


def _line(
    subject: str,
    question: str,
    ok: bool | None,  # noqa: FBT001 - three-valued
    sentence: str,
    next_command: str = "",
) -> Examined:
    return Examined(subject=subject, question=question, ok=ok, sentence=sentence, next_command=next_command)
