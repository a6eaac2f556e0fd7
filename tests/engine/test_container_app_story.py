"""A whole daemon over a container app behind real HTTP, in real time: noticed, one change, users served by the good image again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.engine.house import House
from watchdog.clients.azure import Login
from watchdog.clients.azure_arm import Arm
from watchdog.model import CloseReason, Counts, Grade, Sample, UnitRecord
from watchdog.platforms.container_app import ContainerAppPlatform, ContainerAppTarget, ContainerAppWriter
from watchdog.ports import PollContext
from watchdog.testing.arm import NAME, FakeApp, FakeArm

CONFIG = ContainerAppTarget(target="api", subscription="sub", resource_group="shop", app=NAME)
GOOD, BAD = "shop/api:1.0", "shop/api:2.0-bad"


class Users:
    """Ten requests a poll, answered by whatever image has the traffic."""

    name, counts_users = "users", True

    def __init__(self, house: House, app: FakeApp) -> None:
        self.house, self.app = house, app

    async def poll(self, context: PollContext) -> Sequence[Sample]:
        bad = round(sum(share for image, share in self.app.serving().items() if image == BAD) / 10)
        now = self.house.clock.now()
        return [Sample(signal="users", start=now, end=now, reading=Counts(good=10 - bad, bad=bad))]

    async def close(self) -> None:
        """Nothing."""


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("single", "asleep"), [(True, False), (False, False), (False, True)], ids=["single", "multiple", "good one asleep"]
)
async def test_a_bad_revision_is_noticed_and_users_get_the_good_one_by_as_few_changes_as_it_takes(
    single: bool, asleep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House()
    api = house.add("api", n=2, tolerate_interruption_s=0.5, countdown_s=0.2, evidence_s=2.0)
    app = FakeApp(house.clock.now, single=single, provisioning_s=0.5)
    first = app.deploy(GOOD)
    first.created = first.ready_at = house.clock.now() - 3600
    async with FakeArm(app) as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        arm = Arm("prod", Login(kind="managed_identity"), endpoint=server.url)
        platform = ContainerAppPlatform(arm, CONFIG, house.clock)
        api.connect = lambda unit, office: (  # type: ignore[assignment, return-value]
            ContainerAppPlatform(arm, CONFIG, house.clock),
            ContainerAppWriter(arm, CONFIG, house.clock, office),
        )
        api.signals = [Users(house, app)]  # type: ignore[list-item]
        api.rules = tuple(replace(rule, signal="users") for rule in api.rules)  # type: ignore[type-var]
        api.every_s = api.track_s = 0.3
        state = await platform.read_state()
        now = house.clock.now()
        good = replace(state.release, grade=Grade.GOOD, graded_at=now)
        await house.remember(
            UnitRecord(unit=state.unit, releases=(good,), current=good.fingerprint, first_seen=now, armed=True)
        )
        async with house.running():
            await house.pass_(1.5)
            app.deploy(BAD)
            await house.until(lambda: app.serving() == {BAD: 100}, within=10)
            first.active = first.active and not asleep
            incident = await house.closed(within=30)
            await house.pass_(0.2)
        assert incident.reason is CloseReason.RECOVERED, await house.story()
        assert app.serving() == {GOOD: 100}
        verbs = [verb for verb, _ in server.writes]
        assert verbs == (["POST activate"] if asleep else []) + [f"PATCH {NAME}"]
        await arm.close()
