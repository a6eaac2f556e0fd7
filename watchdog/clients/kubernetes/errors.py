"""What can go wrong with a call to the Kubernetes API, split by who must react and how.

Neighbours: `client` raises these and nothing else. Guarantees: everything that leaves the question open is also
`ports.Unavailable`, a lost compare-and-swap is also `ports.Conflict`; messages hold at most 256 characters of the
server's text, and of a validation error never the rejected values, which may be secrets of a template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from watchdog.ports import Conflict, Unavailable, WatchdogError

MESSAGE_CAP = 256
"""Characters of a server's answer that may reach a log: enough to understand, too little to leak an object."""

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


class KubernetesError(WatchdogError):
    """Root. `status` is the HTTP status, 0 when there was no answer."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        """Keep the message and the status."""
        super().__init__(message)
        self.status = status


class NotFound(KubernetesError):
    """404: known not to exist."""


class Forbidden(KubernetesError, Unavailable):
    """401 or 403. For a read the answer stays unknown; a write was definitely refused."""


class ConflictLost(KubernetesError, Conflict):
    """409, or a failed `test` of a JSON patch: the object is not as we thought. Nothing was written."""


class Invalid(KubernetesError):
    """Another 4xx: the request itself is wrong or denied. Nothing was written, and trying again does not help."""


class Throttled(KubernetesError, Unavailable):
    """429: come back later, after `retry_after` seconds if the server named them. Nothing was done."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Keep what the server said about trying again."""
        super().__init__(message, status=HTTPStatus.TOO_MANY_REQUESTS)
        self.retry_after = retry_after


class ServerTrouble(KubernetesError, Unavailable):
    """5xx, or an answer that is not the API's: of a write nobody knows whether it happened."""


class Unreachable(KubernetesError, Unavailable):
    """No answer: refused, dropped, timed out. Of a write nobody knows whether it happened."""


_BY_STATUS: Mapping[int, type[KubernetesError]] = {
    HTTPStatus.UNAUTHORIZED: Forbidden,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: ConflictLost,
}


def error_of(words: str, status: int, body: bytes, *, retry_after: str = "", tested: bool = False) -> KubernetesError:
    """The error of an answer. `words` names the call; `tested` = it was a JSON patch with a `test`."""
    answer = _status_object(body)
    message = f"{words}: {status} {_message(status, answer, body)}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(message, retry_after=float(retry_after) if retry_after.isdigit() else None)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and tested and not _names_fields(answer):
        # The API server answers a failed test with a bare 422; a field that does not validate is named in `causes`.
        return ConflictLost(message, status=status)
    if status in _BY_STATUS:
        return _BY_STATUS[status](message, status=status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status < HTTPStatus.BAD_REQUEST:
        return ServerTrouble(message, status=status)
    return Invalid(message, status=status)


def _status_object(body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _message(status: int, answer: Mapping[str, Any], body: bytes) -> str:
    text = str(answer.get("message") or body.decode("utf-8", "replace"))
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        text = _QUOTED.sub('"..."', text)
    text = " ".join(text.split())
    return text if len(text) <= MESSAGE_CAP else text[: MESSAGE_CAP - 3] + "..."


def _names_fields(answer: Mapping[str, Any]) -> bool:
    details = answer.get("details")
    return isinstance(details, dict) and bool(details.get("causes"))
