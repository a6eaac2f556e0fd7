"""Raw calls: one status, one kind of error; reads may be repeated, writes never; credentials stay fresh."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import textwrap

import pytest
import pytest_asyncio

from watchdog.clients.kubernetes import (
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_MERGE,
    ConflictLost,
    Connection,
    Forbidden,
    Invalid,
    KubernetesClient,
    KubernetesError,
    NotFound,
    ServerTrouble,
    Throttled,
    Unreachable,
    api_path,
)
from watchdog.clients.kubernetes.errors import error_of
from watchdog.ports import Conflict, Unavailable
from watchdog.testing.clock import WorldClock
from watchdog.testing.kubernetes import FakeKubernetes, Fault
from watchdog.testing.servers import FaultServer

PATH = api_path("v1", "configmaps", "shop", "conf")
CONF = {"metadata": {"name": "conf", "namespace": "shop"}, "data": {"a": "1"}}


@pytest_asyncio.fixture
async def server():
    async with FakeKubernetes(WorldClock()) as made:
        made.apply("configmaps", CONF, "v1")
        yield made


@pytest_asyncio.fixture
async def client(server, tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(server.kubeconfig())
    made = await KubernetesClient.open(Connection(kubeconfig=str(path)))
    yield made
    await made.close()


# -- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "open_question"),
    [
        (400, Invalid, False),
        (401, Forbidden, True),
        (403, Forbidden, True),
        (404, NotFound, False),
        (405, Invalid, False),
        (409, ConflictLost, False),
        (410, Invalid, False),
        (415, Invalid, False),
        (422, Invalid, False),
        (429, Throttled, True),
        (500, ServerTrouble, True),
        (502, ServerTrouble, True),
        (504, ServerTrouble, True),
        (302, ServerTrouble, True),
    ],
)
def test_each_status_has_its_error_and_only_open_questions_are_unavailable(status, kind, open_question):
    error = error_of("GET /x", status, json.dumps({"message": "because"}).encode())
    assert type(error) is kind
    assert error.status == status
    assert isinstance(error, Unavailable) == open_question
    assert isinstance(error, Conflict) == (status == 409)
    assert "because" in str(error)


def test_a_long_answer_is_cut_to_256_characters():
    error = error_of("GET /x", 500, b"x" * 10_000)
    assert len(str(error)) == len("GET /x: 500 ") + 256


def test_a_validation_error_never_shows_the_rejected_values():
    message = 'spec.template.spec.containers[0].env[0].value: Invalid value: "hunter2 \\" still": must be a string'
    error = error_of("PATCH /x", 422, json.dumps({"message": message}).encode())
    assert "hunter2" not in str(error)
    assert "still" not in str(error)
    assert "containers[0].env[0]" in str(error)


def test_retry_after_is_kept_when_it_is_a_number():
    assert error_of("GET /x", 429, b"", retry_after="7").retry_after == 7.0
    assert error_of("GET /x", 429, b"", retry_after="Wed, 21 Oct 2026 07:28:00 GMT").retry_after is None


def test_a_failed_test_of_a_json_patch_is_a_lost_race_and_an_invalid_field_is_not():
    bare = json.dumps({"message": "the server rejected our request"}).encode()
    fields = json.dumps({"message": "invalid", "details": {"causes": [{"field": "spec.replicas"}]}}).encode()
    assert isinstance(error_of("PATCH /x", 422, bare, tested=True), ConflictLost)
    assert isinstance(error_of("PATCH /x", 422, fields, tested=True), Invalid)
    assert isinstance(error_of("PATCH /x", 422, bare, tested=False), Invalid)


# -- calls -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("v1", "pods", "shop"), "/api/v1/namespaces/shop/pods"),
        (("v1", "pods", "shop", "web-0", "log"), "/api/v1/namespaces/shop/pods/web-0/log"),
        (("apps/v1", "deployments", "shop", "web"), "/apis/apps/v1/namespaces/shop/deployments/web"),
        (("v1", "pods", "shop", "../secrets"), "/api/v1/namespaces/shop/pods/..%2Fsecrets"),
        (("argoproj.io/v1alpha1", ""), "/apis/argoproj.io/v1alpha1"),
    ],
)
def test_paths(arguments, path):
    assert api_path(*arguments) == path


@pytest.mark.asyncio
async def test_every_call_names_us_and_every_write_our_field_manager_and_its_content_type(server, client):
    await client.get(PATH)
    await client.patch(PATH, {"data": {"b": "2"}}, content_type=MERGE_PATCH)
    await client.patch(PATH, {"data": {"c": "3"}}, content_type=STRATEGIC_MERGE)
    await client.patch(PATH, [{"op": "add", "path": "/data/d", "value": "4"}], content_type=JSON_PATCH)
    await client.create(api_path("v1", "configmaps", "shop"), {"metadata": {"name": "more"}})
    assert {seen.agent for seen in server.requests} == {"rollback-watchdog"}
    assert [seen.content_type for seen in server.writes] == [
        MERGE_PATCH,
        STRATEGIC_MERGE,
        JSON_PATCH,
        "application/json",
    ]
    assert {seen.query["fieldManager"] for seen in server.writes} == {"watchdog"}
    assert server.get("configmaps", "shop", "conf", "v1")["data"] == {"a": "1", "b": "2", "c": "3", "d": "4"}


@pytest.mark.asyncio
async def test_a_dry_run_changes_nothing(server, client):
    answer = await client.patch(PATH, {"data": {"b": "2"}}, content_type=MERGE_PATCH, dry_run=True)
    assert answer["data"] == {"a": "1", "b": "2"}
    assert server.get("configmaps", "shop", "conf", "v1")["data"] == {"a": "1"}


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", ["drop", 500, 503, "html"])
async def test_a_read_is_repeated_once_and_then_gives_up(server, client, answer):
    server.faults.append(Fault(verb="GET", answer=answer))
    assert (await client.get(PATH))["data"] == {"a": "1"}
    server.faults.append(Fault(verb="GET", answer=answer, times=2))
    with pytest.raises(Unavailable):
        await client.get(PATH)
    assert len(server.requests) == 4


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", [403, 404, 429])
async def test_a_definite_answer_to_a_read_is_not_asked_for_again(server, client, answer):
    server.faults.append(Fault(verb="GET", answer=answer))
    with pytest.raises(KubernetesError):
        await client.get(PATH)
    assert len(server.requests) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", ["drop", "lose", 500, 429, "html"])
async def test_a_write_is_sent_once_whatever_comes_back(server, client, answer):
    for verb in ("PATCH", "POST", "DELETE"):
        server.faults.append(Fault(verb=verb, answer=answer))
    with pytest.raises(Unavailable):
        await client.patch(PATH, {"data": {}}, content_type=MERGE_PATCH)
    with pytest.raises(Unavailable):
        await client.create(api_path("v1", "configmaps", "shop"), {"metadata": {"name": "more"}})
    with pytest.raises(Unavailable):
        await client.delete(PATH, uid=server.get("configmaps", "shop", "conf", "v1")["metadata"]["uid"])
    assert [seen.verb for seen in server.requests] == ["PATCH", "POST", "DELETE"]


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_call_that_is_never_answered_ends_at_its_deadline(server, client):
    server.faults.append(Fault(verb="GET", answer="hang", times=5))
    began = asyncio.get_running_loop().time()
    with pytest.raises(Unreachable, match="no answer within 3 s"):
        await client.get(PATH, timeout_s=3.0)
    assert asyncio.get_running_loop().time() - began == pytest.approx(3.0, abs=0.5)


@pytest.mark.asyncio
async def test_nobody_listening_is_unreachable(server, client):
    await server.__aexit__(None, None, None)
    with pytest.raises(Unreachable):
        await client.get(PATH)


@pytest.mark.asyncio
async def test_a_long_list_comes_page_by_page_and_is_begun_anew_when_the_server_forgot_the_place(server, client):
    for number in range(600):
        server.apply("events", {"metadata": {"name": f"e{number}", "namespace": "shop"}}, "v1")
    path = api_path("v1", "events", "shop")
    assert len(await client.list(path)) == 600
    assert len(server.requests) == 3
    server.forgets = 1
    assert len(await client.list(path)) == 600
    server.forgets = 2
    with pytest.raises(Invalid, match="too old"):
        await client.list(path)


@pytest.mark.asyncio
async def test_a_delete_names_the_very_object_and_version(server, client):
    metadata = server.get("configmaps", "shop", "conf", "v1")["metadata"]
    with pytest.raises(ConflictLost):
        await client.delete(PATH, uid="another")
    with pytest.raises(ConflictLost):
        await client.delete(PATH, uid=metadata["uid"], resource_version="1")
    await client.delete(PATH, uid=metadata["uid"], resource_version=metadata["resourceVersion"])
    with pytest.raises(NotFound):
        await client.get(PATH)


@pytest.mark.asyncio
async def test_a_json_patch_whose_test_fails_lost_the_race(server, client):
    operations = [
        {"op": "test", "path": "/data/a", "value": "other"},
        {"op": "replace", "path": "/data/a", "value": "2"},
    ]
    with pytest.raises(ConflictLost):
        await client.patch(PATH, operations, content_type=JSON_PATCH)


@pytest.mark.asyncio
async def test_logs_are_bytes_up_to_a_cap(server, client):
    server.apply("pods", {"metadata": {"name": "web", "namespace": "shop"}, "status": {"conditions": []}}, "v1")
    server.logs["web", "c", False] = b"\xff\xfe not UTF-8\n" * 100_000
    path = api_path("v1", "pods", "shop", "web", "log")
    text = await client.text(path, {"container": "c"}, limit_bytes=1000)
    assert (len(text.content), text.cut) == (1000, True)
    assert text.content.startswith(b"\xff\xfe")
    server.logs["web", "c", False] = b"short\n"
    assert (await client.text(path, {"container": "c"}, limit_bytes=1000)).cut is False
    with pytest.raises(Invalid, match="previous terminated container"):
        await client.text(path, {"container": "c", "previous": "true"}, limit_bytes=1000)


@pytest.mark.asyncio
async def test_a_log_without_end_is_left_at_the_cap_and_one_that_breaks_off_is_kept(tmp_path):
    async with FaultServer() as faults:
        path = tmp_path / "kubeconfig"
        path.write_text(FakeKubernetes(WorldClock()).kubeconfig().replace("http://127.0.0.1:0", faults.url("")[:-1]))
        client = await KubernetesClient.open(Connection(kubeconfig=str(path)))
        text = await client.text("/huge", {}, limit_bytes=100_000)
        assert (len(text.content), text.cut) == (100_000, True)
        assert faults.sent < 32 * 2**20
        half = await client.text("/half", {}, limit_bytes=100_000)
        assert (half.content, half.cut) == (b"only this", True)
        with pytest.raises(Unreachable):
            await client.text("/closed", {}, limit_bytes=100)
        await client.close()


@pytest.mark.asyncio
async def test_what_we_may_is_asked_of_the_server(server, client):
    server.denied.add(("get", "pods/log"))
    assert await client.may("list", "", "pods", "shop")
    assert not await client.may("get", "", "pods", "shop", subresource="log")
    asked = server.requests[-1].body["spec"]["resourceAttributes"]
    assert asked == {"verb": "get", "resource": "pods", "subresource": "log", "namespace": "shop"}
    assert server.writes == []


# -- connection ------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "context", "words"),
    [
        (None, "", "no kubeconfig at"),
        ("{", "", "cannot be used"),
        ("[]", "", "cannot be used"),
        ("current-context: x", "", "cannot be used"),
        ('{"clusters": [], "contexts": [], "users": []}', "other", "cannot be used"),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_said(tmp_path, text, context, words):
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Unreachable, match=words):
        await KubernetesClient.open(Connection(kubeconfig=str(path), context=context))


@pytest.mark.asyncio
async def test_outside_a_pod_the_service_account_is_said_to_be_missing(monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Unreachable, match="service account"):
        await KubernetesClient.open(Connection(in_cluster=True))


@pytest.mark.asyncio
async def test_in_a_pod_the_token_is_used_without_its_newline_and_read_again(monkeypatch, tmp_path):
    import trustme  # noqa: PLC0415
    from kubernetes_asyncio.config import incluster_config  # noqa: PLC0415

    token, ca = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("first\n")
    trustme.CA().cert_pem.write_to_path(ca)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(ca))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    client = await KubernetesClient.open(Connection())
    configuration = client._api.configuration
    assert await configuration.get_api_key_with_prefix("BearerToken") == "Bearer first"
    token.write_text("second\n")
    await client._renew()
    assert await configuration.get_api_key_with_prefix("BearerToken") == "Bearer second"
    await client.close()


PLUGIN = """
import json, pathlib, sys
counter = pathlib.Path(sys.argv[1])
number = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(number))
status = {"token": f"token-{number}"}
if sys.argv[2]:
    status["expirationTimestamp"] = sys.argv[2]
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}))
"""


async def with_plugin(server, tmp_path, expires: str) -> KubernetesClient:
    program = tmp_path / "plugin.py"
    program.write_text(textwrap.dedent(PLUGIN))
    config = json.loads(server.kubeconfig())
    arguments = [str(program), str(tmp_path / "runs"), expires]
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": arguments}
    config["users"][0]["user"] = {"exec": plugin}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    return await KubernetesClient.open(Connection(kubeconfig=str(path)))


@pytest.mark.asyncio
@pytest.mark.parametrize("expires", ["", "2099-01-01T00:00:00Z"])
async def test_a_401_renews_the_credential_of_a_plugin_once_and_a_write_that_met_it_is_sent_again(
    server, tmp_path, expires
):
    client = await with_plugin(server, tmp_path, expires)
    before = (tmp_path / "kubeconfig").read_text()
    server.faults.append(Fault(verb="PATCH", answer=401))
    await client.patch(PATH, {"data": {"b": "2"}}, content_type=MERGE_PATCH)
    assert (tmp_path / "runs").read_text() == "2"
    assert client._api.configuration.api_key["BearerToken"] == "Bearer token-2"
    server.faults.append(Fault(verb="GET", answer=401, times=2))
    with pytest.raises(Forbidden):
        await client.get(PATH)
    assert (tmp_path / "runs").read_text() == "3"
    assert (tmp_path / "kubeconfig").read_text() == before
    await client.close()


@pytest.mark.asyncio
async def test_a_plugin_credential_that_expired_is_renewed_before_it_is_used(server, tmp_path, monkeypatch):
    monkeypatch.setattr("watchdog.clients.kubernetes.connection._EXPIRY_CHECK_S", 0.0)
    client = await with_plugin(server, tmp_path, "2020-01-01T00:00:00Z")
    await client.get(PATH)
    assert int((tmp_path / "runs").read_text()) >= 2
    await client.close()


@pytest.mark.asyncio
async def test_a_plugin_that_fails_is_said_without_a_traceback(server, tmp_path):
    config = json.loads(server.kubeconfig())
    config["users"][0]["user"] = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "false"}}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    with pytest.raises(Unreachable, match="cannot be used"):
        await KubernetesClient.open(Connection(kubeconfig=str(path)))


@pytest.mark.asyncio
async def test_the_library_logs_no_bodies_even_at_debug(client):
    del client
    assert logging.getLogger("kubernetes_asyncio.client.rest").getEffectiveLevel() == logging.INFO


def test_importing_the_client_and_the_platform_does_not_import_the_library():
    code = "import sys, watchdog.clients.kubernetes, watchdog.platforms.kubernetes; print('kubernetes_asyncio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
