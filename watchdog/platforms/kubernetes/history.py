"""History: what the cluster still remembers of a workload's releases.

Neighbours: each kind (`deployment`, `statefulset`, `daemonset`) turns its ReplicaSets or ControllerRevisions into
`Revision`s; `state` and `platform` turn those into the releases of the model. Pure. Guarantees: only objects that this
very workload controls (by uid) count; one release per fingerprint, newest first. Not guaranteed: stable numbers - the
controller gives a re-used ReplicaSet a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from watchdog.model import Instant, JsonObject, Release, record
from watchdog.platforms.kubernetes.fingerprint import claims_of, exact, fingerprint, images_of

CHANGE_CAUSE = "kubernetes.io/change-cause"


@record
class Revision:
    """One ReplicaSet or ControllerRevision.

    `mark` is what ties a pod to it: the uid of the ReplicaSet, or the value of the pod's revision label. `reused`: it was
    current before and came back.
    """

    name: str
    number: int
    mark: str
    template: JsonObject
    fingerprint: str
    exact: str
    change_cause: str = ""
    created: Instant | None = None
    reused: bool = False
    replicas: int = 0
    wanted: int = 0
    """Pods that the workload wanted when this revision was last scaled; 0 = not kept."""


def revision_from(template: JsonObject, ignore: Sequence[str], **fields: Any) -> Revision:
    """A revision with the fingerprints of its template."""
    return Revision(template=template, fingerprint=fingerprint(template, ignore), exact=exact(template), **fields)


def newest_first(revisions: Iterable[Revision]) -> tuple[Revision, ...]:
    """Highest number first."""
    return tuple(sorted(revisions, key=lambda revision: revision.number, reverse=True))


def current_revision(revisions: Iterable[Revision], template: JsonObject) -> Revision | None:
    """The revision with exactly this template; None when the controller has not made it yet.

    Of several the oldest, then the first by name, as the controller chooses.
    """
    wanted = exact(template)
    same = [revision for revision in revisions if revision.exact == wanted]
    return min(same, key=lambda revision: (revision.created or 0.0, revision.name), default=None)


def releases_from(revisions: Iterable[Revision]) -> tuple[Release, ...]:
    """One release per fingerprint, named by its newest revision, newest first."""
    found: dict[str, Release] = {}
    for revision in newest_first(revisions):
        found.setdefault(revision.fingerprint, release_from(revision))
    return tuple(found.values())


def release_from(revision: Revision) -> Release:
    """The release that a revision keeps, its template raw."""
    return Release(
        fingerprint=revision.fingerprint,
        revision=str(revision.number) if revision.number else "",
        address=revision.name,
        images=images_of(revision.template),
        claims=claims_of(revision.template),
        template=revision.template,
        change_cause=revision.change_cause,
        started=None if revision.reused else revision.created,
    )


def controlled_by(thing: JsonObject, uid: str) -> bool:
    """Whether the object with that uid is its controller."""
    references = (thing.get("metadata") or {}).get("ownerReferences") or []
    return any(entry.get("controller") and entry.get("uid") == uid for entry in references)


def selector_text(selector: Mapping[str, Any]) -> str:
    """A label selector as the API takes it in a query, matchLabels and matchExpressions."""
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for entry in selector.get("matchExpressions") or []:
        key, values = entry["key"], ",".join(entry.get("values") or [])
        words = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        # An operator that we do not know must not widen the selection: no object has an empty label name.
        terms.append(words.get(str(entry.get("operator")), f"{key} in ()"))
    return ",".join(terms)


def label_of(thing: JsonObject, key: str) -> str:
    """A label's value, empty when it is absent."""
    return str(((thing.get("metadata") or {}).get("labels") or {}).get(key, ""))


def annotation_of(thing: JsonObject, key: str) -> str:
    """An annotation's value, empty when it is absent."""
    return str(((thing.get("metadata") or {}).get("annotations") or {}).get(key, ""))
