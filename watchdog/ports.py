"""The ports: every outside thing as a Protocol, written for the weakest thing that will stand behind it.

Role: what `engine` talks to. Neighbours: real ones in `signals`, `platforms`, `stores`, `channels`, `incidents`; public
fakes in `watchdog.testing`; one contract test per port runs on both. Guarantees every implementation must give: a port
returns "known" or raises / returns its *unknown* form; it never turns "could not find out" into no.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

from watchdog.model import (
    Confirmation,
    Evidence,
    EvidenceFile,
    Finding,
    Incident,
    Instant,
    Intent,
    JsonObject,
    Notice,
    Ownership,
    Pause,
    Plan,
    Release,
    Resolution,
    Sample,
    Schema,
    UnitRef,
    WorkloadState,
    record,
)


class WatchdogError(Exception):
    """Root of our errors. Split by who must react and how."""


class Unavailable(WatchdogError):
    """An outside thing could not be asked: the answer is unknown. Temporary; try again later."""


class StoreUnavailable(Unavailable):
    """The store cannot be read or written now: watching goes on, no new act (P11, P21)."""


class Conflict(WatchdogError):
    """A compare-and-swap was lost: somebody else wrote. Read again, decide again."""


class StoreDamaged(WatchdogError):
    """The store holds something that must not be overwritten; the message says what to do."""


class DeliveryFailed(WatchdogError):
    """A channel could not deliver. `retry_after` in seconds when the service named one; `permanent` = never retry."""

    def __init__(self, reason: str, *, retry_after: float | None = None, permanent: bool = False) -> None:
        """Keep the reason and what the service said about trying again."""
        super().__init__(reason)
        self.retry_after = retry_after
        self.permanent = permanent


class PermitRefused(WatchdogError):
    """A writer was called with a permit that is forged, expired or for something else. Nothing was written."""


# -- time ------------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Two clocks. Every part gets this one injected."""

    def now(self) -> Instant:
        """UTC, for records and event times."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never steps, for intervals, deadlines and leases. Equals the running loop's time."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait on the monotonic clock. 0 or less yields once."""
        ...


# -- store -----------------------------------------------------------------------------------------------------------


@record
class Stored:
    """A document with its key and the version token of compare-and-swap."""

    key: str
    document: JsonObject
    version: str


class Store(Protocol):
    """Documents with compare-and-swap on *one*; no transaction over several.

    Keys are ``kind/rest``. Every method may raise StoreUnavailable (unknown whether a write happened: read to resolve).
    """

    async def read(self, key: str) -> Stored | None:
        """The document, or None when it is known not to exist."""
        ...

    async def list(self, kind: str) -> Sequence[Stored]:
        """All documents whose key begins with ``kind/``, in key order."""
        ...

    async def create(self, key: str, document: JsonObject) -> Stored:
        """Create if absent. Raises Conflict when the key exists: that is the fence against two."""
        ...

    async def replace(self, key: str, document: JsonObject, version: str) -> Stored:
        """Replace if still at `version`. Raises Conflict when it is not, or is gone."""
        ...

    async def delete(self, key: str, version: str) -> None:
        """Delete if still at `version`. Raises Conflict when it is not, or is gone."""
        ...

    async def changes(self, cursor: str) -> tuple[str, Sequence[str]]:
        """Keys written or deleted since `cursor` ("" = from now on), and the next cursor. Polling is enough."""
        ...

    async def found_empty(self) -> bool:
        """True when this store held nothing when it was opened: the first start on an unknown environment (P22)."""
        ...

    async def close(self) -> None:
        """Flush and let go."""
        ...


# -- objects for people ------------------------------------------------------------------------------------------------


class PauseObjects(Protocol):
    """Pauses that people keep as objects of their own outside the store (Kubernetes: `kubectl apply -f pause.yaml`)."""

    async def list(self) -> Sequence[Pause]:
        """All of them, asked for now; `since` is when each was made. Raises Unavailable also when one cannot be read."""
        ...

    async def tell(self, pause: Pause) -> None:
        """Write on the object that it is taken in and what became of it. Nothing when it says so, or is gone. Raises Unavailable."""
        ...


class IncidentObjects(Protocol):
    """Incidents as people look at them where they look at everything else. A view: the store holds the truth."""

    async def shown(self) -> Mapping[str, Instant]:
        """What is shown: the state of which moment (`updated_at`), by id. Raises Unavailable."""
        ...

    async def show(self, incident: Incident) -> None:
        """Show it as it is, unless a later state is shown already. Raises Unavailable."""
        ...


# -- lease -----------------------------------------------------------------------------------------------------------


@record
class Held:
    """We hold the lease for `remaining` more seconds (monotonic, measured from before the renewal was sent)."""

    remaining: float
    fence: int = 0


@record
class NotHolder:
    """Somebody else holds it: stand down."""

    holder: str


@record
class LeaseUnknown:
    """Could not be found out: observe and notify, do not act."""

    reason: str


LeaseState = Held | NotHolder | LeaseUnknown


class Lease(Protocol):
    """Leadership. A lock file for one host, a Kubernetes Lease later."""

    async def acquire(self) -> LeaseState:
        """Try to take it, without waiting for the present holder."""
        ...

    def state(self) -> LeaseState:
        """What is known now, without asking anybody."""
        ...

    async def release(self) -> None:
        """Let go, after the work has stopped."""
        ...


# -- platform --------------------------------------------------------------------------------------------------------


class Platform(Protocol):
    """The reading half of one unit's platform. Raises Unavailable when the outside cannot be asked."""

    async def read_state(self) -> WorkloadState:
        """One fresh read of unit, current release, rollout and instances."""
        ...

    async def detect_owner(self) -> Ownership:
        """Who else claims the unit; asked at every decision, not only at start."""
        ...

    async def history(self) -> Sequence[Release]:
        """Releases the platform remembers, newest first, each with its fingerprint."""
        ...

    async def preflight(self, target: Release) -> Sequence[Finding]:
        """Whether `target` can still run: referenced ConfigMaps, Secrets, accounts; quota."""
        ...

    async def plan(self, state: WorkloadState, target: Release, incident: str) -> Plan:
        """Named steps with the exact request of each. Raises ValueError when there is no road to `target`."""
        ...

    async def resolve(self, intent: Intent) -> Resolution:
        """What became of `intent`, found by reading only."""
        ...

    async def confirm(self, intent: Intent) -> Confirmation:
        """Whether what was issued has been rolled out, is stuck or was superseded."""
        ...

    async def close(self) -> None:
        """Let connections go."""
        ...


@runtime_checkable
class Watching(Protocol):
    """A platform that is told of changes, so that a unit at rest need not be read again and again."""

    def unchanged(self, since: float) -> bool:
        """Whether it is *known* that `read_state` would show now what one that began at `since` (monotonic) has shown.

        False whenever it is not known. It may lag behind a change by what a message takes; nothing is decided by it but
        whether to read.
        """
        ...


@runtime_checkable
class EvidenceSource(Protocol):
    """What a platform can hand to the incident's evidence before the write."""

    async def gather(self, keep: EvidenceSink, incident: Incident) -> None:
        """Hand each part to `keep` as soon as it is there, cheap and perishable first. May be cancelled at any await."""
        ...


class EvidenceSink(Protocol):
    """Where parts of evidence go; redacts, caps and stores."""

    async def file(self, path: str, content: bytes | str | JsonObject | Sequence[JsonObject], note: str = "") -> None:
        """Keep one part under a relative path."""
        ...

    def missing(self, what: str, why: str) -> None:
        """Name what could not be had."""
        ...


# -- signals ---------------------------------------------------------------------------------------------------------


@record
class PollContext:
    """What a poll may need to know about the target: its latest state (None before the first read) and release times."""

    state: WorkloadState | None = None
    release: str = ""
    release_started: Instant | None = None


@runtime_checkable
class Signal(Protocol):
    """One source of evidence about a target.

    A signal whose polls give each event out once offers `apart()` too: another signal that asks the same and remembers
    nothing, so that a person's look takes nothing from the judgement.
    """

    name: str
    counts_users: bool
    """Its events are user events (a request counter), which the soak's `>= 1000 events` counts; False for own probes."""

    async def poll(self, context: PollContext) -> Sequence[Sample]:
        """One look: one sample, or several where they come per release and instance.

        Source trouble is an `Unknown` sample with its reason, never an exception; cancellation passes through.
        """
        ...

    async def close(self) -> None:
        """Let connections go."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A signal whose source knows what it counted before we looked."""

    async def minutes(self, since: Instant, until: Instant) -> Sequence[Sample]:
        """One sample of counts for each minute in (since, until] that the source knows, oldest first.

        Of the service as a whole: samples name neither release nor instance. Raises Unavailable.
        """
        ...


# -- databases -------------------------------------------------------------------------------------------------------


class SchemaSource(Protocol):
    """A database that can be asked what code has to understand of it."""

    name: str

    async def read(self) -> Schema:
        """One look, consistent in itself and read-only. Raises Unavailable."""
        ...

    async def close(self) -> None:
        """Let connections go."""
        ...


# -- hazards ---------------------------------------------------------------------------------------------------------


@record
class HazardFact:
    """What a reader found about one hazard. `present` None = could not be checked."""

    hazard: str
    present: bool | None
    sentence: str


class HazardReader(Protocol):
    """Reads the facts of hazards that need an outside look (database ahead, certificate, node)."""

    name: str

    async def read(self, unit: UnitRef, blamed: Release, good: Release) -> Sequence[HazardFact]:
        """Facts about going from `blamed` to `good`. Raises Unavailable."""
        ...


# -- files and channels ----------------------------------------------------------------------------------------------


class Files(Protocol):
    """Where evidence and reports go: a directory, a volume, an object store. Raises Unavailable."""

    async def write(self, path: str, content: bytes) -> EvidenceFile:
        """Write atomically (old or new file, never half) under a relative path; returns size and SHA-256."""
        ...

    async def read(self, path: str) -> bytes:
        """Raises Unavailable when it is not there or cannot be read."""
        ...

    def location(self, path: str) -> str:
        """What a person types to open it."""
        ...

    async def make_room(self, keep: Collection[str], older_than: Instant) -> Sequence[str]:
        """Remove folders (first segments of paths) that are not in `keep`; returns their names.

        Those not written since `older_than`, and then the longest untouched until a fifth of the place is free.
        """
        ...


class Channel(Protocol):
    """Delivers one notice."""

    name: str

    async def deliver(self, notice: Notice, incident: Incident | None) -> None:
        """Raises DeliveryFailed. May hang: the outbox sender bounds it."""
        ...

    async def close(self) -> None:
        """Let connections go."""
        ...


# -- control ---------------------------------------------------------------------------------------------------------


class ControlRefused(WatchdogError):
    """An order or question was not carried out, and nothing was changed.

    `code` says who must react: ``not_found`` (no such target or incident), ``refused`` (a rule forbids it),
    ``conflict`` (somebody was faster, read again), ``unavailable`` (the store, the lease or a source is unknown now).
    `next_command` is what to type next, empty when there is nothing better than trying again.
    """

    def __init__(self, reason: str, *, code: str = "refused", next_command: str = "") -> None:
        """Keep the sentence, the code and the next command."""
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.next_command = next_command


class Control(Protocol):
    """Everything a face (API, command line, page) may ask or order.

    Every answer is a JSON-able object with string keys: moments are ISO 8601 UTC texts (``model.iso``), durations are
    seconds in keys that end in ``_s``, records stand in their document form. Keys are only ever added. `who` is the
    person's name as the face established it; `why` the person's sentence. Questions never wait for the outside, except
    `check` and `describe`. Every method may raise ControlRefused; an order that raises has changed nothing.
    Orders may be abandoned by the asker after a bound, but are never cancelled before the daemon stops.
    """

    def status(self) -> JsonObject:
        """The whole service on one screen.

        ``{"at", "mode", "headline", "cycle", "leader": {"held": bool, "sentence"}, "config": {"hash", "loaded_at",
        "error"}, "store": {"ok": bool, "sentence"}, "outbox": {"depth", "last_error"}, "targets": [row], "pauses":
        [pause], "counters": {name: number}}``. `headline` begins with ARMED, OBSERVE, ASK, PAUSED, BLIND or NOT HOLDER.
        A row: ``{"name", "group", "platform", "mode", "state", "sentence", "release", "good", "since", "streak",
        "bake", "incident": id | null, "signals": [...]}`` with state healthy, suspect, failing, inconclusive, blind,
        paused, responding or needs_human. A signal: ``{"name", "health", "sentence", "missing", "progress" 0..1,
        "value", "limit", "events", "data_age_s"}``. `counters` only grow; metrics show them as ``watchdog_NAME_total``.
        """
        ...

    async def describe(self, target: str) -> JsonObject:
        """``{"at", "target": row, "unit", "releases": [release], "policy", "road_back", "databases"}``.

        `road_back` is the way back as it stands now: ``{"decision", "plan": {"words", "warnings", "steps": [{"name",
        "words", "precondition", "request"}]} | null, "sentence"}``. `databases` is the last look at each: ``{"name",
        "sentence"}``.
        """
        ...

    async def explain(self, target: str) -> JsonObject:
        """Why it acts or does not: ``{"at", "target", "sentence", "decision", "missing": [sentence], "incident"}``.

        `decision` in its document form: outcome, would, sentence, from_release, to_release and its checks, each with
        name, effect, sentence, outcome.
        """
        ...

    async def check(self, target: str, signal: str | None) -> JsonObject:
        """One look now, which does not feed the judgement.

        ``{"at", "target", "health", "sentence", "samples": [{"signal", "health": "good" | "bad" | "unknown", "sentence",
        "value", "events", "release", "instance", "phases": {name: seconds}, "took_s",
        "asked": [query]}]}``; health is failing if any
        sample is bad, blind if all are unknown, inconclusive if there is none, else healthy.
        """
        ...

    async def polls(self, target: str) -> JsonObject:
        """The latest polls of each signal, oldest first, at most 120 a signal; nothing is asked outside.

        ``{"at", "target", "signals": [{"name", "polls": [{"at", "health": "good" | "bad" | "unknown", "bad", "events",
        "value", "sentence", "instance"}]}]}``.
        """
        ...

    async def pauses(self) -> JsonObject:
        """``{"at", "pauses": [pause, with "active": bool, "end"]}``, newest first, ended ones too as long as they are kept.

        ``end`` says how one ends that `resume` does not end, and is empty otherwise.
        """
        ...

    async def pause(self, scope: str, until: Instant, why: str, who: str) -> JsonObject:
        """Stop acting in `scope` (``all``, ``group/x``, ``target/x``, ``selector/k=v``, ``platform/x``) until then.

        ``{"pause", "applied": bool, "applied_at", "cycle", "sentence"}``; `applied` False = stored but not yet seen by
        the engine (P4).
        """
        ...

    async def resume(self, id_or_scope: str, who: str) -> JsonObject:
        """End one pause by id, or all of a scope: ``{"ended": [pause], "applied", "applied_at", "cycle", "sentence"}``."""
        ...

    async def stop(self, who: str, why: str) -> JsonObject:
        """Cancel what is not yet written and pause everything for one hour.

        ``{"cancelled": [incident id], "running": [incident id already written], "pause", "applied", "applied_at",
        "cycle", "sentence"}``.
        """
        ...

    async def arm(self, who: str, target: str | None) -> JsonObject:
        """Let `enforce` act after a first start on an empty store: ``{"armed": [target], "sentence"}``; None = all."""
        ...

    async def rollback(
        self, target: str, *, to: str | None, dry_run: bool, why: str, who: str, overrides: Sequence[str]
    ) -> JsonObject:
        """Roll back by hand, through the same gate.

        ``{"accepted": bool, "dry_run", "incident", "decision", "plan", "sentence"}``. `to` is a fingerprint (or a
        unique beginning) or a revision; None = the last known good. `overrides` names checks of the gate a person may
        override. `accepted` False = the gate says no, with its checks; a dry run answers what would be decided.
        """
        ...

    async def approve(self, incident: str, who: str, why: str) -> JsonObject:
        """Answer the asking checks of an incident: ``{"incident", "approval", "sentence"}``."""
        ...

    async def cancel(self, incident: str, who: str, why: str) -> JsonObject:
        """Say no: no automatic act on that fingerprint until cleared. ``{"incident", "fingerprint", "sentence"}``."""
        ...

    async def incidents(self, target: str | None, *, open_only: bool) -> JsonObject:
        """All or one target's, newest first, releases by label.

        ``{"at", "incidents": [{"id", "target", "group", "stage", "reason", "headline", "blamed", "good", "opened_at",
        "closed_at", "simulated", "manual", "needs_human"}]}``.
        """
        ...

    async def incident(self, incident: str) -> JsonObject:
        """``{"incident": document, "report": where it lies, or empty}``. A unique beginning of the id is enough."""
        ...

    async def drill(self, target: str, who: str, *, tell: bool) -> JsonObject:
        """A breach that did not happen, through everything but the write, with the time of each part.

        ``{"target", "drill", "parts": [{"name", "took_s", "ok", "sentence"}], "decision", "plan", "report", "ok",
        "sentence"}``; a part's `ok` is null where there was nothing to try. With `tell` the target's channels get one message.
        """
        ...

    async def judge(self, incident: str, verdict: str, who: str, why: str) -> JsonObject:
        """A person's word on a closed incident, `verdict` ``right`` or ``wrong``: ``{"incident", "reviewed", "sentence"}``.

        It no longer needs a person afterwards; ``judged_right`` and ``judged_wrong`` are counted.
        """
        ...

    async def history(self, target: str) -> JsonObject:
        """The ledger, newest first: ``{"at", "target", "current", "good", "releases": [release], "acts": [act]}``."""
        ...

    async def history_edit(self, target: str, fingerprint: str, verb: str, who: str, why: str) -> JsonObject:
        """`verb` ``condemn`` or ``clear``: ``{"release", "sentence"}``."""
        ...

    async def reload(self) -> JsonObject:
        """Read the configuration again: ``{"reloaded": bool, "hash", "problems": [text], "sentence"}``.

        False = it was refused, and the old one is really running.
        """
        ...

    def health(self) -> JsonObject:
        """``{"live": bool, "ready": bool, "sentence", "loops": [{"name", "last_s", "limit_s", "state"}]}``.

        `last_s` = seconds since its last progress. Live is False only when the engine, a response or the event loop
        stood still for 60 s; ready is not the lease.
        """
        ...


# -- recording -------------------------------------------------------------------------------------------------------


class Recorder(Protocol):
    """Captures evidence and writes the report; made of `Files`, redaction and rendering by the composition root."""

    async def capture(
        self, incident: Incident, sources: Sequence[EvidenceSource], samples: Sequence[Sample], box_s: float
    ) -> Evidence:
        """Everything that can be had within `box_s` seconds; what could not is named. Never raises for a source."""
        ...

    async def report(self, incident: Incident, samples: Sequence[Sample]) -> None:
        """Write report.json, report.md and report.html; to stdout where the files cannot be written."""
        ...

    async def tidy(self, open_incidents: Collection[str]) -> None:
        """Let old bundles go, never one of these incidents. Never raises for the place."""
        ...
