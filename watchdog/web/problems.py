"""Errors as ``application/problem+json``, each with the next command to type.

Role: the one place where a `ControlRefused` and aiohttp's own errors become an answer. Neighbours: `web.api` raises, the
command line reads. Guarantees: a body of the form ``{"type", "title", "status", "detail", "code", "next"}`` for every
answer of 400 and above that our own code makes; no traceback leaves the process.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from watchdog.ports import ControlRefused

MEDIA_TYPE = "application/problem+json"

STATUS_OF_CODE = {
    "not_found": HTTPStatus.NOT_FOUND,
    "refused": HTTPStatus.FORBIDDEN,
    "conflict": HTTPStatus.CONFLICT,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The codes of `ControlRefused`; anything else is ``refused``."""

_CODE_OF_STATUS = {
    HTTPStatus.BAD_REQUEST: "malformed",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "malformed",
    HTTPStatus.REQUEST_TIMEOUT: "malformed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "malformed",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Malformed(Exception):
    """The request does not have the form this route takes; the message names the place."""


class TookTooLong(Exception):
    """A question was not answered within its bound: the answer is unknown."""


def problem(status: HTTPStatus, detail: str, *, code: str, next_command: str = "") -> web.Response:
    """One problem document. `next_command` is what a person types next, empty when there is nothing better."""
    body = {
        "type": f"urn:watchdog:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "code": code,
        "next": next_command,
    }
    return web.Response(status=status, text=json.dumps(body), content_type=MEDIA_TYPE)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every expected error into its problem document; the unexpected stays with aiohttp, which logs it."""
    try:
        return await handler(request)
    except ControlRefused as refused:
        status = STATUS_OF_CODE.get(refused.code, HTTPStatus.FORBIDDEN)
        return problem(status, refused.reason, code=refused.code, next_command=refused.next_command)
    except Malformed as malformed:
        return problem(HTTPStatus.BAD_REQUEST, str(malformed), code="malformed")
    except TookTooLong as late:
        return problem(HTTPStatus.GATEWAY_TIMEOUT, str(late), code="unavailable", next_command="watchdog status")
    except web.HTTPError as error:
        status = HTTPStatus(error.status)
        answer = problem(
            status, f"{request.method} {request.path}: {error.reason}", code=_CODE_OF_STATUS.get(status, "refused")
        )
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
