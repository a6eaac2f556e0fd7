"""Section `groups`: targets that go back together, in order."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from watchdog.model import Mode
from watchdog.settings.section import Section
from watchdog.settings.values import Name


class GroupSection(Section):
    """One group."""

    order: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(
        description="Its targets in the order in which they go back."
    )
    mode: Mode | None = Field(
        default=None, description="observe, ask or enforce. None = the global mode; the strictest counts."
    )
