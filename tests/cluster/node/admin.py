"""What tests say to the node: raise and lower flags, and see what it runs."""

from aiohttp import web

from tests.cluster.node.kubelet import Kubelet


class Admin:
    """PUT and DELETE /flags/NAME, GET /pods."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet

    def application(self) -> web.Application:
        """The server as an application."""
        application = web.Application()
        application.router.add_put("/flags/{name}", self._raise_flag)
        application.router.add_delete("/flags/{name}", self._lower_flag)
        application.router.add_get("/pods", self._pods)
        return application

    async def _raise_flag(self, request: web.Request) -> web.Response:
        self._kubelet.flags.add(request.match_info["name"])
        return web.json_response(sorted(self._kubelet.flags))

    async def _lower_flag(self, request: web.Request) -> web.Response:
        self._kubelet.flags.discard(request.match_info["name"])
        return web.json_response(sorted(self._kubelet.flags))

    async def _pods(self, _request: web.Request) -> web.Response:
        return web.json_response(
            [
                {"namespace": pod.namespace, "name": pod.name, "uid": pod.uid, "ip": pod.ip, "ready": pod.ready}
                for pod in self._kubelet.pods.values()
            ]
        )
