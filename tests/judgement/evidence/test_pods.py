"""Pod by pod: what is not the release's fault, and what is found although the service looks fine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.judgement.evidence.streams import POLL, fires_at, new_engine, poll

REQUESTS = 20


def pod(
    name: str, *, new: bool = True, since: float | None = 100.0, share: float = 0.0, restarts: int = 0
) -> dict[str, Any]:
    """One pod; `since` None = not ready, and then it has no counts."""
    said: dict[str, Any] = {"id": name, "new": new, "ready": since is not None, "since": since, "restarts": restarts}
    if since is not None:
        said |= poll(REQUESTS, share)
    return said


def fleet(pods: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A poll whose service counts are the sums of its pods, as the interface asks."""
    ready = [one for one in pods if one["ready"]]
    sums = {name: (sum(one[name][0] for one in ready), sum(one[name][1] for one in ready)) for name in ("err", "slow")}
    probe = (1, int(any(one["probe"][1] for one in ready) or not ready))
    return {"probe": probe, **sums, "pods": pods, "ready": (len(ready), len(pods)), **more}


def rolling(number: int, warm_up_s: float, share: float, pods: int = 6, every_s: float = 30.0) -> dict[str, Any]:
    """Poll `number` of a rolling update in which each new pod fails for a while after it became ready."""
    at = number * POLL
    said = []
    for index in range(pods):
        since = at - every_s * index
        if since >= 0:
            said.append(pod(f"new-{index}", since=since, share=share if since < warm_up_s else 0.0))
        else:
            said.append(pod(f"old-{index}", new=False, since=3600.0))
    return fleet(said)


def test_warm_ups_of_one_pod_after_another_do_not_add_up():
    polls = [rolling(number, 20.0, 1.0) for number in range(120)]
    assert fires_at(new_engine(24), polls) is None


def test_the_same_seen_only_as_a_whole_would_have_fired():
    """Which is why pods are looked at one by one; without them it cannot be cured."""
    whole = [
        {name: bins[name] for name in ("probe", "err", "slow")} for bins in (rolling(n, 20.0, 1.0) for n in range(120))
    ]
    assert fires_at(new_engine(24), whole) is not None


def test_new_pods_that_fail_beside_healthy_old_ones_are_blamed_although_most_users_are_fine():
    polls = [
        fleet([pod("new-0", since=5.0 * n, share=1.0), *[pod(f"old-{i}", new=False) for i in range(9)]])
        for n in range(40)
    ]
    number = fires_at(new_engine(40), polls)
    assert number is not None
    assert 35 <= 5 * number <= 65


def test_an_outage_that_old_pods_share_is_not_blamed_on_the_new_ones():
    quiet = [fleet([pod("new-0", since=100), *[pod(f"old-{i}", new=False) for i in range(3)]])] * 10
    outage = [
        fleet([pod("new-0", since=100, share=0.4), *[pod(f"old-{i}", new=False, share=0.4) for i in range(3)]])
    ] * 60
    assert fires_at(new_engine(16), quiet + outage) is None


def test_a_release_far_worse_than_the_shared_outage_is_blamed_all_the_same():
    polls = [
        fleet(
            [
                pod("new-0", share=1.0),
                pod("new-1", share=1.0),
                *[pod(f"old-{i}", new=False, share=0.3) for i in range(3)],
            ]
        )
    ] * 60
    assert fires_at(new_engine(16), polls) is not None


@pytest.mark.parametrize("where", ["control", "old"])
def test_an_outage_that_a_control_or_the_old_release_as_a_whole_shares_holds(where):
    sick = poll(50, 0.3)
    assert fires_at(new_engine(), [{**sick, where: sick}] * 120) is None
    assert fires_at(new_engine(), [{**sick, where: poll(50)}] * 120) is not None


def test_a_control_that_is_well_again_no_longer_holds():
    judge, sick = new_engine(), poll(50, 0.3)
    assert fires_at(judge, [{**sick, "control": sick}] * 30) is None
    number = fires_at(judge, [{**sick, "control": poll(50)}] * 120)
    assert number is not None
    assert number * POLL > 60


def test_one_odd_pod_beside_many_fine_ones_is_told_and_not_rolled_back():
    judge = new_engine(24)
    polls = [
        fleet([pod("odd", since=100 + 5.0 * n, share=0.98), *[pod(f"new-{i}", since=100 + 5.0 * n) for i in range(5)]])
        for n in range(100)
    ]
    assert fires_at(judge, polls) is None
    assert judge.state.pods.odd == ("odd",)


def test_half_of_the_pods_failing_is_the_release():
    polls = [fleet([*[pod(f"bad-{i}", share=0.98) for i in range(3)], *[pod(f"new-{i}") for i in range(3)]])] * 100
    assert fires_at(new_engine(24), polls) is not None


def test_the_rollouts_own_gap_of_a_minute_is_waited_for():
    gap = [{**poll(50, 1.0), "ready": (0, 3)}] * 12
    assert fires_at(new_engine(), [*gap, *[{**poll(50), "ready": (3, 3)}] * 60]) is None


def test_a_gap_in_which_a_minority_is_ready_and_fails_is_waited_for_as_well():
    """One of four is up and refuses most users for a minute, until the others are ready."""
    gap = [{**poll(50, 0.9), "ready": (1, 4)}] * 14
    assert fires_at(new_engine(), [*gap, *[{**poll(50), "ready": (4, 4)}] * 60]) is None
    assert fires_at(new_engine(), [{**poll(50, 0.9), "ready": (1, 4)}] * 60) is not None


def test_nothing_ready_for_longer_rolls_back_at_its_limit():
    judge = new_engine()
    assert fires_at(judge, [{**poll(50, 1.0), "ready": (0, 3)}] * 60) == 15
    assert "no pod has been ready for 75 s" in judge.why


def test_a_gap_long_after_the_deploy_is_an_outage_as_any_other():
    judge = new_engine()
    assert fires_at(judge, [{**poll(50), "ready": (3, 3)}] * 60) is None
    number = fires_at(judge, [{**poll(50, 1.0), "ready": (0, 3)}] * 60)
    assert number is not None
    assert number * POLL <= 60


def test_a_new_pod_that_never_becomes_ready_is_found_long_before_the_progress_deadline():
    judge = new_engine()
    polls = [fleet([pod("new-0", since=None), *[pod(f"old-{i}", new=False) for i in range(3)]])] * 100
    assert fires_at(judge, polls) == 48
    assert "none of 1 new pods became ready" in judge.why


def test_a_slow_start_just_below_the_limit_does_not_fire():
    slow = [fleet([pod("new-0", since=None), pod("old-0", new=False)])] * 46
    assert fires_at(new_engine(), [*slow, *[fleet([pod("new-0", since=0.0), pod("old-0", new=False)])] * 30]) is None


@pytest.mark.parametrize(
    ("restarts", "fires"),
    [([2, 2, 0, 0], True), ([9, 0, 0, 0], False), ([1, 1, 1, 1], False), ([3], True), ([2], False)],
)
def test_a_crash_loop_is_two_restarts_on_half_of_the_new_pods_or_three_of_the_only_one(restarts, fires):
    polls = [fleet([pod(f"new-{i}", restarts=count) for i, count in enumerate(restarts)])]
    assert (fires_at(new_engine(), polls) == 1) is fires


def test_a_bare_total_of_restarts_counts_only_what_one_pod_with_back_off_cannot_do():
    assert fires_at(new_engine(), [{**poll(50), "ready": (3, 3), "restarts": 4}] * 10) == 1
    long_ago = [{**poll(50), "ready": (3, 3), "restarts": 0}] * 240
    judge = new_engine()
    fires_at(judge, long_ago)
    assert fires_at(judge, [{**poll(50), "ready": (3, 3), "restarts": 8}] * 3) is None


def test_probes_that_fail_while_users_are_fine_are_held_and_do_not_roll_back():
    judge = new_engine()
    assert fires_at(judge, [{**poll(50), "probe": (1, 1)}] * 120) is None
    assert judge.evidence <= 0.6


def test_the_same_without_requests_rolls_back():
    assert fires_at(new_engine(), [{"probe": (1, 1)}] * 30) is not None


def test_the_fourth_interruption_within_ten_minutes_rolls_back_and_the_third_does_not():
    down, up = [poll(50, 1.0)] * 4, [poll(50)] * 16
    judge = new_engine()
    assert fires_at(judge, (down + up) * 3) is None
    number = fires_at(judge, down + up)
    assert number is not None
    assert number <= 4


def test_interruptions_far_apart_are_forgotten():
    assert fires_at(new_engine(), ([poll(50, 1.0)] * 4 + [poll(50)] * 60) * 8) is None


def test_interruptions_too_short_to_count_do_not_count_at_one_second_polls():
    assert fires_at(new_engine(10, 1.0), ([poll(10, 1.0)] * 4 + [poll(10)] * 40) * 7) is None
