"""``wait`` and ``gate``: what a deployment pipeline asks before and after it releases.

Role: questions only, to the daemon's API. Guarantees: `wait` ends with a code of its own (0 good, 1 rolled back, 2 undecided,
3 blind), so that a pipeline can tell "bad" from "nobody knows"; a daemon that restarts meanwhile is waited for; `gate` says
no (1) only for a reason that it names, and "could not be found out" (7) otherwise. Neither changes anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

import click

from watchdog.cli.client import place
from watchdog.cli.exits import Exit, Failed
from watchdog.cli.options import asks_daemon, daemon, shows
from watchdog.cli.output import show
from watchdog.cli.terminal import Terminal, current
from watchdog.cli.text import plain
from watchdog.cli.times import parse_duration

LOOK_S = 2.0
SETTLE_S = 15.0
"""Three reads of the workload by default: a release that was deployed a moment ago is known then."""
CURRENT = "current"
_GOOD = ("good", "assumed_good")


class Verdict(IntEnum):
    """How `wait` ends."""

    GOOD = 0
    ROLLED_BACK = 1
    UNDECIDED = 2
    BLIND = 3


@click.command()
@click.argument("target")
@click.option(
    "--release",
    default=CURRENT,
    show_default=True,
    metavar="RELEASE",
    help="What runs now, or a fingerprint, revision, image or digest that is still to come.",
)
@click.option(
    "--for",
    "wanted",
    type=click.Choice(["good", "verified"]),
    default="good",
    show_default=True,
    help="good = it has passed its bake time; verified = it is rolled out and healthy.",
)
@click.option("--timeout", default="45m", show_default=True, metavar="DURATION", help="How long to wait.")
@shows()
@asks_daemon
def wait(*, target: str, release: str, wanted: str, timeout: str, form: str) -> int:
    """Wait until a release of TARGET is good, for pipelines.

    Ends with 0 = good, 1 = rolled back or condemned, 2 = undecided in that time, 3 = blind: nobody can tell.
    """
    terminal = current()
    try:
        end = terminal.now() + timedelta(seconds=parse_duration(timeout))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--timeout") from error
    waiting = _Waiting(target, release, wanted)
    verdict, words = _until_decided(terminal, waiting, end, quiet=form != "text")
    name = verdict.name.lower()
    answer = {"target": target, "release": waiting.fingerprint, "verdict": name, "sentence": words}
    show(terminal, answer, form, lambda: [plain(f"{name}: {words}")])
    return int(verdict)


def _until_decided(terminal: Terminal, waiting: _Waiting, end: datetime, *, quiet: bool) -> tuple[Verdict, str]:
    """Look until it is decided or over; what is new is said on stderr meanwhile."""
    said = ""
    while True:
        verdict, words = waiting.look()
        if verdict is not None:
            return verdict, words
        if words != said and not quiet:
            terminal.write(f"{waiting.target}: {plain(words)}", err=True)
            said = words
        if terminal.now() >= end:
            return Verdict.BLIND if waiting.blind else Verdict.UNDECIDED, f"not decided in time: {words}"
        terminal.sleep(LOOK_S)


class _Waiting:
    """One release that is waited for."""

    def __init__(self, target: str, release: str, wanted: str) -> None:
        self.target, self.release, self.wanted = target, release, wanted
        self.fingerprint = ""
        self.blind = False
        self._ran = False
        self._until = current().now() + timedelta(seconds=SETTLE_S if release == CURRENT else 0)
        """Until then what runs may still be what ran before: a deployment is seen by the daemon's next read."""

    def look(self) -> tuple[Verdict | None, str]:
        """How it stands, in words; None = not decided yet."""
        try:
            history = daemon().get(place("targets", self.target) + "/history")
            row = _row(daemon().get("/status"), self.target)
        except Failed as error:
            if error.code not in (Exit.UNREACHABLE, Exit.UNKNOWN):
                raise
            self.blind = True
            return None, f"the daemon cannot be asked: {error.format_message()}"
        self.blind = row["state"] == "blind"
        return self._judged(history, row)

    def _judged(self, history: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[Verdict | None, str]:
        found = self._find(history)
        if found is None:
            return None, f"release {self.release} has not been seen yet; {plain(row['release']) or 'nothing'} runs"
        self.fingerprint = str(found["fingerprint"])
        if found["grade"] == "condemned" or _was_rolled_back(found, history["acts"]):
            return Verdict.ROLLED_BACK, plain(found.get("note") or "it was rolled back")
        if current().now() < self._until:
            self.fingerprint, self._ran = str(history["current"]), True
            return None, f"{plain(row['release'])} runs; looking whether another release is on its way"
        if history["current"] != self.fingerprint:
            return (
                (Verdict.UNDECIDED, "another release runs now") if self._ran else (None, "another release runs still")
            )
        self._ran = True
        if found["grade"] in _GOOD:
            return Verdict.GOOD, f"it is {str(found['grade']).replace('_', ' ')}"
        if self.wanted == "verified" and found.get("completed") and row["state"] == "healthy":
            return Verdict.GOOD, "it is rolled out and healthy"
        return None, f"{row['state']}: {row['bake'] or row['sentence']}"

    def _find(self, history: Mapping[str, Any]) -> Mapping[str, Any] | None:
        asked = self.fingerprint or (history["current"] if self.release == CURRENT else self.release)
        return next((entry for entry in history["releases"] if _is(entry, str(asked))), None)


@click.command()
@click.argument("target")
@click.option("--image", metavar="REF", help="The image that is to be released: REF, or better REF@DIGEST.")
@shows()
@asks_daemon
def gate(*, target: str, image: str | None, form: str) -> int:
    """Whether TARGET may be released to now, for pipelines.

    No (1) for a condemned release, an open incident or a pause; 7 when it could not be found out.
    """
    status = daemon().get("/status")
    history = daemon().get(place("targets", target) + "/history")
    reasons = _reasons(target, image or "", status, history)
    if not reasons and not (status.get("store") or {}).get("ok"):
        raise Failed("the daemon's store is away: pauses are not known", Exit.UNKNOWN, "watchdog doctor")
    answer = {"target": target, "image": image, "open": not reasons, "reasons": reasons}
    show(current(), answer, form, lambda: [f"no: {plain(reason)}" for reason in reasons] or ["yes"])
    return Exit.NEGATIVE if reasons else Exit.OK


def _reasons(target: str, image: str, status: Mapping[str, Any], history: Mapping[str, Any]) -> list[str]:
    row = _row(status, target)
    found = [
        f"{image} is condemned: {release.get('note') or 'it was rolled back'}"
        for release in history["releases"]
        if image and release["grade"] == "condemned" and _is(release, image)
    ]
    if row.get("incident"):
        found.append(f"incident {row['incident']} is open")
    scopes = ("all", f"target/{target}", f"group/{row['group']}")
    found += [
        f"{pause['scope']} is paused by {pause['who']} until {pause['until']}: {pause['why']}"
        for pause in status.get("pauses", ())
        if pause["scope"] in scopes and pause.get("active", True)
    ]
    return found


def _was_rolled_back(release: Mapping[str, Any], acts: Sequence[Mapping[str, Any]]) -> bool:
    """Since its present rollout began: one that was rolled back before, cleared and deployed anew is a new try."""
    since = str(release.get("started") or "")
    return any(act["from_release"] == release["fingerprint"] and str(act["at"]) >= since for act in acts)


def _row(status: Mapping[str, Any], target: str) -> Mapping[str, Any]:
    row = next((entry for entry in status.get("targets", ()) if entry["name"] == target), None)
    if row is None:
        raise Failed(f"no target {target!r}", Exit.REFUSED, "watchdog status")
    return dict(row)


def _is(release: Mapping[str, Any], asked: str) -> bool:
    """Whether a release is meant by a fingerprint (or its beginning), revision, image, digest or ``image@digest``."""
    images = set((release.get("images") or {}).values())
    digests = set((release.get("digests") or {}).values())
    name, _, digest = asked.partition("@")
    known = {str(release.get("revision") or ""), *images, *digests} - {""}
    return (
        str(release["fingerprint"]).startswith(asked)
        or asked in known
        or (bool(digest) and (digest in digests or any(str(one).endswith(f"@{digest}") for one in (*images, *digests))))
        or (bool(digest) and not digests and name in images)
    )
