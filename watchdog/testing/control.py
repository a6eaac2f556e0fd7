"""A fake `Control`: a bookstore with two targets, in memory, for faces and for the tests of those who build one.

Role: stands where the engine stands, below the API, the command line and the page. Neighbours: `ports.Control`, which
says the form of every answer. Guarantees: remembers pauses and incidents between calls, records every call in `calls`,
refuses what the engine refuses (names that are not there, pauses that cannot be, incidents that are over) and what it was
told to refuse, and hangs where it was told to hang. Not guaranteed: any judgement of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from watchdog.model import Instant, JsonObject, Pause, PauseRegister, instant, iso, to_document
from watchdog.ports import ControlRefused
from watchdog.safety import pausing

STOP_PAUSE_S = 3600.0
"""How long `stop` pauses everything (design.md section 9)."""


def signal_row(name: str, **changes: Any) -> dict[str, Any]:
    """One signal of a status row, healthy unless changed."""
    row = {
        "name": name,
        "health": "healthy",
        "sentence": f"{name}: 0 of 12 bad",
        "missing": "6 more bad of 12",
        "progress": 0.0,
        "value": 0.0,
        "limit": 0.5,
        "events": 12,
        "data_age_s": 2.0,
    }
    return row | changes


def target_row(name: str, **changes: Any) -> dict[str, Any]:
    """One target of a status answer, healthy unless changed."""
    row = {
        "name": name,
        "group": "bookstore",
        "platform": "kubernetes",
        "mode": "enforce",
        "state": "healthy",
        "sentence": "all signals are healthy",
        "release": "revision 7 (bookstore:1.7)",
        "good": "revision 7 (bookstore:1.7)",
        "since": iso(instant(1_700_000_000)),
        "streak": "healthy 12",
        "bake": "passed",
        "incident": None,
        "signals": [signal_row("health"), signal_row("errors")],
    }
    return row | changes


class FakeControl:
    """A whole control with settable rows; `now` is a function that gives the moment."""

    def __init__(self, now: Callable[[], Instant]) -> None:
        """Start armed, with ``bookstore-api`` and ``bookstore-web`` healthy and no incident."""
        self.now = now
        self.headline = "ARMED"
        self.cycle = 12
        self.rows = [target_row("bookstore-api"), target_row("bookstore-web")]
        self.listed_incidents: list[dict[str, Any]] = []
        self.decision = self._decision("hold", [("breach", "block", "the target is healthy")])
        self.missing = ["a breach: 6 more bad of 12"]
        self.samples: list[dict[str, Any]] = [self._sample("health", "good"), self._sample("errors", "good")]
        self.config: dict[str, Any] = {"hash": "abc123", "loaded_at": iso(now()), "error": ""}
        self.store: dict[str, Any] = {"ok": True, "sentence": "the store answers"}
        self.outbox: dict[str, Any] = {"depth": 0, "last_error": ""}
        self.counters: dict[str, float] = {"polls": 480, "rollbacks": 0}
        self.loops: list[dict[str, Any]] = [{"name": "engine", "last_s": 0.4, "limit_s": 60.0, "state": "running"}]
        self.live = self.ready = self.acknowledge = self.accept = True
        self.bad_polls: set[int] = set()
        self.reload_problems: list[str] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refusals: dict[str, ControlRefused] = {}
        """Method name to what it raises."""
        self.held: dict[str, asyncio.Event] = {}
        """Method name to the event it waits for before it answers."""
        self._register = PauseRegister()

    # questions

    def status(self) -> JsonObject:
        """As `ports.Control`."""
        return {
            "at": iso(self.now()),
            "mode": "enforce",
            "headline": self.headline,
            "cycle": self.cycle,
            "leader": {"held": True, "sentence": "this daemon holds the lock"},
            "config": self.config,
            "store": self.store,
            "outbox": self.outbox,
            "targets": self.rows,
            "pauses": [self._pause_row(pause) for pause in self._register.pauses if self._active(pause)],
            "counters": self.counters,
        }

    async def describe(self, target: str) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("describe", target=target)
        return {
            "at": iso(self.now()),
            "target": self._row(target),
            "unit": {"target": target, "platform": "kubernetes", "uid": "u-1", "name": f"bookstore/{target}"},
            "releases": self._releases(),
            "policy": {"mode": "enforce", "bake_s": 1800.0, "countdown_s": 10.0, "data": "compatible"},
            "road_back": {
                "decision": self.decision,
                "plan": self._plan(),
                "sentence": "revision 6 would come back by one patch",
            },
            "databases": [
                {
                    "name": "schema",
                    "sentence": "9 tables, views, types and functions; 3 migrations, the newest is ef: Totals",
                }
            ],
        }

    async def explain(self, target: str) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("explain", target=target)
        return {
            "at": iso(self.now()),
            "target": target,
            "sentence": self.decision["sentence"],
            "decision": self.decision,
            "missing": self.missing,
            "incident": self._row(target)["incident"],
        }

    async def check(self, target: str, signal: str | None) -> JsonObject:
        """As `ports.Control`; the health follows from `samples`."""
        await self._begin("check", target=target, signal=signal)
        known = [entry["name"] for entry in self._row(target)["signals"]]
        if signal is not None and signal not in known:
            raise ControlRefused(f"{target} has no signal {signal!r}; it has: {', '.join(known)}", code="not_found")
        samples = [sample for sample in self.samples if signal in (None, sample["signal"])]
        found = {sample["health"] for sample in samples}
        health = (
            "failing"
            if "bad" in found
            else "inconclusive"
            if not found
            else "blind"
            if found == {"unknown"}
            else "healthy"
        )
        sentence = f"{len(samples)} samples: {health}"
        return {"at": iso(self.now()), "target": target, "health": health, "sentence": sentence, "samples": samples}

    async def polls(self, target: str) -> JsonObject:
        """As `ports.Control`: a dozen polls a signal, of which `bad_polls` says which were bad."""
        await self._begin("polls", target=target)
        signals = [
            {"name": entry["name"], "polls": [self._poll(number) for number in range(12)]}
            for entry in self._row(target)["signals"]
        ]
        return {"at": iso(self.now()), "target": target, "signals": signals}

    def _poll(self, number: int) -> dict[str, Any]:
        bad = number in self.bad_polls
        return {
            "at": iso(instant(self.now() - 5.0 * (11 - number))),
            "health": "bad" if bad else "good",
            "bad": int(bad),
            "events": 1,
            "value": None,
            "sentence": "GET /health: 500 in 12 ms" if bad else "GET /health: 200 in 12 ms",
            "instance": None,
        }

    async def pauses(self) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("pauses")
        return {"at": iso(self.now()), "pauses": [self._pause_row(pause) for pause in reversed(self._register.pauses)]}

    async def incidents(self, target: str | None, *, open_only: bool) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("incidents", target=target, open_only=open_only)
        chosen = [
            row
            for row in self.listed_incidents
            if target in (None, row["target"]) and not (open_only and row["stage"] == "closed")
        ]
        return {"at": iso(self.now()), "incidents": chosen}

    async def incident(self, incident: str) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("incident", incident=incident)
        row = self._incident(incident)
        entries = [
            {"at": row["opened_at"], "kind": "breach", "sentence": "30 % errors", "actor": "watchdog", "data": {}},
            {"at": row["opened_at"], "kind": "decision", "sentence": "roll back", "actor": "watchdog", "data": {}},
        ]
        document = {"kind": "Incident", "v": 1, **row, "entries": entries, "decision": self.decision}
        document |= {"blamed": self._releases()[0], "good": self._releases()[1]}
        return {"incident": document, "report": f"incidents/{row['id']}/report.html"}

    async def history(self, target: str) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("history", target=target)
        self._row(target)
        return {
            "at": iso(self.now()),
            "target": target,
            "current": "f7f7f7f7f7f7f7f7",
            "good": "f6f6f6f6f6f6f6f6",
            "releases": self._releases(),
            "acts": [],
        }

    def health(self) -> JsonObject:
        """As `ports.Control`."""
        sentence = "every loop makes progress" if self.live else "the engine has stood still for 61 s"
        return {"live": self.live, "ready": self.ready, "sentence": sentence, "loops": self.loops}

    # orders

    async def pause(self, scope: str, until: Instant, why: str, who: str) -> JsonObject:
        """As `ports.Control`; applied at once unless `acknowledge` is False."""
        await self._begin("pause", scope=scope, until=until, why=why, who=who)
        self._known_scope(scope)
        name = f"p{len(self._register.pauses) + 1}"
        try:
            self._register = pausing.add(
                self._register, pause_id=name, scope=scope, who=who, why=why, until=until, now=self.now()
            )
        except pausing.PauseRefused as error:
            raise ControlRefused(str(error), next_command="watchdog pause --help") from error
        pause = self._register.pauses[-1]
        self.headline = f"PAUSED by {who} until {iso(until)} ({why})"
        return {"pause": self._pause_row(pause), **self._acknowledgement(f"{scope} is paused until {iso(until)}")}

    async def resume(self, id_or_scope: str, who: str) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("resume", id_or_scope=id_or_scope, who=who)
        pauses = self._register.pauses
        names = [pause.id for pause in pauses if self._active(pause) and id_or_scope in (pause.id, pause.scope)]
        try:
            for name in names or [id_or_scope]:
                self._register = pausing.end(self._register, name, who=who, now=self.now())
        except pausing.PauseRefused as error:
            raise ControlRefused(str(error), code="not_found", next_command="watchdog pauses") from error
        ended = [pause for pause in self._register.pauses if pause.id in names]
        self.headline = "ARMED"
        return {
            "ended": [self._pause_row(pause) for pause in ended],
            **self._acknowledgement(f"{len(ended)} pause ended"),
        }

    async def stop(self, who: str, why: str) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("stop", who=who, why=why)
        paused = await self.pause("all", instant(self.now() + STOP_PAUSE_S), why, who)
        waiting = [row["id"] for row in self.listed_incidents if row["stage"] in ("opened", "asked", "countdown")]
        return {**paused, "cancelled": waiting, "running": []}

    async def arm(self, who: str, target: str | None) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("arm", who=who, target=target)
        names = [row["name"] for row in self.rows] if target is None else [self._row(target)["name"]]
        return {"armed": names, "sentence": f"armed: {', '.join(names)}"}

    async def rollback(
        self, target: str, *, to: str | None, dry_run: bool, why: str, who: str, overrides: Sequence[str]
    ) -> JsonObject:
        """As `ports.Control`; accepted unless `accept` is False."""
        await self._begin(
            "rollback", target=target, to=to, dry_run=dry_run, why=why, who=who, overrides=list(overrides)
        )
        self._row(target)
        if to is not None:
            self._named(target, to)
        going = self.accept and not dry_run
        return {
            "accepted": self.accept,
            "dry_run": dry_run,
            "incident": "inc-7" if going else None,
            "decision": self._decision(
                "roll_back" if self.accept else "hold",
                [("leadership", "pass" if self.accept else "block", "we hold the lock")],
            ),
            "plan": self._plan(),
            "sentence": "rolling back to revision 6" if self.accept else "the gate holds: leadership",
        }

    async def approve(self, incident: str, who: str, why: str) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("approve", incident=incident, who=who, why=why)
        row = self._incident(incident)
        if row["stage"] != "asked":
            raise ControlRefused(
                f"{row['id']} asks nothing (stage {row['stage']})", next_command=f"watchdog explain {row['target']}"
            )
        return {
            "incident": row["id"],
            "approval": {"id": "a1", "who": who, "checks": ["data"]},
            "sentence": f"approved by {who}",
        }

    async def cancel(self, incident: str, who: str, why: str) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("cancel", incident=incident, who=who, why=why)
        row = self._incident(incident)
        if row["stage"] == "closed":
            raise ControlRefused(
                f"{row['id']} is closed", code="conflict", next_command=f"watchdog incidents {row['id']}"
            )
        row.update(stage="closed", reason="cancelled", closed_at=iso(self.now()))
        return {"incident": row["id"], "fingerprint": "f7f7f7f7f7f7f7f7", "sentence": f"cancelled by {who}"}

    async def drill(self, target: str, who: str, *, tell: bool) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("drill", target=target, who=who, tell=tell)
        self._row(target)
        part = {"kind": "Part", "v": 1, "name": "gate", "took_s": 0.02, "ok": True, "sentence": "it would ask"}
        return {
            "target": target,
            "drill": f"drill-{target}-0a1b2c3d",
            "parts": [part, {**part, "name": "approval", "ok": None, "sentence": "nothing would be asked"}],
            "decision": self.decision,
            "plan": None,
            "report": "",
            "ok": True,
            "sentence": f"DRILL of {target}: every part that could be tried works; nothing was written to it",
        }

    async def judge(self, incident: str, verdict: str, who: str, why: str) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("judge", incident=incident, verdict=verdict, who=who, why=why)
        row = self._incident(incident)
        if verdict not in ("right", "wrong"):
            raise ControlRefused(
                f"{verdict!r} is neither right nor wrong", next_command=f"watchdog judge {row['id']} right"
            )
        if row["stage"] != "closed":
            raise ControlRefused(
                f"{row['id']} is open", code="conflict", next_command=f"watchdog incidents {row['id']}"
            )
        row.update(needs_human=False)
        reviewed = f"{verdict}, by {who}" + (f": {why}" if why else "")
        return {"incident": row["id"], "reviewed": reviewed, "sentence": f"{row['id']} is judged {reviewed}"}

    async def history_edit(self, target: str, fingerprint: str, verb: str, who: str, why: str) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("history_edit", target=target, fingerprint=fingerprint, verb=verb, who=who, why=why)
        self._row(target)
        found = self._named(target, fingerprint)
        grade = "condemned" if verb == "condemn" else "new"
        return {"release": found | {"grade": grade}, "sentence": f"{fingerprint} is now {grade}"}

    async def reload(self) -> JsonObject:
        """As `ports.Control`."""
        await self._begin("reload")
        reloaded = not self.reload_problems
        sentence = "the configuration was read again" if reloaded else "refused: the old configuration is running"
        return {"reloaded": reloaded, "hash": "abc123", "problems": self.reload_problems, "sentence": sentence}

    # setting the scene

    def add_incident(self, incident: str, target: str = "bookstore-api", stage: str = "asked") -> dict[str, Any]:
        """Put an incident there and hang it on its target; returns its row, which may be changed."""
        row: dict[str, Any] = {
            "id": incident,
            "target": target,
            "group": "bookstore",
            "stage": stage,
            "reason": None,
            "headline": "30 % errors since revision 7",
            "blamed": "revision 7 (bookstore:1.7)",
            "good": "revision 6 (bookstore:1.6)",
            "opened_at": iso(self.now()),
            "closed_at": None,
            "simulated": False,
            "manual": False,
            "needs_human": False,
        }
        self.listed_incidents.insert(0, row)
        self._row(target).update(incident=incident, state="responding")
        return row

    async def _begin(self, method: str, **arguments: Any) -> None:
        self.calls.append((method, arguments))
        if method in self.refusals:
            raise self.refusals[method]
        if method in self.held:
            await self.held[method].wait()

    def _row(self, target: str) -> dict[str, Any]:
        for row in self.rows:
            if row["name"] == target:
                return row
        raise ControlRefused(f"no target is called {target}", code="not_found", next_command="watchdog status")

    def _named(self, target: str, release: str) -> dict[str, Any]:
        """The release of that fingerprint, a unique beginning of it, or that revision."""
        known = self._releases()
        found = [entry for entry in known if entry["fingerprint"].startswith(release) or entry["revision"] == release]
        if len(found) != 1:
            words = "no release" if not found else f"{len(found)} releases"
            raise ControlRefused(
                f"{words} {release!r} of {target}", code="not_found", next_command=f"watchdog history {target}"
            )
        return found[0]

    def _known_scope(self, scope: str) -> None:
        word, _, name = scope.partition("/")
        column = {"target": "name", "group": "group"}.get(word)
        if column is not None and name not in {row[column] for row in self.rows}:
            raise ControlRefused(f"{scope} matches nothing", code="not_found")

    def _incident(self, incident: str) -> dict[str, Any]:
        found = [row for row in self.listed_incidents if row["id"].startswith(incident)]
        if len(found) != 1:
            raise ControlRefused(
                f"no incident is called {incident}", code="not_found", next_command="watchdog incidents"
            )
        return found[0]

    def _active(self, pause: Pause) -> bool:
        return pause.ended_at is None and self.now() < pause.until

    def _pause_row(self, pause: Pause) -> dict[str, Any]:
        active = self._active(pause)
        coming = pause.ended_at is None and self.now() < pause.since
        return to_document(pause) | {
            "active": active,
            "state": "active" if active else "upcoming" if coming else "ended",
            "end": pausing.other_way_to_end(pause),
        }

    def _acknowledgement(self, sentence: str) -> dict[str, Any]:
        return {
            "applied": self.acknowledge,
            "applied_at": iso(self.now()) if self.acknowledge else None,
            "cycle": self.cycle,
            "sentence": sentence,
        }

    def _decision(self, outcome: str, checks: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
        return {
            "at": iso(self.now()),
            "target": "bookstore-api",
            "outcome": outcome,
            "would": outcome,
            "sentence": f"{outcome}: {checks[0][2]}",
            "from_release": "f7f7f7f7f7f7f7f7",
            "to_release": "f6f6f6f6f6f6f6f6",
            "asking": [],
            "checks": [
                {
                    "name": name,
                    "effect": effect,
                    "sentence": sentence,
                    "outcome": outcome,
                    "overridable": False,
                    "overridden_by": "",
                    "hazard": "",
                }
                for name, effect, sentence in checks
            ],
        }

    def _sample(self, signal: str, health: str) -> dict[str, Any]:
        return {
            "signal": signal,
            "health": health,
            "sentence": "GET /health: 200 in 12 ms",
            "value": None,
            "events": 1,
            "release": "revision 7",
            "instance": "bookstore-api-1",
            "phases": {"connect": 0.001, "first_byte": 0.011},
            "took_s": 0.012,
            "asked": [],
        }

    def _plan(self) -> dict[str, Any]:
        step = {
            "name": "patch",
            "words": "patch the template back to revision 6",
            "precondition": "resourceVersion 1234",
            "request": {"spec": {"template": {}}},
        }
        return {"words": "revision 7 back to revision 6", "warnings": [], "steps": [step]}

    def _releases(self) -> list[dict[str, Any]]:
        return [
            self._release("f7f7f7f7f7f7f7f7", "7", "new"),
            self._release("f6f6f6f6f6f6f6f6", "6", "good"),
        ]

    def _release(self, fingerprint: str, revision: str, grade: str) -> dict[str, Any]:
        return {
            "fingerprint": fingerprint,
            "revision": revision,
            "images": {"api": f"bookstore:1.{revision}"},
            "grade": grade,
            "started": iso(instant(1_700_000_000)),
            "completed": iso(instant(1_700_000_060)),
            "graded_at": None,
            "watched_s": 900.0,
            "events": 1200,
            "note": "",
        }
