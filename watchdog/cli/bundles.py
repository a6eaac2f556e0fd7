"""``incidents verify`` and ``incidents pack``: the files of an incident, as they were written.

Role: reads a bundle on this machine; asks the daemon where it lies and what its record says. Guarantees: changes nothing in the
bundle; a pack that is there already is not overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from watchdog.cli.client import place
from watchdog.cli.exits import Exit, Failed
from watchdog.cli.options import daemon
from watchdog.cli.output import show
from watchdog.cli.terminal import Terminal
from watchdog.cli.text import plain
from watchdog.incidents.manifest import Examined, NoManifest, examine, read
from watchdog.incidents.manifest import pack as packed
from watchdog.model import JsonObject


def verify(terminal: Terminal, incident: str, form: str) -> Exit:
    """Compare every file with manifest and record. `incident` is an id or a folder."""
    folder, record = found_bundle(incident)
    manifest = manifest_in(folder)
    known = _digests(record, manifest["bundle"])
    found = examine(folder, manifest, known)
    wrong = [one for one in found if one.state != "ok"]
    answer = {
        "folder": str(folder),
        "written_at": manifest["written_at"],
        "record": "compared" if known is not None else "not compared: no daemon was asked",
        "ok": not wrong,
        "files": [{"path": one.path, "state": one.state, "sentence": one.sentence} for one in found],
    }
    show(terminal, answer, form, lambda: _lines(terminal, answer, found))
    return Exit.NEGATIVE if wrong else Exit.OK


def pack(terminal: Terminal, incident: str, form: str) -> Exit:
    """Make ``NAME.tar.gz`` of a bundle that is as its manifest says."""
    folder, record = found_bundle(incident)
    manifest = manifest_in(folder)
    wrong = [
        one
        for one in examine(folder, manifest, _digests(record, manifest["bundle"]))
        if one.state not in ("ok", "extra")
    ]
    if wrong:
        message = f"{wrong[0].path} of {folder}: {wrong[0].sentence}"
        raise Failed(message, Exit.NEGATIVE, f"watchdog incidents verify {incident}")
    target = Path(f"{manifest['bundle'].replace('/', '-')}.tar.gz")
    try:
        content = packed(folder, manifest)
        with target.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise Failed(f"{target} is there already", Exit.REFUSED) from None
    except OSError as error:
        raise Failed(f"{error.filename or target}: {error.strerror}", Exit.REFUSED) from None
    answer = {"file": str(target), "size": len(content), "files": len(manifest["files"]) + 1}
    show(terminal, answer, form, lambda: [f"{target}: {answer['files']} files, {len(content)} bytes"])
    return Exit.OK


def found_bundle(incident: str) -> tuple[Path, Mapping[str, Any] | None]:
    """The bundle's folder, and the incident's record; None where no daemon was asked."""
    if Path(incident).is_dir():
        return Path(incident), None
    answer = daemon().get(place("incidents", incident))
    report = str(answer.get("report") or "")
    folder = Path(report).parent
    if not report or not folder.is_dir():
        where = f" ({plain(report)})" if report else ""
        message = f"the bundle of {incident} is not on this machine{where}"
        raise Failed(message, Exit.REFUSED, "run it where the daemon runs, or give a folder")
    return folder, answer["incident"]


def _digests(record: Mapping[str, Any] | None, bundle: str) -> dict[str, str] | None:
    """SHA-256 by path in the bundle, as the incident's record has them."""
    if record is None:
        return None
    files = [(str(entry["path"]), str(entry["sha256"])) for entry in (record.get("evidence") or {}).get("files", ())]
    return {path.removeprefix(f"{bundle}/"): digest for path, digest in files if path.startswith(f"{bundle}/")}


def manifest_in(folder: Path) -> JsonObject:
    """The manifest of a bundle. Raises Failed."""
    try:
        return read(folder)
    except (NoManifest, OSError) as error:
        raise Failed(str(error), Exit.UNKNOWN) from None


def _lines(terminal: Terminal, answer: Mapping[str, Any], found: Sequence[Examined]) -> list[str]:
    rows = [[plain(one.path), terminal.word(one.state), plain(one.sentence)] for one in found]
    wrong = sum(one.state != "ok" for one in found)
    verdict = (
        f"{wrong} of {len(found)} files are not as they were written"
        if wrong
        else f"all {len(found)} files are as written"
    )
    compared = "" if answer["record"] == "compared" else "; not compared with the record, no daemon was asked"
    return [*terminal.table(["FILE", "STATE", "WHY"], rows), "", f"{verdict}{compared}"]
