"""A fake API server with one Deployment, for measuring a client of it from outside.

Run as ``python -m tests.benchmarks.cluster KUBECONFIG``: writes the kubeconfig, says ``ready``, serves until SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from tests.platforms.kubernetes_shop import workload
from watchdog.testing.clock import WorldClock
from watchdog.testing.kubernetes import FakeKubernetes


async def main(kubeconfig: Path) -> None:
    """Serve until SIGTERM."""
    async with FakeKubernetes(WorldClock()) as server:
        server.apply("deployments", workload())
        kubeconfig.write_text(server.kubeconfig())
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        print("ready", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
