"""Run a command in a network namespace of its own, where every 10.77.x.y is an address of this machine.

    python -m tests.cluster.enter -- pytest tests/cluster

The API server refuses loopback addresses for pods, so pods need other ones; inside the namespace any address
of `NETWORK` binds and connects, and no packet leaves it: there is no other network than the loopback device.
Works as root, and as another user where user namespaces are allowed. Where neither is, the command runs
outside, and the cluster tests say that they are skipped.

Guarantee: when the command has ended, however it ended, no process is left in the namespace.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

NETWORK = "10.77.0.0/16"
_FIRST_AND_LAST = ("10.77.0.1", "10.77.255.254")
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


def inside() -> bool:
    """Tell whether this process is in such a namespace: both ends of the network bind."""
    for address in _FIRST_AND_LAST:
        with socket.socket() as probe:
            try:
                probe.bind((address, 0))
            except OSError:
                return False
    return True


def enter() -> None:
    """Move this process, which must have one thread only, into a new namespace; OSError if it may not."""
    ip = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if ip is None:
        raise OSError("no `ip` command, of the package iproute2")
    user, group = os.geteuid(), os.getegid()
    try:
        _unshare(_CLONE_NEWNET)
    except PermissionError:
        _unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    for arguments in ("link set lo up", f"route add local {NETWORK} dev lo"):
        done = subprocess.run([ip, *arguments.split()], capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"ip {arguments}: {done.stderr.strip()}")


def run(command: Sequence[str]) -> int:
    """Run the command to its end, pass signals on to it, end what it left behind; its exit code."""
    with subprocess.Popen(command) as process:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda received, _frame: process.send_signal(received))
        code = process.wait()
    return code if code >= 0 else 128 - code


def sweep() -> list[str]:
    """Kill every other process of this namespace; their command lines."""
    swept = []
    for process in _others_here():
        with suppress(OSError):
            line = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            os.kill(process, signal.SIGKILL)
            swept.append(f"{process} {line[:100].strip()}")
    return swept


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")


def _others_here() -> list[int]:
    here = Path("/proc/self/ns/net").readlink()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with suppress(OSError):
            if (folder / "ns/net").readlink() == here:
                found.append(int(folder.name))
    return found


def main(arguments: Sequence[str]) -> int:
    """Enter and run; without the right to enter, say so and run all the same."""
    command = list(arguments[1:] if arguments[:1] == ["--"] else arguments)
    if not command:
        print("usage: python -m tests.cluster.enter -- COMMAND...", file=sys.stderr)
        return 2
    try:
        enter()
    except OSError as error:
        print(f"no network namespace of our own ({error}): running outside", file=sys.stderr)
        return run(command)
    code = run(command)
    for line in sweep():
        print(f"left behind by the command, killed: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
