"""Runs a program so that it cannot outlive, overfill or outwait us.

Role: the one place where `platforms` start programs. Neighbours: `platforms.command`. Guarantees: no shell; an environment of
PATH, HOME, LANG and what is configured; a session and process group of its own, of which nothing is left running when `run`
returns or is cancelled; ends within the deadline plus `REAP_S`; at most `cap` bytes of output are kept. Not guaranteed: that
a program which left its group (a daemon) is stopped, nor what a killed program had asked others to do.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from watchdog.model import record
from watchdog.redaction import Redactor

OUTPUT_CAP = 1 << 20
"""Bytes of standard output; a program that writes more is killed."""
TAIL = 1000
"""Characters of standard error that are kept, the last ones: there stands why."""
REAP_S = 5.0
"""How long a killed program is waited for. Only one stuck in the kernel takes longer."""
LINGER_S = 1.0
"""How long output of an ended program may still come, from children it left behind."""
_INHERITED = ("PATH", "HOME", "LANG")


@record
class Finished:
    """How a run ended. `code` is None when the program did not end by itself; `trouble` then says why.

    `started` False = nothing was ever run. `tail` is the end of standard error with configured values masked.
    """

    code: int | None
    stdout: bytes = b""
    tail: str = ""
    trouble: str = ""
    started: bool = True

    @property
    def words(self) -> str:
        """For people: how it ended and what it said last."""
        code = self.code or 0
        end = self.trouble or (f"exit code {code}" if code >= 0 else f"ended by signal {-code}")
        return f"{end}: {self.tail}" if self.tail else end


class _Overfull(Exception):
    """More output than the cap."""


async def run(
    argv: Sequence[str],
    *,
    deadline_s: float,
    environment: Mapping[str, str] | None = None,
    directory: str | None = None,
    cap: int = OUTPUT_CAP,
) -> Finished:
    """Run `argv` and wait for its end, at most `deadline_s` seconds. Raises nothing but cancellation."""
    added = dict(environment or {})
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    async with _pipe() as (out, out_fd), _pipe() as (err, err_fd):
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out_fd,
                stderr=err_fd,
                env=inherited | added,
                cwd=directory,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return Finished(code=None, started=False, trouble=f"{argv[0]!r} cannot be started: {reason}")
        finally:
            os.close(out_fd)
            os.close(err_fd)
        return await _watch(process, out, err, deadline_s=deadline_s, cap=cap, secrets=tuple(added.values()))


async def _watch(
    process: asyncio.subprocess.Process,
    out: asyncio.StreamReader,
    err: asyncio.StreamReader,
    *,
    deadline_s: float,
    cap: int,
    secrets: Sequence[str],
) -> Finished:
    tail = bytearray()
    stdout = bytearray()
    readers = [
        asyncio.create_task(_fill(out, stdout, cap), name="program output"),
        asyncio.create_task(_keep_tail(err, tail), name="program errors"),
    ]
    trouble = ""
    try:
        async with asyncio.timeout(deadline_s):
            await _until_end(process, readers)
    except TimeoutError:
        trouble = f"killed after {deadline_s:g} s without an end"
    except _Overfull:
        trouble = f"killed after more than {cap} bytes of output"
    finally:
        await _end(process, readers)
    return Finished(
        code=None if trouble else process.returncode,
        stdout=bytes(stdout),
        tail=_masked(tail.decode(errors="replace"), secrets),
        trouble=trouble,
    )


async def _until_end(process: asyncio.subprocess.Process, readers: Sequence[asyncio.Task[None]]) -> None:
    """Wait for the program; raise at once when it writes too much."""
    ending = asyncio.create_task(process.wait(), name="program end")
    try:
        await asyncio.wait({ending, readers[0]}, return_when=asyncio.FIRST_COMPLETED)
        if readers[0].done():
            readers[0].result()
        await ending
    finally:
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
    await asyncio.wait(readers, timeout=LINGER_S)
    if readers[0].done():
        readers[0].result()


async def _end(process: asyncio.subprocess.Process, readers: Sequence[asyncio.Task[None]]) -> None:
    """Leave nothing of the group, whatever happened; also under cancellation."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    with suppress(TimeoutError):
        async with asyncio.timeout(REAP_S):
            await process.wait()


async def _fill(stream: asyncio.StreamReader, kept: bytearray, cap: int) -> None:
    while part := await stream.read(65_536):
        kept += part
        if len(kept) > cap:
            raise _Overfull


async def _keep_tail(stream: asyncio.StreamReader, kept: bytearray) -> None:
    while part := await stream.read(65_536):
        kept += part
        del kept[: -4 * TAIL]


@asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[asyncio.StreamReader, int]]:
    """A pipe of our own, closed for certain: a child that left the group may hold the other end for ever."""
    loop = asyncio.get_running_loop()
    read_fd, write_fd = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_fd, "rb", 0)
    )
    try:
        yield reader, write_fd
    finally:
        transport.close()


def _masked(text: str, secrets: Sequence[str]) -> str:
    clean, _ = Redactor(secrets).text(text)
    return " ".join(clean.split())[-TAIL:]
