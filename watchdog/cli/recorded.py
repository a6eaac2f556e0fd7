"""What was recorded of a target, for the commands that judge the past: from a file, a bundle, or sources that remember.

Role: the reading half of `replay` and `tune`. Neighbours: `cli.recordings` understands files; the composition root builds the
sources. Guarantees: changes nothing; what cannot be had ends the command with the reason and the next one to type.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from watchdog.cli.exits import Exit, Failed
from watchdog.cli.terminal import current
from watchdog.cli.times import shown

if TYPE_CHECKING:
    from watchdog.model import Sample
    from watchdog.settings import Loaded
    from watchdog.settings.access import ConfiguredTarget

F = TypeVar("F", bound=Callable[..., Any])

HOUR_S = 3600.0
"""The hour before is a baseline, so it is asked for as well."""


def of_the_past(command: F) -> F:
    """``--samples``, ``--from`` and ``--to``: what was recorded, as `file`, `begin` and `end`."""
    command = click.option("--to", "end", metavar="TIME", help="Last moment. Default: now, or the end of the file.")(
        command
    )
    command = click.option("--from", "begin", metavar="TIME", help="First moment, ISO 8601 with offset.")(command)
    return click.option(
        "--samples",
        "file",
        type=click.Path(path_type=Path, exists=True),
        metavar="FILE",
        help="A CSV file (time,signal,good,bad[,release]) or the folder of an incident's bundle. Without it the sources that "
        "remember are asked.",
    )(command)


def loaded_from(path: Path, environ: Mapping[str, str]) -> Loaded:
    """The configuration of a file. Raises Failed."""
    from watchdog.settings import ConfigurationRefused, load  # noqa: PLC0415 - half a second

    try:
        return load(path, environ)
    except ConfigurationRefused as error:
        first = next(iter(error.problems), error)
        raise Failed(
            f"the configuration is refused: {first}", Exit.CONFIGURATION, f"watchdog config check {path}"
        ) from None


def target_of(loaded: Loaded, target: str, path: Path) -> ConfiguredTarget:
    """The target of that name. Raises Failed."""
    from watchdog.settings import configured as targets_of  # noqa: PLC0415 - half a second

    found = {one.name: one for one in targets_of(loaded.settings)}
    if target not in found:
        raise Failed(f"{path} has no target {target!r}; it has: {', '.join(found)}", Exit.REFUSED)
    return found[target]


def moment_of(text: str | None, option: str) -> float | None:
    """Seconds since the epoch, None for None; without an offset in the person's zone. Raises click.BadParameter."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no moment such as 2026-03-01T14:00:00Z", param_hint=option) from None
    if moment.tzinfo is None:
        moment = moment.astimezone(current().zone)
    return moment.timestamp()


def samples_of(
    target: ConfiguredTarget, loaded: Loaded, file: Path | None, span: tuple[float | None, float | None]
) -> list[Sample]:
    """What is recorded in `file`, else what the target's sources remember of `span`. Raises Failed, click.UsageError."""
    found = _of_file(file, target) if file is not None else _of_sources(target, loaded, span)
    if not found:
        raise Failed("there is nothing recorded in that time", Exit.REFUSED)
    return found


def _of_file(file: Path, target: ConfiguredTarget) -> list[Sample]:
    from watchdog.cli.recordings import NoRecording, read, read_bundle  # noqa: PLC0415 - with the judgement

    known = {entry.name: entry.every_s for entry in target.signals}
    try:
        samples = read_bundle(file) if file.is_dir() or file.suffix == ".jsonl" else read(file, known)
    except (NoRecording, OSError, UnicodeDecodeError) as error:
        raise Failed(str(error), Exit.REFUSED) from None
    strange = sorted({sample.signal for sample in samples} - known.keys())
    if strange:
        message = f"{file} has a signal {strange[0]!r} that {target.name} has not; it has: {', '.join(known)}"
        raise Failed(message, Exit.REFUSED)
    return samples


def _of_sources(target: ConfiguredTarget, loaded: Loaded, span: tuple[float | None, float | None]) -> list[Sample]:
    if span[0] is None:
        raise click.UsageError("without --samples the sources are asked: say from when, --from TIME")
    end = span[1] or current().now().timestamp()
    return asyncio.run(_asked(target, loaded, span[0] - HOUR_S, end))


async def _asked(target: ConfiguredTarget, loaded: Loaded, begin: float, end: float) -> list[Sample]:
    """Hour by hour, from every source that remembers. Raises Failed for one that cannot be asked."""
    from watchdog.cli.composition import Builder, Clients  # noqa: PLC0415 - imports every room
    from watchdog.clients.http import HttpClient  # noqa: PLC0415 - as above
    from watchdog.engine.clock import SystemClock  # noqa: PLC0415 - as above
    from watchdog.incidents import DirectoryFiles  # noqa: PLC0415 - as above
    from watchdog.model import instant  # noqa: PLC0415 - as above
    from watchdog.ports import Remembering, Unavailable  # noqa: PLC0415 - as above

    clock = SystemClock()
    clients = Clients(clock, HttpClient(clock))
    builder = Builder(clients, secrets.token_bytes(32), DirectoryFiles(Path(loaded.settings.bundles), clock))
    try:
        signals = [builder.signal(entry, target) for entry in target.signals]
        asked = [signal for signal in signals if isinstance(signal, Remembering)]
        if not asked:
            message = f"no signal of {target.name} has a source that remembers: give --samples FILE"
            raise Failed(message, Exit.REFUSED)
        found: list[Sample] = []
        at = begin
        while at < end:
            until = min(at + HOUR_S, end)
            current().progress(f"{target.name}: {shown(datetime.fromtimestamp(at, UTC).isoformat(), current().zone)}")
            for signal in asked:
                found += await signal.minutes(instant(at), instant(until))
            at = until
        return sorted(found, key=lambda sample: sample.end)
    except Unavailable as error:
        raise Failed(f"a source cannot be asked: {error}", Exit.UNKNOWN, f"watchdog check {target.name}") from None
    finally:
        await clients.close()
