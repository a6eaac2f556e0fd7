"""Section `groups`: targets that belong together. In this version they share mode, pauses and one write at a time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from watchdog.model import Mode
from watchdog.settings.section import Section
from watchdog.settings.values import Name


class GroupSection(Section):
    """One group."""

    order: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(
        description="Its targets in the order in which they go back. In this version each member goes back by itself; "
        "the order is kept for the version that rolls a group back in one."
    )
    mode: Mode | None = Field(
        default=None, description="observe, ask or enforce. None = the global mode; the strictest counts."
    )
