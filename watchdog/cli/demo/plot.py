"""The plot: what happens in each scenario, and how it is summed up.

Role: the driver of the demo. Neighbours: `stage` to play on, `narrator` to tell. Guarantees: exit code 0 only when the watchdog
did what is right in that scenario - one rollback to the good release, or none.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchdog.cli.demo.narrator import Narrator
from watchdog.cli.demo.stage import READERS, TOLERATED, Stage, stage
from watchdog.cli.exits import Exit
from watchdog.cli.terminal import Terminal
from watchdog.model import instant, parse_instant
from watchdog.ports import ControlRefused

TARGET = "bookstore"
LOOK_S = 0.1
PATIENCE_S = 80.0
"""Longest wait for anything: on a starved machine processes start slowly."""
BLIP_OVER_S = 4.5
"""After an instance of ``-blip1`` has started: its one bad second begins after 3."""


@dataclass(frozen=True)
class Ending:
    """How a scenario should end. `since` = UTC seconds from which readers count; `reason` empty = no incident is due."""

    since: float
    rollbacks: int
    running: str
    reason: str = ""


async def play(scenario: str, terminal: Terminal) -> int:
    """Play one scenario. The exit code says whether it ended as it should."""
    loop = asyncio.get_running_loop()
    async with stage() as on:
        narrator = Narrator(terminal, on.control, loop.time)
        narrator.say(f"a bookstore is open: 3 API and 2 web processes, {READERS:g} readers a second", lines=2)
        narrator.say(f"a watchdog looks on: {on.home / 'watchdog.yaml'}", lines=2)
        async with _telling(narrator):
            ending = await _told_while_it_runs(on, _story(scenario, on, narrator))
        await asyncio.sleep(0.5)  # what readers saw is written four times a second
        return await _sum_up(on, terminal, ending)


async def _story(scenario: str, on: Stage, narrator: Narrator) -> Ending:
    await _good_release(on, narrator)
    return await PLOTS[scenario](on, narrator)


async def _told_while_it_runs(on: Stage, story: Coroutine[Any, Any, Ending]) -> Ending:
    """The story, unless the daemon ends before it. Raises OSError then."""
    task = asyncio.create_task(story, name="story")
    try:
        await asyncio.wait({task, on.running}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise OSError(f"the watchdog ended in the middle of it; see {on.home / 'watchdog.log'}")
        return task.result()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await task


@contextlib.asynccontextmanager
async def _telling(narrator: Narrator) -> AsyncIterator[None]:
    task = asyncio.create_task(narrator.run(), name="narrator")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await narrator.look()


async def _until(there: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for something. Raises OSError that says what did not happen."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await there():  # noqa: ASYNC110 - it happens in other processes
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise OSError(f"{what} did not happen within {PATIENCE_S:.0f} s") from None


# -- what happens ----------------------------------------------------------------------------------------------------


async def _good_release(on: Stage, narrator: Narrator) -> None:
    """A good release that earns its grade: only such a one is ever gone back to."""
    await _until(lambda: _knows(on, "1.0"), "the first sight of 1.0")
    narrator.head("release 1.1 is deployed: a good one, which has to earn its grade in a shortened soak")
    await on.store.deploy("1.1")
    await _until(lambda: _good(on, "1.1"), "the soak of 1.1")
    narrator.say("release 1.1 has earned the grade good: now there is something to go back to", "✓", lines=2)


async def _bad(on: Stage, narrator: Narrator) -> Ending:
    return await _rolled_back(on, narrator, "1.2-err30", "30 % of the API's answers fail, /health still says 200")


async def _crash(on: Stage, narrator: Narrator) -> Ending:
    return await _rolled_back(
        on, narrator, "1.2-crash", "its processes die two seconds after their start, again and again"
    )


async def _rolled_back(on: Stage, narrator: Narrator, release: str, what: str) -> Ending:
    since = await _deploy(on, narrator, release, what)
    await _until(lambda: _ended(on), "the rollback")
    return Ending(since, rollbacks=1, running="1.1", reason="recovered")


async def _blip(on: Stage, narrator: Narrator) -> Ending:
    what = f"a good one, but each new instance fails for one second, once ({TOLERATED} are tolerated)"
    since = await _deploy(on, narrator, "1.2-blip1", what)
    await on.store.settled(PATIENCE_S)
    await asyncio.sleep(BLIP_OVER_S)
    share, signal = narrator.strongest
    await _until(lambda: _is(on, "healthy"), "the end of the blip")
    narrator.head("the blip is over, and nothing was done")
    narrator.say(f"{signal} came to {share:.0%} of what it needs to fire: the failures did not last", lines=2)
    await _until(lambda: _good(on, "1.2-blip1"), "the soak of 1.2-blip1")
    narrator.say("release 1.2-blip1 has earned the grade good", "✓")
    return Ending(since, rollbacks=0, running="1.2-blip1")


async def _paused(on: Stage, narrator: Narrator) -> Ending:
    narrator.head("maintenance begins: watchdog pause --for 10m --reason 'database move'")
    paused = await on.control.pause("all", instant(on.daemon.clock.now() + 600), "database move", "demo")
    since = await _deploy(on, narrator, "1.2-err30", "30 % of the API's answers fail, in the middle of the maintenance")
    await _until(lambda: _ended(on), "the would-have record")
    narrator.head("the watchdog saw it, wrote down what it would have done, and kept its hands off")
    await _deploy(on, narrator, "1.3", "the team repairs it by itself")
    await on.store.settled(PATIENCE_S)
    narrator.head("maintenance ends: watchdog resume all")
    await on.control.resume(paused["pause"]["id"], "demo")
    await _until(lambda: _is(on, "healthy"), "the health of 1.3")
    return Ending(since, rollbacks=0, running="1.3", reason="would_have")


async def _dependency(on: Stage, narrator: Narrator) -> Ending:
    since = await _deploy(on, narrator, "1.2", "a good one")
    await on.store.settled(PATIENCE_S)
    narrator.head("the database fails, and with it every release of the bookstore")
    on.store.dependency(down=True)
    await _until(lambda: _is(on, "failing", "responding", "needs_human"), "the failure")
    await _until(lambda: _decided(on), "the decision")
    await asyncio.sleep(2)
    narrator.head("the database is back")
    on.store.dependency(down=False)
    await _until(lambda: _is(on, "healthy"), "the recovery")
    await _until(lambda: _ended(on), "the end of the incident")
    narrator.say("a rollback would have helped nobody: the release was not to blame", lines=2)
    return Ending(since, rollbacks=0, running="1.2", reason="recovered_unaided")


PLOTS: dict[str, Callable[[Stage, Narrator], Awaitable[Ending]]] = {
    "bad": _bad,
    "crash": _crash,
    "blip": _blip,
    "paused": _paused,
    "dependency": _dependency,
}


async def _deploy(on: Stage, narrator: Narrator, release: str, what: str) -> float:
    """Deploy and say so; the UTC second."""
    narrator.head(f"release {release} is deployed: {what}")
    narrator.strongest = (0.0, "")
    await on.store.deploy(release)
    return float(on.daemon.clock.now())


# -- looking ---------------------------------------------------------------------------------------------------------


async def _grades(on: Stage) -> dict[str, str]:
    with contextlib.suppress(ControlRefused):  # not read yet
        return {entry["fingerprint"]: entry["grade"] for entry in (await on.control.history(TARGET))["releases"]}
    return {}


async def _knows(on: Stage, release: str) -> bool:
    return release in await _grades(on)


async def _good(on: Stage, release: str) -> bool:
    return (await _grades(on)).get(release) == "good"


async def _is(on: Stage, *states: str) -> bool:
    return any(row["state"] in states for row in on.control.status()["targets"] if row["name"] == TARGET)


async def _found(on: Stage) -> list[dict[str, Any]]:
    """Incidents, the newest first."""
    return list((await on.control.incidents(TARGET, open_only=False))["incidents"])


async def _decided(on: Stage) -> bool:
    found = await _found(on)
    return bool(found) and (await on.control.incident(found[0]["id"]))["incident"]["decision"] is not None


async def _ended(on: Stage) -> bool:
    """Closed, and its report is written: the report is the last entry."""
    found = await _found(on)
    if not found or found[0]["stage"] != "closed":
        return False
    return bool((await on.control.incident(found[0]["id"]))["incident"]["entries"][-1]["kind"] == "reported")


# -- summing up ------------------------------------------------------------------------------------------------------


async def _sum_up(on: Stage, terminal: Terminal, ending: Ending) -> int:
    """What readers saw, in numbers, and where the record lies: its path is the last line."""
    found = await _found(on)
    acts = (await on.control.history(TARGET))["acts"]
    current = (await on.store.current())["release"]
    reason = found[0]["reason"] if found else ""
    right = (len(acts), current) == (ending.rollbacks, ending.running) and ending.reason in ("", reason)
    terminal.write()
    for line in (*await _numbers(on, found, ending), f"rollbacks         {len(acts)}", f"now running       {current}"):
        terminal.write(line)
    words = {0: "no rollback", 1: "one rollback"}.get(len(acts), f"{len(acts)} rollbacks")
    terminal.write(terminal.strong(f"{words}: {'as it should be' if right else 'NOT as it should be'}"))
    terminal.write()
    if found:
        report = Path((await on.control.incident(found[0]["id"]))["report"])
        terminal.write("The incident, for a person at 3 a.m.:")
    else:
        report = on.home / "watchdog.log"
        terminal.write("Nothing came of it, so there is no incident; the log:")
    terminal.write(str(report))
    return Exit.OK if right else Exit.NEGATIVE


async def _numbers(on: Stage, found: list[dict[str, Any]], ending: Ending) -> list[str]:
    """From the first to the last failed request of a reader since the release that the story is about."""
    counts = on.store.reader_counts().between(int(ending.since), float("inf"))
    share = counts.failed / counts.total if counts.total else 0.0
    lines = [f"failed requests   {counts.failed} of {counts.total} ({share:.1%})"]
    first, last = counts.first_failed, counts.last_failed
    if first is None or last is None:
        return lines
    if found:
        document = (await on.control.incident(found[0]["id"]))["incident"]
        noticed = max(0.0, parse_instant(document["breach_at"]) - first)
        lines.append(f"time to notice    {noticed:.0f} s from the first failed request to the breach")
    else:
        lines.append("time to notice    no rule fired")
    lines.append(f"time to restore   {last - first + 1} s from the first to the last failed request")
    return lines
