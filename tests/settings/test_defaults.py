"""Every default of the configuration, pinned: changing one is a visible act."""

from __future__ import annotations

from watchdog.model import Budget, Mode, TargetPolicy
from watchdog.settings import load_text, policy_of, schema
from watchdog.settings.defaults import DefaultsSection, TargetKnobs
from watchdog.settings.wording import keys_of

SMALLEST = 'targets: {api: {signals: {health: {http: "http://api/health"}}}}'

DEFAULTS = {
    "Settings.mode": "observe",
    "Settings.first_start": "observe",
    "Settings.bundles": "/var/lib/watchdog/incidents",
    "Settings.keep_bundles": "90d",
    "Settings.reference": [],
    "Settings.pauses": [],
    "StateSection.memory": False,
    "ApiSection.socket": "/run/watchdog/watchdog.sock",
    "MetricsSection.host": "0.0.0.0",
    "MetricsSection.port": 9469,
    "AppInsightsSection.tables": "workspace",
    "AzureSection.cloud": "public",
    "ContainerAppSection.every": "10s",
    "ContainerAppSection.ready_within": "3m",
    "ChannelSection.at_least": "info",
    "PagerDutySection.url": "https://events.pagerduty.com",
    "MailSection.port": 587,
    "MailSection.tls": "starttls",
    "PageSection.host": "127.0.0.1",
    "PageSection.port": 9470,
    "PageSection.login": False,
    "LogSection.format": "json",
    "LogSection.level": "info",
    "DefaultsSection.bake_time": "30m",
    "DefaultsSection.bake_events": 1000,
    "DefaultsSection.bake_at_most": "12h",
    "DefaultsSection.tolerate_interruption": "30s",
    "DefaultsSection.tolerate_error_rate": "0.5%",
    "DefaultsSection.unacceptable_error_rate": "5%",
    "DefaultsSection.times_worse": 3,
    "DefaultsSection.max_interruptions": "3 per 10m",
    "DefaultsSection.false_alarm_bound": "1%",
    "DefaultsSection.countdown": "10s",
    "DefaultsSection.evidence": "15s",
    "DefaultsSection.outside_bake": "note",
    "DefaultsSection.good_back": 2,
    "DefaultsSection.good_age": "7d",
    "DefaultsSection.verify_within": "10m",
    "DefaultsSection.confirm_within": "15m",
    "DefaultsSection.blind_after": "5m",
    "AskSection.timeout": "10m",
    "AskSection.then": "hold",
    "BudgetSection.per_target": "2 per 1d",
    "BudgetSection.fleet": "3 per 10m",
    "KubernetesSection.every": "5s",
    "KubernetesSection.ignore_annotations": [],
    "KubernetesSection.allow_pod_delete": False,
    "KubernetesSection.allow_recreate": False,
    "HelmSection.program": "helm",
    "HelmSection.every": "5s",
    "HelmSection.timeout": "2m",
    "CommandSection.every": "5s",
    "CommandSection.timeout": "5s",
    "CommandSection.rollback_timeout": "2m",
    "TargetSection.control": [],
    "TargetSection.depends_on": [],
    "PrometheusSourceSection.lag": "1s",
    "PrometheusSourceSection.timeout": "5s",
    "PrometheusSourceSection.verify": True,
    "ScrapeSection.path": "/metrics",
    "ScrapeSection.scheme": "http",
    "ScrapeSection.verify": True,
    "PrometheusSection.min_events": 20,
    "PrometheusSection.pod_label": "pod",
    "KubernetesStateSection.objects": False,
    "KubernetesStateSection.name": "watchdog",
    "KubernetesStateSection.lease": "15s",
    "DatabaseSection.schemas": [],
    "PostgresSection.port": 5432,
    "PostgresSection.tls": "prefer",
    "PostgresSection.timeout": "5s",
    "HttpSection.method": "GET",
    "HttpSection.connection": "fresh",
    "HttpSection.verify": True,
    "PodsSection.path": "/",
    "PodsSection.scheme": "http",
    "ExpectSection.status": "200-299",
    "ExpectSection.redirects": "refuse",
    "ExpectSection.max_redirects": 5,
    "PauseSection.who": "configuration",
}


def test_every_default_is_the_one_that_is_written_here():
    found = {name: field["default"] for name, field, _, _ in keys_with_descriptions() if "default" in field}
    assert found == DEFAULTS


def test_a_target_that_says_nothing_gets_the_policy_of_the_table():
    settings = load_text(SMALLEST, {}).settings
    assert policy_of(settings, "api") == TargetPolicy(
        target="api",
        mode=Mode.OBSERVE,
        bake_s=1800.0,
        bake_events=1000,
        bake_at_most_s=43_200.0,
        tolerate_interruption_s=30.0,
        countdown_s=10.0,
        evidence_s=15.0,
        ask_timeout_s=600.0,
        ask_then="hold",
        outside_bake="note",
        watch_only=True,
        good_back=2,
        good_age_s=604_800.0,
        verify_within_s=600.0,
        confirm_within_s=900.0,
        blind_after_s=300.0,
        first_start="observe",
        budget=Budget(per_target=2, per_target_window_s=86_400.0, fleet=3, fleet_window_s=600.0),
    )


def test_the_models_own_defaults_of_a_policy_are_those_of_the_configuration():
    settings = load_text(SMALLEST, {}).settings
    assert policy_of(settings, "api") == TargetPolicy(target="api", watch_only=True)


def test_a_target_knows_exactly_the_knobs_of_the_defaults():
    assert list(keys_of(DefaultsSection)) == list(keys_of(TargetKnobs))


def keys_with_descriptions():
    published = schema()
    for name, section in {"Settings": published, **published["$defs"]}.items():
        form = section if "properties" in section else section.get("anyOf", [{}, {}])[-1]
        for key, field in form.get("properties", {}).items():
            target = published["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
            yield (
                f"{name}.{key}",
                field,
                key in form.get("required", []),
                field.get("description") or target.get("description"),
            )


def test_every_key_is_described():
    assert [name for name, _, _, description in keys_with_descriptions() if not description] == []


def test_every_key_that_may_be_none_says_what_none_means():
    silent = [
        name
        for name, field, required, description in keys_with_descriptions()
        if not required and "default" not in field and "not" not in field and "None" not in description
    ]
    sections_and_mappings = {
        "Settings.state", "Settings.api", "Settings.log", "Settings.defaults", "Settings.groups",
        "ApiSection.metrics", "DefaultsSection.ask", "DefaultsSection.budget", "CommandSection.environment",
        "PrometheusSection.labels", "PrometheusSourceSection.headers", "ScrapeSection.headers", "Settings.prometheus", "Settings.postgres", "Settings.azure", "WebhookSection.headers",
            "TargetSection.features", "TargetSection.labels", "TargetSection.links", "HttpSection.expect", "HttpSection.headers",
    }  # fmt: skip
    assert set(silent) == sections_and_mappings
