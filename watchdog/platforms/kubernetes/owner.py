"""Owner: who else claims a workload and would undo, or be damaged by, a change of ours.

Neighbours: `platform.detect_owner` asks at every decision; `writer` looks at the object's own marks once more right before
the write. Guarantees: labels and annotations count only where the tool itself sets them for this very object; what cannot
be read is `UNKNOWN` or the claim taken as true, never "nobody".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from watchdog.clients.kubernetes import Forbidden, NotFound, api_path
from watchdog.clients.kubernetes.client import METADATA_LIST
from watchdog.model import Instant, JsonObject, Owner, Ownership
from watchdog.platforms.kubernetes.history import annotation_of, label_of
from watchdog.platforms.kubernetes.reading import Reader
from watchdog.platforms.kubernetes.status import moment

ARGO_TRACKING = "argocd.argoproj.io/tracking-id"
FLUX_KUSTOMIZE = "kustomize.toolkit.fluxcd.io"
FLUX_HELM = "helm.toolkit.fluxcd.io"
HELM_NAME, HELM_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"

_GITOPS_MANAGERS: Mapping[str, str] = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "fleetagent": "Rancher Fleet",
    "configsync.gke.io": "Config Sync",
}
_REFERRERS: tuple[tuple[str, str, str, Callable[[JsonObject], JsonObject]], ...] = (
    ("argoproj.io/v1alpha1", "rollouts", "Argo Rollout", lambda spec: spec.get("workloadRef") or {}),
    ("flagger.app/v1beta1", "canaries", "Flagger Canary", lambda spec: spec.get("targetRef") or {}),
)


def claim_on(workload: JsonObject, kind: str) -> Ownership | None:
    """Who claims it by marks on the object itself, GitOps first, then a controller; None when nobody does."""
    sentence = _argo(workload, kind) or _flux(workload) or _manager(workload)
    if sentence:
        return Ownership(
            owner=Owner.GITOPS, sentence=f"{sentence}: it would put its own version back; revert the change in Git"
        )
    for entry in workload["metadata"].get("ownerReferences") or []:
        if entry.get("controller"):
            return Ownership(
                owner=Owner.CONTROLLER,
                sentence=f"{entry.get('kind')} {entry.get('name')} controls it and would undo a change made here",
            )
    return None


def writers_of_template(workload: JsonObject) -> tuple[tuple[str, Instant | None], ...]:
    """Managers that own parts of the pod template, with the time of their last write, latest first.

    Times are whole seconds; of the same second the one that owns least wrote last: whoever sets an image takes that one
    field from whoever applied the whole.
    """
    found = []
    for entry in _managed(workload):
        owned = ((entry.get("fieldsV1") or {}).get("f:spec") or {}).get("f:template")
        if owned is not None:
            found.append((str(entry.get("manager", "")), moment(entry.get("time")), len(json.dumps(owned))))
    found.sort(key=lambda item: (-(item[1] or 0.0), item[2]))
    return tuple((manager, at) for manager, at, _ in found)


async def detect(reader: Reader, workload: JsonObject) -> Ownership:
    """Who claims the workload, asking also those who merely name it. Raises Unavailable."""
    claim = claim_on(workload, reader.kind.word) or await _referrer(reader) or await _helm(reader, workload)
    if claim is not None:
        return claim
    return Ownership(owner=Owner.NOBODY, sentence="; ".join(["nobody else claims it", *_notes(workload)]))


def _argo(workload: JsonObject, kind: str) -> str:
    metadata = workload["metadata"]
    app, _, names = annotation_of(workload, ARGO_TRACKING).partition(":")
    # A copied manifest carries the annotation of the object it was copied from: it must name this one.
    if app and names == f"apps/{kind}:{metadata.get('namespace', '')}/{metadata['name']}":
        return f"Argo CD application {app} tracks it"
    instance = label_of(workload, "argocd.argoproj.io/instance")
    return f"Argo CD application {instance} tracks it" if instance else ""


def _flux(workload: JsonObject) -> str:
    for prefix, what in ((FLUX_KUSTOMIZE, "Kustomization"), (FLUX_HELM, "HelmRelease")):
        name = label_of(workload, f"{prefix}/name")
        if name and annotation_of(workload, f"{prefix}/reconcile") != "disabled":
            return f"Flux {what} {label_of(workload, f'{prefix}/namespace')}/{name} applies it"
    return ""


def _manager(workload: JsonObject) -> str:
    for entry in _managed(workload):
        tool = _GITOPS_MANAGERS.get(str(entry.get("manager", "")))
        if tool:
            return f"{tool} ({entry['manager']}) writes it"
    return ""


async def _referrer(reader: Reader) -> Ownership | None:
    """Rollouts and Canaries steer a Deployment by naming it. Discovery first: a missing CRD must not need a right."""
    for group_version, resource, what, reference in _REFERRERS:
        try:
            served = await reader.client.get(api_path(group_version, ""))
        except NotFound:
            continue
        if resource not in [entry.get("name") for entry in served.get("resources") or []]:
            continue
        try:
            listed = await reader.client.list(reader.in_namespace(group_version, resource))
        except Forbidden as error:
            return Ownership(
                owner=Owner.UNKNOWN,
                sentence=f"whether an {what} steers it cannot be seen: grant list on {resource} ({error})",
            )
        for entry in listed:
            named = reference(entry.get("spec") or {})
            if (named.get("kind"), named.get("name")) == (reader.kind.word, reader.config.name):
                return Ownership(owner=Owner.CONTROLLER, sentence=f"{what} {entry['metadata']['name']} steers it")
    return None


async def _helm(reader: Reader, workload: JsonObject) -> Ownership | None:
    """Annotations and a live release record: charts that Argo CD renders carry Helm's labels without a release."""
    name, namespace = annotation_of(workload, HELM_NAME), annotation_of(workload, HELM_NAMESPACE)
    if not name or not namespace:
        return None
    sentence = (
        f"Helm release {namespace}/{name} owns it: use helm rollback, or its record would stay at the bad release"
    )
    for resource in ("secrets", "configmaps"):
        try:
            records = await reader.client.list(
                api_path("v1", resource, namespace), label_selector=f"owner=helm,name={name}", accept=METADATA_LIST
            )
        except Forbidden:
            return Ownership(
                owner=Owner.HELM, sentence=f"{sentence} (its release record may not be read, so it is taken as live)"
            )
        if any(label_of(entry, "status") not in ("uninstalled", "superseded", "") for entry in records):
            return Ownership(owner=Owner.HELM, sentence=sentence)
    return None


def _notes(workload: JsonObject) -> Iterator[str]:
    policy = annotation_of(workload, "keel.sh/policy") or label_of(workload, "keel.sh/policy")
    if policy:
        yield f"Keel follows new images of it (policy {policy})"
    if any(str(entry.get("manager", "")) in ("Terraform", "HashiCorp") for entry in _managed(workload)):
        yield "Terraform wrote it: the next apply would plan to bring its version back"


def _managed(workload: JsonObject) -> Iterator[JsonObject]:
    """Entries of managedFields, without those of subresources: status and scale say nothing about who owns it."""
    for entry in workload["metadata"].get("managedFields") or []:
        if not entry.get("subresource"):
            yield entry
