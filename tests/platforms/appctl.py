"""The worked example of docs/command-platform.md, taken out of the document and made to run in a directory."""

from __future__ import annotations

import asyncio
import os
import pathlib
import re
import sys

from watchdog.platforms.command import CommandPlatform, Commands, CommandWriter
from watchdog.safety.permits import PermitOffice
from watchdog.testing.clock import WorldClock

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "command-platform.md"


def example() -> str:
    (text,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)
    return text


class Appctl:
    """`Outside` of the contract over the example."""

    def __init__(self, home: pathlib.Path, *, forgetful: bool = False) -> None:
        self.home = home
        for name in ("one", "two", "three"):
            (home / "releases" / name).mkdir(parents=True)
        self.program = home / "appctl"
        text = example()
        if forgetful:  # a program that keeps no intents
            text = text.replace('        "intent": state["intent"],\n', "")
        self.program.write_text(text)
        self.keeps_intents = not forgetful
        self.clock = WorldClock()
        self.office = PermitOffice(b"sixteen secret b")
        self.connect()

    def connect(self, **changes) -> Commands:
        """New platform and writer; `changes` to the commands."""
        argv = (sys.executable, "-S", "-E", str(self.program))
        commands = Commands(
            **{
                "current": (*argv, "current"),
                "history": (*argv, "history"),
                "rollback": (*argv, "rollback"),
                "environment": (("APP_HOME", str(self.home)),),
                **changes,
            }
        )
        self.platform = CommandPlatform("shop", commands, self.clock)
        self.writer = CommandWriter("shop", commands, self.clock, self.office)
        return commands

    async def deploy(self, name: str) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-S", "-E", str(self.program), "deploy", name, env=os.environ | {"APP_HOME": str(self.home)}
        )
        assert await process.wait() == 0

    async def settle(self) -> None:
        (self.home / "running").write_text(pathlib.Path((self.home / "live").readlink()).name)

    async def cut(self) -> None:
        self.program.write_text("import sys; sys.exit('the deploy server does not answer')")
