"""Section `state`: where the watchdog keeps what it must not forget (pauses, incidents, intents, grades of releases)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from watchdog.settings.section import Later, Section, later
from watchdog.settings.values import AbsolutePath, Flag

DEFAULT_SQLITE = "/var/lib/watchdog/state.db"


class StateSection(Section):
    """Exactly one of `sqlite` and `memory`."""

    sqlite: AbsolutePath | None = Field(
        default=None,
        description="Absolute path of the SQLite file, on a local disk (not SMB or NFS: their locks fail). "
        f"None and no other store given = {DEFAULT_SQLITE}, because state that survives a restart is what keeps a "
        "pause a pause.",
    )
    memory: Annotated[bool, Flag()] = Field(
        default=False,
        description="true = keep state in memory only; everything is forgotten at exit, pauses too. For trials. "
        "Default false.",
    )
    kubernetes: Later = later("state in Kubernetes objects")
    blob: Later = later("state in an Azure blob")

    @property
    def sqlite_path(self) -> str:
        """The file in force; empty when state is in memory."""
        return "" if self.memory else self.sqlite or DEFAULT_SQLITE
