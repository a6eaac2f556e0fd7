"""`init`: the text of a first configuration loads, says what was found, and what was not."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from tests.cli.conftest import Running
from watchdog.cli.exits import Failed
from watchdog.cli.first_file import Access, Counted, written
from watchdog.cli.initial import PRESETS, _counted
from watchdog.platforms.kubernetes.discovery import Found, HttpProbe, found_of
from watchdog.settings import KubernetesWorkload, configured, load_text
from watchdog.settings.access import HelmRelease, PodAddress
from watchdog.settings.presets import counters_of
from watchdog.settings.prometheus import Preset, PrometheusSection
from watchdog.testing.prometheus import FakePrometheus

PROBE = HttpProbe(path="/health", port=8080, scheme="http", kind="readiness")
API = Found(namespace="bookstore", kind="Deployment", name="bookstore-api", probe=PROBE)
WEB = Found(namespace="bookstore", kind="Deployment", name="bookstore-web", probe=PROBE)


def targets(text: str):
    return {target.name: target for target in configured(load_text(text, {}).settings)}


def test_the_bookstore_fits_a_screen_and_loads_in_observe() -> None:
    counted = {("bookstore", "bookstore-api"): Counted(preset="http_server", app="bookstore-api", events=411.7)}
    text = written([API, WEB], counted, Access(prometheus="http://prometheus:9090"))
    assert len(text.splitlines()) <= 25
    found = targets(text)
    assert list(found) == ["bookstore-api", "bookstore-web"]
    api = found["bookstore-api"]
    assert api.policy.mode == "observe"
    assert isinstance(api.platform, KubernetesWorkload)
    assert (api.platform.namespace, api.platform.kind, api.platform.name) == (
        "bookstore",
        "Deployment",
        "bookstore-api",
    )
    health, errors, workload = api.signals
    assert health.http.pods == PodAddress(port=8080, path="/health", scheme="http")
    assert (errors.kind, workload.kind) == ("prometheus", "workload")
    assert "412 requests a minute now" in text
    assert "data: none, compatible or check" in text


def test_what_was_not_found_or_would_be_undone_stands_in_a_comment() -> None:
    silent = Found(namespace="shop", kind="StatefulSet", name="queue", insights=True)
    owned = Found(namespace="shop", kind="Deployment", name="front", claim="Argo CD application shop tracks it")
    text = written([silent, owned], {}, Access())
    assert "# queue has no HTTP probe; say what users need: health:" in text
    assert "# queue reports to Application Insights" in text
    assert "# Left out: Deployment shop/front: Argo CD application shop tracks it." in text
    assert list(targets(text)) == ["queue"]


def test_the_workloads_of_a_helm_release_are_one_target() -> None:
    parts = [
        Found(namespace="shop", kind="Deployment", name=name, probe=PROBE, helm=("shop", "books"))
        for name in ("api", "web")
    ]
    text = written(parts, {}, Access(context="prod"))
    found = targets(text)
    assert isinstance(found["books"].platform, HelmRelease)
    assert (found["books"].platform.release, found["books"].platform.context) == ("books", "prod")
    assert "api answers its readiness probe on :8080/health; give its Service" in text


def test_names_that_meet_are_told_apart_and_those_that_yaml_would_read_otherwise_are_quoted() -> None:
    same = [Found(namespace=name, kind="Deployment", name="api") for name in ("a", "b")]
    odd = [Found(namespace="1e3", kind="Deployment", name=name) for name in ("null", "on", "0x10", "12")]
    found = targets(written([*same, *odd], {}, Access()))
    assert list(found)[:2] == ["api", "b-api"]
    assert {target.platform.name for target in found.values()} == {"api", "null", "on", "0x10", "12"}
    assert {target.platform.namespace for target in found.values()} == {"a", "b", "1e3"}


def test_a_context_is_a_text_whatever_it_looks_like() -> None:
    for context in ("True", "NULL", "admin@prod", "arn:aws:eks:x/y"):
        (target,) = targets(written([API], {}, Access(context=context))).values()
        assert target.platform.context == context


def workload(container: dict, **metadata: object) -> dict:
    return {
        "metadata": {"name": "api", "namespace": "shop", **metadata},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


@pytest.mark.parametrize(
    ("container", "probe"),
    [
        ({}, None),
        ({"readinessProbe": {"tcpSocket": {"port": 80}}}, None),
        ({"readinessProbe": {"httpGet": {"path": "/h", "port": 80}}}, ("/h", 80, "http", "readiness")),
        ({"livenessProbe": {"httpGet": {"port": 80}}}, ("/", 80, "http", "liveness")),
        (
            {"livenessProbe": {"httpGet": {"port": 1}}, "readinessProbe": {"httpGet": {"port": 2, "scheme": "HTTPS"}}},
            ("/", 2, "https", "readiness"),
        ),
        (
            {"ports": [{"name": "web", "containerPort": 8080}], "readinessProbe": {"httpGet": {"port": "web"}}},
            ("/", 8080, "http", "readiness"),
        ),
        ({"readinessProbe": {"httpGet": {"port": "nowhere"}}}, None),
        ({"readinessProbe": {"httpGet": {"port": 80, "host": "elsewhere"}}}, None),
    ],
)
def test_how_health_is_asked_is_what_the_kubelet_asks(container: dict, probe: tuple | None) -> None:
    found = found_of(workload(container), "Deployment").probe
    assert (None if found is None else (found.path, found.port, found.scheme, found.kind)) == probe


def test_who_would_undo_a_rollback_is_known_by_its_marks() -> None:
    flux = {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux"}}
    assert "Flux Kustomization flux/shop applies it" in found_of(workload({}, **flux), "Deployment").claim
    helm = {"annotations": {"meta.helm.sh/release-name": "books", "meta.helm.sh/release-namespace": "shop"}}
    assert found_of(workload({}, **helm), "Deployment").helm == ("shop", "books")
    owner = {"ownerReferences": [{"kind": "Operator", "name": "x", "controller": True}]}
    assert "Operator x controls it" in found_of(workload({}, **owner), "Deployment").claim


@pytest.mark.parametrize("arguments", [(), ("-n", "shop", "-A")])
def test_it_has_to_be_told_where_to_look(daemon: Running, arguments: tuple[str, ...]) -> None:
    result = daemon("init", *arguments)
    assert result.exit_code == 2
    assert "say where to look" in result.stderr


def test_a_file_that_is_there_is_not_written_over(daemon: Running, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("mine")
    result = daemon("init", "-n", "shop", "--write", str(tmp_path / "w.yaml"))
    assert result.exit_code == 3
    assert (tmp_path / "w.yaml").read_text() == "mine"


def test_a_cluster_that_cannot_be_reached_is_said(daemon: Running, tmp_path: Path) -> None:
    result = daemon("init", "-n", "shop", "--kubeconfig", str(tmp_path / "none"))
    assert result.exit_code == 7
    assert "the cluster cannot be reached: no kubeconfig at" in result.stderr


@pytest.mark.asyncio
async def test_each_workload_gets_the_first_preset_that_gives_data() -> None:
    async with FakePrometheus() as server:

        def answer(preset: str, app: str, namespace: str | None, value: str | None) -> None:
            section = PrometheusSection(preset=Preset(preset), app=app, namespace=namespace)
            result = [] if value is None else [{"metric": {}, "value": [0, value]}]
            query = f"sum(rate({counters_of(section)[1]}[5m])) * 60"
            server.answers[query] = {"resultType": "vector", "result": result}

        other = replace(API, namespace="staging")
        for preset in PRESETS:
            for app, namespace in product(("bookstore-api", "bookstore-web"), ("bookstore", "staging", None)):
                answer(preset, app, namespace, None)
        answer("http_server", "bookstore-web", "bookstore", "0")
        answer("requests_total", "bookstore-web", None, "120.5")  # its series name no namespace
        answer("requests_total", "bookstore-api", None, "900")  # of both namespaces: nobody's
        answer("istio", "bookstore-api", "staging", "60")
        found = await _counted([API, WEB, other], server.url, print)
        assert found == {
            ("bookstore", "bookstore-web"): Counted(preset="requests_total", app="bookstore-web", events=120.5),
            ("staging", "bookstore-api"): Counted(
                preset="istio", app="bookstore-api", events=60.0, namespace="staging"
            ),
        }
        assert 'namespace: "staging"' in written([other], found, Access(prometheus="http://p:9090"))
        server.answer(503, "busy")
        with pytest.raises(Failed, match="Prometheus cannot be asked"):
            await _counted([API], server.url, print)
