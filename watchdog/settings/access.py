"""Typed, frozen views of the settings for those who build things from them.

Role: `policy_of` gives judgement, gate and engine their numbers; `configured` gives the composition root one record a
target; `windows` gives the pauses. Pure. Guarantees: every None of the file has become the value in force; the mode is the
strictest of global, group and target; `digest` changes exactly when something of the target changed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

from watchdog.model import Budget, DataSafety, Instant, Mode, Pause, TargetPolicy, record, to_document
from watchdog.safety.recurring import Window
from watchdog.settings import azure_access
from watchdog.settings.azure_access import AppInsightsQuestion, ContainerApp
from watchdog.settings.database_access import ConfiguredDatabase, database_of, databases_of
from watchdog.settings.defaults import BudgetSection, TargetBudgetSection, TargetKnobs
from watchdog.settings.http_check import Connection, HttpSection, Redirects
from watchdog.settings.platforms import KubernetesSection
from watchdog.settings.prometheus_access import PrometheusQuestion, every_of_question, question_of
from watchdog.settings.root import Settings
from watchdog.settings.rules import DEFAULT_FAILED, DEFAULT_OF, AboveRule, ConsecutiveRule, Rule
from watchdog.settings.scrape_access import PageQuestion, page_question_of
from watchdog.settings.secret import Secret
from watchdog.settings.signals import DEFAULT_EVERY, DEFAULT_TIMEOUT, SignalSection
from watchdog.settings.targets import TargetSection

PLATFORMS = ("kubernetes", "helm", "container_app", "command")
SIGNAL_KINDS = ("http", "workload", "prometheus", "app_insights", "database", "scrape")
_STRICTNESS = tuple(Mode)
_KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}
FEWEST_EVENTS = 20


@record
class Above:
    """Failing when the share of bad events was above `above` for `for_s`; a share needs `min_events`."""

    above: float
    for_s: float
    min_events: int
    recover_below: float


@record
class Consecutive:
    """Failing after `failed` bad samples in a row, healthy after `recover` good ones."""

    failed: int
    recover: int


@record
class Share:
    """Failing when `failed` of the last `of` samples were bad; `tolerant` = and that for the tolerated interruption."""

    failed: int
    of: int
    tolerant: bool = False


@record
class Weighed:
    """Nothing is counted: the signal is weighed as evidence, with these rates."""

    tolerate_error_rate: float
    unacceptable_error_rate: float
    times_worse: float


@record
class Weights:
    """What holds for all signals of a target that are weighed. `interruptions` are borne within `interruptions_within_s`."""

    rates: Weighed
    interruptions: int
    interruptions_within_s: float
    false_alarm_bound: float


CountingRule = Above | Consecutive | Share


@record
class PodAddress:
    """Ask every instance of the target. `port` 0 = the one that the platform names for it."""

    port: int
    path: str
    scheme: str


@record
class Request:
    """An HTTP check. Either `url` or `pods`. `max_redirects` 0 = not followed. Header values may be secrets: not in repr."""

    url: str
    pods: PodAddress | None
    method: str
    status: tuple[tuple[int, int], ...]
    max_redirects: int
    within_s: float | None
    timeout_s: float
    keep_connection: bool
    host: str = ""
    ca_file: str = ""
    verify: bool = True
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    json_condition: str = ""
    body_pattern: str = ""


@record
class ConfiguredSignal:
    """One signal. `kind` is one of `SIGNAL_KINDS`; what it asks is there."""

    name: str
    kind: str
    every_s: float
    timeout_s: float
    """Bound of one poll; for `workload` one poll interval."""
    rule: CountingRule | Weighed
    counts_users: bool = False
    evidence: str = "probe"
    """What its events are to the judgement: ``probe``, ``err`` (requests of users) or ``slow``."""
    http: Request | None = None
    prometheus: PrometheusQuestion | None = None
    app_insights: AppInsightsQuestion | None = None
    database: ConfiguredDatabase | None = None
    scrape: PageQuestion | None = None


@record
class KubernetesWorkload:
    """A workload of a cluster; `kind` is Deployment, StatefulSet or DaemonSet. Empty `context`, `kubeconfig` = the usual."""

    namespace: str
    kind: str
    name: str
    every_s: float
    ignore_annotations: tuple[str, ...] = ()
    context: str = ""
    kubeconfig: str = ""


@record
class HelmRelease:
    """A Helm release of a cluster. Empty `context`, `kubeconfig` = the usual."""

    namespace: str
    release: str
    program: str
    every_s: float
    timeout_s: float
    context: str = ""
    kubeconfig: str = ""


@record
class CommandPrograms:
    """The three programs of the command platform."""

    current: tuple[str, ...]
    history: tuple[str, ...]
    rollback: tuple[str, ...]
    every_s: float
    timeout_s: float
    rollback_timeout_s: float
    directory: str = ""
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Values may be secrets."""


ConfiguredPlatform = KubernetesWorkload | HelmRelease | ContainerApp | CommandPrograms


@record
class ConfiguredTarget:
    """Everything of one target. `platform` None = watched only."""

    name: str
    policy: TargetPolicy
    platform: ConfiguredPlatform | None
    signals: tuple[ConfiguredSignal, ...]
    weights: Weights
    channels: tuple[str, ...]
    databases: tuple[ConfiguredDatabase, ...]
    """What its code has to understand: of a target with a platform only, and not among `signals`."""
    links: Mapping[str, str]
    features: Mapping[str, str]
    digest: str
    """Of all the rest, secret values included (hashed): equal = nothing of this target changed."""


def group_of(settings: Settings, target: str) -> str:
    """Name of the group a target is in; empty = of none."""
    return next((name for name, group in settings.groups.items() if target in group.order), "")


def mode_of(settings: Settings, target: str) -> Mode:
    """The strictest of the global, the group's and the target's own mode."""
    group = settings.groups.get(group_of(settings, target))
    said = (settings.mode, group.mode if group else None, settings.targets[target].mode)
    return min((mode for mode in said if mode is not None), key=_STRICTNESS.index)


def policy_of(settings: Settings, target: str) -> TargetPolicy:
    """The numbers in force for a target. Raises KeyError for a name that is none."""
    own = settings.targets[target]
    kubernetes = own.kubernetes
    return replace(
        _knobs(settings, own),
        target=target,
        group=group_of(settings, target),
        platform=next((name for name in PLATFORMS if getattr(own, name) is not None), ""),
        labels=tuple(f"{key}={value}" for key, value in sorted(own.labels.items())),
        mode=mode_of(settings, target),
        data=own.data or DataSafety.NOT_SAID,
        control=own.control,
        depends_on=own.depends_on,
        watch_only=all(getattr(own, name) is None for name in PLATFORMS),
        allow_pod_delete=kubernetes is not None and kubernetes.allow_pod_delete,
        allow_recreate=kubernetes is not None and kubernetes.allow_recreate,
    )


def base_policy(settings: Settings) -> TargetPolicy:
    """The numbers of a target that says nothing itself; its name is empty."""
    return replace(_knobs(settings, TargetKnobs()), mode=settings.mode)


def _knobs(settings: Settings, own: TargetKnobs) -> TargetPolicy:
    base = settings.defaults
    ask = own.ask or base.ask
    return TargetPolicy(
        target="",
        bake_s=_either(own.bake_time, base.bake_time),
        bake_events=_either(own.bake_events, base.bake_events),
        bake_at_most_s=_either(own.bake_at_most, base.bake_at_most),
        tolerate_interruption_s=_either(own.tolerate_interruption, base.tolerate_interruption),
        countdown_s=_either(own.countdown, base.countdown),
        evidence_s=_either(own.evidence, base.evidence),
        ask_timeout_s=ask.timeout,
        ask_then=ask.then.value,
        outside_bake=(own.outside_bake or base.outside_bake).value,
        good_back=_either(own.good_back, base.good_back),
        good_age_s=_either(own.good_age, base.good_age),
        verify_within_s=_either(own.verify_within, base.verify_within),
        confirm_within_s=_either(own.confirm_within, base.confirm_within),
        blind_after_s=_either(own.blind_after, base.blind_after),
        first_start=settings.first_start.value,
        budget=_budget(base.budget, own.budget),
    )


def _either(own: Any, base: Any) -> Any:
    return base if own is None else own


def _budget(base: BudgetSection, own: TargetBudgetSection | None) -> Budget:
    per_target = (own.per_target if own else None) or base.per_target
    return Budget(
        per_target=per_target.count,
        per_target_window_s=per_target.window_s,
        fleet=base.fleet.count,
        fleet_window_s=base.fleet.window_s,
    )


def configured(settings: Settings) -> tuple[ConfiguredTarget, ...]:
    """One record a target, in the order of the file."""
    return tuple(_configured(settings, name) for name in settings.targets)


def _configured(settings: Settings, name: str) -> ConfiguredTarget:
    target = settings.targets[name]
    policy = policy_of(settings, name)
    weights = weights_of(settings, name)
    databases = () if policy.watch_only else databases_of(settings, target)
    aside = {database.signal for database in databases}
    signals = tuple(
        signal_of(settings, key, signal, weights.rates) for key, signal in target.signals.items() if key not in aside
    )
    platform = _platform_of(settings, target)
    channels = tuple(settings.notify) if target.notify is None else target.notify
    everything = [policy, weights, *signals, *databases, *([platform] if platform else [])]
    rest = [channels, target.links, target.features]
    text = json.dumps([[to_document(entry) for entry in everything], rest], sort_keys=True, default=list)
    return ConfiguredTarget(
        name=name,
        policy=policy,
        platform=platform,
        signals=signals,
        weights=weights,
        channels=channels,
        databases=databases,
        links=target.links,
        features=target.features,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def weights_of(settings: Settings, target: str = "") -> Weights:
    """What the signals of a target (empty: of one that says nothing itself) are weighed with."""
    own: TargetKnobs = settings.targets[target] if target else TargetKnobs()
    base = settings.defaults
    allowed = own.max_interruptions or base.max_interruptions
    return Weights(
        rates=Weighed(
            tolerate_error_rate=_either(own.tolerate_error_rate, base.tolerate_error_rate),
            unacceptable_error_rate=_either(own.unacceptable_error_rate, base.unacceptable_error_rate),
            times_worse=_either(own.times_worse, base.times_worse),
        ),
        interruptions=allowed.count,
        interruptions_within_s=allowed.window_s,
        false_alarm_bound=_either(own.false_alarm_bound, base.false_alarm_bound),
    )


def weighed_of(signal: SignalSection, rates: Weighed) -> Weighed:
    """The rates of one signal: its own, else its target's."""
    return Weighed(
        tolerate_error_rate=_either(signal.tolerate_error_rate, rates.tolerate_error_rate),
        unacceptable_error_rate=_either(signal.unacceptable_error_rate, rates.unacceptable_error_rate),
        times_worse=_either(signal.times_worse, rates.times_worse),
    )


def signal_of(settings: Settings, name: str, signal: SignalSection, rates: Weighed) -> ConfiguredSignal:
    """The record of one signal; without a rule its counts are weighed with these rates of its target.

    Raises ValueError for a source that is not configured.
    """
    http, every = signal.http, every_of(settings, signal)
    question = question_of(settings, signal.prometheus) if signal.prometheus else None
    database = database_of(settings, name, signal.database) if signal.database else None
    telemetry = azure_access.asked_of(settings, signal.app_insights) if signal.app_insights else None
    page = page_question_of(signal.scrape, _shorter(signal.scrape.timeout, every)) if signal.scrape else None
    metrics = [asked for asked in (question, page) if asked is not None]
    slow = any(not asked.counts_requests for asked in metrics) or (
        telemetry is not None and telemetry.slow_s is not None
    )
    usual = (bool(metrics) or telemetry is not None) and not slow
    users = usual if signal.counts_users is None else signal.counts_users
    counts = any(asked is not None for asked in (http, question, telemetry, database, page))
    return ConfiguredSignal(
        name=name,
        kind=kind_of_signal(signal),
        every_s=every,
        timeout_s=_bound(signal, question, database, every) if page is None else page.page.timeout_s + 1.0,
        rule=weighed_of(signal, rates) if signal.rule is None and counts else rule_of(signal.rule, every),
        counts_users=users,
        evidence="slow" if slow else "err" if users else "probe",
        http=_request_of(http, timeout_of(http, every)) if http else None,
        prometheus=question,
        app_insights=telemetry,
        database=database,
        scrape=page,
    )


def every_of(settings: Settings, signal: SignalSection) -> float:
    """Seconds between two polls of a signal: as said, else what is usual for its kind."""
    if signal.every is not None:
        return signal.every
    if signal.app_insights is not None:
        return azure_access.USUAL_EVERY
    return every_of_question(settings, signal.prometheus) if signal.prometheus else DEFAULT_EVERY


def kind_of_signal(signal: SignalSection) -> str:
    """The one kind it has (``crosscheck`` refuses others)."""
    return next(kind for kind in SIGNAL_KINDS if getattr(signal, kind) is not None)


def _bound(
    signal: SignalSection, question: PrometheusQuestion | None, database: ConfiguredDatabase | None, every: float
) -> float:
    if signal.http is not None:
        return timeout_of(signal.http, every)
    if question is not None:
        return question.server.timeout_s + 1.0
    return database.timeout_s + 1.0 if database is not None else every


def timeout_of(http: HttpSection, every: float) -> float:
    """Seconds for a whole check: as said, else 3 s or 60 % of `every`."""
    return _shorter(http.timeout, every)


def _shorter(timeout: float | None, every: float) -> float:
    return min(DEFAULT_TIMEOUT, round(0.6 * every, 3)) if timeout is None else timeout


def rule_of(rule: Rule | None, every: float) -> CountingRule:
    """The counting rule in force, every None resolved."""
    if rule is None:
        return Share(failed=DEFAULT_FAILED, of=DEFAULT_OF, tolerant=True)
    if isinstance(rule, AboveRule):
        return Above(
            above=rule.above,
            for_s=rule.window,
            min_events=rule.min_events or max(1, min(FEWEST_EVENTS, polls_in(rule.window, every))),
            recover_below=rule.above / 2 if rule.recover_below is None else rule.recover_below,
        )
    if isinstance(rule, ConsecutiveRule):
        return Consecutive(failed=rule.consecutive, recover=rule.recover or 2 * rule.consecutive)
    return Share(failed=rule.failed, of=rule.of)


def polls_in(window: float, every: float) -> int:
    """How many polls fit into a window."""
    return math.floor(window / every + 1e-9)


def fires_after(rule: CountingRule | Weighed, every: float, tolerated: float) -> float:
    """Seconds of complete failure after which a rule fires at the earliest."""
    if isinstance(rule, Weighed):
        return tolerated + 2 * every
    if isinstance(rule, Above):
        return rule.for_s
    least = tolerated if isinstance(rule, Share) and rule.tolerant else 0.0
    return max(least, rule.failed * every)


def _request_of(http: HttpSection, timeout: float) -> Request:
    pods, expect = http.pods, http.expect
    return Request(
        url=http.url or "",
        pods=PodAddress(port=pods.tcp or 0, path=pods.path, scheme=pods.scheme.value) if pods else None,
        method=http.method.value,
        status=expect.status,
        max_redirects=expect.max_redirects if expect.redirects is Redirects.FOLLOW else 0,
        within_s=expect.within,
        json_condition=expect.json_ or "",
        body_pattern=expect.body or "",
        timeout_s=timeout,
        keep_connection=http.connection is Connection.KEEP,
        host=http.host or "",
        ca_file=http.ca_file or "",
        verify=http.verify,
        headers=_revealed(http.headers),
    )


def _revealed(values: Mapping[str, Secret]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value.get_secret_value()) for name, value in values.items())


def _platform_of(settings: Settings, target: TargetSection) -> ConfiguredPlatform | None:
    kubernetes, command, helm = target.kubernetes, target.command, target.helm
    if target.container_app is not None:
        return azure_access.app_of(settings, target.container_app)
    if helm is not None:
        return HelmRelease(
            namespace=helm.namespace,
            release=helm.release,
            program=helm.program,
            every_s=helm.every,
            timeout_s=helm.timeout,
            context=helm.context or "",
            kubeconfig=helm.kubeconfig or "",
        )
    if kubernetes is not None:
        kind, name = workload_of(kubernetes)
        return KubernetesWorkload(
            namespace=kubernetes.namespace,
            kind=kind,
            name=name,
            every_s=kubernetes.every,
            ignore_annotations=kubernetes.ignore_annotations,
            context=kubernetes.context or "",
            kubeconfig=kubernetes.kubeconfig or "",
        )
    if command is not None:
        return CommandPrograms(
            current=command.current,
            history=command.history,
            rollback=command.rollback,
            every_s=command.every,
            timeout_s=command.timeout,
            rollback_timeout_s=command.rollback_timeout,
            directory=command.directory or "",
            environment=_revealed(command.environment),
        )
    return None


def workload_of(kubernetes: KubernetesSection) -> tuple[str, str]:
    """Kind and name of the workload; empty when the section names none."""
    named = {_KINDS[key]: getattr(kubernetes, key) for key in _KINDS if getattr(kubernetes, key)}
    return next(iter(named.items()), ("", ""))


def windows(settings: Settings) -> tuple[Window, ...]:
    """The configured pauses. One without `from` began at the epoch; the id tells windows apart and survives a reload."""
    return tuple(
        pause.recurring(_window_id(index, settings))
        if pause.cron is not None
        else Pause(
            id=_window_id(index, settings),
            scope=pause.scope,
            who=pause.who,
            why=pause.why,
            since=pause.starts if pause.starts is not None else Instant(0.0),
            until=pause.ends,
        )
        for index, pause in enumerate(settings.pauses)
    )


def _window_id(index: int, settings: Settings) -> str:
    pause = settings.pauses[index]
    when = [pause.starts, pause.ends] if pause.cron is None else [pause.cron, pause.zone, pause.lasts]
    text = json.dumps([pause.scope, *when, pause.who, pause.why])
    same_before = sum(1 for other in settings.pauses[:index] if other == pause)
    return f"config-{hashlib.sha256(text.encode()).hexdigest()[:10]}" + (f"-{same_before}" if same_before else "")
