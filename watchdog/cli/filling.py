"""``incidents edit``: a person fills in what only people know, in an editor or from a file.

Role: edits a bundle on this machine. Neighbours: `incidents.people` reads and renders. Guarantees: a report that was changed by
somebody else is left alone; each file is replaced whole; what was typed and cannot be used is kept, and said where.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import click

from watchdog.cli.bundles import found_bundle, manifest_in
from watchdog.cli.exits import Exit, Failed
from watchdog.cli.output import show
from watchdog.cli.terminal import Terminal
from watchdog.engine.clock import SystemClock
from watchdog.incidents.directory import DirectoryFiles
from watchdog.incidents.manifest import NAME, examine
from watchdog.incidents.people import NotUnderstood, encoded, files_of, filled_in, form_of, with_words
from watchdog.model import JsonObject, iso
from watchdog.ports import Unavailable


def edit(terminal: Terminal, incident: str, source: str | None, form: str) -> Exit:
    """Fill in the report of a bundle. `source` is a file, ``-`` for standard input, None for an editor."""
    folder, _ = found_bundle(incident)
    manifest = manifest_in(folder)
    _demand_untouched(folder, manifest, incident)
    report = json.loads((folder / "report.json").read_text())
    before = form_of(report)
    typed = click.edit(before, extension=".md") if source is None else _read(source)
    if typed is None or typed == before:
        show(terminal, {"folder": str(folder), "changed": False}, form, lambda: ["nothing was changed"])
        return Exit.OK
    try:
        said = filled_in(typed)
        _demand_untouched(folder, manifest, incident)  # an editor may be open for hours
    except NotUnderstood as error:
        raise Failed(f"{error}{_kept(typed, source)}", Exit.USAGE, f"watchdog incidents edit {incident}") from None
    except Failed as error:
        raise Failed(f"{error.message}{_kept(typed, source)}", error.code, error.next_command) from None
    blank = {**report, "for_people": dict.fromkeys(report["for_people"], "")}
    _written(folder, manifest, with_words(blank, said))
    names = [name for name, text in said.items() if text]
    answer = {"folder": str(folder), "changed": True, "filled_in": names}
    show(terminal, answer, form, lambda: [f"{folder / 'report.html'}: {len(names)} of {len(said)} parts are filled in"])
    return Exit.OK


def _demand_untouched(folder: Path, manifest: JsonObject, incident: str) -> None:
    wrong = [one for one in examine(folder, manifest) if one.path.startswith("report.") and one.state != "ok"]
    fresh = manifest_in(folder)
    if wrong or fresh != manifest:
        what = f"{wrong[0].path}: {wrong[0].sentence}" if wrong else "the report was written anew meanwhile"
        raise Failed(f"{folder}: {what}", Exit.REFUSED, f"watchdog incidents verify {incident}")


def _read(source: str) -> str:
    try:
        return sys.stdin.read() if source == "-" else Path(source).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"{source}: {error}", Exit.USAGE) from None


def _kept(typed: str, source: str | None) -> str:
    """Where the text is that somebody has typed for an hour."""
    if source is not None:
        return ""
    with tempfile.NamedTemporaryFile("w", prefix="incident-", suffix=".md", delete=False) as file:
        file.write(typed)
    return f"; what you typed is in {file.name} (take it with --from)"


def _written(folder: Path, manifest: JsonObject, report: JsonObject) -> None:
    """The three files, and the manifest last."""

    async def write() -> None:
        clock = SystemClock()
        files = DirectoryFiles(folder.parent, clock)
        rows = {row["path"]: row for row in manifest["files"]}
        for name, content in files_of(report).items():
            done = await files.write(f"{folder.name}/{name}", content)
            rows[name] = {"path": name, "size": done.size, "sha256": done.sha256, "taken_at": iso(done.taken_at)}
        whole = {**manifest, "files": [rows[path] for path in sorted(rows)]}
        await files.write(f"{folder.name}/{NAME}", encoded(whole))
        await files.close()

    try:
        asyncio.run(write())
    except Unavailable as error:
        raise Failed(str(error), Exit.REFUSED) from None
