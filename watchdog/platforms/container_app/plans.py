"""The two ways back: traffic to the good revision, or a copy of it as the newest one. Pure.

Source: facts/back-ends 6. Guarantees: the traffic array is made from scratch - good 100, labels kept at 0 - never from what is
active; a good revision that sleeps is woken and must be ready before any traffic goes to it; in single mode the good
template goes back whole, under a suffix that carries the intent. The bad revision is left active without traffic: what
happened can be looked at, and a person deactivates it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from watchdog.model import Finding, Intent, JsonObject, Plan, Release, Resolution, Step, UnitRef
from watchdog.platforms.container_app.reading import Seen
from watchdog.platforms.container_app.revisions import (
    INTENT_TAG,
    Revision,
    current_of,
    secret_names,
    suffix_of,
)

ACTIVATE, SHIFT, COPY = "activate the good revision", "shift the traffic", "deploy the good template again"
PRECONDITION = "the newest revision and the traffic are still as they were read"


def good_revision(seen: Seen, target: Release) -> Revision | None:
    """The newest revision with the template of `target`, one that was ready first."""
    same = [one for one in seen.revisions if one.fingerprint == target.fingerprint]
    return next((one for one in same if not one.problem), same[0] if same else None)


def findings(seen: Seen, target: Release) -> list[Finding]:
    """Whether `target` can still run."""
    found: list[Finding] = []
    revision = good_revision(seen, target)
    template = revision.template if revision else target.template
    if revision is None and (not seen.app.single or template is None):
        words = f"Azure keeps no revision of {target.label} any more"
        found.append(Finding(name="revision", sentence=words, blocks=True))
    missing = sorted(secret_names(template or {}) - seen.app.secrets)
    if missing:
        words = f"the good template names secrets that the app no longer has: {', '.join(missing)}"
        found.append(Finding(name="secrets", sentence=words, blocks=True))
    if not seen.app.single and not seen.app.has_ingress:
        words = "the app has no ingress: there is no traffic to shift between revisions"
        found.append(Finding(name="ingress", sentence=words, blocks=True))
    return found


def plan_back(unit: UnitRef, seen: Seen, target: Release) -> Plan:
    """One or two steps. Raises ValueError when there is no road."""
    current = current_of(seen.app, seen.revisions)
    if current is None:
        raise ValueError("the app has no revision that could be left")
    if current.fingerprint == target.fingerprint:
        raise ValueError(f"{unit.name} runs {target.label} already")
    blocking = [finding.sentence for finding in findings(seen, target) if finding.blocks]
    if blocking:
        raise ValueError("; ".join(blocking))
    steps = _copy(unit, seen, target) if seen.app.single else _traffic(unit, seen, target)
    return Plan(
        unit=unit,
        from_release=current.fingerprint,
        to_release=target.fingerprint,
        steps=steps,
        words=", then ".join(step.words for step in steps),
        warnings=tuple(_warnings(seen)),
    )


def _copy(unit: UnitRef, seen: Seen, target: Release) -> tuple[Step, ...]:
    revision = good_revision(seen, target)
    template = revision.template if revision else target.template
    body = {"properties": {"template": {**(template or {}), "revisionSuffix": "from the id of the intent"}}}
    step = Step(
        name=COPY,
        unit=unit,
        words=f"deploy the template of {target.revision} as a new revision of {unit.name}",
        precondition=PRECONDITION,
        request={"verb": "PATCH", "body": body, "seen": standing(seen)},
    )
    return (step,)


def _traffic(unit: UnitRef, seen: Seen, target: Release) -> tuple[Step, ...]:
    good = good_revision(seen, target)
    assert good is not None  # noqa: S101 - without one the findings block
    labels = [
        {"revisionName": entry["revisionName"], "label": entry["label"], "weight": 0}
        for entry in seen.app.traffic
        if entry.get("label") and entry.get("revisionName") and entry["revisionName"] != good.name
    ]
    own: dict[str, Any] = {"revisionName": good.name, "weight": 100}
    label = next((e["label"] for e in seen.app.traffic if e.get("label") and e.get("revisionName") == good.name), None)
    traffic = [{**own, **({"label": label} if label else {})}, *labels]
    shift = Step(
        name=SHIFT,
        unit=unit,
        words=f"send all traffic of {unit.name} to revision {good.name}",
        precondition=PRECONDITION,
        request={
            "verb": "PATCH",
            "body": {"properties": {"configuration": {"ingress": {"traffic": traffic}}}},
            "good": good.name,
            "seen": standing(seen),
        },
    )
    if good.ready:
        return (shift,)
    wake = Step(
        name=ACTIVATE,
        unit=unit,
        words=f"activate revision {good.name} of {unit.name} and wait until it can serve",
        precondition=PRECONDITION,
        request={"verb": "POST", "good": good.name, "seen": standing(seen)},
    )
    return (wake, shift)


def standing(seen: Seen) -> JsonObject:
    """What must be the same right before a write: Azure has no conditional one."""
    traffic = [] if seen.app.single else [dict(entry) for entry in seen.app.traffic]
    return {"latest": seen.app.latest, "mode": seen.app.mode, "traffic": traffic}


def resolution(seen: Seen, intent: Intent) -> Resolution:
    """What became of an intent, by reading."""
    now, before = standing(seen), intent.step.request.get("seen") or {}
    if intent.step.name == ACTIVATE:
        good = seen.named(str(intent.step.request.get("good")))
        if now != before:
            return Resolution.OVERTAKEN
        return Resolution.ISSUED if good is not None and good.ready else Resolution.NOT_ISSUED
    current = current_of(seen.app, seen.revisions)
    back = current is not None and current.fingerprint == intent.to_release
    if intent.step.name == COPY:
        ours = next((one for one in seen.revisions if one.name.endswith(f"--{suffix_of(intent.id)}")), None)
        if ours is not None:
            return Resolution.ISSUED if seen.app.latest == ours.name else Resolution.SUPERSEDED
    elif seen.app.tags.get(INTENT_TAG) == intent.id:
        return Resolution.ISSUED if back else Resolution.SUPERSEDED
    if back:
        return Resolution.DONE_BY_OTHERS
    return Resolution.NOT_ISSUED if now == before else Resolution.OVERTAKEN


def _warnings(seen: Seen) -> Sequence[str]:
    found = []
    if any(entry.get("latestRevision") for entry in seen.app.traffic) and not seen.app.single:
        found.append(
            "traffic followed the latest revision: afterwards new revisions get none until a person gives it back"
        )
    if any(entry.get("label") for entry in seen.app.traffic):
        found.append("labels stay where they are: users who come by a label's address are not moved")
    return found
