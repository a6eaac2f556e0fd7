"""The users' way in: /NAMESPACE/SERVICE/path goes round robin to the endpoints that are ready.

It knows the endpoints from EndpointSlices, and keeps the last it knew while the API server is away. 404 for a
service without EndpointSlice, 503 without ready endpoints, 502 when the endpoint breaks off. An endpoint that
refuses the connection is passed over for the next, as ingress controllers do.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping

import aiohttp
from aiohttp import hdrs, web

from tests.cluster.node.kubernetes import Api, Manifest

_PATH = "/apis/discovery.k8s.io/v1/endpointslices"
_SERVICE_LABEL = "kubernetes.io/service-name"
_NOT_FORWARDED = (hdrs.HOST, hdrs.CONNECTION, hdrs.TRANSFER_ENCODING, hdrs.CONTENT_LENGTH)


class Ingress:
    """Forwards requests; `follow` must run beside it."""

    def __init__(self, api: Api, session: aiohttp.ClientSession) -> None:
        self._api = api
        self._session = session
        self._endpoints: dict[tuple[str, str], list[str]] = {}
        self._turns: defaultdict[tuple[str, str], Iterator[int]] = defaultdict(itertools.count)

    async def follow(self) -> None:
        """Keep the endpoints up to date, for ever."""
        async for slices in self._api.follow(_PATH):
            self._endpoints = _ready_endpoints(slices)

    def application(self) -> web.Application:
        """The server as an application."""
        application = web.Application()
        application.router.add_route("*", "/{namespace}/{service}{path:(/.*)?}", self._forward)
        return application

    async def _forward(self, request: web.Request) -> web.Response:
        service = request.match_info["namespace"], request.match_info["service"]
        endpoints = self._endpoints.get(service)
        if endpoints is None:
            return web.Response(status=404, text="no such service\n")
        first = next(self._turns[service])
        for turn in range(len(endpoints)):
            target = endpoints[(first + turn) % len(endpoints)]
            try:
                return await self._pass_on(request, target)
            except aiohttp.ClientConnectorError:
                continue
            except (aiohttp.ClientError, TimeoutError) as error:
                return web.Response(status=502, text=f"{target}: {error}\n")
        return web.Response(status=503, text="no ready endpoints\n")

    async def _pass_on(self, request: web.Request, target: str) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name not in _NOT_FORWARDED}
        # A kept connection may be one that the pod is just closing: that would be our error, not the pod's.
        headers[hdrs.CONNECTION] = "close"
        url = f"http://{target}{request.match_info['path'] or '/'}"
        body = await request.read()
        async with self._session.request(
            request.method, url, params=request.query, headers=headers, data=body or None, allow_redirects=False
        ) as answer:
            content = {hdrs.CONTENT_TYPE: answer.headers.get(hdrs.CONTENT_TYPE, "text/plain"), "X-Endpoint": target}
            return web.Response(status=answer.status, body=await answer.read(), headers=content)


def _ready_endpoints(slices: Mapping[str, Manifest]) -> dict[tuple[str, str], list[str]]:
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for piece in slices.values():
        metadata = piece["metadata"]
        addresses = found[metadata["namespace"], metadata.get("labels", {}).get(_SERVICE_LABEL, "")]
        ports = piece.get("ports") or []
        for endpoint in piece.get("endpoints") or []:
            if ports and endpoint["conditions"].get("ready", True):
                addresses += [f"{address}:{ports[0]['port']}" for address in endpoint["addresses"]]
    return {service: sorted(set(addresses)) for service, addresses in found.items()}
