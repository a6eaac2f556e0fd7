"""The narrator: tells on the terminal what the watchdog sees, while it sees it.

Role: the demo's viewer. Neighbours: asks `ports.Control`, writes lines. Guarantees: knows nothing that an operator could not
ask; cannot write, read the store or send. Every line carries the seconds since the curtain rose, and none is wider than the
terminal: what people read on is wrapped once, the rest is cut.
"""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from watchdog.cli.terminal import Terminal
from watchdog.cli.text import cut, plain
from watchdog.ports import Control

LOOK_S = 0.25
BAR = 20
MARGIN = 12
"""Columns of the seconds and the mark in front of each line."""
NARROWEST = 40
_MARKS = {
    "breach": "✗",
    "decision": "?",
    "countdown": "…",
    "evidence": "▣",
    "intent": "✎",
    "issued": "↩",
    "confirmed": "✓",
}
_SHORT = {"responding": "the watchdog takes it up", "needs_human": "a person is called"}
"""States that the lines around them explain."""


class Narrator:
    """Tells one story."""

    def __init__(self, terminal: Terminal, control: Control, clock: Callable[[], float]) -> None:
        """Count seconds by `clock`."""
        self._terminal, self._control, self._clock = terminal, control, clock
        self._began = clock()
        self._last: dict[str, str] = {}
        self._entries: dict[str, int] = {}
        self._shown = 0.0
        self.strongest = (0.0, "")
        """The most evidence that a signal of any target came to (1 fires), and its name, since it was last set."""

    def say(self, text: str, mark: str = " ", *, lines: int = 1, word: str = "") -> None:
        """A line, or as many as `lines` where the terminal is too narrow for one; `word` of it gets its colour."""
        first, *rest = self._fitted(plain(text), lines)
        if word:
            first = first.replace(word, self._terminal.word(word), 1)
        self._terminal.write(f"{self._seconds()}  {mark} {first}")
        for line in rest:
            self._terminal.write(" " * MARGIN + line)

    def head(self, text: str) -> None:
        """What happens next, so that it stands out."""
        self._terminal.write()
        first, *rest = self._fitted(plain(text), 3)
        self._terminal.write(f"{self._seconds()}  " + self._terminal.strong(f"▶ {first}"))
        for line in rest:
            self._terminal.write(" " * MARGIN + self._terminal.strong(line))

    def _seconds(self) -> str:
        return f"{self._clock() - self._began:6.1f} s"

    def _fitted(self, text: str, most: int) -> list[str]:
        if self._terminal.columns is None:
            return [text]
        room = max(NARROWEST, self._terminal.columns) - MARGIN
        wrapped = textwrap.wrap(text, room, break_on_hyphens=False) or [""]
        if len(wrapped) <= most:
            return wrapped
        return [*wrapped[: most - 1], cut(" ".join(wrapped[most - 1 :]), room)]

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
            self.say(f"{name}: {state} - {brief(row)}", word=state)
        worst = _worst(row["signals"])
        if worst is None:
            return
        self.strongest = max(self.strongest, (worst["progress"], worst["name"]))
        evidence = int(BAR * worst["progress"])
        moved = str(evidence) != self._last.get(f"{name}/bar")
        if 0 < worst["progress"] < 1 and moved and self._clock() - self._shown > 1.0:
            self._last[f"{name}/bar"], self._shown = str(evidence), self._clock()
            self.say(f"{'█' * evidence}{'░' * (BAR - evidence)} {worst['name']} fires after {worst['missing']}")

    async def _tell_incident(self, incident: str) -> None:
        document = (await self._control.incident(incident))["incident"]
        told, entries, stage = self._entries.get(incident, 0), document["entries"], document["stage"]
        for entry in entries[told:]:
            self.say(_core(entry["sentence"]), _MARKS.get(entry["kind"], "·"), lines=3)
        if len(entries) > told:
            self._tell_checks(document)
        self._entries[incident] = len(entries)
        if stage == "verifying" and self._last.get(incident) != stage:
            self.say("verifying: every signal has to be healthy for a while, on fresh samples only", lines=2)
        self._last[incident] = stage

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
            self.say(text, lines=2)


def brief(row: Mapping[str, Any]) -> str:
    """What makes a target's state, in one clause."""
    signals, state = row["signals"], row["state"]
    if state in _SHORT:
        return _SHORT[state]
    if not signals:
        return str(row["sentence"])
    failing = [signal for signal in signals if signal["health"] == "failing"]
    telling = failing[0] if failing else _worst(signals)
    if state == "healthy" or (state == "paused" and telling is None):
        return "nothing bad in " + ", ".join(signal["name"] for signal in signals)
    if telling is None:
        return "samples are being collected" if state == "inconclusive" else str(signals[0]["sentence"])
    return _core(str(telling["sentence"]))


def _core(sentence: str) -> str:
    """A sentence goes from what counts to what explains it; age of the data and the last failure come at its end."""
    return sentence.partition(", newest")[0].partition("; last failure")[0]


def _worst(signals: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The signal with most evidence; None when nothing counts against any."""
    worst = max(signals, key=lambda signal: signal["progress"], default=None)
    return worst if worst is not None and worst["progress"] > 0 else None
