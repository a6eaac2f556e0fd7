"""What log-in and orders on the page need, made where the daemon's faces are made.

Role: one record, so that `web.server` need not load the templates where no page is served.
"""

from __future__ import annotations

from dataclasses import dataclass

from watchdog.web.failures import Failures
from watchdog.web.orders import Orders
from watchdog.web.tokens import Tokens


@dataclass(frozen=True)
class Doors:
    """`closed` = the page is shown only after log-in."""

    tokens: Tokens
    orders: Orders
    failures: Failures
    closed: bool = False
