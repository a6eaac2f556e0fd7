"""The process of the test node: `python -m tests.cluster.node --config FILE`, a JSON object of `Config`.

It ends on SIGTERM, and with an error as soon as any part of it fails: there is no half-working node.
"""

import argparse
import asyncio
import json
import signal
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.cluster.node.admin import Admin
from tests.cluster.node.ingress import Ingress
from tests.cluster.node.kubelet import Kubelet
from tests.cluster.node.kubernetes import Api
from tests.cluster.node.logs import LogServer, tls

_LONGEST_LINE = 2**20
"""Bytes of one object in a watch; the default of aiohttp is too small for pods with many managed fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Where the API server is, and where the node listens."""

    url: str
    token: str
    ca_file: str
    cert_file: str
    key_file: str
    name: str
    ip: str
    kubelet_port: int
    admin_port: int
    ingress_ip: str
    ingress_port: int


async def serve(config: Config) -> None:
    """Be the node until cancelled."""
    trust = ssl.create_default_context(cafile=config.ca_file)
    async with AsyncExitStack() as stack:
        to_api = await stack.enter_async_context(
            aiohttp.ClientSession(
                config.url,
                connector=aiohttp.TCPConnector(ssl=trust, limit=0),
                headers={"Authorization": f"Bearer {config.token}"},
                read_bufsize=_LONGEST_LINE,
            )
        )
        to_pods = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=30),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        )
        api = Api(to_api)
        kubelet = Kubelet(api, to_pods, name=config.name, ip=config.ip, port=config.kubelet_port)
        ingress = Ingress(api, to_pods)
        own_tls = tls(Path(config.ca_file), Path(config.cert_file), Path(config.key_file))
        for application, ip, port, context in (
            (LogServer(kubelet).application(), config.ip, config.kubelet_port, own_tls),
            (Admin(kubelet).application(), config.ip, config.admin_port, None),
            (ingress.application(), config.ingress_ip, config.ingress_port, None),
        ):
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, ip, port, ssl_context=context).start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ingress.follow(), name="ingress")
            tasks.create_task(kubelet.run(), name="kubelet")


async def main(config: Config) -> None:
    """Serve until SIGTERM."""
    served = asyncio.create_task(serve(config))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, served.cancel)
    try:
        await served
    except asyncio.CancelledError:
        if not served.cancelled():
            raise


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    asyncio.run(main(Config(**json.loads(parser.parse_args().config.read_text()))))
