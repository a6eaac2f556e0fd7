"""bookstorectl: the command pair of the bookstore for the `command` platform (docs/command-platform.md).

Run: ``python ctl.py DIRECTORY current | history | deploy RELEASE | rollback FROM TO INTENT``. Stands on nothing but the
standard library, so it can be run by its path. Exit codes: 0 done; 3 FROM is not current; 1 anything else, said on stderr.
"""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path
from urllib.parse import urlencode

OK, CONFLICT = 200, 409
EXITS = {OK: 0, CONFLICT: 3}
TIMEOUT_S = 5.0
USAGE = "usage: ctl.py DIRECTORY current | history | deploy RELEASE | rollback FROM TO INTENT"
_ORDERS = {"deploy": ("release",), "rollback": ("from", "to", "intent")}


def main(argv: list[str]) -> int:
    """Carry out one order; returns the exit code."""
    if len(argv) > 1 and argv[1] in ("current", "history") and len(argv) == 2:  # noqa: PLR2004 - directory and verb
        method, target = "GET", f"/{argv[1]}"
    elif len(argv) > 1 and argv[1] in _ORDERS and len(argv) == 2 + len(_ORDERS[argv[1]]):
        query = dict(zip(_ORDERS[argv[1]], argv[2:], strict=True))
        method, target = "POST", f"/{argv[1]}?{urlencode({**query, 'actor': 'bookstorectl'})}"
    else:
        sys.stderr.write(USAGE + "\n")
        return 1
    try:
        known = json.loads((Path(argv[0]) / "bookstore.json").read_text())
        connection = http.client.HTTPConnection("127.0.0.1", known["control"], timeout=TIMEOUT_S)
        connection.request(method, target, headers={"X-Token": known["token"]})
        answer = connection.getresponse()
        body = answer.read().decode()
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        sys.stderr.write(f"the bookstore does not answer: {type(error).__name__}: {error}\n")
        return 1
    (sys.stdout if answer.status == OK else sys.stderr).write(body + "\n")
    return EXITS.get(answer.status, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
