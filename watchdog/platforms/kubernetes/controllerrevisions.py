"""ControllerRevisions: the history of StatefulSets and DaemonSets.

Neighbours: `statefulset`, `daemonset`. Pure. A ControllerRevision keeps the template alone, as a strategic merge patch
with ``$patch: replace``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from watchdog.model import JsonObject
from watchdog.platforms.kubernetes.history import (
    CHANGE_CAUSE,
    Revision,
    annotation_of,
    controlled_by,
    newest_first,
    revision_from,
)
from watchdog.platforms.kubernetes.status import moment


def revisions_of(
    workload: JsonObject, listed: Sequence[JsonObject], ignore: Sequence[str], *, mark: Callable[[JsonObject], str]
) -> tuple[Revision, ...]:
    """The revisions that this workload controls, newest first. `mark` says how pods name one."""
    uid = workload["metadata"]["uid"]
    found = []
    for entry in listed:
        kept = ((entry.get("data") or {}).get("spec") or {}).get("template")
        if not controlled_by(entry, uid) or not isinstance(kept, dict):
            continue
        found.append(
            revision_from(
                {key: value for key, value in kept.items() if key != "$patch"},
                ignore,
                name=entry["metadata"]["name"],
                number=_number(entry),
                mark=mark(entry),
                change_cause=annotation_of(entry, CHANGE_CAUSE),
                created=moment(entry["metadata"].get("creationTimestamp")),
                reused=_out_of_order(entry, listed, uid),
            )
        )
    return newest_first(found)


def _out_of_order(entry: JsonObject, listed: Sequence[JsonObject], uid: str) -> bool:
    """Whether a revision with a lower number is younger: then this one was made earlier and came back."""
    number, created = _number(entry), moment(entry["metadata"].get("creationTimestamp")) or 0.0
    return any(
        controlled_by(other, uid)
        and _number(other) < number
        and (moment(other["metadata"].get("creationTimestamp")) or 0.0) > created
        for other in listed
    )


def _number(entry: JsonObject) -> int:
    value = entry.get("revision")
    return value if isinstance(value, int) else 0
