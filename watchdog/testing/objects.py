"""Objects for people without a cluster: what somebody applies, deletes and looks at.

Role: the public fakes of `ports.PauseObjects` and `ports.IncidentObjects`. Neighbours: `watchdog.stores.kubernetes_objects` is the real thing.
Guarantees: as the real one, a list that cannot be read raises, and a later state of an incident is never replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from watchdog.model import Incident, Instant, Pause
from watchdog.ports import Unavailable
from watchdog.safety.pausing import OBJECT


class FakePauseObjects:
    """`trouble` makes every call raise Unavailable; `mute` makes only answers raise, `shut` those of these ids."""

    def __init__(self) -> None:
        """No object yet."""
        self.objects: dict[str, Pause] = {}
        self.told: dict[str, Pause] = {}
        self.trouble = ""
        self.mute = ""
        self.shut: set[str] = set()

    def apply(self, name: str, scope: str, until: Instant, *, made: Instant, why: str = "maintenance") -> str:
        """Make the object, or change its end; its id."""
        pause_id = f"{OBJECT}{name}"
        who = f"somebody, by the Pause {name}"
        self.objects[pause_id] = Pause(id=pause_id, scope=scope, who=who, why=why, since=made, until=until)
        return pause_id

    def delete(self, name: str) -> None:
        """Delete the object."""
        del self.objects[f"{OBJECT}{name}"]

    async def list(self) -> Sequence[Pause]:
        """See `ports.PauseObjects`."""
        self._answer(self.trouble)
        told = self.told
        return [
            replace(pause, applied_at=told[key].applied_at if key in told else None)
            for key, pause in self.objects.items()
        ]

    async def tell(self, pause: Pause) -> None:
        """See `ports.PauseObjects`."""
        self._answer(self.trouble or self.mute or ("shut" if pause.id in self.shut else ""))
        if pause.id in self.objects:
            self.told[pause.id] = pause

    def _answer(self, trouble: str) -> None:
        if trouble:
            raise Unavailable(trouble)


class FakeIncidentObjects:
    """`trouble` makes every call raise Unavailable; `refused` are ids that cannot be shown."""

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self.incidents: dict[str, Incident] = {}
        self.seen: list[str] = []
        """Every stage that was shown."""
        self.refused: set[str] = set()
        self.trouble = ""

    async def shown(self) -> Mapping[str, Instant]:
        """See `ports.IncidentObjects`."""
        if self.trouble:
            raise Unavailable(self.trouble)
        return {key: incident.updated_at for key, incident in self.incidents.items()}

    async def show(self, incident: Incident) -> None:
        """See `ports.IncidentObjects`."""
        if self.trouble or incident.id in self.refused:
            raise Unavailable(self.trouble or "refused")
        there = self.incidents.get(incident.id)
        if there is None or there.updated_at <= incident.updated_at:
            self.incidents[incident.id] = incident
            self.seen.append(incident.stage.value)
