"""What objects for people promise: here on the fakes, in `tests/cluster/test_kubernetes_objects.py` on a real API server.

A world has `pauses` and `incidents`, and does with its objects what people do: `apply`, `delete`, `spoil` (a list is refused).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from watchdog.model import CloseReason, Incident, Instant, Intent, Mode, Pause, Release, Stage, Step, UnitRef, instant
from watchdog.ports import IncidentObjects, PauseObjects, Unavailable
from watchdog.testing.objects import FakeIncidentObjects, FakePauseObjects

UNIT = UnitRef(target="api", platform="kubernetes", uid="u-1", name="shop/deployment/api")
NOW = instant(round(time.time()))


@dataclass
class World:
    pauses: PauseObjects
    incidents: IncidentObjects
    apply: Callable[[str, str, Instant], Awaitable[None]]
    delete: Callable[[str], Awaitable[None]]
    spoil: Callable[[], Awaitable[None]]


@pytest_asyncio.fixture
async def world():
    pauses, incidents = FakePauseObjects(), FakeIncidentObjects()

    async def apply(name: str, scope: str, until: Instant) -> None:
        pauses.apply(name, scope, until, made=NOW)

    async def delete(name: str) -> None:
        pauses.delete(name)

    async def spoil() -> None:
        pauses.trouble = incidents.trouble = "forbidden"

    return World(pauses, incidents, apply, delete, spoil)


def incident(stage: Stage, second: float, **changes: object) -> Incident:
    values: dict[str, object] = {
        "id": "20261127-api-1a2b3c",
        "units": (UNIT,),
        "target": "api",
        "group": "",
        "blamed": Release(fingerprint="f2", revision="2"),
        "stage": stage,
        "mode": Mode.ENFORCE,
        "opened_at": NOW,
        "updated_at": instant(NOW + second),
        "headline": "api is failing",
        **changes,
    }
    return Incident(**values)  # type: ignore[arg-type]


def intent(outcome: str = "") -> Intent:
    step = Step(name="patch", unit=UNIT, words="set api to revision 1", precondition="resourceVersion 7")
    return Intent(
        id="i-1",
        incident="x",
        step=step,
        from_release="f2",
        to_release="f1",
        stored_at=instant(NOW + 2),
        outcome=outcome,
    )


@pytest.mark.asyncio
async def test_a_pause_object_is_listed_with_its_scope_end_and_name(world: World) -> None:
    assert list(await world.pauses.list()) == []
    await world.apply("maintenance", "group/bookstore", instant(NOW + 600))
    (found,) = await world.pauses.list()
    assert (found.scope, found.until, found.applied_at, found.ended_at) == (
        "group/bookstore",
        NOW + 600,
        None,
        None,
    )
    assert found.id.startswith("object-maintenance")
    assert "Pause maintenance" in found.who
    await world.delete("maintenance")
    assert list(await world.pauses.list()) == []


@pytest.mark.asyncio
async def test_what_is_told_stands_on_the_object_and_telling_it_again_changes_nothing(world: World) -> None:
    await world.apply("maintenance", "all", instant(NOW + 600))
    (found,) = await world.pauses.list()
    bound = replace(found, since=instant(NOW + 1), applied_at=instant(NOW + 1), suppressed=2)
    await world.pauses.tell(bound)
    (again,) = await world.pauses.list()
    assert (again.id, again.applied_at) == (found.id, NOW + 1)
    await world.pauses.tell(bound)
    assert list(await world.pauses.list()) == [again]


@pytest.mark.asyncio
async def test_telling_an_object_that_is_gone_changes_nothing(world: World) -> None:
    await world.apply("maintenance", "all", instant(NOW + 600))
    (found,) = await world.pauses.list()
    await world.delete("maintenance")
    await world.pauses.tell(replace(found, applied_at=instant(NOW + 1)))
    await world.pauses.tell(
        Pause(id="object-never", scope="all", who="ann", why="y", since=NOW, until=instant(NOW + 1))
    )
    assert list(await world.pauses.list()) == []


@pytest.mark.asyncio
async def test_a_list_that_is_refused_is_unavailable_and_never_empty(world: World) -> None:
    await world.spoil()
    with pytest.raises(Unavailable):
        await world.pauses.list()
    with pytest.raises(Unavailable):
        await world.incidents.shown()
    with pytest.raises(Unavailable):
        await world.incidents.show(incident(Stage.OPENED, 0))


@pytest.mark.asyncio
async def test_an_incident_is_shown_from_its_opening_to_its_end_and_never_goes_back(world: World) -> None:
    assert await world.incidents.shown() == {}
    opened = incident(Stage.OPENED, 0)
    await world.incidents.show(opened)
    assert await world.incidents.shown() == {opened.id: NOW}
    await world.incidents.show(incident(Stage.INTENDED, 2, intents=(intent(),)))
    closed = incident(
        Stage.CLOSED, 9, intents=(intent("issued"),), closed_at=instant(NOW + 9), reason=CloseReason.RECOVERED
    )
    await world.incidents.show(closed)
    await world.incidents.show(incident(Stage.VERIFYING, 5, intents=(intent("issued"),)))
    await world.incidents.show(closed)
    assert await world.incidents.shown() == {opened.id: NOW + 9}


@pytest.mark.asyncio
async def test_an_incident_that_opens_again_is_shown_open(world: World) -> None:
    await world.incidents.show(incident(Stage.CLOSED, 9, closed_at=instant(NOW + 9), reason=CloseReason.EXPIRED))
    await world.incidents.show(incident(Stage.OPENED, 20, past_intents=(intent("issued"),), reopened=1))
    assert list((await world.incidents.shown()).values()) == [NOW + 20]


@pytest.mark.asyncio
async def test_whatever_a_target_is_called_its_incident_can_be_shown(world: World) -> None:
    names = ["Book_Store.API_2-1a2b", "book-store-api-2-1a2b", f"{'x' * 240}-1a2b", "book.store-1a2b"]
    for name in names:
        await world.incidents.show(incident(Stage.OPENED, 0, id=name, target=f"{name[:62]}_b"))
    assert sorted(await world.incidents.shown()) == sorted(names)
