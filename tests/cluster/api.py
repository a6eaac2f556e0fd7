"""The API server for tests: raw calls as one of the users, synchronous."""

import ssl
from typing import Any
from urllib.parse import urlencode

from tests.cluster.calls import Answer, NoAnswer, call

Manifest = dict[str, Any]

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"

_WITHIN = 10.0


class Refused(Exception):
    """The API server said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class KubeApi:
    """Raw calls: Refused when the answer is a no, NoAnswer when there is none; no connection is kept."""

    def __init__(self, url: str, token: str, ca_file: str) -> None:
        self.url = url
        self._token = token
        self._trust = ssl.create_default_context(cafile=ca_file)

    def get(self, path: str, **params: str) -> Manifest:
        """Read an object or a collection."""
        return self._call("GET", _with(path, params))

    def text(self, path: str, **params: str) -> str:
        """Read what is not JSON, such as a log."""
        return self._answer("GET", _with(path, params)).text

    def items(self, path: str, **params: str) -> list[Manifest]:
        """The objects of a collection."""
        found: list[Manifest] = self.get(path, **params)["items"]
        return found

    def post(self, path: str, body: Manifest) -> Manifest:
        """Create."""
        return self._call("POST", path, body)

    def put(self, path: str, body: Manifest) -> Manifest:
        """Replace."""
        return self._call("PUT", path, body)

    def patch(self, path: str, body: Manifest | list[Manifest], kind: str = MERGE_PATCH) -> Manifest:
        """Change."""
        return self._call("PATCH", path, body, kind)

    def delete(self, path: str, body: Manifest | None = None) -> Manifest:
        """Delete."""
        return self._call("DELETE", path, body)

    def ready(self) -> bool:
        """Whether the API server answers, and says that it is ready."""
        try:
            return self._answer("GET", "/readyz").text == "ok"
        except (Refused, NoAnswer):
            return False

    def _call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Manifest:
        found: Manifest = self._answer(method, path, body, kind).json()
        return found

    def _answer(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Answer:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        answer = call(method, f"{self.url}{path}", body, headers=headers, trust=self._trust, within=_WITHIN)
        if not answer.ok:
            raise Refused(answer.status, answer.text[:500])
        return answer


def _with(path: str, params: dict[str, str]) -> str:
    return f"{path}?{urlencode(params)}" if params else path
