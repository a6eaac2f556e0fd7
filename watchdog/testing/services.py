"""A local stand-in for the services that notices go to: Slack, Teams, PagerDuty, a webhook.

Role: public fake of the receiving side, over real HTTP. Guarantees: refuses what the real service refuses - a Slack message
over its block limits or to an unknown channel, a Teams message over 28 KB, a PagerDuty event without its keys - so a test
that passes sends what the service takes. Source: the services' own limits, named in `watchdog.channels`. Not guaranteed:
everything else the services do.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

TEAMS_BYTES = 28_000
OK = 200
ACCEPTED = 202
BAD = 400


@dataclass(frozen=True)
class Got:
    """One request that arrived."""

    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = b""

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


class FakeServices:
    """All of them on one server. `trouble` statuses are answered first, one a request; `hang` answers nothing."""

    def __init__(self) -> None:
        """Everything works."""
        self.url = ""
        self.got: list[Got] = []
        self.trouble: list[tuple[int, dict[str, str], str]] = []
        self.hang = False
        self.alerts: dict[str, str] = {}
        """PagerDuty's alerts by dedup key: triggered or resolved."""
        self.posts: list[dict[str, Any]] = []
        """What stands in the Slack channel, oldest first."""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Listen on a free port of the loopback."""
        app = web.Application()
        app.router.add_post("/{any:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        assert self._runner is not None  # noqa: S101 - entered before left
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        got = Got(request.path, dict(request.headers), await request.read())
        self.got.append(got)
        if self.hang:
            await asyncio.Event().wait()
        if self.trouble:
            status, headers, text = self.trouble.pop(0)
            return web.Response(status=status, headers=headers, text=text)
        service = got.path.strip("/").partition("/")[0]
        answer = {"slack": self._slack, "teams": self._teams, "v2": self._pagerduty, "api": self._slack_api}.get(
            service
        )
        return answer(got) if answer else web.Response(status=OK, text="thank you")

    def _slack(self, got: Got) -> web.Response:
        flaw = slack_flaw(got.json)
        return web.Response(status=BAD if flaw else OK, text=flaw or "ok")

    def _slack_api(self, got: Got) -> web.Response:
        body, method = got.json, got.path.rpartition("/")[2]
        if got.headers.get("Authorization") != "Bearer xoxb-good":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        if body.get("channel") != "C1":
            return web.json_response({"ok": False, "error": "channel_not_found"})
        if method == "conversations.history":
            hidden = () if body.get("include_all_metadata") else ("metadata",)
            seen = [{key: value for key, value in post.items() if key not in hidden} for post in reversed(self.posts)]
            return web.json_response({"ok": True, "messages": seen})
        flaw = slack_flaw(body)
        if flaw:
            return web.json_response({"ok": False, "error": flaw})
        post = {**body, "ts": f"{1000 + len(self.posts)}.000100"}
        self.posts.append(post)
        return web.json_response({"ok": True, "ts": post["ts"]})

    def _teams(self, got: Got) -> web.Response:
        if len(got.body) > TEAMS_BYTES:
            return web.Response(status=413, text="too large")
        (attachment,) = got.json["attachments"]
        good = attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        return web.Response(status=ACCEPTED if good else BAD)

    def _pagerduty(self, got: Got) -> web.Response:
        body = got.json
        needed = {"routing_key", "event_action", "dedup_key"}
        payload = body.get("payload", {})
        if body["event_action"] == "trigger":
            known = payload.get("severity") in ("critical", "error", "warning", "info")
            if not (known and payload.get("summary") and payload.get("source") and len(payload["summary"]) <= 1024):  # noqa: PLR2004 - PagerDuty's
                return web.json_response({"status": "invalid event", "errors": ["payload"]}, status=BAD)
        if not needed <= set(body):
            return web.json_response({"status": "invalid event"}, status=BAD)
        self.alerts[body["dedup_key"]] = {"trigger": "triggered", "resolve": "resolved"}[body["event_action"]]
        return web.json_response({"status": "success", "dedup_key": body["dedup_key"]}, status=ACCEPTED)


def slack_flaw(body: dict[str, Any]) -> str:
    """What Slack would refuse a message for; empty = nothing."""
    blocks = body.get("blocks", [])
    if not body.get("text") or len(blocks) > 50:  # noqa: PLR2004 - Slack's limits, here and below
        return "invalid_blocks"
    for block in blocks:
        texts = [block["text"]["text"]] if "text" in block else []
        most = 150 if block["type"] == "header" else 3000
        fields = [one["text"] for one in block.get("fields", [])]
        if any(not text or len(text) > most for text in texts):
            return "invalid_blocks"
        if len(fields) > 10 or any(not text or len(text) > 2000 for text in fields):  # noqa: PLR2004
            return "invalid_blocks"
    return ""
