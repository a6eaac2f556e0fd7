"""``python -m tests.web.published > docs/reference/openapi.json``: the document of the API as it is published."""

from __future__ import annotations

import json
from typing import Any

from watchdog.web.api import PREFIX, ROUTES
from watchdog.web.openapi import document


def published() -> Any:
    """The document, as JSON gives it back."""
    return json.loads(json.dumps(document(ROUTES, PREFIX)))


if __name__ == "__main__":
    print(json.dumps(published(), indent=1))
