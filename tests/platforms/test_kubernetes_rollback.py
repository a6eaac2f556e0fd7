"""The traps of a rollback in Kubernetes, by their numbers in facts/back-ends section 14, on the fake API server."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
import pytest_asyncio

from tests.platforms.kubernetes_shop import DEADLINE_S, NAME, NS, Shop, template
from watchdog.model import Finding, Issue, Owner, Progress, Release, Resolution
from watchdog.platforms.kubernetes.fingerprint import fingerprint
from watchdog.ports import PermitRefused
from watchdog.safety.permits import PermitOffice
from watchdog.testing.kubernetes import Fault

RESTARTED = "kubectl.kubernetes.io/restartedAt"
CAUSE = "kubernetes.io/change-cause"
OURS = "rollback-watchdog.dev"


@pytest_asyncio.fixture
async def shop(tmp_path):
    async with Shop(tmp_path) as made:
        yield made


def restart(shop: Shop) -> None:
    """``kubectl rollout restart``."""

    def change(manifest):
        metadata = manifest["spec"]["template"]["metadata"]
        metadata.setdefault("annotations", {})[RESTARTED] = "2026-01-01T00:00:00Z"

    shop.edit(change)


def good_restarted_bad(shop: Shop) -> None:
    """Three revisions: good, the same restarted, bad."""
    shop.begin("web:1", template=template("web:1"))
    shop.edit(lambda d: d["metadata"]["annotations"].update({CAUSE: "release 1"}))
    shop.release("web:bad", cause="release 2, the bad one")


# -- oracle 1 --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_oracle_1_a_restart_is_no_release_so_the_target_is_the_good_template_and_not_the_previous_revision(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    restart(shop)
    history = await shop.platform.history()
    state = await shop.platform.read_state()
    assert [release.images["web"] for release in history] == ["web:bad", "web:1"]
    assert history[0].fingerprint == state.release.fingerprint
    plan = await shop.platform.plan(state, history[1], "incident-1")
    assert plan.to_release == fingerprint(template("web:1"))


@pytest.mark.asyncio
async def test_oracle_1_the_request_is_one_strategic_merge_patch_with_version_replace_cause_and_our_marks(shop):
    good_restarted_bad(shop)
    plan = await shop.plan_back()
    shop.server.requests.clear()
    shop.term = 7
    version = shop.live()["metadata"]["resourceVersion"]
    intent = shop.intent(plan)
    assert (await shop.execute(intent)).issue is Issue.ISSUED
    (write,) = shop.server.writes
    assert (write.verb, write.path) == ("PATCH", f"/apis/apps/v1/namespaces/{NS}/deployments/{NAME}")
    assert write.content_type == "application/strategic-merge-patch+json"
    assert dict(write.query) == {"fieldManager": "watchdog"}
    assert write.agent == "rollback-watchdog"
    assert write.body == {
        "metadata": {
            "resourceVersion": version,
            "annotations": {
                CAUSE: "release 1",
                f"{OURS}/rollback-id": intent.id,
                f"{OURS}/rolled-back-from": plan.from_release,
                f"{OURS}/fence": "7",
            },
        },
        "spec": {
            "template": {
                "$patch": "replace",
                "metadata": {"labels": {"app": "web"}},
                "spec": template("web:1")["spec"],
            }
        },
    }


@pytest.mark.asyncio
async def test_oracle_1_annotations_added_later_survive_and_the_cause_is_the_targets(shop):
    good_restarted_bad(shop)
    shop.edit(lambda d: d["metadata"]["annotations"].update({"team": "books"}))
    await shop.execute(shop.intent(await shop.plan_back()))
    annotations = shop.live()["metadata"]["annotations"]
    assert annotations["team"] == "books"
    assert annotations[CAUSE] == "release 1"
    assert annotations["deployment.kubernetes.io/revision"] == "3"


@pytest.mark.asyncio
async def test_oracle_1_a_target_without_a_cause_does_not_inherit_the_bad_ones(shop):
    shop.begin("web:1")
    shop.release("web:bad", cause="the bad one")
    await shop.execute(shop.intent(await shop.plan_back()))
    assert CAUSE not in shop.live()["metadata"]["annotations"]
    current = next(rs for rs in shop.server.all("replicasets", NS) if rs["status"].get("replicas"))
    assert "the bad one" not in current["metadata"]["annotations"].values()


@pytest.mark.asyncio
async def test_nothing_of_the_bad_template_survives_and_replicas_stay_what_the_autoscaler_made_them(shop):
    shop.begin("web:1")

    def bad(manifest):
        pod = manifest["spec"]["template"]["spec"]
        pod["containers"].append({"name": "sidecar", "image": "bad:1"})
        pod["containers"][0]["env"] = [{"name": "FLAG", "value": "on"}]
        pod["hostNetwork"] = True
        manifest["spec"]["replicas"] = 7

    shop.edit(bad)
    good = next(r for r in await shop.platform.history() if r.images == {"web": "web:1"})
    plan = await shop.platform.plan(await shop.platform.read_state(), good, "i")
    await shop.execute(shop.intent(plan))
    live = shop.live()
    assert live["spec"]["template"]["spec"] == template("web:1")["spec"]
    assert live["spec"]["template"]["metadata"] == {"labels": {"app": "web"}}
    assert live["spec"]["replicas"] == 7


# -- oracle 2 --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_oracle_2_a_newer_release_between_plan_and_write_is_not_written_at_all(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    plan = await shop.plan_back()
    shop.release("web:newer")
    intent = shop.intent(plan)
    outcome = await shop.execute(intent)
    assert outcome.issue is Issue.PRECONDITION_FAILED
    assert shop.server.writes == []
    assert await shop.platform.resolve(intent) is Resolution.OVERTAKEN


@pytest.mark.asyncio
async def test_oracle_2_a_newer_release_between_our_read_and_our_write_gets_one_refused_write_and_stays(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    intent = shop.intent(await shop.plan_back())
    shop.server.before.append(("PATCH", lambda: shop.release("web:newer")))
    outcome = await shop.execute(intent)
    assert outcome.issue is Issue.PRECONDITION_FAILED
    assert "between our read and our write" in outcome.sentence
    assert len(shop.server.writes) == 1
    assert shop.image() == "web:newer"


@pytest.mark.asyncio
async def test_oracle_2_an_autoscaler_in_between_costs_one_attempt_and_the_next_succeeds_with_its_replicas(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    plan = await shop.plan_back()
    shop.server.before.append(("PATCH", lambda: shop.edit(lambda d: d["spec"].update(replicas=9))))
    first = await shop.execute(shop.intent(plan))
    second = await shop.execute(shop.intent(await shop.plan_back()))
    assert (first.issue, second.issue) == (Issue.PRECONDITION_FAILED, Issue.ISSUED)
    assert len(shop.server.writes) == 2
    assert (shop.image(), shop.live()["spec"]["replicas"]) == ("web:1", 9)


@pytest.mark.asyncio
async def test_a_plan_on_a_state_that_is_no_longer_true_is_refused(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    state, good = await shop.platform.read_state(), await shop.good()
    shop.release("web:newer")
    with pytest.raises(ValueError, match="changed since it was read"):
        await shop.platform.plan(state, good, "i")


@pytest.mark.asyncio
async def test_a_workload_made_anew_under_the_same_name_is_not_written(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    intent = shop.intent(await shop.plan_back())
    shop.server.remove("deployments", NS, NAME)
    shop.begin("web:bad")
    assert (await shop.execute(intent)).issue is Issue.PRECONDITION_FAILED
    assert shop.server.writes == []
    assert await shop.platform.resolve(intent) is Resolution.GONE


@pytest.mark.asyncio
async def test_a_deleted_workload_is_gone_and_not_written(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    intent = shop.intent(await shop.plan_back())
    shop.server.remove("deployments", NS, NAME)
    assert (await shop.execute(intent)).issue is Issue.PRECONDITION_FAILED
    assert await shop.platform.resolve(intent) is Resolution.GONE
    assert (await shop.platform.confirm(intent)).progress is Progress.SUPERSEDED


@pytest.mark.asyncio
async def test_a_newer_holder_of_the_lease_makes_an_older_one_stand_down(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    shop.edit(lambda d: d["metadata"]["annotations"].update({f"{OURS}/fence": "9"}))
    shop.term = 8
    outcome = await shop.execute(shop.intent(await shop.plan_back()))
    assert outcome.issue is Issue.PRECONDITION_FAILED
    assert "term 9" in outcome.sentence
    assert shop.server.writes == []


@pytest.mark.asyncio
async def test_a_permit_that_is_refused_sends_not_even_a_read(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    intent = shop.intent(await shop.plan_back())
    shop.server.requests.clear()
    shop.office = PermitOffice(b"another office's")
    with pytest.raises(PermitRefused):
        await shop.execute(intent)
    assert shop.server.requests == []


# -- oracle 3 --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_oracle_3_fields_that_no_client_knows_come_back_unchanged(shop):
    good = template("web:1")
    good["spec"]["quantumTunnel"] = {"depth": 3, "ends": ["a", "b"]}
    good["spec"]["containers"][0]["moodRing"] = "blue"
    shop.begin("web:1", template=good)
    shop.release("web:bad")
    await shop.execute(shop.intent(await shop.plan_back()))
    assert shop.live()["spec"]["template"]["spec"] == good["spec"]


# -- oracle 4 --------------------------------------------------------------------------------------------------------


def gave_up(shop: Shop, seconds: float) -> None:
    """The controller gives up on the Deployment, `seconds` after the beginning of the world."""
    at = shop.server.objects.now()
    at = f"{at[:17]}{int(at[17:19]) + int(seconds):02d}Z"

    def change(manifest):
        condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        manifest["status"]["conditions"] = [{**condition, "message": "timed out", "lastUpdateTime": at}]

    shop.server.lagging = True
    shop.edit(change)


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_oracle_4_a_deadline_from_before_our_write_does_not_fail_the_rollback_and_a_later_one_does(shop):
    shop.server.behave("web:bad", ready=False)
    shop.begin("web:1")
    shop.release("web:bad")
    gave_up(shop, 0)
    await asyncio.sleep(5)
    intent = shop.intent(await shop.plan_back())
    await shop.execute(intent)
    shop.edit(lambda d: d["status"].update(observedGeneration=d["metadata"]["generation"]))
    stale = await shop.platform.confirm(intent)
    assert stale.progress is Progress.PENDING
    await asyncio.sleep(5)
    gave_up(shop, 0)
    shop.edit(lambda d: d["status"].update(observedGeneration=d["metadata"]["generation"]))
    assert (await shop.platform.confirm(intent)).progress is Progress.STUCK


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_oracle_4_a_complete_deployment_with_a_left_over_deadline_is_rolled_out(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    intent = shop.intent(await shop.plan_back())
    await shop.execute(intent)
    gave_up(shop, 30)
    shop.edit(lambda d: d["status"].update(observedGeneration=d["metadata"]["generation"]))
    assert (await shop.platform.confirm(intent)).progress is Progress.OBSERVED
    state = await shop.platform.read_state()
    assert (state.complete, state.stuck) == (True, "")


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_oracle_4_a_crash_after_the_rollout_completed_shows_in_the_pods_though_progressing_says_done(shop):
    shop.begin("web:1")
    await asyncio.sleep(30)
    await shop.platform.read_state()

    def crash(pod):
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
        pod["status"]["containerStatuses"][0] |= {
            "restartCount": 3,
            "ready": False,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        }

    for pod in shop.pods():
        shop.server.edit("pods", NS, pod["metadata"]["name"], crash, "v1")
    state = await shop.platform.read_state()
    assert (state.complete, state.in_progress, state.ready) == (False, False, 0)
    assert [(pod.problem, pod.restarts) for pod in state.instances] == [("CrashLoopBackOff", 3)] * 3
    reason = next(c["reason"] for c in shop.live()["status"]["conditions"] if c["type"] == "Progressing")
    assert reason in ("NewReplicaSetAvailable", "ReplicaSetUpdated")


# -- oracle 5 --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_oracle_5_a_paused_deployment_is_refused_in_plan_and_write(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    intent = shop.intent(await shop.plan_back())
    shop.edit(lambda d: d["spec"].update(paused=True))
    with pytest.raises(ValueError, match="paused"):
        await shop.plan_back()
    outcome = await shop.execute(intent)
    assert outcome.issue is Issue.PRECONDITION_FAILED
    assert "paused" in outcome.sentence
    assert shop.server.writes == []


@pytest.mark.asyncio
async def test_oracle_5_without_any_history_our_own_template_brings_the_release_back(shop):
    shop.begin("web:1", revisionHistoryLimit=0)
    good = (await shop.platform.read_state()).release
    shop.release("web:bad")
    shop.server.settle()
    assert [release.images["web"] for release in await shop.platform.history()] == ["web:bad"]
    plan = await shop.platform.plan(await shop.platform.read_state(), good, "i")
    assert (await shop.execute(shop.intent(plan))).issue is Issue.ISSUED
    assert (await shop.platform.read_state()).release.fingerprint == good.fingerprint


@pytest.mark.asyncio
async def test_oracle_5_a_release_whose_template_nobody_kept_is_refused(shop):
    shop.begin("web:1")
    lost = Release(fingerprint="f" * 64, revision="1")
    with pytest.raises(ValueError, match="no template"):
        await shop.platform.plan(await shop.platform.read_state(), lost, "i")
    (finding,) = await shop.platform.preflight(lost)
    assert finding.blocks


@pytest.mark.asyncio
async def test_oracle_5_a_missing_config_map_blocks_and_is_named(shop):
    good = template("web:1")
    good["spec"]["volumes"] = [{"name": "conf", "configMap": {"name": "web-conf-7d4f"}}]
    shop.begin("web:1", template=good)
    shop.release("web:bad")
    release = await shop.good()
    blocking = [finding for finding in await shop.platform.preflight(release) if finding.blocks]
    assert [finding.sentence for finding in blocking] == [
        "ConfigMap web-conf-7d4f, which the release needs, does not exist"
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("mark", "owner", "word"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": f"books:apps/Deployment:{NS}/{NAME}"}}, Owner.GITOPS, "books"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux"}}, Owner.GITOPS, "flux/apps"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "web"}}, Owner.GITOPS, "HelmRelease"),
        ({"managedFields": [{"manager": "argocd-controller", "operation": "Apply"}]}, Owner.GITOPS, "argocd-controller"),
        ({"ownerReferences": [{"kind": "Shop", "name": "s", "uid": "u", "controller": True}]}, Owner.CONTROLLER, "Shop s"),
    ],
)  # fmt: skip
async def test_oracle_5_what_somebody_else_owns_is_refused_in_detection_plan_and_write(shop, mark, owner, word):
    shop.begin("web:1")
    shop.release("web:bad")
    intent = shop.intent(await shop.plan_back())

    def claim(manifest):
        for key, value in mark.items():
            there = manifest["metadata"].get(key)
            manifest["metadata"][key] = {**there, **value} if isinstance(there, dict) else value

    shop.edit(claim)
    found = await shop.platform.detect_owner()
    assert found.owner is owner
    assert word in found.sentence
    with pytest.raises(ValueError, match=word):
        await shop.plan_back()
    outcome = await shop.execute(intent)
    assert outcome.issue is Issue.PRECONDITION_FAILED
    assert word in outcome.sentence
    assert shop.server.writes == []


@pytest.mark.asyncio
async def test_an_object_that_is_being_deleted_is_refused(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    intent = shop.intent(await shop.plan_back())
    shop.edit(lambda d: d["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z"))
    with pytest.raises(ValueError, match="being deleted"):
        await shop.plan_back()
    assert (await shop.execute(intent)).issue is Issue.PRECONDITION_FAILED
    assert (await shop.platform.read_state()).deleting


@pytest.mark.asyncio
async def test_recreate_needs_an_opt_in_as_long_as_pods_serve(tmp_path):
    async with Shop(tmp_path) as shop:
        shop.begin("web:1", strategy={"type": "Recreate"})
        shop.release("web:bad")
        with pytest.raises(ValueError, match="allow_recreate"):
            await shop.plan_back()
    async with Shop(tmp_path, allow_recreate=True) as shop:
        shop.begin("web:1", strategy={"type": "Recreate"})
        shop.release("web:bad")
        plan = await shop.plan_back()
        assert "every pod stops" in plan.warnings[0]
        assert (await shop.platform.read_state()).recreate


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Deployment", {"strategy": {"type": "Quantum"}}),
        ("StatefulSet", {"updateStrategy": {"type": "Recreate"}}),
        ("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}),
        ("DaemonSet", {"updateStrategy": {"type": "OnDelete"}}),
    ],
)
async def test_strategies_that_we_do_not_know_or_that_change_no_pod_are_refused(tmp_path, kind, spec):
    async with Shop(tmp_path, kind) as shop:
        shop.begin("web:1", **spec)
        shop.release("web:bad")
        name = next(iter(spec.values()))["type"]
        with pytest.raises(ValueError, match=name):
            await shop.plan_back()


# -- oracle 6 --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_oracle_6_a_tag_that_was_pushed_again_is_refused_with_the_digest_that_would_help(shop):
    shop.server.behave("web:1", digest="sha256:" + "a" * 64)
    shop.begin("web:1")
    good = (await shop.platform.read_state()).release
    assert good.digests == {"web": "sha256:" + "a" * 64}
    shop.server.behave("web:1", digest="sha256:" + "b" * 64)
    restart(shop)
    state = await shop.platform.read_state()
    assert state.release.fingerprint == good.fingerprint
    assert state.release.digests == {"web": "sha256:" + "b" * 64}
    with pytest.raises(ValueError, match=f"pushed again.*web=web@sha256:{'a' * 64}"):
        await shop.platform.plan(state, good, "i")


@pytest.mark.asyncio
async def test_oracle_6_a_good_release_whose_tag_brings_another_image_today_is_blocked_in_preflight(shop):
    shop.server.behave("web:1", digest="sha256:" + "a" * 64)
    shop.begin("web:1")
    good = (await shop.platform.read_state()).release
    shop.server.behave("web:1", digest="sha256:" + "b" * 64)
    shop.release("web:1", flag="on")
    blocking = [finding for finding in await shop.platform.preflight(good) if finding.blocks]
    assert [finding.name for finding in blocking] == ["image"]


@pytest.mark.asyncio
async def test_oracle_6_pods_of_one_release_with_different_images_are_noted(shop):
    shop.begin("web:1")
    name = shop.pods()[0]["metadata"]["name"]

    def other(pod):
        pod["status"]["containerStatuses"][0]["imageID"] = "docker.io/library/web@sha256:" + "c" * 64

    shop.server.edit("pods", NS, name, other, "v1")
    release = (await shop.platform.read_state()).release
    assert "different images of the same tag: web" in release.note
    assert release.digests == {}


@pytest.mark.asyncio
async def test_oracle_6_an_image_id_without_a_digest_says_nothing(shop):
    shop.server.behave("web:1", digest="none")
    shop.begin("web:1")
    assert (await shop.platform.read_state()).release.digests == {}


# -- oracle 7 --------------------------------------------------------------------------------------------------------


async def stuck(shop: Shop, **spec):
    """A StatefulSet of three whose bad release broke the highest pod."""
    shop.begin("web:1", **spec)
    shop.server.behave("web:bad", ready=False, waiting="CrashLoopBackOff", restarts=4)
    shop.release("web:bad")
    return await shop.good()


@pytest.mark.asyncio
async def test_oracle_7_without_the_opt_in_a_stuck_stateful_set_is_refused_with_the_reason(tmp_path):
    async with Shop(tmp_path, "StatefulSet") as shop:
        good = await stuck(shop)
        with pytest.raises(ValueError, match=r"web-2.*allow_pod_delete"):
            await shop.platform.plan(await shop.platform.read_state(), good, "i")
        assert shop.server.writes == []


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_oracle_7_patch_first_then_exactly_one_delete_with_uid_after_the_controller_took_the_template_in(
    tmp_path,
):
    async with Shop(tmp_path, "StatefulSet", allow_pod_delete=True) as shop:
        good = await stuck(shop)
        broken = next(pod for pod in shop.pods() if pod["metadata"]["name"] == "web-2")
        healthy = {pod["metadata"]["uid"] for pod in shop.pods()} - {broken["metadata"]["uid"]}
        plan = await shop.platform.plan(await shop.platform.read_state(), good, "i")
        assert [step.name for step in plan.steps] == ["restore-template", "replace-pod-web-2"]
        early = await shop.execute(shop.intent(plan, 1))
        assert early.issue is Issue.PRECONDITION_FAILED, "the pod would come back bad"
        shop.server.lagging = True
        restored = shop.intent(plan, 0)
        assert (await shop.execute(restored)).issue is Issue.ISSUED
        waiting = shop.intent(plan, 1)
        not_yet = await shop.execute(waiting)
        assert (not_yet.issue, await shop.platform.resolve(waiting)) == (Issue.UNKNOWN, Resolution.NOT_ISSUED)
        assert "has not taken in the good template" in not_yet.sentence
        assert [write.verb for write in shop.server.writes] == ["PATCH"]
        shop.server.lagging = False
        shop.server.settle()
        assert (await shop.platform.confirm(restored)).progress is Progress.PENDING, "it blocks itself"
        intent = shop.intent(plan, 1)
        assert (await shop.execute(intent)).issue is Issue.ISSUED
        patch, delete = shop.server.writes
        assert (patch.verb, delete.verb) == ("PATCH", "DELETE")
        assert delete.path.endswith("/pods/web-2")
        assert delete.body["preconditions"]["uid"] == broken["metadata"]["uid"]
        assert delete.body["preconditions"]["resourceVersion"]
        assert "gracePeriodSeconds" not in delete.body
        assert await shop.platform.resolve(intent) is Resolution.ISSUED
        assert (await shop.platform.confirm(intent)).progress is Progress.OBSERVED
        assert healthy <= {pod["metadata"]["uid"] for pod in shop.pods()} or shop.image() == "web:1"


def unready(pod):
    pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]


@pytest.mark.asyncio
async def test_oracle_7_pods_below_the_partition_and_healthy_pods_are_never_deleted(tmp_path):
    async with Shop(tmp_path, "StatefulSet", allow_pod_delete=True) as shop:
        shop.begin("web:0")
        shop.release("web:1")
        good = await shop.good("web:0")
        shop.edit(lambda d: d["spec"].update(updateStrategy={"rollingUpdate": {"partition": 2}}))
        shop.server.behave("web:bad", ready=False)
        shop.release("web:bad")
        shop.server.lagging = True
        shop.server.edit("pods", NS, "web-0", unready, "v1")
        plan = await shop.platform.plan(await shop.platform.read_state(), good, "i")
        assert [step.name for step in plan.steps] == ["restore-template", "replace-pod-web-2"]
        assert "below the partition" in plan.warnings[-1]


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_oracle_7_several_broken_pods_go_one_at_a_time_from_the_lowest_which_blocks_the_others(tmp_path):
    async with Shop(tmp_path, "StatefulSet", allow_pod_delete=True) as shop:
        shop.begin("web:1")
        shop.release("web:2")
        shop.server.behave("web:1", ready=True)

        def broken(pod):
            pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]

        shop.server.lagging = True
        for name in ("web-0", "web-1", "web-2"):
            shop.server.edit("pods", NS, name, broken, "v1")
        plan = await shop.plan_back("web:1")
        assert [step.name for step in plan.steps[1:]] == ["replace-pod-web-0", "replace-pod-web-1", "replace-pod-web-2"]
        shop.server.lagging = False
        await shop.execute(shop.intent(plan, 0))
        out_of_turn = await shop.execute(shop.intent(plan, 2))
        assert (out_of_turn.issue, "web-0 has to come back first" in out_of_turn.sentence) == (Issue.UNKNOWN, True)
        for step in (1, 2, 3):
            assert (await shop.execute(shop.intent(plan, step))).issue is Issue.ISSUED
        assert [write.verb for write in shop.server.writes] == ["PATCH", "DELETE", "DELETE", "DELETE"]
        assert (await shop.platform.read_state()).complete


@pytest.mark.asyncio
async def test_oracle_7_a_pod_that_got_well_by_itself_is_left_alone(tmp_path):
    async with Shop(tmp_path, "StatefulSet", allow_pod_delete=True) as shop:
        good = await stuck(shop)
        plan = await shop.platform.plan(await shop.platform.read_state(), good, "i")
        await shop.execute(shop.intent(plan, 0))

        def well(pod):
            pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]

        shop.server.lagging = True
        shop.server.edit("pods", NS, "web-2", well, "v1")
        outcome = await shop.execute(shop.intent(plan, 1))
        assert outcome.issue is Issue.ISSUED
        assert "got well without us" in outcome.sentence
        assert [write.verb for write in shop.server.writes] == ["PATCH"]


@pytest.mark.asyncio
async def test_oracle_7_parallel_pods_replace_themselves_so_nothing_is_deleted(tmp_path):
    async with Shop(tmp_path, "StatefulSet", allow_pod_delete=True) as shop:
        good = await stuck(shop, podManagementPolicy="Parallel")
        plan = await shop.platform.plan(await shop.platform.read_state(), good, "i")
        assert [step.name for step in plan.steps] == ["restore-template"]


@pytest.mark.asyncio
async def test_oracle_7_an_opt_in_that_was_taken_back_is_obeyed_at_the_write(tmp_path):
    async with Shop(tmp_path, "StatefulSet", allow_pod_delete=True) as shop:
        good = await stuck(shop)
        plan = await shop.platform.plan(await shop.platform.read_state(), good, "i")
        await shop.execute(shop.intent(plan, 0))
        shop.config = replace(shop.config, allow_pod_delete=False)
        shop.connect()
        assert (await shop.execute(shop.intent(plan, 1))).issue is Issue.REFUSED
        assert [write.verb for write in shop.server.writes] == ["PATCH"]


@pytest.mark.asyncio
async def test_oracle_7_a_pod_of_the_good_release_that_is_not_ready_is_waited_for_and_not_deleted(tmp_path):
    async with Shop(tmp_path, "StatefulSet", allow_pod_delete=True) as shop:
        good = await stuck(shop)
        shop.server.lagging = True
        shop.server.edit("pods", NS, "web-0", unready, "v1")
        plan = await shop.platform.plan(await shop.platform.read_state(), good, "i")
        assert [step.name for step in plan.steps] == ["restore-template", "replace-pod-web-2"]


# -- oracle 8 --------------------------------------------------------------------------------------------------------


async def settled_by_reading(shop: Shop, intent) -> Resolution:
    """A new process, which knows the stored intent and nothing else."""
    shop.connect()
    return await shop.platform.resolve(intent)


@pytest.mark.asyncio
async def test_oracle_8_killed_between_intent_and_write_it_was_not_issued_and_is_written_once_in_total(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    intent = shop.intent(await shop.plan_back())
    assert await settled_by_reading(shop, intent) is Resolution.NOT_ISSUED
    again = shop.intent(await shop.plan_back())
    assert (await shop.execute(again)).issue is Issue.ISSUED
    assert await settled_by_reading(shop, again) is Resolution.ISSUED
    assert len(shop.server.writes) == 1


@pytest.mark.asyncio
async def test_oracle_8_an_answer_lost_after_the_server_applied_it_is_unknown_then_issued_and_never_sent_twice(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    intent = shop.intent(await shop.plan_back())
    shop.server.faults.append(Fault(verb="PATCH", answer="lose"))
    assert (await shop.execute(intent)).issue is Issue.UNKNOWN
    assert await settled_by_reading(shop, intent) is Resolution.ISSUED
    assert len(shop.server.writes) == 1
    assert (await shop.platform.confirm(intent)).progress is Progress.OBSERVED


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_oracle_8_a_write_that_is_never_answered_ends_at_its_deadline_as_unknown(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    intent = shop.intent(await shop.plan_back())
    shop.server.faults.append(Fault(verb="PATCH", answer="hang"))
    began = asyncio.get_running_loop().time()
    outcome = await shop.execute(intent)
    assert outcome.issue is Issue.UNKNOWN
    assert asyncio.get_running_loop().time() - began == pytest.approx(DEADLINE_S, abs=0.5)
    assert await settled_by_reading(shop, intent) is Resolution.NOT_ISSUED


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", [500, 503, 429, "drop", "html"])
async def test_oracle_8_trouble_of_the_server_is_unknown_and_the_write_is_not_repeated(shop, answer):
    shop.begin("web:1")
    shop.release("web:bad")
    intent = shop.intent(await shop.plan_back())
    shop.server.faults.append(Fault(verb="PATCH", answer=answer))
    assert (await shop.execute(intent)).issue is Issue.UNKNOWN
    assert len(shop.server.writes) == 1
    assert await shop.platform.resolve(intent) is Resolution.NOT_ISSUED


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", [400, 403, 422])
async def test_a_definite_no_of_the_server_is_refused(shop, answer):
    shop.begin("web:1")
    shop.release("web:bad")
    shop.server.faults.append(Fault(verb="PATCH", answer=answer))
    outcome = await shop.execute(shop.intent(await shop.plan_back()))
    assert outcome.issue is Issue.REFUSED
    assert str(answer) in outcome.sentence


@pytest.mark.asyncio
async def test_the_mark_of_an_older_intent_that_outlived_a_release_is_not_taken_for_ours(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    first = shop.intent(await shop.plan_back())
    await shop.execute(first)
    shop.release("web:worse")
    second = shop.intent(await shop.plan_back())
    assert await shop.platform.resolve(first) is Resolution.SUPERSEDED
    assert await shop.platform.resolve(second) is Resolution.NOT_ISSUED
    shop.release("web:1")
    assert await shop.platform.resolve(second) is Resolution.DONE_BY_OTHERS


# -- rehearsal -------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_rehearsal_sends_the_same_request_as_a_dry_run(shop):
    good_restarted_bad(shop)
    plan = await shop.plan_back()
    assert (await shop.writer.rehearse(plan.steps[0], deadline_s=5.0)).issue is Issue.ISSUED
    rehearsed = shop.server.requests[-1]
    await shop.execute(shop.intent(plan))
    (written,) = shop.server.writes
    assert rehearsed.query["dryRun"] == "All"
    assert rehearsed.body["spec"] == written.body["spec"]


@pytest.mark.asyncio
async def test_a_rehearsal_of_what_admission_would_refuse_is_refused_and_one_that_cannot_be_made_is_unknown(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    plan = await shop.plan_back()
    shop.server.faults.append(Fault(verb="PATCH", answer=403))
    assert (await shop.writer.rehearse(plan.steps[0], deadline_s=5.0)).issue is Issue.REFUSED
    shop.server.faults.append(Fault(verb="PATCH", answer=500))
    assert (await shop.writer.rehearse(plan.steps[0], deadline_s=5.0)).issue is Issue.UNKNOWN


# -- permissions -----------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_missing_rights_are_told_by_name_with_what_they_are_for(shop):
    assert await shop.platform.check_permissions() == ()
    shop.server.denied |= {("patch", "deployments"), ("get", "pods/log")}
    needed, optional = sorted(await shop.platform.check_permissions(), key=lambda f: not f.blocks)
    assert needed == Finding(
        name="patch deployments.apps web",
        sentence="not allowed to patch deployments.apps web in shop: needed to put the good template back",
        blocks=True,
    )
    assert (optional.name, optional.blocks) == ("get pods/log", False)


@pytest.mark.asyncio
async def test_rights_that_could_not_be_asked_for_are_unknown(shop):
    shop.server.faults.append(Fault(verb="POST", answer=500, times=10_000))
    findings = await shop.platform.check_permissions()
    assert len(findings) == len(shop.platform.required_permissions())
    assert all(finding.unknown and not finding.blocks for finding in findings)


@pytest.mark.asyncio
async def test_deleting_pods_is_demanded_only_where_it_was_opted_into(tmp_path):
    async with Shop(tmp_path, "StatefulSet") as shop:
        assert "delete" not in {entry.verb for entry in shop.platform.required_permissions()}
    async with Shop(tmp_path, "StatefulSet", allow_pod_delete=True) as shop:
        assert "delete" in {entry.verb for entry in shop.platform.required_permissions()}


@pytest.mark.asyncio
async def test_a_write_that_is_forbidden_was_refused_and_everything_is_json(shop):
    shop.begin("web:1")
    shop.release("web:bad")
    plan = await shop.plan_back()
    json.dumps([dict(step.request) for step in plan.steps])
    shop.server.denied.add(("patch", "deployments"))
    outcome = await shop.execute(shop.intent(plan))
    assert outcome.issue is Issue.REFUSED
    assert "forbidden" in outcome.sentence


# -- who deploys by server-side apply (section 1.3) ------------------------------------------------------------------


def applied_server_side(shop: Shop) -> None:
    """A good and a bad release by ``kubectl apply --server-side --field-manager ci``, and a scaler of its own."""
    shop.begin("web:1")
    shop.release("web:bad")
    entries = [
        {"manager": "ci", "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {}}}},
        {"manager": "watchdog", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
    ]
    shop.edit(lambda d: d["metadata"].update(managedFields=entries))


def managers(shop: Shop) -> list[tuple[str, str]]:
    return [(entry["manager"], entry.get("subresource", "")) for entry in shop.live()["metadata"]["managedFields"]]


@pytest.mark.asyncio
async def test_where_people_apply_server_side_our_fields_are_handed_back_so_that_the_fix_finds_no_conflict(shop):
    applied_server_side(shop)
    plan = await shop.plan_back()
    restore, hand_back = plan.steps
    assert (restore.courtesy, hand_back.courtesy) == (False, True)
    assert "next server-side apply by ci finds no conflict" in plan.words
    assert (await shop.execute(shop.intent(plan))).issue is Issue.ISSUED
    assert ("watchdog", "") in managers(shop)
    template_before = shop.live()["spec"]["template"]
    intent = shop.intent(plan, step=1)
    assert (await shop.writer.rehearse(hand_back, deadline_s=DEADLINE_S)).issue is Issue.ISSUED
    assert await shop.platform.resolve(intent) is Resolution.NOT_ISSUED
    assert (await shop.execute(intent)).issue is Issue.ISSUED
    assert managers(shop) == [("ci", ""), ("watchdog", "status")]
    assert shop.live()["spec"]["template"] == template_before
    assert await shop.platform.resolve(intent) is Resolution.ISSUED
    assert (await shop.platform.confirm(intent)).progress is Progress.OBSERVED


@pytest.mark.asyncio
async def test_handing_back_loses_against_whoever_writes_in_between_and_never_follows_another_template(shop):
    applied_server_side(shop)
    plan = await shop.plan_back()
    await shop.execute(shop.intent(plan))
    shop.server.before.append(("PATCH", lambda: shop.edit(lambda d: d["metadata"]["annotations"].update(team="books"))))
    assert (await shop.execute(shop.intent(plan, step=1))).issue is Issue.PRECONDITION_FAILED
    assert ("watchdog", "") in managers(shop)
    shop.release("web:3")
    late = shop.intent(plan, step=1)
    assert (await shop.execute(late)).issue is Issue.PRECONDITION_FAILED
    assert await shop.platform.resolve(late) is Resolution.SUPERSEDED


@pytest.mark.asyncio
async def test_where_nobody_applies_server_side_one_write_is_all(shop):
    good_restarted_bad(shop)
    assert [step.courtesy for step in (await shop.plan_back()).steps] == [False]
