"""The road back: one run of ``helm rollback``, what it would take along, and what became of it.

Role: pure conclusions from records. Neighbours: `platform` reads, `writer` runs. Source: facts/back-ends 3 (read from Helm's
source). Guarantees: the revision is always named, since "the one before" may be the bad one; nothing is pruned along
(``--history-max 0``); a rollback that would delete what holds data, or a definition that others use, is refused; an intent of
ours is found again by the description of its record. Not guaranteed: that a hook of the chart does no harm - it is said.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchdog.model import Finding, Instant, Intent, Plan, Release, Resolution, Step, UnitRef
from watchdog.platforms.helm.reading import HelmTarget
from watchdog.platforms.helm.records import Record, Thing, newest_of_others

STEP = "helm rollback"
PRECIOUS = frozenset({
    "CustomResourceDefinition", "Namespace", "PersistentVolume", "PersistentVolumeClaim", "StatefulSet",
})  # fmt: skip
"""Kinds that a rollback must not delete: they hold data, or others hang on them."""
GRACE_S = 30.0
"""Helm may take so much longer than its timeout before it is taken for killed."""


def good_record(records: Sequence[Record], target: Release) -> Record | None:
    """The newest record that deployed `target`."""
    return next((one for one in records if one.was_deployed and one.fingerprint == target.fingerprint), None)


def findings(current: Record, good: Record) -> list[Finding]:
    """What going back takes along."""
    found = [Finding(name="history", sentence=f"helm keeps revision {good.version} ({good.chart}, {good.status})")]
    lost = deleted(current, good)
    precious = [thing for thing in lost if thing.kind in PRECIOUS]
    if precious:
        words = f"the rollback would delete {_named(precious)}, which the good release did not have"
        found.append(Finding(name="deletes", sentence=words, blocks=True))
    elif lost:
        found.append(
            Finding(name="deletes", sentence=f"the rollback deletes {_named(lost)}: the good release did not have it")
        )
    if good.hooks:
        hooks = ", ".join(f"{event} {name}" for name, event in good.hooks)
        found.append(Finding(name="hooks", sentence=f"helm runs hooks of the good release: {hooks}"))
    return found


def deleted(current: Record, good: Record) -> tuple[Thing, ...]:
    """Objects that helm would delete: of the current manifest, not of the good one, and not to be kept."""
    kept = {thing.key for thing in good.things}
    return tuple(thing for thing in current.things if thing.key not in kept and not thing.keep)


def plan_back(config: HelmTarget, unit: UnitRef, current: Record, target: Release, records: Sequence[Record]) -> Plan:
    """The one step. Raises ValueError when there is no road."""
    newest = newest_of_others(records)
    good = good_record(records, target)
    if good is None:
        raise ValueError(f"helm keeps no record of {target.label}")
    if current.fingerprint == good.fingerprint:
        raise ValueError(f"{config.label} runs {target.label} already")
    precious = [thing for thing in deleted(current, good) if thing.kind in PRECIOUS]
    if precious:
        raise ValueError(f"the rollback would delete {_named(precious)}")
    words = f"helm rollback {config.release} to revision {good.version} ({good.chart})"
    step = Step(
        name=STEP,
        unit=unit,
        words=words,
        precondition=f"the newest record of {config.label} is still revision {newest.version}",
        request={
            "argv": list(argv(config, good.version)),
            "then": "--description with the id of the intent",
            "newest": newest.version,
        },
    )
    warnings = tuple(finding.sentence for finding in findings(current, good)[1:])
    return Plan(
        unit=unit,
        from_release=current.fingerprint,
        to_release=good.fingerprint,
        steps=(step,),
        words=words,
        warnings=warnings,
    )


def argv(config: HelmTarget, version: int) -> tuple[str, ...]:
    """The run, without the description."""
    where = (
        *(("--kubeconfig", config.kubeconfig) if config.kubeconfig else ()),
        *(("--kube-context", config.context) if config.context else ()),
    )
    return (
        config.program,
        "rollback",
        config.release,
        str(version),
        "--namespace",
        config.namespace,
        "--history-max",
        "0",
        "--timeout",
        f"{config.timeout_s:.0f}s",
        *where,
    )


def resolution(records: Sequence[Record], intent: Intent, now: Instant, timeout_s: float) -> Resolution:
    """What became of an intent."""
    ours = next((one for one in records if one.intent == intent.id), None)
    newest = records[0]
    if ours is None:
        if newest_of_others(records).version == intent.step.request.get("newest"):
            return Resolution.NOT_ISSUED
        if newest.was_deployed and newest.fingerprint == intent.to_release:
            return Resolution.DONE_BY_OTHERS
        return Resolution.OVERTAKEN
    if ours.version < newest.version and not newest.rollback:
        return Resolution.SUPERSEDED
    if ours.was_deployed:
        return Resolution.ISSUED
    if ours.is_pending and now - ours.deployed_at < timeout_s + GRACE_S:
        return Resolution.UNKNOWN
    return Resolution.NOT_ISSUED  # failed or killed half-way: the same rollback again is the cure


def _named(things: Sequence[Thing]) -> str:
    shown = ", ".join(f"{thing.kind} {thing.name}" for thing in things[:5])
    return f"{shown} and {len(things) - 5} more" if len(things) > 5 else shown  # noqa: PLR2004 - as many as are read
