"""From configured signals to the rules that judge them.

Role: the composition root's part for the judgement: which signals are weighed together as evidence, which are counted by a rule
of their own. Neighbours: `settings.access` says what is in force, `judgement` has the rules. Guarantees: every signal is under
exactly one rule; numbers come from the configuration alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from watchdog.judgement.evidence import EvidenceRule, Kind, Knobs
from watchdog.judgement.evidence.knobs import Expert
from watchdog.judgement.rule import Rule
from watchdog.judgement.threshold import Above, Consecutive, KOfN, default_rule
from watchdog.settings import access


def rules_of(target: access.ConfiguredTarget) -> tuple[Rule, ...]:
    """The rules of one target: one for each signal that is counted, and one for all that are weighed."""
    counted = tuple(
        counting(entry.name, entry.rule) for entry in target.signals if not isinstance(entry.rule, access.Weighed)
    )
    weighed = [entry for entry in target.signals if isinstance(entry.rule, access.Weighed)]
    return (*counted, evidence_of(target, weighed)) if weighed else counted


def counting(name: str, rule: access.CountingRule) -> Rule:
    """A rule that counts."""
    if isinstance(rule, access.Above):
        return Above(
            signal=name,
            above=rule.above,
            for_s=rule.for_s,
            min_events=rule.min_events,
            recover_below=rule.recover_below,
        )
    if isinstance(rule, access.Consecutive):
        return Consecutive(signal=name, n=rule.failed, recover=rule.recover)
    if rule.tolerant:  # nothing written down: the rule that judgement has for that, numbers and all
        return default_rule(name)
    return KOfN(signal=name, failed=rule.failed, of=rule.of)


def evidence_of(target: access.ConfiguredTarget, signals: Iterable[access.ConfiguredSignal]) -> EvidenceRule:
    """The one rule that weighs all these signals."""
    chosen = tuple(signals)
    poll_s = min(entry.every_s for entry in chosen)
    rates = target.weights.rates
    return EvidenceRule(
        signals=tuple(entry.name for entry in chosen),
        kinds={entry.name: Kind(entry.evidence) for entry in chosen},
        knobs=knobs_of(target, rates),
        poll_s=poll_s,
        every_s={entry.name: entry.every_s for entry in chosen if entry.every_s > poll_s},
        own={
            entry.name: knobs_of(target, entry.rule)
            for entry in chosen
            if isinstance(entry.rule, access.Weighed) and entry.rule != rates
        },
    )


def knobs_of(target: access.ConfiguredTarget, rates: access.Weighed) -> Knobs:
    """The knobs in force. Raises ValueError for what the configuration's own checks let through."""
    tolerated, expert = target.policy.tolerate_interruption_s, Expert()
    nothing = max(expert.nothing_ready_s, tolerated)
    return Knobs(
        tolerate_interruption_s=tolerated,
        tolerate_error_rate=rates.tolerate_error_rate,
        unacceptable_error_rate=rates.unacceptable_error_rate,
        times_worse=rates.times_worse,
        max_interruptions=target.weights.interruptions,
        interruptions_within_s=target.weights.interruptions_within_s,
        expert=Expert(
            false_alarm_bound=target.weights.false_alarm_bound,
            watch_s=max(expert.watch_s, 2 * tolerated),
            nothing_ready_s=nothing,
            none_new_ready_s=max(expert.none_new_ready_s, nothing),
        ),
    )
