"""What ``config show`` prints: every value in force, derived limits included, secrets masked.

Role: plain JSON-able data in the spelling of the file. Pure. Guarantees: no secret's value; the numbers are those of
`settings.access`, which everybody else uses.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from pydantic.fields import FieldInfo

from watchdog.model import DataSafety, TargetPolicy
from watchdog.settings.access import (
    Above,
    ConfiguredSignal,
    Consecutive,
    CountingRule,
    Weighed,
    fires_after,
    policy_of,
    signal_of,
    weights_of,
)
from watchdog.settings.root import Settings
from watchdog.settings.secret import Secret
from watchdog.settings.section import Section
from watchdog.settings.signals import SignalSection
from watchdog.settings.targets import TargetSection
from watchdog.settings.units import Allowance, format_allowance, format_duration, format_rate
from watchdog.settings.values import Scalar
from watchdog.settings.wording import keys_of

MASK = "**********"


def effective(settings: Settings) -> dict[str, Any]:
    """All settings in force; each target with its own policy, its signals' resolved rules and a part `derived`.

    Without the parts `derived` and with secrets by reference it is a configuration that gives the same again.
    """
    shown = _section(settings)
    state = settings.state
    if state.kubernetes is None:
        shown["state"] = {"memory": True} if state.memory else {"sqlite": state.sqlite_path}
    shown["targets"] = {name: _target(settings, name, target) for name, target in settings.targets.items()}
    return shown


def _target(settings: Settings, name: str, target: TargetSection) -> dict[str, Any]:
    policy = policy_of(settings, name)
    weights = weights_of(settings, name)
    signals = {key: signal_of(settings, key, signal, weights.rates) for key, signal in target.signals.items()}
    slowest = max(signal.every_s for signal in signals.values())
    shown = _section(target)
    shown |= {
        "mode": policy.mode.value,
        "bake_time": format_duration(policy.bake_s),
        "bake_events": policy.bake_events,
        "bake_at_most": format_duration(policy.bake_at_most_s),
        "tolerate_interruption": format_duration(policy.tolerate_interruption_s),
        "tolerate_error_rate": format_rate(weights.rates.tolerate_error_rate),
        "unacceptable_error_rate": format_rate(weights.rates.unacceptable_error_rate),
        "times_worse": weights.rates.times_worse,
        "max_interruptions": _allowance(weights.interruptions, weights.interruptions_within_s),
        "false_alarm_bound": format_rate(weights.false_alarm_bound),
        "countdown": format_duration(policy.countdown_s),
        "evidence": format_duration(policy.evidence_s),
        "ask": {"timeout": format_duration(policy.ask_timeout_s), "then": policy.ask_then},
        "outside_bake": policy.outside_bake,
        "budget": {"per_target": _allowance(policy.budget.per_target, policy.budget.per_target_window_s)},
        "good_back": policy.good_back,
        "good_age": format_duration(policy.good_age_s),
        "verify_within": format_duration(policy.verify_within_s),
        "confirm_within": format_duration(policy.confirm_within_s),
        "blind_after": format_duration(policy.blind_after_s),
        "notify": list(settings.notify if target.notify is None else target.notify),
        "signals": {key: _signal(target.signals[key], signal, policy) for key, signal in signals.items()},
        "derived": {
            "group": policy.group,
            "watch_only": policy.watch_only,
            "stays_at_ask": policy.data is DataSafety.NOT_SAID and not policy.watch_only,
            "no_rollback_before": format_duration(policy.tolerate_interruption_s + 2 * slowest),
            "verify_healthy_for": format_duration(policy.verify_s),
        },
    }
    return shown


def _signal(section: SignalSection, signal: ConfiguredSignal, policy: TargetPolicy) -> dict[str, Any]:
    shown = _section(section)
    earliest = fires_after(signal.rule, signal.every_s, policy.tolerate_interruption_s)
    derived: dict[str, Any] = {"fires_after": format_duration(earliest)}
    # The default rule is more than its numbers: written down, it would no longer wait for the tolerated interruption.
    (derived if section.rule is None else shown)["rule"] = _rule(signal.rule)
    shown |= {"every": format_duration(signal.every_s), "counts_users": signal.counts_users}
    if signal.http is not None:
        shown["http"]["timeout"] = format_duration(signal.timeout_s)
    return shown | {"derived": derived}


def _rule(rule: CountingRule | Weighed) -> dict[str, Any]:
    if isinstance(rule, Weighed):
        return {
            "evidence": {
                "tolerate_error_rate": format_rate(rule.tolerate_error_rate),
                "unacceptable_error_rate": format_rate(rule.unacceptable_error_rate),
                "times_worse": rule.times_worse,
            }
        }
    if isinstance(rule, Above):
        return {
            "above": format_rate(rule.above),
            "for": format_duration(rule.for_s),
            "min_events": rule.min_events,
            "recover_below": format_rate(rule.recover_below),
        }
    if isinstance(rule, Consecutive):
        return {"consecutive": rule.failed, "recover": rule.recover}
    return {"failed": rule.failed, "of": rule.of}


def _allowance(count: int, window: float) -> str:
    return format_allowance(Allowance(count=count, window_s=window))


def _section(section: Section) -> dict[str, Any]:
    shown = {}
    for key, field in keys_of(type(section)).items():
        value = getattr(section, _name(type(section), field, key))
        if not field.exclude and value is not None:
            shown[key] = _value(value, field)
    return shown


def _name(section: type[Section], field: FieldInfo, key: str) -> str:
    return next((name for name, other in section.model_fields.items() if other is field), key)


def _value(value: Any, field: FieldInfo) -> Any:
    marker = next((extra for extra in field.metadata if isinstance(extra, Scalar)), None)
    return _plain(value) if marker is None else marker.show(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Section):
        return _section(value)
    if isinstance(value, Secret):
        kind, _, place = value.origin.partition(" ")
        return {kind: place} if place else MASK
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value
