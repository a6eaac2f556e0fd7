"""What is read of a workload: fingerprints, rollout, times, pods, owner, preflight, evidence."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from fractions import Fraction

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from tests.platforms.contract import Sink
from tests.platforms.kubernetes_shop import NAME, NS, Shop, template
from watchdog.model import Incident, Instant, Mode, Owner, Stage
from watchdog.platforms.kubernetes.fingerprint import claims_of, exact, fingerprint
from watchdog.platforms.kubernetes.history import selector_text
from watchdog.platforms.kubernetes.pods import problem_of
from watchdog.platforms.kubernetes.preflight import Reference, references_of
from watchdog.platforms.kubernetes.quota import headroom, quantity, surge
from watchdog.platforms.kubernetes.status import daemonset_rollout, deployment_rollout, statefulset_rollout
from watchdog.ports import Unavailable
from watchdog.safety.hazards import says_no_rollback

OURS = "rollback-watchdog.dev"


@pytest_asyncio.fixture
async def shop(tmp_path):
    async with Shop(tmp_path) as made:
        yield made


# -- fingerprints ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "noise",
    [
        {"creationTimestamp": None},
        {"creationTimestamp": "2026-01-01T00:00:00Z"},
        {"labels": {"app": NAME, "pod-template-hash": "abc"}},
        {"labels": {"app": NAME, "controller-revision-hash": "abc", "pod-template-generation": "3"}},
        {"labels": {"app": NAME, "rollouts-pod-template-hash": "abc"}},
        {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}},
        {"annotations": {}},
        {"annotations": None},
    ],
)
def test_oracle_3_what_controllers_and_restarts_add_does_not_change_the_fingerprint(noise):
    plain, noisy = template("web:1"), template("web:1")
    noisy["metadata"] = {**noisy["metadata"], **noise}
    assert fingerprint(noisy) == fingerprint(plain)
    assert fingerprint({**noisy, "$patch": "replace"}) == fingerprint(plain)


def test_an_operators_own_annotations_can_be_ignored_and_everything_else_counts():
    stamped = template("web:1", **{"ci/build": "77"})
    assert fingerprint(stamped) != fingerprint(template("web:1"))
    assert fingerprint(stamped, ["ci/build"]) == fingerprint(template("web:1"))


def test_a_restart_is_another_template_for_the_controller_and_the_same_release_for_us():
    restarted = template("web:1", **{"kubectl.kubernetes.io/restartedAt": "now"})
    assert exact(restarted) != exact(template("web:1"))


def test_other_resources_are_another_release():
    more = template("web:1")
    more["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1"}}
    assert fingerprint(more) != fingerprint(template("web:1"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(min_size=1, max_size=8), JSON, max_size=5), st.randoms())
def test_the_order_of_keys_never_matters_and_a_changed_value_always_does(spec, random):
    one = {"metadata": {}, "spec": spec}
    keys = list(spec)
    random.shuffle(keys)
    other = {"spec": {key: spec[key] for key in keys}}
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one) != fingerprint({"spec": {**spec, "another key": 1}})


def test_only_the_template_speaks_for_a_release():
    spoken = template("web:1", **{f"{OURS}/migration": "breaking", f"{OURS}/no-rollback": "false"})
    assert claims_of(spoken) == {"migration": "breaking", "no-rollback": "false"}
    assert claims_of(template("web:1", other="no-rollback")) == {}


@pytest.mark.parametrize(("value", "forbids"), [("", True), ("true", True), ("CVE-2026-1", True), ("false", False)])
def test_a_no_rollback_in_the_template_counts_unless_it_clearly_says_no(value, forbids):
    claims = claims_of(template("web:1", **{f"{OURS}/no-rollback": value}))
    assert says_no_rollback(claims) is forbids


# -- rollout ---------------------------------------------------------------------------------------------------------


def of(spec, status, generation=2):
    return {"metadata": {"generation": generation}, "spec": spec, "status": {"observedGeneration": 2, **status}}


DONE = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "readyReplicas": 3}


@pytest.mark.parametrize(
    ("change", "generation", "complete"),
    [
        ({}, 2, True),
        ({}, 3, False),
        ({"replicas": 4}, 2, False),
        ({"updatedReplicas": 2}, 2, False),
        ({"availableReplicas": 2}, 2, False),
        ({"updatedReplicas": None}, 2, False),
    ],
)
def test_a_deployment_is_complete_by_the_controllers_own_predicate(change, generation, complete):
    assert deployment_rollout(of({"replicas": 3}, {**DONE, **change}, generation)).complete is complete


def test_absent_numbers_are_zero_and_a_deployment_of_none_is_complete():
    assert deployment_rollout(of({"replicas": 0}, {})).complete
    assert not deployment_rollout(of({}, {})).complete, "replicas defaults to 1"


@pytest.mark.parametrize("deadline", [None, 2_147_483_647])
def test_without_a_deadline_a_condition_that_is_left_over_says_nothing(deadline):
    stale = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "lastUpdateTime": "2026-01-01T00:00:00Z"}
    rollout = deployment_rollout(of({"replicas": 3, "progressDeadlineSeconds": deadline}, {"conditions": [stale]}))
    assert rollout.deadline_at is None
    kept = deployment_rollout(of({"replicas": 3, "progressDeadlineSeconds": 600}, {"conditions": [stale]}))
    assert kept.deadline_at is not None


@pytest.mark.parametrize(
    ("change", "spec", "complete"),
    [
        ({}, {}, True),
        ({"currentRevision": "old"}, {}, False),
        ({"readyReplicas": 2}, {}, False),
        ({"updatedReplicas": 2}, {}, False),
        ({"currentRevision": "old", "updatedReplicas": 1}, {"updateStrategy": {"rollingUpdate": {"partition": 2}}}, True),
        ({"currentRevision": "old", "updatedReplicas": 0}, {"updateStrategy": {"rollingUpdate": {"partition": 2}}}, False),
    ],
)  # fmt: skip
def test_a_stateful_set_is_complete_when_both_revisions_are_one_or_the_partition_is_reached(change, spec, complete):
    status = {**DONE, "currentRevision": "new", "updateRevision": "new", **change}
    assert statefulset_rollout(of({"replicas": 3, **spec}, status)).complete is complete


def test_a_daemon_set_is_complete_when_every_node_has_an_available_new_pod():
    status = {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}
    assert daemonset_rollout(of({}, status)).complete
    assert not daemonset_rollout(of({}, {**status, "numberAvailable": 1})).complete
    assert not daemonset_rollout(of({}, {**status, "updatedNumberScheduled": 1})).complete


@pytest.mark.asyncio
async def test_without_memory_a_rollout_that_runs_is_recognised_and_with_it_scaling_is_not_taken_for_one(shop):
    shop.server.behave("web:2", ready=False)
    shop.begin("web:1")
    shop.release("web:2")
    shop.connect()
    assert (await shop.platform.read_state()).in_progress
    shop.release("web:1")
    assert (await shop.platform.read_state()).complete
    shop.server.lagging = True
    shop.edit(lambda d: d["spec"].update(replicas=9))
    state = await shop.platform.read_state()
    assert (state.complete, state.in_progress, state.observed) == (False, False, False)


@pytest.mark.asyncio
async def test_a_restart_rolls_pods_but_is_no_release_for_who_saw_the_release_complete(shop):
    shop.begin("web:1")
    assert (await shop.platform.read_state()).complete
    shop.server.behave("web:1", ready=False)
    shop.release("web:1", **{"kubectl.kubernetes.io/restartedAt": "now"})
    state = await shop.platform.read_state()
    assert (state.complete, state.in_progress) == (False, False)
    shop.connect()
    assert (await shop.platform.read_state()).in_progress, "without memory two ReplicaSets with pods are a rollout"


@pytest.mark.asyncio
async def test_a_template_that_the_controller_makes_no_revision_of_is_not_rolled_out_whatever_the_numbers_say(shop):
    shop.begin("web:1", paused=False)
    shop.edit(lambda d: d["spec"].update(paused=True))
    shop.release("web:2")
    state = await shop.platform.read_state()
    live = shop.live()
    assert live["status"]["observedGeneration"] == live["metadata"]["generation"]
    assert (state.complete, state.observed, state.paused, state.release.images) == (
        False,
        False,
        True,
        {"web": "web:2"},
    )


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_release_seen_coming_has_its_time_and_completion_and_its_author(shop):
    shop.begin("web:1")
    first = await shop.platform.read_state()
    assert first.started == first.at
    await asyncio.sleep(100)
    shop.release("web:2")
    await asyncio.sleep(3)
    state = await shop.platform.read_state()
    assert state.started == pytest.approx(first.at + 100, abs=1.0)
    assert state.completed == pytest.approx(first.at + 100, abs=1.0)
    assert (state.actor, state.release.actor) == ("kubectl-edit", "kubectl-edit")
    await asyncio.sleep(50)
    shop.edit(lambda d: d["spec"].update(replicas=5))
    assert (await shop.platform.read_state()).started == state.started, "a scaling is no beginning"


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_release_that_came_back_did_not_begin_when_its_replica_set_was_made(shop):
    shop.begin("web:1")
    await asyncio.sleep(500)
    shop.release("web:2")
    await asyncio.sleep(500)
    shop.release("web:1")
    shop.connect()
    state = await shop.platform.read_state()
    assert state.started == pytest.approx(state.at, abs=1.0)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
async def test_each_pod_is_told_by_its_release_address_and_port(tmp_path, kind):
    async with Shop(tmp_path, kind) as shop:
        spec = template("web:1")
        spec["spec"]["containers"][0]["ports"] = [{"containerPort": 8080}]
        shop.begin("web:1", template=spec)
        state = await shop.platform.read_state()
        assert len(state.instances) == 3
        assert {pod.release for pod in state.instances} == {state.release.fingerprint}
        assert {pod.port for pod in state.instances} == {8080}
        assert all(pod.address and pod.ready and pod.ready_since and pod.node for pod in state.instances)
        assert (state.wanted, state.ready, state.updated, state.available) == (3, 3, 3, 3)


@pytest.mark.asyncio
async def test_objects_of_another_workload_with_the_same_labels_are_not_ours(shop):
    shop.begin("web:1")
    stranger = {"kind": "ReplicaSet", "name": "x", "uid": "x", "controller": True}
    meta = {"namespace": NS, "labels": {"app": NAME}, "ownerReferences": [stranger]}
    shop.server.apply("replicasets", {"metadata": {**meta, "name": "rs"}, "spec": {"template": template("x:1")}})
    shop.server.apply("pods", {"metadata": {**meta, "name": "p"}, "spec": {"containers": []}}, "v1")
    state = await shop.platform.read_state()
    assert len(state.instances) == 3
    assert [release.images for release in await shop.platform.history()] == [{"web": "web:1"}]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("annotations", "hints"),
    [
        ({"mode": "ask"}, {"mode": "ask"}),
        ({"mode": "observe"}, {"mode": "observe"}),
        ({"mode": "enforce"}, {}),
        ({"mode": "enfroce"}, {"mode": "ask"}),
        ({"no-rollback": "true"}, {"no_rollback": True}),
        ({"no-rollback": "security fix"}, {"no_rollback": "security fix"}),
        ({"no-rollback": "false"}, {}),
        ({"no-rollback": ""}, {"no_rollback": True}),
        ({"mode": ""}, {"mode": "ask"}),
        ({"mode": "observe", "tolerate-interruption": ""}, {"mode": "observe"}),
        ({"tolerate-interruption": "2m"}, {"tolerate_interruption": 120.0}),
        ({"tolerate-interruption": "soon"}, {"mode": "ask"}),
        ({"allow-everything": "true"}, {}),
        ({"pause-until": "2026-03-01T02:00:00Z"}, {"mode": "ask"}),  # for which generation?
        ({"pause-until": "soon", "pause-generation": "1"}, {"mode": "ask"}),
        ({"pause-until": "2026-03-01T02:00:00", "pause-generation": "1"}, {"mode": "ask"}),  # in which zone?
        ({"pause-generation": "1", "mode": "observe"}, {"mode": "observe"}),
    ],
)
async def test_annotations_of_a_closed_list_make_us_only_more_careful(shop, annotations, hints):
    shop.begin("web:1")
    named = {f"{OURS}/{key}": value for key, value in annotations.items()}
    shop.edit(lambda d: d["metadata"]["annotations"].update(named))
    assert dict((await shop.platform.read_state()).hints) == hints


@pytest.mark.asyncio
async def test_a_pause_by_annotation_is_for_the_generation_that_it_names(shop):
    shop.begin("web:1")
    generation = shop.live()["metadata"]["generation"]
    asked = {"pause-until": "2026-03-01T02:00:00+01:00", "pause-generation": str(generation), "pause-why": "queue"}
    shop.edit(lambda d: d["metadata"]["annotations"].update({f"{OURS}/{key}": value for key, value in asked.items()}))
    found = (await shop.platform.read_state()).hints["pause"]
    assert found == {"until": "2026-03-01T01:00:00.000000Z", "why": "queue", "who": "", "generation": generation}
    shop.release("web:2")
    assert (await shop.platform.read_state()).hints["pause"] == {**found, "stale": True}


@pytest.mark.asyncio
async def test_a_workload_that_is_not_there_and_a_read_that_is_forbidden_are_unknown(shop):
    with pytest.raises(Unavailable, match="deployment shop/web does not exist"):
        await shop.platform.read_state()
    shop.begin("web:1")
    shop.server.denied.add(("list", "pods"))
    with pytest.raises(Unavailable, match="forbidden"):
        await shop.platform.read_state()


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ({"phase": "Running"}, ""),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]}, "ImagePullBackOff"),
        ({"initContainerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}, "CrashLoopBackOff"),
        (
            {
                "containerStatuses": [
                    {
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"reason": "OOMKilled"}},
                    }
                ]
            },
            "OOMKilled",
        ),
        (
            {
                "containerStatuses": [
                    {
                        "state": {"running": {}},
                        "lastState": {"terminated": {"reason": "OOMKilled", "finishedAt": "1970-01-01T00:00:10Z"}},
                    }
                ]
            },
            "OOMKilled",
        ),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}, "Unschedulable"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        ({"conditions": [{"type": "DisruptionTarget", "status": "True"}], "phase": "Failed"}, "Disrupted"),
    ],
)
def test_the_problem_of_a_pod_is_the_most_telling_reason(status, problem):
    assert problem_of({"metadata": {}, "status": status}, Instant(100.0)) == problem


def test_a_kill_for_memory_long_ago_is_no_problem_any_more():
    last = {"terminated": {"reason": "OOMKilled", "finishedAt": "1970-01-01T00:00:10Z"}}
    pod = {"metadata": {}, "status": {"containerStatuses": [{"state": {"running": {}}, "lastState": last}]}}
    assert problem_of(pod, Instant(10_000.0)) == ""


def test_a_selector_is_written_as_the_api_takes_it_and_an_unknown_operator_selects_nothing():
    selector = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["x", "y"]},
            {"key": "d", "operator": "NotIn", "values": ["z"]},
            {"key": "e", "operator": "Exists"},
            {"key": "f", "operator": "DoesNotExist"},
            {"key": "g", "operator": "Near"},
        ],
    }
    assert selector_text(selector) == "a=1,b=2,c in (x,y),d notin (z),e,!f,g in ()"


# -- owner -----------------------------------------------------------------------------------------------------------


async def helm_owned(shop: Shop):
    shop.begin("web:1")
    names = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": NS}
    shop.edit(lambda d: d["metadata"]["annotations"].update(names))
    return await shop.platform.detect_owner()


def record_of(shop: Shop, status: str, resource: str = "secrets") -> None:
    labels = {"owner": "helm", "name": "web", "status": status}
    body = {"metadata": {"name": f"sh.helm.release.v1.web.v1.{status}", "namespace": NS, "labels": labels}}
    shop.server.apply(resource, {**body, "data": {"release": "values with secrets"}}, "v1")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("records", "owner"),
    [
        ([], Owner.NOBODY),
        ([("deployed", "secrets")], Owner.HELM),
        ([("pending-upgrade", "secrets")], Owner.HELM),
        ([("deployed", "configmaps")], Owner.HELM),
        ([("uninstalled", "secrets")], Owner.NOBODY),
    ],
)
async def test_helm_owns_it_by_its_annotations_and_a_live_release_record(shop, records, owner):
    for status, resource in records:
        record_of(shop, status, resource)
    assert (await helm_owned(shop)).owner is owner


@pytest.mark.asyncio
async def test_a_release_record_that_may_not_be_read_is_taken_as_live_and_no_value_ever_travels(shop):
    record_of(shop, "deployed")
    assert (await helm_owned(shop)).owner is Owner.HELM
    listed = [seen for seen in shop.server.requests if seen.path.endswith("/secrets")]
    assert listed
    assert all("PartialObjectMetadataList" in seen.accept for seen in listed)
    shop.server.denied.add(("list", "secrets"))
    found = await shop.platform.detect_owner()
    assert found.owner is Owner.HELM
    assert "may not be read" in found.sentence


@pytest.mark.asyncio
async def test_a_tracking_id_that_names_another_object_was_copied_and_claims_nothing(shop):
    shop.begin("web:1")
    other = {"argocd.argoproj.io/tracking-id": f"books:apps/Deployment:{NS}/other"}
    shop.edit(lambda d: d["metadata"]["annotations"].update(other))
    assert (await shop.platform.detect_owner()).owner is Owner.NOBODY


@pytest.mark.asyncio
async def test_a_flux_object_that_was_taken_out_of_reconciliation_is_free(shop):
    shop.begin("web:1")

    def change(manifest):
        manifest["metadata"]["labels"] = {"kustomize.toolkit.fluxcd.io/name": "apps"}
        manifest["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/reconcile"] = "disabled"

    shop.edit(change)
    assert (await shop.platform.detect_owner()).owner is Owner.NOBODY


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("group_version", "resource", "key"),
    [("argoproj.io/v1alpha1", "rollouts", "workloadRef"), ("flagger.app/v1beta1", "canaries", "targetRef")],
)
async def test_a_controller_that_merely_names_the_workload_steers_it(shop, group_version, resource, key):
    shop.begin("web:1")
    shop.server.served[group_version] = [resource]
    spec = {key: {"kind": "Deployment", "name": NAME}}
    shop.server.apply(resource, {"metadata": {"name": "r", "namespace": NS}, "spec": spec}, group_version)
    assert (await shop.platform.detect_owner()).owner is Owner.CONTROLLER
    shop.server.denied.add(("list", resource))
    found = await shop.platform.detect_owner()
    assert (found.owner, f"grant list on {resource}" in found.sentence) == (Owner.UNKNOWN, True)


@pytest.mark.asyncio
async def test_who_wrote_only_the_status_claims_nothing(shop):
    shop.begin("web:1")
    entry = {"manager": "argocd-controller", "operation": "Update", "subresource": "status"}
    shop.edit(lambda d: d["metadata"].update(managedFields=[entry]))
    assert (await shop.platform.detect_owner()).owner is Owner.NOBODY


@pytest.mark.asyncio
async def test_keel_and_terraform_are_noted_and_claim_nothing(shop):
    shop.begin("web:1")

    def change(manifest):
        manifest["metadata"]["annotations"]["keel.sh/policy"] = "minor"
        manifest["metadata"]["managedFields"] = [{"manager": "Terraform", "operation": "Update"}]

    shop.edit(change)
    found = await shop.platform.detect_owner()
    assert found.owner is Owner.NOBODY
    assert "Keel" in found.sentence
    assert "Terraform" in found.sentence


# -- preflight -------------------------------------------------------------------------------------------------------


def test_everything_that_a_template_cannot_do_without_is_found_once():
    spec = {
        "serviceAccountName": "robot",
        "imagePullSecrets": [{"name": "pull"}],
        "volumes": [
            {"name": "a", "configMap": {"name": "cm-volume"}},
            {"name": "b", "secret": {"secretName": "secret-volume"}},
            {"name": "c", "persistentVolumeClaim": {"claimName": "data"}},
            {
                "name": "d",
                "projected": {"sources": [{"configMap": {"name": "cm-p"}}, {"secret": {"name": "secret-p"}}]},
            },
            {"name": "e", "configMap": {"name": "not-needed", "optional": True}},
            {"name": "f", "emptyDir": {}},
        ],
        "initContainers": [{"envFrom": [{"secretRef": {"name": "secret-env"}}, {"configMapRef": {"name": "cm-env"}}]}],
        "containers": [
            {
                "env": [
                    {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm-key", "key": "k"}}},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "secret-key", "key": "k"}}},
                    {"name": "C", "valueFrom": {"secretKeyRef": {"name": "no", "key": "k", "optional": True}}},
                    {"name": "D", "value": "plain"},
                ],
                "envFrom": [{"configMapRef": {"name": "cm-env"}}],
            }
        ],
    }
    found = references_of({"spec": spec})
    assert len(set(found)) == len(found)
    assert {(entry.resource, entry.name) for entry in found} == {
        ("serviceaccounts", "robot"),
        ("persistentvolumeclaims", "data"),
        *(("configmaps", name) for name in ("cm-volume", "cm-p", "cm-env", "cm-key")),
        *(("secrets", name) for name in ("pull", "secret-volume", "secret-p", "secret-env", "secret-key")),
    }
    assert references_of({"spec": {}}) == ()
    assert Reference(resource="secrets", name="x") == Reference(resource="secrets", name="x")


@pytest.mark.asyncio
async def test_existence_is_asked_by_metadata_alone_and_what_may_not_be_asked_is_unknown(shop):
    good = template("web:1")
    good["spec"]["imagePullSecrets"] = [{"name": "pull"}]
    good["spec"]["serviceAccountName"] = "robot"
    shop.server.apply("secrets", {"metadata": {"name": "pull", "namespace": NS}, "data": {"a": "b"}}, "v1")
    shop.begin("web:1", template=good)
    shop.server.denied.add(("get", "serviceaccounts"))
    (finding,) = await shop.platform.preflight(await shop.good())
    assert (finding.unknown, finding.blocks) == (True, False)
    assert "ServiceAccount robot" in finding.sentence
    asked = [seen for seen in shop.server.requests if "/secrets/" in seen.path]
    assert ["PartialObjectMetadata;" in seen.accept for seen in asked] == [True]


@pytest.mark.asyncio
async def test_other_volume_claims_or_labels_than_today_are_too_far_back(shop):
    old = template("web:1")
    old["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "old-data"}}]
    claim = {"metadata": {"name": "old-data", "namespace": NS}}
    shop.server.apply("persistentvolumeclaims", claim, "v1")
    shop.begin("web:1", template=old)
    shop.release("web:2")
    good = await shop.good()
    assert [finding.name for finding in await shop.platform.preflight(good)] == ["volumes"]
    strange = replace(good, template=template("web:1") | {"metadata": {"labels": {"app": "other"}}})
    assert [finding.name for finding in await shop.platform.preflight(strange)] == ["selector"]


@pytest.mark.parametrize(
    ("text", "number"),
    [("250m", Fraction(1, 4)), ("1Gi", Fraction(2**30)), ("2", Fraction(2)), ("1e3", Fraction(1000)), ("1.5k", Fraction(1500)), ("lots", None), (3, Fraction(3))],
)  # fmt: skip
def test_quantities(text, number):
    assert quantity(text) == number


@pytest.mark.parametrize(
    ("rolling", "expected"),
    [
        ({}, (1, 0)),
        ({"maxSurge": 0, "maxUnavailable": 1}, (0, 1)),
        ({"maxSurge": "50%", "maxUnavailable": "50%"}, (2, 1)),
    ],
)
def test_the_pods_that_a_rolling_update_adds_and_removes(rolling, expected):
    assert surge({"spec": {"replicas": 3, "strategy": {"rollingUpdate": rolling}}}) == expected
    assert surge({"spec": {"replicas": 3}}) == (0, 1)
    assert surge({"spec": {"replicas": 3, "strategy": {"type": "Recreate"}}}) == (0, 1)


@pytest.mark.parametrize(
    ("hard", "used", "unavailable", "found"),
    [
        ({"pods": "10"}, {"pods": "9"}, 0, []),
        ({"pods": "10"}, {"pods": "10"}, 0, [True]),
        ({"pods": "10"}, {"pods": "10"}, 1, [False]),
        ({"requests.cpu": "1"}, {"requests.cpu": "800m"}, 0, [True]),
        ({"requests.cpu": "1"}, {"requests.cpu": "700m"}, 0, []),
        ({"services": "1"}, {"services": "1"}, 0, []),
    ],
)
def test_a_full_quota_blocks_a_rollout_that_may_not_remove_pods_first(hard, used, unavailable, found):
    spec = {"replicas": 3, "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": unavailable}}}
    container = {"resources": {"requests": {"cpu": "300m"}}}
    quota = {"metadata": {"name": "q"}, "status": {"hard": hard, "used": used}}
    findings = headroom({"spec": spec}, {"spec": {"containers": [container]}}, [quota])
    assert [finding.blocks for finding in findings] == found


SCALERS = "autoscaling/v2"


def scaled_by(shop: Shop, *, of: str = NAME) -> None:
    shop.server.served[SCALERS] = ["horizontalpodautoscalers"]
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": of}, "minReplicas": 3, "maxReplicas": 20}
    manifest = {"metadata": {"name": "hpa", "namespace": NS}, "spec": spec}
    shop.server.apply("horizontalpodautoscalers", manifest, SCALERS)


def twelve_pods_then(shop: Shop, left: int) -> None:
    """Twelve pods of the good release, then the bad one, of which somebody leaves so many."""
    shop.begin("web:1", replicas=12)
    (old,) = shop.server.all("replicasets", NS)
    note = {"deployment.kubernetes.io/desired-replicas": "12"}
    shop.server.edit("replicasets", NS, old["metadata"]["name"], lambda d: d["metadata"]["annotations"].update(note))
    shop.release("web:bad")
    shop.edit(lambda d: d["spec"].update(replicas=left))


@pytest.mark.asyncio
async def test_too_few_pods_left_by_an_autoscaler_is_a_question_before_the_rollback(shop):
    twelve_pods_then(shop, 3)
    scaled_by(shop)
    (finding,) = await shop.platform.preflight(await shop.good())
    assert (finding.name, finding.unknown, finding.blocks) == ("autoscaler", True, False)
    assert "had 12 pods when it was replaced, and autoscaler hpa has left 3 (minimum 3)" in finding.sentence
    assert "kubectl patch hpa hpa" in finding.sentence


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["enough pods", "another workload", "long ago", "no autoscaler"])
async def test_a_floor_is_no_question_where_nothing_speaks_for_it(shop, how):
    twelve_pods_then(shop, 6 if how == "enough pods" else 3)
    if how != "no autoscaler":
        scaled_by(shop, of="other" if how == "another workload" else NAME)
    if how == "long ago":
        shop.clock.step(2 * 3600)
    assert await shop.platform.preflight(await shop.good()) == ()


@pytest.mark.asyncio
async def test_autoscalers_that_may_not_be_read_are_said_and_that_asks_nobody(shop):
    twelve_pods_then(shop, 3)
    scaled_by(shop)
    shop.server.denied.add(("list", "horizontalpodautoscalers"))
    (finding,) = await shop.platform.preflight(await shop.good())
    assert ("not checked" in finding.sentence, finding.unknown, finding.blocks) == (True, False, False)


# -- evidence --------------------------------------------------------------------------------------------------------


async def gathered(shop: Shop) -> Sink:
    state = await shop.platform.read_state()
    incident = Incident(
        id="i",
        units=(state.unit,),
        target="web",
        group="",
        blamed=state.release,
        stage=Stage.OPENED,
        mode=Mode.ENFORCE,
        opened_at=Instant(0.0),
        updated_at=Instant(0.0),
    )
    sink = Sink()
    await shop.platform.gather(sink, incident)
    return sink


@pytest.mark.asyncio
async def test_oracle_14_evidence_is_the_worst_five_pods_and_a_good_one_with_current_and_previous_logs(shop):
    shop.server.behave("web:bad", waiting="CrashLoopBackOff", restarts=2)
    shop.begin("web:1", replicas=8, strategy={"type": "RollingUpdate"})
    shop.release("web:bad")
    (bad,) = [pod["metadata"]["name"] for pod in shop.pods() if pod["spec"]["containers"][0]["image"] == "web:bad"]
    shop.server.logs[bad, "web", True] = b"\xff panic: boom\n"
    event = {"metadata": {"name": "e", "namespace": NS}, "involvedObject": {"name": bad}, "type": "Warning"}
    shop.server.apply("events", event, "v1")
    shop.server.apply("events", {**event, "metadata": {"name": "n", "namespace": NS}, "type": "Normal"}, "v1")
    sink = await gathered(shop)
    pods = [pod["metadata"]["name"] for pod in sink.files["objects/pods.json"]]
    assert pods[0] == bad
    assert len(pods) == 2, "the one bad pod and one good one for contrast"
    assert sink.files[f"logs/{bad}/web.previous.log"] == b"\xff panic: boom\n"
    assert [entry["metadata"]["name"] for entry in sink.files["objects/events.json"]] == ["e"]
    assert sink.files["objects/workload.json"]["spec"]["template"] == template("web:bad")
    kept = [entry["template"]["spec"] for entry in sink.files["objects/revisions.json"]]
    assert kept == [template("web:bad")["spec"], template("web:1")["spec"]]
    missed = dict(sink.missed)
    assert "waiting to start" in missed[f"logs/{bad}/web.current.log"]
    assert "CPU and memory of the pods" in missed
    assert shop.server.writes == []


@pytest.mark.asyncio
async def test_oracle_14_a_release_of_many_bad_pods_gives_five(shop):
    shop.server.behave("web:1", ready=False)
    shop.begin("web:1", replicas=9)
    assert len((await gathered(shop)).files["objects/pods.json"]) == 5


@pytest.mark.asyncio
async def test_oracle_14_a_huge_log_is_cut_at_the_limit(shop):
    shop.begin("web:1", replicas=1)
    (name,) = [pod["metadata"]["name"] for pod in shop.pods()]
    shop.server.logs[name, "web", False] = b"x" * 50_000_000
    assert len((await gathered(shop)).files[f"logs/{name}/web.current.log"]) == 262_144


@pytest.mark.asyncio
async def test_oracle_14_what_may_not_be_read_is_named_and_the_rest_is_still_there(shop):
    shop.begin("web:1")
    shop.server.denied |= {("get", "pods/log"), ("list", "events")}
    sink = await gathered(shop)
    assert "objects/workload.json" in sink.files
    assert sum(what.startswith("logs/") for what, _ in sink.missed) == 3
    assert any(what == "events" and "forbidden" in why for what, why in sink.missed)


@pytest.mark.asyncio
async def test_oracle_14_without_the_api_server_there_is_one_sentence_and_no_exception(shop):
    shop.begin("web:1")
    state = await shop.platform.read_state()
    await shop.cut()
    sink = Sink()
    incident = Incident(
        id="i", units=(state.unit,), target="web", group="", blamed=state.release, stage=Stage.OPENED,
        mode=Mode.ASK, opened_at=Instant(0.0), updated_at=Instant(0.0),
    )  # fmt: skip
    await shop.platform.gather(sink, incident)
    assert sink.files == {}
    assert len(sink.missed) == 1


@pytest.mark.asyncio
async def test_evidence_is_json(shop):
    shop.begin("web:1")
    sink = await gathered(shop)
    for path, content in sink.files.items():
        if path.endswith(".json"):
            json.dumps(content)
