"""The plot: what happens in each scenario, and how it is summed up.

Role: the driver of the demo. Neighbours: `stage` to play on, `narrator` to tell. Guarantees: exit code 0 only when the watchdog
did what is right in that scenario - one rollback, or none.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from watchdog.cli.demo.narrator import Narrator
from watchdog.cli.demo.stage import Stage, stage
from watchdog.cli.exits import Exit
from watchdog.cli.terminal import Terminal
from watchdog.model import instant, parse_instant
from watchdog.ports import ControlRefused

TARGET = "bookstore"
LOOK_S = 0.1


async def play(scenario: str, terminal: Terminal) -> int:
    """Play one scenario. The exit code says whether it ended as it should."""
    loop = asyncio.get_running_loop()
    async with stage() as on:
        narrator = Narrator(terminal, on.control, loop.time)
        narrator.say("a bookstore is open: 3 API and 2 web processes, a balancer, a database, 15 requests a second")
        narrator.say(f"a watchdog looks on; its configuration: {on.home / 'watchdog.yaml'}")
        async with _telling(narrator):
            await _good_release(on, narrator)
            rolled_back = await PLOTS[scenario](on, narrator)
        await asyncio.sleep(0.5)
        return await _sum_up(on, terminal, rolled_back=rolled_back)


@contextlib.asynccontextmanager
async def _telling(narrator: Narrator) -> AsyncIterator[None]:
    task = asyncio.create_task(narrator.run(), name="narrator")
    try:
        yield
        await narrator.look()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _until(there: Callable[[], Awaitable[bool]], what: str, within: float = 40.0) -> None:
    """Wait for something. Raises OSError that says what did not happen."""
    try:
        async with asyncio.timeout(within):
            while not await there():
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise OSError(f"{what} did not happen within {within:.0f} s") from None


async def _good_release(on: Stage, narrator: Narrator) -> None:
    """A good release that earns its grade: only such a one is ever gone back to."""
    await _until(lambda: _graded(on, "1.0"), "the first sight of 1.0")
    narrator.head("release 1.1 is deployed: a good one; it has to earn its grade in a shortened soak")
    await on.store.deploy("1.1")
    await _until(lambda: _graded(on, "1.1"), "the soak of 1.1")


async def _graded(on: Stage, release: str) -> bool:
    with contextlib.suppress(ControlRefused):  # not read yet
        history = await on.control.history(TARGET)
        known = {entry["fingerprint"]: entry["grade"] for entry in history["releases"]}
        return (release == "1.0" and release in known) or known.get(release) in ("good", "assumed_good")
    return False


async def _ended(on: Stage) -> bool:
    found = (await on.control.incidents(TARGET, open_only=False))["incidents"]
    return bool(found) and found[0]["stage"] == "closed"


async def _bad(on: Stage, narrator: Narrator) -> bool:
    narrator.head("release 1.2-err30 is deployed: 30 % of the API's answers fail, /health still says 200")
    await on.store.deploy("1.2-err30")
    await _until(lambda: _ended(on), "the rollback")
    return True


async def _crash(on: Stage, narrator: Narrator) -> bool:
    narrator.head("release 1.2-crash is deployed: its processes die two seconds after their start, again and again")
    await on.store.deploy("1.2-crash")
    await _until(lambda: _ended(on), "the rollback")
    return True


async def _blip(on: Stage, narrator: Narrator) -> bool:
    narrator.head("release 1.2-blip2 is deployed: a good one, but each instance fails for 2 s once (4 s are tolerated)")
    await on.store.deploy("1.2-blip2")
    await asyncio.sleep(14)
    return False


async def _paused(on: Stage, narrator: Narrator) -> bool:
    await on.control.pause("all", instant(on.daemon.clock.now() + 600), "database maintenance", "demo")
    narrator.head(
        "maintenance: `watchdog pause --for 10m --reason 'database maintenance'`; then the bad release is deployed"
    )
    await on.store.deploy("1.2-err30")
    await _until(lambda: _ended(on), "the would-have record")
    return False


async def _dependency(on: Stage, narrator: Narrator) -> bool:
    narrator.head("release 1.2 is deployed: a good one; then the database fails for 10 s")
    await on.store.deploy("1.2")
    await on.store.settled()
    on.store.dependency(down=True)
    await asyncio.sleep(10)
    narrator.head("the database is back")
    on.store.dependency(down=False)
    await asyncio.sleep(8)
    return False


PLOTS: dict[str, Callable[[Stage, Narrator], Awaitable[bool]]] = {
    "bad": _bad,
    "crash": _crash,
    "blip": _blip,
    "paused": _paused,
    "dependency": _dependency,
}


async def _sum_up(on: Stage, terminal: Terminal, *, rolled_back: bool) -> int:
    """What readers saw, in numbers, and where the record lies. The last line is the report's path."""
    found = (await on.control.incidents(TARGET, open_only=False))["incidents"]
    acts = (await on.control.history(TARGET))["acts"]
    current = (await on.store.current())["release"]
    right = (len(acts) == 1 and found[0]["reason"] == "recovered") if rolled_back else not acts
    terminal.write()
    for line in (
        *_users(on),
        *await _times(on, found),
        f"now running       {current}",
        f"rollbacks         {len(acts)}",
    ):
        terminal.write(line)
    verdict = "as it should be" if right else "NOT as it should be"
    terminal.write(terminal.strong(f"{'one rollback' if acts else 'no rollback'}: {verdict}"))
    if not found:
        terminal.write("nothing came of it, so there is no incident record")
        terminal.write(f"log: {on.home / 'watchdog.log'}")
        return Exit.OK if right else Exit.NEGATIVE
    report = Path((await on.control.incident(found[0]["id"]))["report"])
    terminal.write("incident record, for a person at 3 a.m.:")
    terminal.write(str(report))
    return Exit.OK if right else Exit.NEGATIVE


def _users(on: Stage) -> list[str]:
    counts = on.store.reader_counts()
    share = counts.failed / counts.total if counts.total else 0.0
    return [f"readers saw       {counts.failed} failed of {counts.total} requests ({share:.1%})"]


async def _times(on: Stage, found: list[dict[str, Any]]) -> list[str]:
    """Seconds from the first failed request of a reader to the breach, and to the last failed one."""
    counts = on.store.reader_counts()
    if not found or counts.first_failed is None or counts.last_failed is None:
        return []
    document = (await on.control.incident(found[0]["id"]))["incident"]
    breach = parse_instant(document["breach_at"])
    return [
        f"noticed after     {max(0.0, breach - counts.first_failed):.0f} s (first failed request to breach)",
        f"restored after    {counts.last_failed - counts.first_failed + 1} s (first to last failed request)",
    ]
