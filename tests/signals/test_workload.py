"""What of the pods' trouble blames the release, and what does not (facts/hazards C, K, O)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.model import Counts, Instance, Instant, Release, UnitRef, Unknown, WorkloadState
from watchdog.ports import PollContext
from watchdog.signals.workload import ENVIRONMENT, WorkloadSignal, WorkloadTolerances
from watchdog.testing.clock import NEW_YEAR, WorldClock

GOOD, BAD, NONE = Counts(good=1, bad=0), Counts(good=0, bad=1), Counts(good=0, bad=0)


def pod(number: int, release: str = "new", *, age: float = 60.0, **fields) -> Instance:
    fields = {"ready": True, "node": f"node-{number % 3}", **fields}
    return Instance(name=f"{release}-{number}", release=release, started=Instant(NEW_YEAR - age), **fields)


def crashing(number: int, release: str = "new", **fields) -> Instance:
    return pod(number, release, **{"ready": False, "restarts": 3, "problem": "CrashLoopBackOff", **fields})


def state(*pods: Instance, at: float = NEW_YEAR, **fields) -> WorkloadState:
    unit = UnitRef(target="web", platform="kubernetes", uid="u", name="shop/deployment/web")
    fields = {"wanted": 3, "complete": False, "in_progress": True, **fields}
    return WorkloadState(
        unit=unit, at=Instant(at), release=Release(fingerprint="new"), version="1", instances=pods, **fields
    )


class Watch:
    """A signal and the world's clock; `see` is one read followed by one poll, 5 s after the last."""

    def __init__(self, began: float | None = NEW_YEAR - 3600) -> None:
        self.clock = WorldClock()
        self.signal = WorkloadSignal("workload", self.clock)
        self.began = began
        self.at = self.clock.now()

    async def see(self, *pods: Instance, passed: float = 5.0, **fields):
        await asyncio.sleep(passed)
        seen = state(*pods, at=self.clock.now(), **fields)
        (sample,) = await self.signal.poll(PollContext(state=seen, release="new", release_started=self.began))
        return sample


@pytest.mark.asyncio
@pytest.mark.looptime
class TestBlame:
    async def test_all_pods_ready_is_good_and_names_the_release_and_the_time_it_speaks_of(self):
        watch = Watch()
        sample = await watch.see(pod(1), pod(2), pod(3))
        assert (sample.reading, sample.release, sample.instance) == (GOOD, "new", None)
        assert sample.end - sample.start == 5.0
        assert sample.detail == "3 of 3 pods ready, 0 restarts lately"

    async def test_a_crash_loop_on_half_of_the_new_pods_is_bad(self):
        sample = await Watch().see(crashing(1), crashing(2), pod(3), pod(4))
        assert sample.reading == BAD
        assert "2 pods of 4 in a crash loop, 6 restarts: CrashLoopBackOff" in sample.detail

    async def test_one_crashing_pod_of_several_is_not_the_release(self):
        assert (await Watch().see(crashing(1), pod(2), pod(3))).reading == GOOD

    async def test_the_only_new_pod_needs_three_restarts(self):
        old = [pod(n, "old") for n in range(3)]
        assert (await Watch().see(crashing(1, restarts=2), *old)).reading == NONE
        assert (await Watch().see(crashing(1, restarts=3), *old)).reading == BAD

    async def test_restarts_that_are_seen_happening_count_even_between_two_back_offs(self):
        watch = Watch()
        await watch.see(pod(1), pod(2))
        await watch.see(pod(1, restarts=1), pod(2, restarts=1))
        sample = await watch.see(pod(1, restarts=2), pod(2, restarts=2))
        assert (sample.reading, "4 restarts" in sample.detail) == (BAD, True)

    async def test_restarts_of_weeks_ago_found_at_the_first_look_do_not_count(self):
        weeks = 1_000_000.0
        watch = Watch(began=NEW_YEAR - weeks)
        assert (await watch.see(pod(1, restarts=9, age=weeks), pod(2, restarts=9, age=weeks))).reading == GOOD

    async def test_restarts_of_a_young_release_found_at_the_first_look_do(self):
        watch = Watch(began=NEW_YEAR - 100)
        assert (await watch.see(pod(1, restarts=2, age=90), pod(2, restarts=2, age=90))).reading == BAD

    async def test_restarts_are_forgotten_after_the_window(self):
        watch = Watch()
        await watch.see(pod(1), pod(2))
        assert (await watch.see(pod(1, restarts=2), pod(2, restarts=2))).reading == BAD
        assert (await watch.see(pod(1, restarts=2), pod(2, restarts=2), passed=601)).reading == GOOD

    async def test_being_killed_for_memory_again_and_again_is_a_crash_loop(self):
        sample = await Watch().see(crashing(1, problem="OOMKilled"), crashing(2, problem="OOMKilled"))
        assert (sample.reading, "OOMKilled" in sample.detail) == (BAD, True)

    @pytest.mark.parametrize("problem", ["ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"])
    async def test_what_the_template_asks_for_and_cannot_be_run_is_bad_at_once(self, problem):
        old = [pod(n, "old") for n in range(3)]
        sample = await Watch().see(pod(1, ready=False, problem=problem, age=2), *old)
        assert (sample.reading, problem in sample.detail) == (BAD, True)

    async def test_the_progress_deadline_is_bad(self):
        sample = await Watch().see(pod(1, ready=False), stuck="ProgressDeadlineExceeded: timed out")
        assert (sample.reading, "ProgressDeadlineExceeded" in sample.detail) == (BAD, True)

    async def test_never_ready_for_more_than_240_seconds_is_bad_and_before_it_is_neutral(self):
        old = [pod(n, "old") for n in range(3)]
        watch = Watch()
        assert (await watch.see(pod(1, ready=False, age=200), *old)).reading == NONE
        assert (await watch.see(pod(1, ready=False, age=200), *old, passed=30)).reading == NONE
        assert (await watch.see(pod(1, ready=False, age=200), *old, passed=10)).reading == BAD

    async def test_pods_that_were_ready_and_are_not_are_bad(self):
        watch = Watch()
        await watch.see(pod(1), pod(2), pod(3), complete=True, in_progress=False)
        sample = await watch.see(pod(1, ready=False), pod(2, ready=False), pod(3), in_progress=False)
        assert (sample.reading, sample.detail) == (BAD, "2 pods of 3 were ready and are not")


@pytest.mark.asyncio
@pytest.mark.looptime
class TestNoBlame:
    async def test_a_rolling_updates_normal_unavailability_is_neutral_then_good(self):
        old = [pod(n, "old") for n in range(3)]
        watch = Watch()
        readings = [
            (await watch.see(*old)).reading,
            (await watch.see(pod(1, ready=False, age=0), *old)).reading,
            (await watch.see(pod(1), pod(2, ready=False, age=0), *old[1:])).reading,
            (await watch.see(pod(1), pod(2), pod(3))).reading,
        ]
        assert readings == [NONE, NONE, GOOD, GOOD]

    async def test_pods_that_leave_do_not_count(self):
        leaving = crashing(1, terminating=True), crashing(2, terminating=True)
        assert (await Watch().see(*leaving, pod(3))).reading == GOOD

    async def test_scaling_up_a_complete_release_is_good(self):
        fresh = [pod(n, ready=False, age=1) for n in range(5, 15)]
        assert (await Watch().see(pod(1), *fresh, in_progress=False)).reading == GOOD

    async def test_scaled_to_zero_has_no_events(self):
        sample = await Watch().see(wanted=0)
        assert (sample.reading, sample.detail) == (NONE, "scaled to zero")

    @pytest.mark.parametrize("problem", sorted(ENVIRONMENT))
    async def test_node_and_capacity_trouble_is_unknown_even_after_the_deadline(self, problem):
        old = [pod(n, "old") for n in range(3)]
        waiting = pod(1, ready=False, problem=problem, age=1000)
        for stuck in ("", "ProgressDeadlineExceeded: timed out"):
            sample = await Watch().see(waiting, *old, stuck=stuck)
            assert isinstance(sample.reading, Unknown)
            assert problem in sample.reading.reason

    async def test_pods_without_a_place_beside_pods_that_run_are_said_and_good(self):
        sample = await Watch().see(pod(1), pod(2, ready=False, problem="Unschedulable", age=1000))
        assert (sample.reading, "1 pod hindered by the cluster: Unschedulable" in sample.detail) == (GOOD, True)

    async def test_a_full_quota_is_unknown(self):
        stuck = "ProgressDeadlineExceeded: timed out; pods cannot be created: FailedCreate: exceeded quota"
        for pods in ((), (pod(1, ready=False),)):
            assert isinstance((await Watch().see(*pods, stuck=stuck)).reading, Unknown)

    async def test_images_that_the_old_release_cannot_pull_either_are_the_registrys_fault(self):
        pull = {"ready": False, "problem": "ImagePullBackOff"}
        sample = await Watch().see(pod(1, **pull), pod(2, "old", **pull))
        assert isinstance(sample.reading, Unknown)
        assert "so are 1 of 1 pods of the old release" in sample.reading.reason

    async def test_a_crash_loop_that_the_old_pods_share_is_not_the_releases(self):
        sample = await Watch().see(crashing(1), crashing(2), crashing(1, "old"), crashing(2, "old"))
        assert isinstance(sample.reading, Unknown)

    async def test_old_pods_that_lose_readiness_too_point_elsewhere(self):
        watch = Watch()
        await watch.see(pod(1), pod(2), pod(1, "old"))
        sample = await watch.see(pod(1, ready=False), pod(2, ready=False), pod(1, "old", ready=False))
        assert isinstance(sample.reading, Unknown)

    async def test_crashes_on_one_node_only_while_pods_elsewhere_are_well_blame_the_node(self):
        bad = [crashing(n, node="node-9") for n in (1, 2)]
        sample = await Watch().see(*bad, pod(3, node="node-1"), pod(4, node="node-2"))
        assert isinstance(sample.reading, Unknown)
        assert "node node-9" in sample.reading.reason

    async def test_on_the_only_node_there_is_nothing_to_compare_with_so_the_release_is_blamed(self):
        assert (await Watch().see(*(crashing(n, node="only") for n in (1, 2)))).reading == BAD

    async def test_a_service_that_restarted_as_often_before_is_not_blamed_on_the_new_release(self):
        watch = Watch()
        for count in range(13):
            seen = state(*(pod(n, "old", restarts=count, age=10_000) for n in (1, 2)), at=watch.clock.now())
            await watch.signal.poll(PollContext(state=replace(seen, release=Release(fingerprint="old"))))
            await asyncio.sleep(60)
        await watch.see(pod(1), pod(2), passed=1)
        for count in (1, 2):
            sample = await watch.see(pod(1, restarts=count), pod(2, restarts=count), passed=60)
        assert isinstance(sample.reading, Unknown)
        assert "no more often than under the release before" in sample.reading.reason


@pytest.mark.asyncio
@pytest.mark.looptime
class TestUnknown:
    async def test_no_state_yet_is_unknown(self):
        (sample,) = await Watch().signal.poll(PollContext())
        assert sample.reading == Unknown(reason="the workload could not be read yet")

    async def test_a_read_older_than_three_polls_is_unknown(self):
        watch = Watch()
        seen = state(pod(1), at=watch.clock.now())
        context = PollContext(state=seen, release="new")
        (first,) = await watch.signal.poll(context)
        await asyncio.sleep(15)
        assert await watch.signal.poll(context) == (), "the same read is never counted twice"
        await asyncio.sleep(1)
        (late,) = await watch.signal.poll(context)
        assert (first.reading, late.reading) == (GOOD, Unknown(reason="the workload could not be read for 16 s"))

    async def test_it_brings_no_user_events_and_closes(self):
        signal = Watch().signal
        assert signal.counts_users is False
        await signal.close()


PROBLEMS = st.sampled_from(["", "CrashLoopBackOff", "ImagePullBackOff", "Unschedulable", "OOMKilled", "Whatever"])


@given(
    pods=st.lists(
        st.builds(
            lambda n, release, ready, problem, restarts, age: pod(
                n, release, ready=ready, problem=problem, restarts=restarts, age=age
            ),
            st.integers(0, 50),
            st.sampled_from(["new", "old"]),
            st.booleans(),
            PROBLEMS,
            st.integers(0, 9),
            st.floats(0, 2000),
        ),
        max_size=8,
        unique_by=lambda entry: entry.name,
    )
)
def test_whatever_the_pods_there_is_one_event_with_a_detail_and_never_a_bad_one_while_all_new_pods_are_well(pods):
    async def look():
        watch = Watch()
        watch.clock.now()
        seen = state(*pods, at=watch.clock.now())
        (sample,) = await watch.signal.poll(PollContext(state=seen, release="new"))
        return sample

    sample = asyncio.run(look())
    assert sample.detail
    assert sample.reading in (GOOD, BAD, NONE) or isinstance(sample.reading, Unknown)
    new = [entry for entry in pods if entry.release == "new"]
    if all(entry.ready and not entry.problem for entry in new):
        assert sample.reading != BAD


def test_the_defaults_are_those_of_the_design():
    assert WorkloadTolerances() == WorkloadTolerances(
        every_s=5.0,
        stale_polls=3,
        never_ready_s=240.0,
        crash_restarts=2,
        lone_restarts=3,
        window_s=600.0,
        worse_than_before=2.0,
    )
