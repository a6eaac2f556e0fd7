"""The manifest of a bundle: which files belong to it, how large, with which SHA-256, taken when.

Role: written last beside report and evidence; checked and packed by `watchdog incidents verify|pack`. Neighbours: `recorder` writes it.
Guarantees: a file that was changed, lost or added since is named; nothing outside the folder is read, not even through a link.
Not guaranteed: that nobody has changed files *and* manifest; the record in the daemon's store has the evidence's digests too,
and `verify` compares with them where it has them.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from watchdog.incidents.paths import check
from watchdog.model import EvidenceFile, Instant, JsonObject, iso, parse_instant, record

NAME = "manifest.json"
VERSION = 1
MOST_BYTES = 4 * 1024 * 1024
"""Of the manifest itself."""


class NoManifest(ValueError):
    """There is none, or it cannot be understood; the message says which and where."""


@record
class Examined:
    """One file of a bundle. `state`: ok, changed, missing, extra (not in the manifest), or unlike the record."""

    path: str
    state: str
    sentence: str


def manifest_of(root: str, files: Iterable[EvidenceFile], written_at: Instant) -> JsonObject:
    """The document of the bundle at `root`. Its paths are relative to that; of two that are the same the last one counts."""
    known = {file.path.removeprefix(f"{root}/"): file for file in files if file.path.startswith(f"{root}/")}
    rows = [
        {"path": path, "size": file.size, "sha256": file.sha256, "taken_at": iso(file.taken_at)}
        for path, file in sorted(known.items())
    ]
    return {"v": VERSION, "bundle": root, "written_at": iso(written_at), "files": rows}


def read(folder: Path) -> JsonObject:
    """The manifest of a folder. Raises NoManifest, OSError."""
    path = folder / NAME
    if not path.is_file():
        raise NoManifest(f"{folder} has no {NAME}: it is no bundle, or of a version that wrote none")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    try:
        found = json.loads(content)
        if found["v"] != VERSION:
            raise NoManifest(f"{path} has version {found['v']}, and this program reads {VERSION}")
        check(found["bundle"])
        for row in found["files"]:
            check(row["path"])
            parse_instant(row["taken_at"])
            int(row["size"]), str(row["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise NoManifest(f"{path} cannot be understood: {error}") from error
    return dict(found)


def examine(folder: Path, manifest: JsonObject, record_says: Mapping[str, str] | None = None) -> Sequence[Examined]:
    """Every file against the manifest, and against the digests of the record (path to SHA-256) where they are given."""
    listed = {row["path"]: row for row in manifest["files"]}
    there = {one.relative_to(folder).as_posix(): one for one in _files(folder)}
    found = [_examined(folder, row, (record_says or {}).get(path)) for path, row in listed.items()]
    added = sorted(there.keys() - listed.keys() - {NAME})
    lost = sorted((record_says or {}).keys() - listed.keys())
    found += [Examined(path=path, state="extra", sentence="is not in the manifest") for path in added]
    found += [Examined(path=path, state="missing", sentence="the record has it, the manifest has not") for path in lost]
    return found


def pack(folder: Path, manifest: JsonObject) -> bytes:
    """The bundle as ``.tar.gz``: the same bytes for the same files. Raises OSError."""
    written = parse_instant(manifest["written_at"])
    times = {row["path"]: parse_instant(row["taken_at"]) for row in manifest["files"]}
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in [NAME, *sorted(times)]:
            content = _content(folder, path)
            entry = tarfile.TarInfo(f"{manifest['bundle']}/{path}")
            entry.size, entry.mode, entry.mtime = len(content), 0o600, int(times.get(path, written))
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def _examined(folder: Path, row: Mapping[str, Any], said: str | None) -> Examined:
    path = row["path"]
    try:
        content = _content(folder, path)
    except FileNotFoundError:
        return Examined(path=path, state="missing", sentence="is not there")
    except OSError as error:
        return Examined(path=path, state="missing", sentence=f"cannot be read: {error.strerror or error}")
    digest = hashlib.sha256(content).hexdigest()
    if len(content) != row["size"]:
        words = f"{len(content)} bytes, {row['size']} are in the manifest"
        return Examined(path=path, state="changed", sentence=words)
    if digest != row["sha256"]:
        return Examined(path=path, state="changed", sentence="another SHA-256 than in the manifest")
    if said is not None and said != digest:
        return Examined(path=path, state="unlike the record", sentence="another SHA-256 than in the incident's record")
    return Examined(path=path, state="ok", sentence=f"{len(content)} bytes, {digest[:12]}")


def _files(folder: Path) -> Iterator[Path]:
    """Every file of the bundle. What a re-opened incident has written below is a bundle of its own."""
    for one in folder.iterdir():
        if one.is_dir() and not one.is_symlink():
            yield from () if (one / NAME).is_file() else _files(one)
        else:
            yield one


def _content(folder: Path, path: str) -> bytes:
    """A file's bytes; one that a link leads out of the folder is none of the bundle."""
    file = folder / check(path)
    if not file.resolve().is_relative_to(folder.resolve()):
        raise FileNotFoundError(file)
    return file.read_bytes()
