"""What every platform promises, as tests that run on any of them.

Subclass `PlatformContract`, give it a fixture ``outside`` that yields an `Outside`, and every test below runs on it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import pytest

from watchdog.model import Decision, Incident, Instant, Intent, Issue, Mode, Outcome, Owner, Progress, Resolution, Stage
from watchdog.ports import Clock, PermitRefused, Unavailable
from watchdog.safety.permits import LIFETIME_S, PermitOffice

DEADLINE_S = 20.0


class Outside(Protocol):
    """One unit of the outside with the releases ``one``, ``two`` and ``three``; ``one`` runs and is rolled out."""

    clock: Clock
    office: PermitOffice
    platform: Any
    writer: Any
    keeps_intents: bool
    """The outside remembers which rollback made the release, so ours can be told from somebody else's."""

    async def deploy(self, name: str) -> None:
        """Somebody else deploys; returns when it was accepted, not when it is rolled out."""

    async def settle(self) -> None:
        """The running rollout becomes complete, seen by the platform."""

    async def cut(self) -> None:
        """The outside cannot be asked any more."""


@dataclass
class Sink:
    """An `EvidenceSink` in memory."""

    files: dict[str, Any] = field(default_factory=dict)
    missed: list[tuple[str, str]] = field(default_factory=list)

    async def file(self, path: str, content: Any, note: str = "") -> None:
        self.files[path] = content

    def missing(self, what: str, why: str) -> None:
        self.missed.append((what, why))


def intent_of(plan, *, number: int = 1, name: str = "i") -> Intent:
    return Intent(
        id=f"{name}-{number}",
        incident="incident-1",
        step=plan.steps[0],
        from_release=plan.from_release,
        to_release=plan.to_release,
        stored_at=Instant(0.0),
    )


def permit_for(outside, intent: Intent):
    decision = Decision(
        at=Instant(0.0),
        target=intent.step.unit.target,
        outcome=Outcome.ROLL_BACK,
        would=Outcome.ROLL_BACK,
        checks=(),
        sentence="roll back",
        from_release=intent.from_release,
        to_release=intent.to_release,
    )
    return outside.office.issue(decision, intent, outside.clock.monotonic())


async def execute(outside, intent: Intent):
    permit = permit_for(outside, intent)
    return await outside.writer.execute(intent.step, intent, permit, deadline_s=DEADLINE_S)


async def bad_release(outside):
    """``two`` is rolled out after ``one``; returns (release one, state, plan back to one)."""
    good = (await outside.platform.read_state()).release
    await outside.deploy("two")
    await outside.settle()
    state = await outside.platform.read_state()
    return good, state, await outside.platform.plan(state, good, "incident-1")


class PlatformContract:
    """Reading, planning, one conditional write, resolving by reading."""

    @pytest.mark.asyncio
    async def test_a_read_names_the_release_and_whether_it_is_rolled_out(self, outside):
        before = await outside.platform.read_state()
        await outside.deploy("two")
        during = await outside.platform.read_state()
        await outside.settle()
        after = await outside.platform.read_state()
        assert before.complete
        assert not before.in_progress
        assert during.release.fingerprint != before.release.fingerprint
        assert not during.complete
        assert (after.complete, after.in_progress) == (True, False)
        assert after.release.fingerprint == during.release.fingerprint
        assert before.unit == during.unit == after.unit

    @pytest.mark.asyncio
    async def test_a_release_that_comes_back_has_the_same_fingerprint(self, outside):
        before = await outside.platform.read_state()
        await outside.deploy("two")
        await outside.settle()
        await outside.deploy("one")
        await outside.settle()
        assert (await outside.platform.read_state()).release.fingerprint == before.release.fingerprint

    @pytest.mark.asyncio
    async def test_the_history_is_newest_first_and_speaks_of_the_same_fingerprints(self, outside):
        good, state, _ = await bad_release(outside)
        history = [release.fingerprint for release in await outside.platform.history()]
        assert history[:2] == [state.release.fingerprint, good.fingerprint]
        assert len(set(history)) == len(history)

    @pytest.mark.asyncio
    async def test_nobody_else_owns_a_plain_unit_and_preflight_of_a_known_release_blocks_nothing(self, outside):
        good, _, _ = await bad_release(outside)
        assert (await outside.platform.detect_owner()).owner is Owner.NOBODY
        assert not [finding for finding in await outside.platform.preflight(good) if finding.blocks]

    @pytest.mark.asyncio
    async def test_a_plan_says_in_words_and_exactly_what_would_be_written_and_writes_nothing(self, outside):
        good, state, plan = await bad_release(outside)
        assert (plan.from_release, plan.to_release) == (state.release.fingerprint, good.fingerprint)
        assert plan.unit == state.unit
        assert plan.steps
        for step in plan.steps:
            assert step.words
            assert step.precondition
            assert step.request
            assert step.unit == state.unit
        assert (await outside.platform.read_state()).release.fingerprint == state.release.fingerprint

    @pytest.mark.asyncio
    async def test_there_is_no_plan_to_the_release_that_runs(self, outside):
        state = await outside.platform.read_state()
        with pytest.raises(ValueError, match=r"."):
            await outside.platform.plan(state, state.release, "incident-1")

    @pytest.mark.asyncio
    async def test_a_permitted_step_puts_the_good_release_back_and_is_confirmed_when_rolled_out(self, outside):
        good, _, plan = await bad_release(outside)
        intent = intent_of(plan)
        outcome = await execute(outside, intent)
        assert outcome.issue is Issue.ISSUED, outcome.sentence
        assert (await outside.platform.read_state()).release.fingerprint == good.fingerprint
        assert await outside.platform.resolve(intent) is Resolution.ISSUED
        assert (await outside.platform.confirm(intent)).progress in (Progress.PENDING, Progress.OBSERVED)
        await outside.settle()
        confirmation = await outside.platform.confirm(intent)
        assert confirmation.progress is Progress.OBSERVED
        assert confirmation.sentence

    @pytest.mark.asyncio
    @pytest.mark.parametrize("flaw", ["forged", "expired", "other intent", "other step", "other release"])
    async def test_a_permit_that_does_not_cover_the_write_is_refused_and_nothing_is_written(self, outside, flaw):
        _, state, plan = await bad_release(outside)
        intent = intent_of(plan)
        permit = permit_for(outside, intent)
        step = intent.step
        if flaw == "forged":
            permit = replace(permit, nonce="0" * 64)
        elif flaw == "expired":
            permit = replace(permit, expires=permit.expires - LIFETIME_S - 1)
        elif flaw == "other intent":
            intent = replace(intent, id="another")
        elif flaw == "other step":
            step = replace(step, request={**step.request, "argv": ["rm"], "version": "0"})
        else:
            permit = replace(permit, to_release="another")
        with pytest.raises(PermitRefused):
            await outside.writer.execute(step, intent, permit, deadline_s=DEADLINE_S)
        assert (await outside.platform.read_state()).release.fingerprint == state.release.fingerprint
        assert await outside.platform.resolve(intent_of(plan)) is Resolution.NOT_ISSUED

    @pytest.mark.asyncio
    async def test_a_newer_release_is_never_overwritten(self, outside):
        _, _, plan = await bad_release(outside)
        intent = intent_of(plan)
        await outside.deploy("three")
        newer = (await outside.platform.read_state()).release.fingerprint
        outcome = await execute(outside, intent)
        assert outcome.issue is Issue.PRECONDITION_FAILED
        assert (await outside.platform.read_state()).release.fingerprint == newer
        assert await outside.platform.resolve(intent) is Resolution.OVERTAKEN
        assert (await outside.platform.confirm(intent)).progress is Progress.SUPERSEDED

    @pytest.mark.asyncio
    async def test_the_same_step_twice_changes_the_outside_once(self, outside):
        good, _, plan = await bad_release(outside)
        intent = intent_of(plan)
        first = await execute(outside, intent)
        await outside.settle()
        between = await outside.platform.read_state()
        second = await execute(outside, intent)
        after = await outside.platform.read_state()
        assert first.issue is Issue.ISSUED
        assert second.issue in (Issue.PRECONDITION_FAILED, Issue.ISSUED)
        assert after.release.fingerprint == good.fingerprint
        assert (after.version, after.complete) == (between.version, True)

    @pytest.mark.asyncio
    async def test_a_write_that_never_arrived_resolves_to_not_issued(self, outside):
        _, _, plan = await bad_release(outside)
        assert await outside.platform.resolve(intent_of(plan)) is Resolution.NOT_ISSUED

    @pytest.mark.asyncio
    async def test_a_release_after_ours_is_superseded_and_never_called_issued(self, outside):
        _, _, plan = await bad_release(outside)
        intent = intent_of(plan)
        await execute(outside, intent)
        await outside.settle()
        await outside.deploy("three")
        expected = Resolution.SUPERSEDED if outside.keeps_intents else Resolution.OVERTAKEN
        assert await outside.platform.resolve(intent) is expected
        assert (await outside.platform.confirm(intent)).progress is Progress.SUPERSEDED

    @pytest.mark.asyncio
    async def test_the_good_release_put_back_by_others_is_told_apart_where_the_outside_keeps_intents(self, outside):
        _, _, plan = await bad_release(outside)
        await outside.deploy("one")
        expected = Resolution.DONE_BY_OTHERS if outside.keeps_intents else Resolution.ISSUED
        assert await outside.platform.resolve(intent_of(plan)) is expected

    @pytest.mark.asyncio
    async def test_a_rehearsal_changes_nothing_and_notices_a_newer_release(self, outside):
        _, state, plan = await bad_release(outside)
        rehearsed = await outside.writer.rehearse(plan.steps[0], deadline_s=DEADLINE_S)
        assert rehearsed.issue is Issue.ISSUED
        assert (await outside.platform.read_state()).release.fingerprint == state.release.fingerprint
        assert await outside.platform.resolve(intent_of(plan)) is Resolution.NOT_ISSUED
        await outside.deploy("three")
        refused = await outside.writer.rehearse(plan.steps[0], deadline_s=DEADLINE_S)
        assert refused.issue is Issue.PRECONDITION_FAILED

    @pytest.mark.asyncio
    async def test_evidence_is_handed_over_part_by_part(self, outside):
        _, state, _ = await bad_release(outside)
        sink = Sink()
        incident = Incident(
            id="incident-1",
            units=(state.unit,),
            target=state.unit.target,
            group="",
            blamed=state.release,
            stage=Stage.OPENED,
            mode=Mode.ENFORCE,
            opened_at=Instant(0.0),
            updated_at=Instant(0.0),
        )
        await outside.platform.gather(sink, incident)
        assert sink.files
        assert all(not path.startswith("/") and ".." not in path for path in sink.files)

    @pytest.mark.asyncio
    async def test_what_cannot_be_asked_is_unknown_and_never_no(self, outside):
        good, _, plan = await bad_release(outside)
        await outside.cut()
        for asked in (
            outside.platform.read_state,
            outside.platform.history,
        ):
            with pytest.raises(Unavailable, match=r"."):
                await asked()
        assert await outside.platform.resolve(intent_of(plan)) is Resolution.UNKNOWN
        assert (await outside.platform.confirm(intent_of(plan))).progress is Progress.UNKNOWN
        try:
            findings = await outside.platform.preflight(good)
        except Unavailable:
            findings = ()
        assert not [finding for finding in findings if not finding.unknown]

    @pytest.mark.asyncio
    async def test_a_read_can_be_cancelled_and_the_platform_closed_twice(self, outside):
        reading = asyncio.create_task(outside.platform.read_state())
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await outside.platform.read_state()
        await outside.platform.close()
        await outside.platform.close()
