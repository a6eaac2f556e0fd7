"""The judge: all rules of one target at one look.

Role: `judge(rules, state, samples, context, now)` is the whole of the judgement for the engine. Neighbours: `intake` sorts
samples, rules say how their signal stands, `live_control` keeps old pods apart; `blame` and the gate read the verdict.
Guarantees: pure; any one failing rule makes the target failing; blind only when every signal is blind; recovered only when
every rule's recovery condition holds on fresh, known, good data. When `Context.fresh_from` moved, it begins a fresh window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from watchdog.judgement.intake import Intake, sort_out
from watchdog.judgement.live_control import LiveControl, remember, summarise
from watchdog.judgement.rule import Context, Rule
from watchdog.judgement.window import SUSPICIOUS_PROGRESS, SUSPICIOUS_RUN
from watchdog.model import Breach, Health, Instant, Sample, SignalVerdict, TargetVerdict, record


@record
class JudgementState:
    """One state per rule, in the order of the rules, and what is remembered beside them. Never stored."""

    rules: tuple[Any, ...]
    fresh_from: Instant
    ready_once: tuple[str, ...] = ()
    """Instances that have been ready: their failures count also when they lose readiness."""
    labelled: tuple[Sample, ...] = ()
    """The last minute of samples that name their release: the live control."""


def start(rules: Sequence[Rule], context: Context, now: Instant) -> JudgementState:
    """A fresh window for every rule."""
    return JudgementState(rules=tuple(rule.start(context, now) for rule in rules), fresh_from=context.fresh_from)


def rearm(rules: Sequence[Rule], context: Context, now: Instant) -> JudgementState:
    """Forget every sample: after start-up, our own stall, resume, reload or a rollback nothing older counts."""
    return start(rules, context, now)


def judge(
    rules: Sequence[Rule], state: JudgementState, samples: Sequence[Sample], context: Context, now: Instant
) -> tuple[JudgementState, TargetVerdict]:
    """Take in `samples` (any order, any number, also none) and say how the target stands.

    Raises ValueError when the state was made for other rules: after a reload call `rearm`.
    """
    if len(state.rules) != len(rules):
        raise ValueError(f"the state has {len(state.rules)} rules, the target {len(rules)}: rearm after a reload")
    if context.fresh_from > state.fresh_from:
        state = rearm(rules, context, now)
    sorted_out = sort_out(samples, context, state.ready_once, now)
    after = JudgementState(
        rules=tuple(
            rule.observe(kept, _given(rule, sorted_out), context, now)
            for rule, kept in zip(rules, state.rules, strict=True)
        ),
        fresh_from=state.fresh_from,
        ready_once=sorted_out.ready_once,
        labelled=remember(state.labelled, (*sorted_out.counted, *sorted_out.old), now),
    )
    verdicts = tuple(
        verdict for rule, kept in zip(rules, after.rules, strict=True) for verdict in rule.verdicts(kept, context, now)
    )
    return after, _of_target(context.target, verdicts, now)


def _given(rule: Rule, found: Intake) -> list[Sample]:
    """The samples that a rule gets to see."""
    given = (*found.counted, *found.old) if rule.compares else found.counted
    return [sample for sample in given if sample.signal in rule.signals]


def old_instances(state: JudgementState, verdict: TargetVerdict | None, context: Context, now: Instant) -> LiveControl:
    """What the pods of the old release show in the same minute."""
    return summarise(state.labelled, context.release, verdict, now)


def breach_of(verdict: TargetVerdict) -> Breach | None:
    """The breach that a failing verdict is, None for every other one."""
    if verdict.health is not Health.FAILING:
        return None
    return Breach(
        target=verdict.target,
        at=verdict.at,
        first_bad=verdict.at if verdict.first_bad is None else verdict.first_bad,
        signals=tuple(one.signal for one in verdict.signals if one.health is Health.FAILING),
        sentence=verdict.sentence,
    )


def _of_target(target: str, signals: tuple[SignalVerdict, ...], now: Instant) -> TargetVerdict:
    health = _health(signals)
    telling = [one for one in signals if one.health is Health.FAILING] or [one for one in signals if _suspicious(one)]
    return TargetVerdict(
        target=target,
        at=now,
        health=health,
        sentence=_sentence(target, health, signals),
        signals=signals,
        first_bad=min((one.first_bad for one in telling if one.first_bad is not None), default=None),
        suspicious=bool(telling),
        recovered=bool(signals) and all(one.health is Health.HEALTHY and one.recovered for one in signals),
    )


def _suspicious(one: SignalVerdict) -> bool:
    """Something counts against the target. A blind signal knows nothing of now."""
    if one.health is Health.BLIND:
        return False
    return one.health is Health.FAILING or one.progress >= SUSPICIOUS_PROGRESS or one.bad_run >= SUSPICIOUS_RUN


def _health(signals: tuple[SignalVerdict, ...]) -> Health:
    found = {one.health for one in signals}
    if Health.FAILING in found:
        return Health.FAILING
    if found == {Health.BLIND}:
        return Health.BLIND
    if Health.HEALTHY in found and Health.BLIND not in found and not any(_suspicious(one) for one in signals):
        return Health.HEALTHY
    return Health.INCONCLUSIVE


def _sentence(target: str, health: Health, signals: tuple[SignalVerdict, ...]) -> str:
    """The signals that make it so; of a healthy target every one."""
    if not signals:
        return f"{target}: no signal is configured"
    deciding = [one for one in signals if one.health is health or (_suspicious(one) and health is not Health.FAILING)]
    if health is Health.INCONCLUSIVE:
        deciding += [one for one in signals if one.health is Health.BLIND]
    return f"{target} is {health.value}: " + "; ".join(one.sentence for one in deciding or signals)
