"""Container apps in both modes, by Azure's own pipeline against a server with the states of the service."""

from __future__ import annotations

from dataclasses import replace

import pytest
import pytest_asyncio

from tests.platforms.container_app_outside import IMAGES, opened
from tests.platforms.contract import bad_release, execute, intent_of
from watchdog.model import Issue, Progress, Release, Resolution
from watchdog.platforms.container_app.plans import ACTIVATE, COPY, SHIFT
from watchdog.platforms.container_app.revisions import suffix_of
from watchdog.testing.arm import NAME, refusal

MODES = pytest.mark.parametrize("mode", ["single", "multiple"])


@pytest_asyncio.fixture
async def outside(mode, monkeypatch):
    async with opened(mode, monkeypatch) as made:
        yield made


async def good_of(outside) -> Release:
    return (await outside.platform.read_state()).release


@pytest.mark.asyncio
@MODES
async def test_users_get_the_good_image_back_and_only_what_changes_is_sent(outside, mode):
    _, _, plan = await bad_release(outside)
    assert outside.app.serving() == {IMAGES["two"]: 100}
    for number, step in enumerate(plan.steps):
        intent = replace(intent_of(plan, number=number), step=step)
        outcome = await execute(outside, intent)
        assert outcome.issue is Issue.ISSUED, outcome.sentence
    await outside.settle()
    assert outside.app.serving() == {IMAGES["one"]: 100}
    for verb, body in outside.server.writes:
        sent = (body or {}).get("properties", {})
        assert set(sent) <= {"template", "configuration"}, verb
        assert "secrets" not in str(sent)


@pytest.mark.asyncio
@MODES
async def test_a_revision_that_never_gets_ready_is_stuck(outside, mode):
    good = await good_of(outside)
    outside.app.deploy(IMAGES["two"], fails=True)
    outside.app.revisions[-1].ready_at = outside.clock.now()
    state = await outside.platform.read_state()
    assert state.release.fingerprint != good.fingerprint
    assert "container api crashed" in state.stuck
    assert not state.complete
    assert outside.app.serving() == {IMAGES["one"]: 100}, "nobody was hurt"


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["multiple"])
async def test_a_revision_that_was_given_no_traffic_is_no_release(outside, mode):
    good = await good_of(outside)
    outside.app.traffic = [{"revisionName": outside.app.revisions[0].name, "weight": 100}]
    outside.app.deploy(IMAGES["two"])
    assert (await outside.platform.read_state()).release.fingerprint == good.fingerprint


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["multiple"])
async def test_a_good_revision_that_sleeps_is_woken_and_ready_before_it_gets_traffic(outside, mode):
    _, _, _ = await bad_release(outside)
    outside.app.revisions[0].active = False
    good = (await outside.platform.history())[1]
    plan = await outside.platform.plan(await outside.platform.read_state(), good, "i")
    assert [step.name for step in plan.steps] == [ACTIVATE, SHIFT]
    shift = replace(intent_of(plan, number=2), step=plan.steps[1])
    early = await execute(outside, shift)
    assert early.issue is Issue.PRECONDITION_FAILED
    assert "cannot serve now" in early.sentence
    assert outside.server.writes == []
    wake = intent_of(plan)
    assert await outside.platform.resolve(wake) is Resolution.NOT_ISSUED
    assert (await execute(outside, wake)).issue is Issue.ISSUED
    assert await outside.platform.resolve(wake) is Resolution.ISSUED
    assert (await execute(outside, shift)).issue is Issue.ISSUED
    assert outside.app.serving() == {IMAGES["one"]: 100}
    assert [verb for verb, _ in outside.server.writes] == ["POST activate", f"PATCH {NAME}"]


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["multiple"])
async def test_the_traffic_is_made_from_scratch_and_labels_are_kept(outside, mode):
    good, bad, old = outside.app.revisions[0], outside.app.deploy(IMAGES["two"]), outside.app.deploy(IMAGES["three"])
    old.active = False
    outside.app.traffic = [
        {"revisionName": good.name, "weight": 0, "label": "stable"},
        {"revisionName": bad.name, "weight": 100, "label": "next"},
        {"revisionName": old.name, "weight": 0},
    ]
    bad.ready_at = old.ready_at = outside.clock.now()
    release = next(one for one in await outside.platform.history() if one.revision == good.name)
    plan = await outside.platform.plan(await outside.platform.read_state(), release, "i")
    await execute(outside, intent_of(plan))
    assert outside.app.traffic == [
        {"revisionName": good.name, "weight": 100, "label": "stable"},
        {"revisionName": bad.name, "weight": 0, "label": "next"},
    ]
    assert any("labels stay" in warning for warning in plan.warnings)
    assert outside.app.tags["rollback-watchdog-intent"] == "i-1"


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["single"])
async def test_in_single_mode_the_good_template_is_deployed_whole_under_a_suffix_of_the_intent(outside, mode):
    outside.app.secrets = {"database"}
    template = {
        "containers": [
            {"name": "api", "image": IMAGES["two"], "env": [{"name": "D", "secretRef": "database"}], "unknownToUs": 7}
        ],
        "scale": {"minReplicas": 2, "rules": [{"name": "http"}]},
    }
    outside.app.add(template)
    await outside.settle()
    good = await good_of(outside)
    await outside.deploy("three")
    await outside.settle()
    plan = await outside.platform.plan(await outside.platform.read_state(), good, "i")
    assert [step.name for step in plan.steps] == [COPY]
    intent = intent_of(plan)
    await execute(outside, intent)
    newest = outside.app.revisions[-1]
    assert newest.name == f"{NAME}--{suffix_of(intent.id)}"
    assert newest.template == {**template, "revisionSuffix": suffix_of(intent.id)}
    assert (await outside.platform.confirm(intent)).progress is Progress.PENDING
    outside.app.secrets = set()
    blocking = [one.sentence for one in await outside.platform.preflight(good) if one.blocks]
    assert blocking == ["the good template names secrets that the app no longer has: database"]


@pytest.mark.asyncio
@MODES
async def test_a_reply_that_is_lost_is_resolved_by_reading_and_nothing_is_sent_twice(outside, mode):
    _, _, plan = await bad_release(outside)
    outside.server.lose_replies = True
    intent = intent_of(plan)
    outcome = await execute(outside, intent)
    assert outcome.issue is Issue.UNKNOWN
    outside.server.lose_replies = False
    assert await outside.platform.resolve(intent) is Resolution.ISSUED
    assert len(outside.server.writes) == 1


@pytest.mark.asyncio
@MODES
async def test_while_azure_is_at_work_nothing_is_sent(outside, mode):
    _, _, plan = await bad_release(outside)
    outside.app.revisions[-1].ready_at = outside.clock.now() + 60
    outcome = await execute(outside, intent_of(plan))
    assert outcome.issue is Issue.PRECONDITION_FAILED
    assert outside.server.writes == []


@pytest.mark.asyncio
@MODES
@pytest.mark.parametrize(
    ("status", "issue"), [(400, Issue.REFUSED), (403, Issue.REFUSED), (409, Issue.PRECONDITION_FAILED), (429, Issue.UNKNOWN), (503, Issue.UNKNOWN)]
)  # fmt: skip
async def test_every_refusal_of_a_write_says_what_became_of_it(outside, mode, status, issue):
    _, _, plan = await bad_release(outside)
    real = outside.server._routed

    def refusing(verb, rest, body):
        return real(verb, rest, body) if verb == "GET" else refusal(status, "Code", "words of Azure")

    outside.server._routed = refusing
    outcome = await execute(outside, intent_of(plan))
    assert outcome.issue is issue
    outside.server._routed = real
    assert await outside.platform.resolve(intent_of(plan)) is Resolution.NOT_ISSUED


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["multiple"])
async def test_an_app_without_ingress_and_a_purged_revision_have_no_road_back(outside, mode):
    good, state, _ = await bad_release(outside)
    outside.app.ingress = False
    assert any("no ingress" in one.sentence and one.blocks for one in await outside.platform.preflight(good))
    outside.app.ingress = True
    del outside.app.revisions[0]
    with pytest.raises(ValueError, match="keeps no revision"):
        await outside.platform.plan(state, good, "i")
