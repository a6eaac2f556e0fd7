"""The `command` platform: three programs of the operator say what runs, what ran, and put a release back.

Role: `ports.Platform` and `ports.PlatformWriter` for whatever has no platform of its own. Neighbours: `platforms.programs` runs
the programs. The contract of the programs, with a worked example, stands in docs/command-platform.md. In short::

    CURRENT              -> {"release": "1.3", "in_progress": false, "complete": true}
    HISTORY              -> [{"release": "1.3", "at": "2026-01-01T12:00:00Z"}, ...]
    ROLLBACK FROM TO ID  -> exit code 0: issued; 3: FROM is not current, nothing was done; anything else: unknown

Guarantees: no shell; a release whose name could be read as an option is refused; `CURRENT` is read right before a rollback and
another release there means that nothing is run; an unclear end is resolved by `CURRENT`, never by a second run.
Not guaranteed: anything between that read and the program's own check of FROM - the program must make it (exit code 3). A
release that was overwritten all the same is looked for in `HISTORY` afterwards and said.
The fingerprint of a release is its name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from watchdog.model import (
    Confirmation,
    Finding,
    Incident,
    Instance,
    Instant,
    Intent,
    Issue,
    JsonObject,
    Owner,
    Ownership,
    Permit,
    Plan,
    Progress,
    Release,
    Resolution,
    Step,
    StepOutcome,
    UnitRef,
    WorkloadState,
    parse_instant,
    record,
)
from watchdog.platforms.programs import Finished, run
from watchdog.ports import Clock, EvidenceSink, PermitRefused, Unavailable
from watchdog.safety.permits import PermitOffice

PLATFORM = "command"
STEP = "run the rollback command"
ISSUED, PRECONDITION_FAILED = 0, 3
LONGEST_NAME = 200
_CURRENT_KEYS = frozenset(
    {"release", "in_progress", "complete", "started", "completed", "instances", "intent", "stuck", "actor"}
)
_INSTANCE_KEYS = frozenset({"name", "address", "port", "release", "ready"})


@record
class Commands:
    """The three programs as argv, without a shell. `rollback` is followed by FROM, TO and the intent's id.

    `environment` is added to PATH, HOME and LANG; its values are masked in what we show. `read_s` bounds `current` and
    `history`, `rollback_s` a rollback (the lease may bound it further).
    """

    current: tuple[str, ...]
    history: tuple[str, ...]
    rollback: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    directory: str | None = None
    read_s: float = 5.0
    rollback_s: float = 120.0

    def __post_init__(self) -> None:
        """Refuse an empty argv. Raises ValueError."""
        for name in ("current", "history", "rollback"):
            argv = getattr(self, name)
            if not argv or not argv[0]:
                raise ValueError(f"the {name} command is empty")

    def reverting(self, from_release: str, to_release: str) -> list[str]:
        """The argv of a rollback without the intent's id. Raises ValueError for a name that could be an option."""
        return [*self.rollback, checked_name(from_release), checked_name(to_release)]


@record
class Current:
    """What the current command says."""

    release: str
    in_progress: bool
    complete: bool
    started: Instant | None = None
    completed: Instant | None = None
    instances: tuple[Instance, ...] = ()
    intent: str | None = None
    """Id of the rollback that put this release there; None = the program does not keep it."""
    stuck: str = ""
    actor: str = ""


class Malformed(ValueError):
    """A program's output is not what the contract says; the message names the place."""


class _Programs:
    """Reads through `current` and `history`. Shared by both halves."""

    def __init__(self, commands: Commands) -> None:
        self.commands = commands

    async def current(self, within_s: float | None = None) -> Current:
        return read_current(await self._json("current", self.commands.current, within_s))

    async def history(self, within_s: float | None = None) -> list[Release]:
        return read_history(await self._json("history", self.commands.history, within_s))

    async def revert(self, argv: Sequence[str], within_s: float) -> Finished:
        return await self._run(argv, within_s)

    async def _json(self, name: str, argv: Sequence[str], within_s: float | None) -> Any:
        done = await self._run(argv, min(self.commands.read_s, within_s or self.commands.read_s))
        if done.code != 0:
            raise Unavailable(f"the {name} command failed: {done.words}")
        try:
            return json.loads(done.stdout)
        except (ValueError, RecursionError) as error:
            raise Unavailable(f"the {name} command wrote no JSON: {error}") from error

    async def _run(self, argv: Sequence[str], within_s: float) -> Finished:
        return await run(
            argv,
            deadline_s=within_s,
            environment=dict(self.commands.environment),
            directory=self.commands.directory,
        )


class CommandPlatform:
    """The reading half, and its evidence."""

    def __init__(self, target: str, commands: Commands, clock: Clock) -> None:
        """The unit is named by `target`: one command pair a target."""
        self.unit = UnitRef(target=target, platform=PLATFORM, uid=target, name=target)
        self._programs = _Programs(commands)
        self._commands = commands
        self._clock = clock

    async def read_state(self) -> WorkloadState:
        """What `current` says. Raises Unavailable."""
        current = await self._current()
        ready = sum(entry.ready for entry in current.instances)
        return WorkloadState(
            unit=self.unit,
            at=self._clock.now(),
            release=_release(current.release, started=current.started, completed=current.completed),
            version=current.release,
            complete=current.complete,
            in_progress=current.in_progress,
            started=current.started,
            completed=current.completed,
            wanted=len(current.instances),
            ready=ready,
            updated=sum(entry.release == current.release for entry in current.instances),
            available=ready,
            instances=current.instances,
            stuck=current.stuck,
            actor=current.actor,
        )

    async def detect_owner(self) -> Ownership:
        """Nobody: whom else the programs obey is theirs to know."""
        return Ownership(owner=Owner.NOBODY, sentence="a command has no other owner that could be seen")

    async def history(self) -> Sequence[Release]:
        """What `history` lists, newest first, each release once. Raises Unavailable."""
        try:
            return await self._programs.history()
        except Malformed as error:
            raise Unavailable(str(error)) from error

    async def preflight(self, target: Release) -> Sequence[Finding]:
        """Whether the programs still know `target`."""
        try:
            known = {release.fingerprint for release in await self.history()}
        except Unavailable as error:
            return [Finding(name="history", sentence=str(error), unknown=True)]
        if target.fingerprint in known:
            return [Finding(name="history", sentence=f"the history command lists {target.fingerprint}")]
        words = f"the history command does not list {target.fingerprint}: it may be gone"
        return [Finding(name="history", sentence=words, blocks=True)]

    async def plan(self, state: WorkloadState, target: Release, incident: str) -> Plan:
        """One step. Raises ValueError when nothing would change, or for a name that cannot be an argument."""
        del incident
        before, after = state.release.fingerprint, target.fingerprint
        if before == after:
            raise ValueError(f"{self.unit.name} runs {after} already")
        step = Step(
            name=STEP,
            unit=self.unit,
            words=f"run the rollback command of {self.unit.name} from {before} to {after}",
            precondition=f"the current command says {before}",
            request={"argv": self._commands.reverting(before, after), "then": "the id of the intent"},
        )
        return Plan(unit=self.unit, from_release=before, to_release=after, steps=(step,), words=step.words)

    async def resolve(self, intent: Intent) -> Resolution:
        """By `current` alone. Without an ``intent`` in its answer, TO there counts as issued."""
        if intent.step.unit.key != self.unit.key:
            return Resolution.GONE
        try:
            current = await self._current()
        except Unavailable:
            return Resolution.UNKNOWN
        back = current.release == intent.to_release
        if current.intent == intent.id:
            return Resolution.ISSUED if back else Resolution.SUPERSEDED
        if back:
            return Resolution.ISSUED if current.intent is None else Resolution.DONE_BY_OTHERS
        return Resolution.NOT_ISSUED if current.release == intent.from_release else Resolution.OVERTAKEN

    async def confirm(self, intent: Intent) -> Confirmation:
        """Whether TO is completely rolled out."""
        try:
            current = await self._current()
        except Unavailable as error:
            return Confirmation(progress=Progress.UNKNOWN, sentence=str(error))
        if current.release != intent.to_release:
            words = f"the current command says {current.release}, not {intent.to_release}"
            return Confirmation(progress=Progress.SUPERSEDED, sentence=words)
        if current.stuck:
            return Confirmation(progress=Progress.STUCK, sentence=current.stuck)
        if current.complete:
            return Confirmation(progress=Progress.OBSERVED, sentence=f"{current.release} is completely rolled out")
        fresh = sum(entry.release == current.release for entry in current.instances)
        words = f"{current.release} is being rolled out"
        if current.instances:
            words += f": {fresh} of {len(current.instances)} instances"
        return Confirmation(progress=Progress.PENDING, sentence=words)

    async def gather(self, keep: EvidenceSink, incident: Incident) -> None:
        """What `current` and `history` say, as they say it."""
        for name, argv in (("current", self._commands.current), ("history", self._commands.history)):
            done = await self._programs.revert(argv, self._commands.read_s)
            if done.code == 0:
                await keep.file(f"command/{name}.json", done.stdout, note=f"output of the {name} command")
            else:
                keep.missing(f"output of the {name} command for {incident.target}", done.words)

    async def close(self) -> None:
        """Nothing stays open between reads."""

    async def _current(self) -> Current:
        try:
            return await self._programs.current()
        except Malformed as error:
            raise Unavailable(str(error)) from error


class CommandWriter:
    """The writing half: looks at the permit first, reads once, then runs the rollback command once."""

    def __init__(self, target: str, commands: Commands, clock: Clock, office: PermitOffice) -> None:
        """Write for the unit of that target under permits of `office`."""
        self.unit = UnitRef(target=target, platform=PLATFORM, uid=target, name=target)
        self._commands = commands
        self._programs = _Programs(commands)
        self._clock = clock
        self._office = office

    async def execute(self, step: Step, intent: Intent, permit: Permit, *, deadline_s: float) -> StepOutcome:
        """Run the rollback command within `deadline_s`, reads included. Raises PermitRefused."""
        self._demand(step, intent, permit)
        began = self._clock.monotonic()
        try:
            argv = self._commands.reverting(intent.from_release, intent.to_release)
        except ValueError as error:
            return StepOutcome(issue=Issue.REFUSED, sentence=str(error))
        if list(step.request.get("argv", ())) != argv:
            return StepOutcome(issue=Issue.REFUSED, sentence="the rollback command was changed after the plan was made")
        before = await self._still(intent.from_release, deadline_s / 2)
        if before.issue is not Issue.ISSUED:
            return before
        read_at = self._clock.monotonic()
        left = min(deadline_s - (read_at - began), self._commands.rollback_s)
        done = await self._programs.revert([*argv, intent.id], left)
        outcome = _outcome(done, intent, window_s=self._clock.monotonic() - read_at)
        if outcome.issue is not Issue.ISSUED:
            return outcome
        return await self._look_back(intent, outcome, deadline_s - (self._clock.monotonic() - began))

    async def rehearse(self, step: Step, *, deadline_s: float) -> StepOutcome:
        """A command has no dry run: only whether FROM is still current can be looked at, and that is said."""
        argv = list(step.request.get("argv", ()))
        from_release = argv[-2] if len(argv) > 1 else ""
        seen = await self._still(from_release, deadline_s)
        if seen.issue is Issue.ISSUED:
            words = f"the rollback command has no dry run; the current command still says {from_release}"
            return StepOutcome(issue=Issue.ISSUED, sentence=words)
        return seen

    def _demand(self, step: Step, intent: Intent, permit: Permit) -> None:
        reason = self._office.check(permit, step, intent, self._clock.monotonic())
        if not reason and step != intent.step:
            reason = "the step is not the one of the intent"
        if not reason and step.unit.key != self.unit.key:
            reason = "the step is about another unit than this writer's"
        if reason:
            raise PermitRefused(reason)

    async def _still(self, expected: str, within_s: float) -> StepOutcome:
        """ISSUED when `expected` is current; nothing was written in any case."""
        try:
            current = await self._programs.current(within_s)
        except (Unavailable, Malformed) as error:
            words = f"nothing was run, because it could not be read what runs: {error}"
            return StepOutcome(issue=Issue.PRECONDITION_FAILED, sentence=words)
        if current.release != expected:
            words = f"nothing was run: {current.release} is current, expected {expected}"
            return StepOutcome(issue=Issue.PRECONDITION_FAILED, sentence=words)
        return StepOutcome(issue=Issue.ISSUED, sentence=f"{expected} is current")

    async def _look_back(self, intent: Intent, outcome: StepOutcome, within_s: float) -> StepOutcome:
        """Say it when a release came in between and was overwritten. Best effort: the write is done."""
        if within_s <= 0:
            return outcome
        try:
            releases = await self._programs.history(within_s)
        except (Unavailable, Malformed):
            return outcome
        others = [release.fingerprint for release in releases if release.fingerprint != intent.to_release]
        if others and others[0] != intent.from_release:
            words = f"{outcome.sentence}; WARNING: {others[0]} had been deployed in between and was overwritten"
            return StepOutcome(issue=Issue.ISSUED, sentence=words, overwrote=others[0])
        return outcome


def _outcome(done: Finished, intent: Intent, *, window_s: float) -> StepOutcome:
    if not done.started:
        return StepOutcome(issue=Issue.REFUSED, sentence=done.trouble)
    if done.code == ISSUED:
        words = f"the rollback command set {intent.to_release} ({window_s:.1f} s after {intent.from_release} was read)"
        return StepOutcome(issue=Issue.ISSUED, sentence=words)
    if done.code == PRECONDITION_FAILED:
        words = f"the rollback command refused: {intent.from_release} is not current ({done.words})"
        return StepOutcome(issue=Issue.PRECONDITION_FAILED, sentence=words)
    return StepOutcome(issue=Issue.UNKNOWN, sentence=f"the rollback command ended unclearly: {done.words}")


# -- what the programs write -----------------------------------------------------------------------------------------


def checked_name(release: str) -> str:
    """A release name that is safe as an argument. Raises ValueError for what is empty, long, unprintable or an option."""
    if not release or len(release) > LONGEST_NAME or not release.isprintable() or release != release.strip():
        raise ValueError(f"{release[:40]!r} is no name of a release")
    if release.startswith("-"):
        raise ValueError(f"the release name {release[:40]!r} could be read as an option")
    return release


def read_current(document: Any) -> Current:
    """What the current command wrote. Raises Malformed."""
    body = _object("current", document, _CURRENT_KEYS)
    in_progress, complete = _flag(body, "in_progress"), _flag(body, "complete")
    if in_progress and complete:
        raise Malformed("current: in_progress and complete contradict each other")
    entries = body.get("instances", [])
    if not isinstance(entries, list):
        raise Malformed("current.instances: expected a list")
    return Current(
        release=_name("current.release", body.get("release")),
        in_progress=in_progress,
        complete=complete,
        started=_moment("current.started", body.get("started")),
        completed=_moment("current.completed", body.get("completed")),
        instances=tuple(_instance(f"current.instances[{number}]", entry) for number, entry in enumerate(entries)),
        intent=_text("current.intent", body.get("intent")),
        stuck=_text("current.stuck", body.get("stuck")) or "",
        actor=_text("current.actor", body.get("actor")) or "",
    )


def read_history(document: Any) -> list[Release]:
    """What the history command wrote: newest first, each release once. Raises Malformed."""
    if not isinstance(document, list):
        raise Malformed("history: expected a list")
    found: list[Release] = []
    for number, entry in enumerate(document):
        body = _object(f"history[{number}]", entry, frozenset({"release", "at"}))
        at = _moment(f"history[{number}].at", body.get("at"))
        if at is None:
            raise Malformed(f"history[{number}].at is missing")
        found.append(_release(_name(f"history[{number}].release", body.get("release")), started=at))
    newest: dict[str, Release] = {}
    for release in sorted(found, key=lambda each: each.started or 0.0, reverse=True):
        newest.setdefault(release.fingerprint, release)
    return list(newest.values())


def _release(name: str, *, started: Instant | None = None, completed: Instant | None = None) -> Release:
    return Release(fingerprint=name, revision=name, address=name, started=started, completed=completed)


def _instance(where: str, entry: Any) -> Instance:
    body = _object(where, entry, _INSTANCE_KEYS)
    address, port = _address(where, body)
    return Instance(
        name=_name(f"{where}.name", body.get("name")),
        address=address,
        port=port,
        release=_text(f"{where}.release", body.get("release")),
        ready=_flag(body, "ready", where),
    )


def _address(where: str, body: JsonObject) -> tuple[str, int | None]:
    """``address`` may carry its port: ``127.0.0.1:8080``, ``[::1]:8080``."""
    address = _text(f"{where}.address", body.get("address")) or ""
    port = body.get("port")
    host, colon, rest = address.rpartition(":")
    if port is None and colon and rest.isdecimal() and (":" not in host or host.endswith("]")):
        address, port = host, int(rest)
    if port is not None and (not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65_536):  # noqa: PLR2004 - 16 bits
        raise Malformed(f"{where}.port: expected a number from 1 to 65535")
    return address.strip("[]"), port


def _object(where: str, document: Any, keys: frozenset[str]) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise Malformed(f"{where}: expected an object")
    unknown = sorted(set(document) - keys)
    if unknown:
        raise Malformed(f"{where}: unknown key {unknown[0]!r}")
    return document


def _flag(body: Mapping[str, Any], key: str, where: str = "current") -> bool:
    value = body.get(key)
    if not isinstance(value, bool):
        raise Malformed(f"{where}.{key}: expected true or false")
    return value


def _name(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Malformed(f"{where}: expected a text")
    try:
        return checked_name(value)
    except ValueError as error:
        raise Malformed(f"{where}: {error}") from error


def _text(where: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise Malformed(f"{where}: expected a text")
    return value


def _moment(where: str, value: Any) -> Instant | None:
    text = _text(where, value)
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise Malformed(f"{where}: {error}") from error
