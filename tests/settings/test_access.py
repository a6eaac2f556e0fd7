"""What the builders get: policies with the strictest mode, resolved rules, digests and windows."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from tests.settings.texts import SMALLEST, TWO
from watchdog.model import DataSafety, Mode, parse_instant
from watchdog.settings import (
    Above,
    CommandPrograms,
    Consecutive,
    KubernetesWorkload,
    PodAddress,
    Share,
    Weighed,
    Weights,
    configured,
    load_text,
    mode_of,
    policy_of,
    windows,
)

TOKEN = {"TOKEN": "x"}
MODES = ["observe", "ask", "enforce"]


def settings_of(text, environ=None):
    return load_text(text, environ or {}).settings


def only_signal(body):
    text = f"targets: {{api: {{kubernetes: {{namespace: shop, deployment: api}}, signals: {{health: {body}}}}}}}\n"
    return configured(settings_of(text))[0].signals[0]


@pytest.mark.parametrize(
    ("everywhere", "group", "target"), list(itertools.product(MODES, [None, *MODES], [None, *MODES]))
)
def test_the_strictest_mode_of_global_group_and_target_counts(everywhere, group, target):
    said = {"mode": group} if group else {}
    own = f"mode: {target}, " if target else ""
    text = (
        f"mode: {everywhere}\n"
        f'targets: {{api: {{{own}signals: {{h: {{http: "http://api"}}}}}}}}\n'
        f"groups: {{shop: {{order: [api]{', mode: ' + said['mode'] if said else ''}}}}}\n"
    )
    strictest = min((mode for mode in (everywhere, group, target) if mode), key=MODES.index)
    assert mode_of(settings_of(text), "api") is Mode(strictest)
    assert policy_of(settings_of(text), "api").mode is Mode(strictest)


def test_a_target_inherits_defaults_and_overrides_them_one_by_one():
    text = (
        "defaults: {bake_time: 1h, countdown: 20s, budget: {per_target: 5 per 2h, fleet: 7 per 1h}}\n"
        "targets:\n"
        '  api: {signals: {h: {http: "http://api"}}, countdown: 0s, budget: {per_target: 1 per 1d}, ask: {timeout: 5m}}\n'
        '  web: {signals: {h: {http: "http://web"}}}\n'
    )
    settings = settings_of(text)
    api, web = policy_of(settings, "api"), policy_of(settings, "web")
    assert (api.bake_s, api.countdown_s, api.ask_timeout_s) == (3600.0, 0.0, 300.0)
    assert (web.bake_s, web.countdown_s, web.ask_timeout_s) == (3600.0, 20.0, 600.0)
    assert (api.budget.per_target, api.budget.per_target_window_s, api.budget.fleet) == (1, 86_400.0, 7)
    assert (web.budget.per_target, web.budget.per_target_window_s, web.budget.fleet) == (5, 7200.0, 7)


def test_data_that_is_not_said_is_not_taken_for_none():
    assert policy_of(settings_of(SMALLEST), "api").data is DataSafety.NOT_SAID
    assert policy_of(settings_of(TWO, TOKEN), "web").data is DataSafety.NONE


def test_a_target_without_a_platform_is_watched_only():
    (target,) = configured(settings_of(SMALLEST))
    assert target.platform is None
    assert target.policy.watch_only


def test_a_kubernetes_target_carries_its_workload_and_opt_ins():
    text = (
        "targets: {db: {kubernetes: {namespace: shop, statefulset: postgres, context: prod, kubeconfig: /k, every: 2s, "
        "ignore_annotations: [a/b], allow_pod_delete: true}, signals: {workload: {}}}}\n"
    )
    (target,) = configured(settings_of(text))
    assert target.platform == KubernetesWorkload(
        namespace="shop",
        kind="StatefulSet",
        name="postgres",
        every_s=2.0,
        ignore_annotations=("a/b",),
        context="prod",
        kubeconfig="/k",
    )
    assert target.policy.allow_pod_delete
    assert not target.policy.allow_recreate


def test_a_command_target_carries_its_programs():
    text = (
        "targets: {api: {command: {current: [a, b], history: [c], rollback: [d], every: 1s, timeout: 2s, "
        'rollback_timeout: 3s, directory: /srv}, signals: {h: {http: "http://api"}}}}\n'
    )
    (target,) = configured(settings_of(text))
    assert target.platform == CommandPrograms(
        current=("a", "b"),
        history=("c",),
        rollback=("d",),
        every_s=1.0,
        timeout_s=2.0,
        rollback_timeout_s=3.0,
        directory="/srv",
    )


def test_a_signal_named_workload_that_says_no_kind_is_the_workload_signal():
    text = "targets: {api: {kubernetes: {namespace: shop, deployment: api}, signals: {workload: {every: 2s}}}}\n"
    (signal,) = configured(settings_of(text))[0].signals
    assert (signal.name, signal.kind, signal.every_s, signal.http) == ("workload", "workload", 2.0, None)


def test_a_signal_of_another_name_may_be_a_workload_signal_too():
    assert only_signal("{workload: {}}").kind == "workload"


def test_the_short_form_of_http_is_its_url():
    signal = only_signal('{http: "http://api/"}')
    assert (signal.http.url, signal.http.pods) == ("http://api/", None)


def test_an_http_check_carries_everything_that_was_said():
    signal = only_signal(
        "{http: {pods: {port: 8080, path: /h, scheme: https}, method: HEAD, host: shop, timeout: 2s, connection: keep, "
        "ca_file: /ca.pem, verify: false, headers: {Accept: a}, "
        'expect: {status: [200, "300-399"], redirects: follow, max_redirects: 3, within: 800ms}}, counts_users: true}'
    )
    http = signal.http
    assert http.pods == PodAddress(port=8080, path="/h", scheme="https")
    assert (http.method, http.host, http.timeout_s, http.keep_connection) == ("HEAD", "shop", 2.0, True)
    assert (http.ca_file, http.verify, http.headers) == ("/ca.pem", False, (("Accept", "a"),))
    assert (http.status, http.max_redirects, http.within_s) == (((200, 200), (300, 399)), 3, 0.8)
    assert signal.counts_users


def test_the_instances_of_a_command_can_be_asked_at_the_ports_they_name():
    programs = "current: [a], history: [b], rollback: [c]"
    text = f"targets: {{api: {{command: {{{programs}}}, signals: {{h: {{http: {{pods: {{path: /h}}}}}}}}}}}}\n"
    (signal,) = configured(settings_of(text))[0].signals
    assert signal.http.pods == PodAddress(port=0, path="/h", scheme="http")


def test_redirects_that_are_refused_are_not_followed_at_all():
    assert only_signal('{http: {url: "http://api", expect: {max_redirects: 9}}}').http.max_redirects == 0


@pytest.mark.parametrize(("every", "timeout"), [("5s", 3.0), ("60s", 3.0), ("2s", 1.2), ("500ms", 0.3)])
def test_a_timeout_that_is_not_said_stays_below_the_poll_interval(every, timeout):
    signal = only_signal(f'{{http: "http://api", every: {every}}}')
    assert signal.timeout_s == signal.http.timeout_s == pytest.approx(timeout)


WEIGHED = Weighed(tolerate_error_rate=0.005, unacceptable_error_rate=0.05, times_worse=3.0)


def test_a_signal_without_a_rule_is_weighed_with_the_rates_of_its_target_or_its_own():
    assert only_signal('{http: "http://api"}').rule == WEIGHED
    own = only_signal('{http: "http://api", unacceptable_error_rate: 10%, times_worse: 5}').rule
    assert own == replace(WEIGHED, unacceptable_error_rate=0.1, times_worse=5.0)


def test_a_signal_that_says_states_is_counted_and_respects_the_tolerated_interruption():
    assert only_signal("{workload: {}}").rule == Share(failed=6, of=12, tolerant=True)


def test_the_knobs_of_a_target_go_before_those_of_the_defaults():
    text = """
defaults: {tolerate_error_rate: 1%, max_interruptions: 4 per 20m}
targets:
  api: {false_alarm_bound: 5%, times_worse: 2, signals: {health: {http: "http://api"}}}
"""
    (target,) = configured(load_text(text, {}).settings)
    assert target.weights == Weights(
        rates=Weighed(tolerate_error_rate=0.01, unacceptable_error_rate=0.05, times_worse=2.0),
        interruptions=4,
        interruptions_within_s=1200.0,
        false_alarm_bound=0.05,
    )
    assert target.signals[0].rule == target.weights.rates


@pytest.mark.parametrize(
    ("rule", "meant"),
    [
        (
            "{above: 5%, for: 60s, min_events: 12, recover_below: 2%}",
            Above(above=0.05, for_s=60.0, min_events=12, recover_below=0.02),
        ),
        ("{above: 10%, for: 60s}", Above(above=0.1, for_s=60.0, min_events=12, recover_below=0.05)),
        ("{above: 10%, for: 10m}", Above(above=0.1, for_s=600.0, min_events=20, recover_below=0.05)),
        ("{consecutive: 3}", Consecutive(failed=3, recover=6)),
        ("{consecutive: 3, recover: 2}", Consecutive(failed=3, recover=2)),
        ("{failed: 4, of: 8}", Share(failed=4, of=8)),
    ],
)
def test_a_rule_is_resolved_to_the_numbers_in_force(rule, meant):
    assert only_signal(f'{{http: "http://api", rule: {rule}}}').rule == meant


def test_a_target_hears_on_all_channels_unless_it_names_some():
    api, _ = configured(settings_of(TWO, TOKEN))
    assert api.channels == ("team", "oncall")
    api, _ = configured(
        settings_of(TWO.replace("    data: compatible", "    notify: oncall\n    data: compatible"), TOKEN)
    )
    assert api.channels == ("oncall",)


def test_the_digest_of_a_target_changes_with_it_and_only_with_it():
    api, web = configured(settings_of(TWO, TOKEN))
    same, other = configured(settings_of(TWO.replace("data: none", "data: compatible"), TOKEN))
    assert same.digest == api.digest
    assert other.digest != web.digest


@pytest.mark.parametrize(
    "change",
    [
        ("mode: enforce", "mode: ask"),
        ("http://api/health", "http://api/healthz"),
        ("deployment: api", "deployment: api2"),
        ("      workload: {}\n", ""),
        ("    data: compatible", "    countdown: 1s\n    data: compatible"),
        ("    data: compatible", "    features: {/a: b}\n    data: compatible"),
        ("    data: compatible", "    links: {a: 'http://b'}\n    data: compatible"),
        ("  oncall: {stdout: {}}\n", ""),
        ("order: [api, web]", "order: [web]"),
    ],
)
def test_every_kind_of_change_changes_the_digest(change):
    before, _ = configured(settings_of(TWO, TOKEN))
    after, _ = configured(settings_of(TWO.replace(*change), TOKEN))
    assert after.digest != before.digest


def test_a_new_value_of_a_secret_changes_the_digest():
    before, _ = configured(settings_of(TWO, {"TOKEN": "one"}))
    after, _ = configured(settings_of(TWO, {"TOKEN": "two"}))
    assert after.digest != before.digest


def test_windows_become_pauses_that_keep_their_identity_over_a_reload():
    text = SMALLEST + (
        "pauses:\n"
        "  - {scope: all, from: '2026-03-01T02:00:00+01:00', for: 2h, why: database, who: dba}\n"
        "  - {scope: target/api, until: 2026-03-02T00:00:00Z, why: move}\n"
    )
    first, second = windows(settings_of(text))
    assert (first.scope, first.why, first.who) == ("all", "database", "dba")
    assert (first.since, first.until) == (parse_instant("2026-03-01T01:00:00Z"), parse_instant("2026-03-01T03:00:00Z"))
    assert (second.who, second.since, second.until) == ("configuration", 0.0, parse_instant("2026-03-02T00:00:00Z"))
    assert windows(settings_of(text + "log: {level: debug}\n")) == (first, second)
    assert len({first.id, second.id}) == 2


def test_two_windows_that_say_the_same_are_still_two():
    window = "{scope: all, until: 2026-03-02T00:00:00Z, why: move}"
    first, second = windows(settings_of(SMALLEST + f"pauses: [{window}, {window}]\n"))
    assert first.id != second.id


def test_a_pause_by_selector_or_platform_knows_a_target_by_its_labels_and_its_kind():
    labels = "labels: {team: payments, tier: web}, signals: {health: {http: 'http://api/health'}}"
    text = (
        f"targets:\n  api: {{kubernetes: {{namespace: shop, deployment: api}}, {labels}}}\n"
        "  site: {signals: {health: {http: 'http://site/health'}}}\n"
        "pauses: [{scope: 'selector/tier=web,team=payments', until: 2026-01-01T00:00:00Z, why: x},"
        " {scope: platform/kubernetes, until: 2026-01-01T00:00:00Z, why: x}]\n"
    )
    settings = settings_of(text)
    assert (policy_of(settings, "api").platform, policy_of(settings, "api").labels) == (
        "kubernetes",
        ("team=payments", "tier=web"),
    )
    assert (policy_of(settings, "site").platform, policy_of(settings, "site").labels) == ("", ())
    assert len(windows(settings)) == 2


def test_a_scrape_of_a_preset_is_the_selectors_of_that_preset_and_counts_users():
    signal = only_signal("{scrape: {preset: requests_total, status_label: status, port: 9090}, every: 10s}")
    assert signal.scrape.part.text == 'http_requests_total{status=~"5.."}'
    assert signal.scrape.every.text == "http_requests_total"
    assert (signal.scrape.page.port, signal.scrape.page.path, signal.scrape.page.timeout_s) == (9090, "/metrics", 3.0)
    assert (signal.kind, signal.counts_users, signal.evidence, signal.timeout_s) == ("scrape", True, "err", 4.0)
    assert isinstance(signal.rule, Weighed)


@pytest.mark.parametrize("question", ["{histogram: latency_seconds, within: 500ms}", "{value: waiting, above: 3}"])
def test_what_is_slow_or_too_much_on_a_page_is_no_failed_request(question):
    signal = only_signal(f"{{scrape: {question}}}")
    assert (signal.counts_users, signal.evidence) == (False, "slow")


def test_a_selector_is_read_with_its_escapes():
    signal = only_signal('{scrape: {all: a_total, bad: \'a_total{ x = "a\\"b", y!~"c\\\\.d" , }\'}}')
    assert [(one.label, one.how, one.value) for one in signal.scrape.part.matchers] == [
        ("x", "=", 'a"b'),
        ("y", "!~", "c\\.d"),
    ]
