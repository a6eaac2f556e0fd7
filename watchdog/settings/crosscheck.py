"""What fits one by one but not together: refused here, never adjusted silently. And what only deserves a warning.

Role: run on settings that pydantic has accepted (after what it refused was taken out, see `settings.loader`). Pure.
Each check names the trails it looked at, so that one that rests on a refused value is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from watchdog.model import Mode, TargetPolicy
from watchdog.settings import azure_access, database_access, prometheus_check, scrape_access
from watchdog.settings.access import (
    PLATFORMS,
    SIGNAL_KINDS,
    CountingRule,
    Weighed,
    Weights,
    base_policy,
    every_of,
    fires_after,
    mode_of,
    policy_of,
    polls_in,
    rule_of,
    signal_of,
    timeout_of,
    weights_of,
    workload_of,
)
from watchdog.settings.http_check import HttpSection, Method
from watchdog.settings.notify import KINDS, ChannelSection, Tls
from watchdog.settings.problems import Trail
from watchdog.settings.root import Settings
from watchdog.settings.rules import AboveRule, ShareRule
from watchdog.settings.signals import SignalSection
from watchdog.settings.targets import TargetSection
from watchdog.settings.units import format_duration as spell
from watchdog.settings.units import format_rate
from watchdog.settings.wording import Finding, keys_of

MOST_FALSE_ALARMS = 0.2
LEASE_MARGIN_S = 30.0
"""What a lease must be longer than the longest write: reads before and after it, and helm's own end."""
LEAST_WEIGHED_S = 1.0
"""Evidence is weighed in whole seconds: a shorter tolerated interruption needs a rule that counts."""

_WORKLOADS = ("deployment", "statefulset", "daemonset")


def _below(trail: Trail, keys: Iterable[str]) -> tuple[Trail, ...]:
    return tuple((*trail, key) for key in keys)


def contradictions(settings: Settings) -> Iterator[Finding]:
    """Everything that cannot be meant."""
    yield from _state(settings)
    if settings.api.tokens is not None and settings.api.page is None:
        yield Finding(trail=("api", "tokens"), message="needs an address to be used on", hint="page: {}")
    if settings.api.page is not None and settings.api.page.login and settings.api.tokens is None:
        yield Finding(trail=("api", "page", "login"), message="nobody could log in", hint="tokens: /path of a file")
    yield from _channels(settings)
    yield from prometheus_check.servers(settings)
    yield from azure_access.logins(settings)
    yield from database_access.sources(settings)
    yield from _knobs(settings, ("defaults",))
    workloads: dict[tuple[str, ...], str] = {}
    for name, target in settings.targets.items():
        trail: Trail = ("targets", name)
        yield from _platform(settings, target, trail)
        yield from _same_workload(target, name, workloads)
        yield from _knobs(settings, trail, name)
        acts = any(getattr(target, platform) is not None for platform in PLATFORMS)
        yield from database_access.on_target(target, trail, acts=acts)
        for key, signal in target.signals.items():
            yield from _signal(settings, target, (*trail, "signals", key), signal)


def _state(settings: Settings) -> Iterator[Finding]:
    state = settings.state
    if sum((state.memory, state.sqlite is not None, state.kubernetes is not None)) > 1:
        yield Finding(trail=("state",), message="needs exactly one of `sqlite`, `kubernetes` and `memory`")
    if state.kubernetes is not None:
        yield from _lease(settings, state.kubernetes.lease)
    if "memory" in state.model_fields_set and not state.memory and not (state.sqlite or state.kubernetes):
        yield Finding(trail=("state", "memory"), message="must be true when it is given", hint="or write sqlite: /path")


def _lease(settings: Settings, lease_s: float) -> Iterator[Finding]:
    """No write is begun that the lease would not outlive."""
    for name, target in settings.targets.items():
        app, helm, command = target.container_app, target.helm, target.command
        longest = max(
            app.ready_within if app else 0.0,
            helm.timeout if helm else 0.0,
            command.rollback_timeout if command else 0.0,
        )
        if longest and lease_s < longest + LEASE_MARGIN_S:
            message = f"lease ({spell(lease_s)}) is not longer than a rollback of {name!r} may take ({spell(longest)})"
            needed = spell(longest + LEASE_MARGIN_S)
            yield Finding(trail=("state", "kubernetes", "lease"), message=message, hint=f"lease: {needed}")


def _channels(settings: Settings) -> Iterator[Finding]:
    for name, channel in settings.notify.items():
        trail: Trail = ("notify", name)
        said = [kind for kind in KINDS if getattr(channel, kind) is not None]
        if len(said) != 1:
            kinds = _below(trail, keys_of(ChannelSection))
            message = f"has {len(said)} kinds, {' and '.join(said)}" if said else "says no kind of channel"
            yield Finding(trail=trail, message=message, hint="write {stdout: {}}", involves=kinds)
        yield from _channel(trail, channel)


def _channel(trail: Trail, channel: ChannelSection) -> Iterator[Finding]:
    slack, mail = channel.slack, channel.mail
    if slack is not None:
        place = (*trail, "slack")
        if (slack.webhook is None) == (slack.token is None):
            ways = _below(place, ("webhook", "token"))
            yield Finding(trail=place, message="needs exactly one of `webhook` and `token`", involves=ways)
        elif (slack.token is None) != (slack.channel is None):
            message = "an app needs the id of its `channel`" if slack.token else "a webhook has its channel already"
            yield Finding(trail=place, message=message, involves=_below(place, ("token", "channel")))
    if mail is not None and (mail.user is None) != (mail.password is None):
        place = (*trail, "mail")
        message = "a log-in needs `user` and `password`"
        yield Finding(trail=place, message=message, involves=_below(place, ("user", "password")))
    if mail is not None and mail.user is not None and mail.tls is Tls.NONE:
        message = "a password would be sent in the clear"
        yield Finding(trail=(*trail, "mail", "tls"), message=message, hint="starttls or tls")


def _platform(settings: Settings, target: TargetSection, trail: Trail) -> Iterator[Finding]:
    kubernetes = target.kubernetes
    said = [name for name in PLATFORMS if getattr(target, name) is not None]
    if len(said) > 1:
        message = f"has {len(said)} platforms, {' and '.join(f'`{name}`' for name in said)}: a target has one"
        yield Finding(trail=(*trail, said[1]), message=message)
    if target.container_app is not None:
        yield from azure_access.source(settings, (*trail, "container_app"), target.container_app.source)
    if kubernetes is not None:
        named = [kind for kind in _WORKLOADS if getattr(kubernetes, kind)]
        if len(named) != 1:
            found = f"found {' and '.join(named)}" if named else "found none"
            message = f"needs exactly one of deployment, statefulset and daemonset, {found}"
            place = (*trail, "kubernetes")
            yield Finding(trail=place, message=message, involves=_below(place, _WORKLOADS))


def _same_workload(target: TargetSection, name: str, seen: dict[tuple[str, ...], str]) -> Iterator[Finding]:
    kubernetes, helm, app = target.kubernetes, target.helm, target.container_app
    if app is not None:
        own = (app.subscription.lower(), app.resource_group.lower(), "container app", app.app)
        if seen.setdefault(own, name) != name:
            message = f"is the same app as the target {seen[own]!r}: two would roll it back twice"
            yield Finding(trail=("targets", name, "container_app"), message=message)
    if helm is not None:
        same = (helm.context or "", helm.kubeconfig or "", helm.namespace, "helm", helm.release)
        if seen.setdefault(same, name) != name:
            message = f"is the same release as the target {seen[same]!r}: two would roll it back twice"
            yield Finding(trail=("targets", name, "helm"), message=message)
    if kubernetes is None:
        return
    kind, workload = workload_of(kubernetes)
    key = (kubernetes.context or "", kubernetes.kubeconfig or "", kubernetes.namespace, kind, workload)
    if workload and seen.setdefault(key, name) != name:
        message = f"is the same workload as the target {seen[key]!r}: two would roll it back twice"
        yield Finding(trail=("targets", name, "kubernetes"), message=message)


# -- knobs -----------------------------------------------------------------------------------------------------------


def _knobs(settings: Settings, trail: Trail, target: str = "") -> Iterator[Finding]:
    """The same checks on `defaults` and on each target; on a target only where it says one of the values itself."""
    own = settings.targets[target].model_fields_set if target else frozenset({"defaults"})
    for keys, wrong, message in _pairs(settings, target):
        said = [key for key in keys if not target or key in own]
        if wrong and said:
            parts = [("ask", "timeout") if key == "ask" else (key,) for key in keys]
            others = tuple((*place, *part) for part in parts for place in (trail, ("defaults",)))
            key = said[0] if target else _first_said(settings, keys)
            yield Finding(trail=(*trail, key), message=message, involves=others)


def _weights(weights: Weights, tolerated: float) -> Iterator[tuple[tuple[str, ...], bool, str]]:
    """Knobs of the evidence rule that could never fire, or always would."""
    rates, count = weights.rates, weights.interruptions
    yield (
        ("unacceptable_error_rate", "tolerate_error_rate"),
        rates.tolerate_error_rate >= rates.unacceptable_error_rate,
        (
            f"unacceptable_error_rate ({format_rate(rates.unacceptable_error_rate)}) is not more than tolerate_error_rate "
            f"({format_rate(rates.tolerate_error_rate)})"
        ),
    )
    within, needed = weights.interruptions_within_s, (count + 1) * tolerated / 3
    yield (
        ("max_interruptions", "tolerate_interruption"),
        within <= needed,
        f"max_interruptions: {count + 1} interruptions of a third of tolerate_interruption do not fit into {spell(within)}",
    )
    yield (
        ("false_alarm_bound",),
        weights.false_alarm_bound > MOST_FALSE_ALARMS,
        f"false_alarm_bound ({format_rate(weights.false_alarm_bound)}) is more than 20%: nobody would believe it",
    )


def _first_said(settings: Settings, keys: tuple[str, ...]) -> str:
    return next((key for key in keys if key in settings.defaults.model_fields_set), keys[0])


def _pairs(settings: Settings, target: str) -> Iterator[tuple[tuple[str, ...], bool, str]]:
    policy = policy_of(settings, target) if target else base_policy(settings)
    bake, at_most, tolerated = policy.bake_s, policy.bake_at_most_s, policy.tolerate_interruption_s
    yield (
        ("bake_at_most", "bake_time"),
        at_most < bake,
        f"bake_at_most ({spell(at_most)}) is shorter than bake_time ({spell(bake)})",
    )
    yield from _weights(weights_of(settings, target), tolerated)
    yield (
        ("countdown", "ask"),
        policy.countdown_s >= policy.ask_timeout_s,
        f"countdown ({spell(policy.countdown_s)}) is not shorter than ask.timeout ({spell(policy.ask_timeout_s)})",
    )
    yield (
        ("verify_within", "tolerate_interruption"),
        policy.verify_s > policy.verify_within_s,
        f"verify_within ({spell(policy.verify_within_s)}) is shorter than twice tolerate_interruption ({spell(tolerated)})",
    )
    yield (
        ("good_age", "bake_time"),
        policy.good_age_s <= bake,
        f"good_age ({spell(policy.good_age_s)}) is not longer than bake_time ({spell(bake)}): no release would ever be near",
    )
    yield (
        ("tolerate_interruption", "bake_time"),
        tolerated >= bake,
        f"tolerate_interruption ({spell(tolerated)}) is not shorter than bake_time ({spell(bake)}): nothing would be blamed",
    )


# -- signals ---------------------------------------------------------------------------------------------------------


def _signal(settings: Settings, target: TargetSection, trail: Trail, signal: SignalSection) -> Iterator[Finding]:
    said = [kind for kind in SIGNAL_KINDS if getattr(signal, kind) is not None]
    if len(said) != 1:
        message = (
            f"has {len(said)} kinds, {' and '.join(f'`{kind}`' for kind in said)}" if said else "says no kind of signal"
        )
        kinds = _below(trail, keys_of(SignalSection))
        yield Finding(trail=trail, message=message, hint="write http: URL or workload: {}", involves=kinds)
        return
    yield from _needs_a_platform(target, trail, signal)
    flaws = list(_question(settings, trail, signal))
    yield from flaws
    if flaws:
        return
    if signal.http is not None:
        yield from _http(trail, signal.http, every_of(settings, signal))
    if signal.workload is not None and signal.counts_users:
        yield Finding(trail=(*trail, "counts_users"), message="a workload signal sees no users")
    yield from _rule(settings, trail, signal)
    yield from _pace(settings, str(trail[1]), trail, signal)
    yield from _evidence(settings, str(trail[1]), trail, signal)


def _question(settings: Settings, trail: Trail, signal: SignalSection) -> Iterator[Finding]:
    """What is asked of a source; without it nothing else can be said of the signal."""
    if signal.prometheus is not None:
        yield from prometheus_check.question(settings, (*trail, "prometheus"), signal.prometheus)
    if signal.app_insights is not None:
        yield from azure_access.question(settings, (*trail, "app_insights"), signal.app_insights)
    if signal.database is not None:
        yield from database_access.question(settings, (*trail, "database"), signal.database)
    if signal.scrape is not None:
        yield from scrape_access.question((*trail, "scrape"), signal.scrape, every_of(settings, signal))


def _needs_a_platform(target: TargetSection, trail: Trail, signal: SignalSection) -> Iterator[Finding]:
    """Pod states come from Kubernetes alone; instances to ask one by one also from a command's `current`."""
    platforms = _below(trail[:2], PLATFORMS)
    if signal.workload is not None and all(getattr(target, name) is None for name in PLATFORMS if name != "command"):
        message = "workload needs a target with `kubernetes`, `helm` or `container_app`"
        yield Finding(trail=trail, message=message, involves=platforms)
    if any(getattr(target, name) is not None for name in PLATFORMS):
        return
    if signal.http and signal.http.pods:
        message = "pods needs a target with `kubernetes`, `helm` or `command`"
        yield Finding(trail=(*trail, "http", "pods"), message=message, involves=platforms)
    if signal.scrape:
        message = "scrape asks each instance: it needs a target with `kubernetes`, `helm` or `command`"
        yield Finding(trail=(*trail, "scrape"), message=message, involves=platforms)


def _http(trail: Trail, http: HttpSection, period: float) -> Iterator[Finding]:
    place, every = (*trail, "http"), (*trail, "every")
    if (http.url is None) == (http.pods is None):
        message = "needs exactly one of `url` and `pods`"
        yield Finding(trail=place, message=message, involves=_below(place, ("url", "pods")))
    timeout = timeout_of(http, period)
    if timeout >= period:
        message = f"timeout ({spell(timeout)}) is not shorter than every ({spell(period)}): polls would overlap"
        yield Finding(trail=(*place, "timeout"), message=message, involves=(every,))
    if http.method is Method.HEAD and (http.expect.json_ is not None or http.expect.body is not None):
        key = "json" if http.expect.json_ is not None else "body"
        message = "an answer to HEAD has no body to look at"
        yield Finding(trail=(*place, "expect", key), message=message, involves=((*place, "method"),))
    within = http.expect.within
    if within is not None and within > timeout:
        message = f"within ({spell(within)}) is longer than timeout ({spell(timeout)}): it could never be measured"
        yield Finding(trail=(*place, "expect", "within"), message=message, involves=((*place, "timeout"), every))


def _rule(settings: Settings, trail: Trail, signal: SignalSection) -> Iterator[Finding]:
    rule, place, every = signal.rule, (*trail, "rule"), (*trail, "every")
    period = every_of(settings, signal)
    if isinstance(rule, ShareRule) and rule.failed > rule.of:
        message = f"failed ({rule.failed}) is more than of ({rule.of}): it could never fire"
        yield Finding(trail=(*place, "failed"), message=message)
    if not isinstance(rule, AboveRule):
        return
    if rule.recover_below is not None and rule.recover_below > rule.above:
        message = f"recover_below ({format_rate(rule.recover_below)}) is more than above ({format_rate(rule.above)})"
        yield Finding(trail=(*place, "recover_below"), message=message)
    polls = polls_in(rule.window, period)
    if polls < 2:  # noqa: PLR2004 - one poll is no window
        message = f"for ({spell(rule.window)}) is shorter than two polls of {spell(period)}"
        yield Finding(trail=(*place, "for"), message=message, involves=(every,))
    elif _one_event_a_poll(signal) and rule.min_events is not None and rule.min_events > polls:
        message = f"min_events ({rule.min_events}) is more than the {polls} polls in for ({spell(rule.window)}): it could never fire"
        yield Finding(trail=(*place, "min_events"), message=message, involves=(every,))


def _one_event_a_poll(signal: SignalSection) -> bool:
    """A probe of one URL and the workload signal give one event a poll; probes of pods give one a pod."""
    question = signal.prometheus
    if question is not None:
        return question.value is not None or question.quantile is not None
    return signal.scrape is None and (signal.http is None or signal.http.pods is None)


def _rule_in_force(settings: Settings, target: str, signal: SignalSection) -> CountingRule | Weighed:
    return signal_of(settings, "", signal, weights_of(settings, target).rates).rule


def _evidence(settings: Settings, target: str, trail: Trail, signal: SignalSection) -> Iterator[Finding]:
    """What is weighed needs rates that fit together, and an interruption of at least a second."""
    rule, tolerated = _rule_in_force(settings, target, signal), policy_of(settings, target).tolerate_interruption_s
    own = [
        key
        for key in ("unacceptable_error_rate", "tolerate_error_rate", "times_worse")
        if key in signal.model_fields_set
    ]
    if not isinstance(rule, Weighed):
        for key in own:
            yield Finding(
                trail=(*trail, key), message="says nothing beside a rule that counts", involves=((*trail, "rule"),)
            )
        return
    if own and rule.tolerate_error_rate >= rule.unacceptable_error_rate:
        message = (
            f"unacceptable_error_rate ({format_rate(rule.unacceptable_error_rate)}) is not more than tolerate_error_rate "
            f"({format_rate(rule.tolerate_error_rate)})"
        )
        yield Finding(trail=(*trail, own[0]), message=message)
    if tolerated < LEAST_WEIGHED_S:
        message = f"tolerate_interruption ({spell(tolerated)}) is too short to weigh evidence: it needs at least 1s, or a rule"
        places = tuple((*place, "tolerate_interruption") for place in (("targets", target), ("defaults",)))
        yield Finding(trail=trail, message=message, hint="rule: {consecutive: 3}", involves=places)


def _pace(settings: Settings, target: str, trail: Trail, signal: SignalSection) -> Iterator[Finding]:
    """It must be able to fire within bake time, and to be noticed when it says nothing."""
    policy, every = policy_of(settings, target), every_of(settings, signal)
    earliest = fires_after(_rule_in_force(settings, target, signal), every, policy.tolerate_interruption_s)
    involved = tuple((*place, "bake_time") for place in (("targets", target), ("defaults",)))
    if earliest >= policy.bake_s:
        message = f"fires after {spell(earliest)} at the earliest, but bake_time is {spell(policy.bake_s)}: it could never count"
        place: Trail = (*trail, "rule") if signal.rule is not None else (*trail, "every")
        yield Finding(trail=place, message=message, involves=(*involved, (*trail, "every")))
    if 2 * every > policy.blind_after_s:
        message = f"every ({spell(every)}) leaves no two polls within blind_after ({spell(policy.blind_after_s)})"
        blind = tuple((*place, "blind_after") for place in (("targets", target), ("defaults",)))
        yield Finding(trail=(*trail, "every"), message=message, involves=blind)


# -- warnings --------------------------------------------------------------------------------------------------------


def doubts(settings: Settings) -> Iterator[Finding]:
    """What is allowed and perhaps not meant."""
    if settings.state.memory and settings.mode is not Mode.OBSERVE:
        message = "state in memory forgets pauses, budgets and condemned releases at every restart"
        yield Finding(trail=("state", "memory"), message=message)
    if not settings.notify:
        yield Finding(
            trail=("notify",), message="no channel is configured: notices are only in the log and the incident"
        )
    for name, group in settings.groups.items():
        if len(group.order) > 1:
            message = (
                "in this version each member goes back by itself; the group shares mode, pauses and one write at a time"
            )
            yield Finding(trail=("groups", name, "order"), message=message)
    for name, target in settings.targets.items():
        yield from _doubts_of_target(settings, name, target)


def _doubts_of_target(settings: Settings, name: str, target: TargetSection) -> Iterator[Finding]:
    policy = policy_of(settings, name)
    trail: Trail = ("targets", name)
    if policy.watch_only:
        if target.mode is not None and target.mode is not Mode.OBSERVE:
            yield Finding(trail=(*trail, "mode"), message="has no platform: it is watched only and never rolled back")
    elif mode_of(settings, name) is Mode.ENFORCE and target.data is None:
        message = "`data` is not said: the target stays at `ask` under `enforce`"
        yield Finding(trail=trail, message=message, hint="write data: none, compatible or check")
    for other in target.control:
        if policy.group and other in settings.groups[policy.group].order:
            message = (
                f"the control {other!r} is in the same group: it is released and rolled back along, so it shows little"
            )
            yield Finding(trail=(*trail, "control"), message=message)
    for key, signal in target.signals.items():
        every = every_of(settings, signal)
        if signal.every is not None and every > policy.tolerate_interruption_s:
            message = (
                f"every ({spell(every)}) is longer than tolerate_interruption "
                f"({spell(policy.tolerate_interruption_s)}): a blip cannot be told from a fault"
            )
            yield Finding(trail=(*trail, "signals", key, "every"), message=message)
        yield from _hasty((*trail, "signals", key, "rule"), signal, every, policy)


def _hasty(trail: Trail, signal: SignalSection, every: float, policy: TargetPolicy) -> Iterator[Finding]:
    """A written rule decides alone, also against the tolerated interruption."""
    tolerated = policy.tolerate_interruption_s
    if signal.rule is None:
        return
    earliest = fires_after(rule_of(signal.rule, every), every, tolerated)
    if earliest < tolerated and not policy.watch_only:
        message = f"fires after {spell(earliest)}, sooner than tolerate_interruption ({spell(tolerated)})"
        yield Finding(trail=trail, message=message, hint="a rule that is written down decides alone")
