"""The narrator: tells on the terminal what the watchdog sees, while it sees it.

Role: the demo's viewer. Neighbours: asks `ports.Control`, writes lines. Guarantees: knows nothing that an operator could not
ask; cannot write, read the store or send. Every line carries the seconds since the curtain rose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from watchdog.cli.terminal import Terminal
from watchdog.cli.text import plain
from watchdog.ports import Control

LOOK_S = 0.2
BAR = 20
_MARKS = {
    "breach": "✗",
    "decision": "?",
    "countdown": "…",
    "evidence": "▣",
    "intent": "✎",
    "issued": "↩",
    "confirmed": "✓",
}


class Narrator:
    """Tells one story."""

    def __init__(self, terminal: Terminal, control: Control, clock: Callable[[], float]) -> None:
        """Count seconds by `clock`."""
        self._terminal, self._control, self._clock = terminal, control, clock
        self._began = clock()
        self._last: dict[str, str] = {}
        self._entries = 0
        self._shown = 0.0

    def say(self, text: str, mark: str = " ") -> None:
        """One line."""
        self._terminal.write(f"{self._clock() - self._began:6.1f} s  {mark} {plain(text)}")

    def head(self, text: str) -> None:
        """One line that stands out."""
        self._terminal.write()
        self._terminal.write(f"{self._clock() - self._began:6.1f} s  " + self._terminal.strong(f"▶ {plain(text)}"))

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Tell what is new since the last look."""
        for row in self._control.status()["targets"]:
            self._tell_target(row)
        for row in (await self._control.incidents(None, open_only=False))["incidents"]:
            await self._tell_incident(row["id"])

    def _tell_target(self, row: Mapping[str, Any]) -> None:
        name, state = row["name"], row["state"]
        if self._last.get(name) != state:
            self._last[name] = state
            self.say(f"{name}: {self._terminal.word(state)} - {row['sentence'].partition(': ')[2] or row['sentence']}")
        worst = max(row["signals"], key=lambda signal: signal["progress"], default=None)
        evidence = int(BAR * worst["progress"]) if worst else 0
        if worst and 0 < worst["progress"] < 1 and str(evidence) != self._last.get(f"{name}/bar"):
            self._last[f"{name}/bar"] = str(evidence)
            if self._clock() - self._shown > 1.0:
                self._shown = self._clock()
                bar = "█" * evidence + "░" * (BAR - evidence)
                self.say(f"{bar} of what {worst['name']} needs to fire; missing: {worst['missing']}")

    async def _tell_incident(self, incident: str) -> None:
        document = (await self._control.incident(incident))["incident"]
        for entry in document["entries"][self._entries :]:
            self.say(entry["sentence"], _MARKS.get(entry["kind"], "·"))
        if len(document["entries"]) > self._entries:
            self._tell_checks(document)
        self._entries = len(document["entries"])

    def _tell_checks(self, document: Mapping[str, Any]) -> None:
        """The gate's objections, once each time they change."""
        decision = document["decision"]
        if decision is None:
            return
        passed = sum(check["effect"] == "pass" for check in decision["checks"])
        against = ", ".join(check["name"] for check in decision["checks"] if check["effect"] != "pass")
        text = f"gate: ✓ {passed} of {len(decision['checks'])} checks" + (f"; ✗ {against}" if against else "")
        if self._last.get("gate") != text:
            self._last["gate"] = text
            self.say(text)
