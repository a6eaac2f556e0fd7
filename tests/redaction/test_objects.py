"""Secrets in Kubernetes-like objects."""

from __future__ import annotations

import json
from collections import Counter
from types import MappingProxyType

import pytest

from watchdog.redaction import Redactor, is_secret_name
from watchdog.redaction.redactor import DEPTH_LIMIT

S = "Zx9canary77"

POD_TEMPLATE = {
    "metadata": {
        "labels": {"app": "books"},
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"env": [{"name": "A", "value": S}]}),
            "note": f"deployed with password={S}",
        },
    },
    "spec": {
        "serviceAccountName": "books",
        "automountServiceAccountToken": False,
        "imagePullSecrets": [{"name": "registry"}],
        "containers": [
            {
                "name": "api",
                "image": "books:2",
                "command": ["serve", "--port", "80", "--db-password", S, "--api-token=" + S, "--verbose"],
                "env": [
                    {"name": "DB_PASSWORD", "value": S},
                    {"name": "FEATURE_X", "value": "on"},
                    {"name": "DATABASE_URL", "value": f"postgres://u:{S}@db/books"},
                    {"name": "TLS_KEY", "valueFrom": {"secretKeyRef": {"name": "tls", "key": "tls.key"}}},
                    {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}},
                ],
            }
        ],
        "volumes": [
            {"name": "v", "secret": {"secretName": "db-credentials", "defaultMode": 420}},
            {
                "name": "t",
                "projected": {"sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}]},
            },
        ],
        "topologySpreadConstraints": [
            {"topologyKey": "kubernetes.io/hostname", "matchLabelKeys": ["pod-template-hash"]}
        ],
        "tolerations": [{"key": "dedicated", "value": "books", "operator": "Equal"}],
    },
}


def test_a_pod_template_keeps_what_explains_it_and_loses_what_is_secret():
    clean = Redactor().json(POD_TEMPLATE)
    assert S not in json.dumps(clean)
    spec, container = clean["spec"], clean["spec"]["containers"][0]
    assert container["env"][0] == {"name": "DB_PASSWORD", "value": "«redacted-secret_name»"}
    assert container["env"][1] == {"name": "FEATURE_X", "value": "on"}
    assert container["env"][2]["value"] == "postgres://u:«redacted-url_password»@db/books"
    assert container["env"][3:] == POD_TEMPLATE["spec"]["containers"][0]["env"][3:]
    assert container["command"][:5] == ["serve", "--port", "80", "--db-password", "«redacted-secret_name»"]
    assert container["command"][5] == "--api-token=«redacted-named_value»"
    assert container["command"][6] == "--verbose"
    for part in (
        "volumes",
        "imagePullSecrets",
        "topologySpreadConstraints",
        "tolerations",
        "automountServiceAccountToken",
    ):
        assert spec[part] == POD_TEMPLATE["spec"][part], part
    assert clean["metadata"]["labels"] == {"app": "books"}


def test_a_secret_keeps_its_names_and_loses_every_value():
    secret = {
        "kind": "Secret",
        "metadata": {"name": "db"},
        "data": {"user": "YWRh", "x": S},
        "stringData": {"plain": S},
    }
    assert Redactor().json({"items": [secret]}) == {
        "items": [
            {
                "kind": "Secret",
                "metadata": {"name": "db"},
                "data": {"user": "«redacted-secret_name»", "x": "«redacted-secret_name»"},
                "stringData": {"plain": "«redacted-secret_name»"},
            }
        ]
    }


def test_a_config_map_keeps_plain_values_and_loses_those_with_a_secret_name():
    clean = Redactor().json(
        {"kind": "ConfigMap", "data": {"level": "info", "db.password": S, "app.ini": f"[x]\ntoken={S}\n"}}
    )
    assert clean["data"]["level"] == "info"
    assert S not in json.dumps(clean)
    assert clean["data"]["app.ini"].startswith("[x]\ntoken=")


def test_everything_below_a_secret_name_is_taken_also_numbers_and_lists():
    clean = Redactor().json({"credentials": {"user": "ada", "pin": 1234, "list": [S, 5], "none": None, "empty": ""}})
    mark = "«redacted-secret_name»"
    assert clean == {"credentials": {"user": mark, "pin": mark, "list": [mark, mark], "none": None, "empty": ""}}


def test_known_values_are_taken_from_any_place_also_from_keys_and_numbers():
    clean = Redactor([S, "73512"]).json({"a": [{"b": f"x{S}y"}], S: 1, "pin": 73512, "n": 7})
    assert S not in json.dumps(clean)
    assert clean["pin"] == "«redacted-known»"
    assert clean["n"] == 7


def test_redaction_is_counted_and_twice_is_once():
    counts = Counter()
    once = Redactor().json(POD_TEMPLATE, counts)
    assert counts["secret_name"] == 3
    assert Redactor().json(once) == once


def test_the_shape_stays_so_that_two_objects_can_be_compared():
    def shape(value):
        if isinstance(value, dict):
            return {key: shape(item) for key, item in value.items()}
        return [shape(item) for item in value] if isinstance(value, list) else None

    assert shape(Redactor().json(POD_TEMPLATE)) == shape(POD_TEMPLATE)


def test_tuples_and_read_only_mappings_are_taken_as_lists_and_objects():
    assert Redactor().json(MappingProxyType({"a": ({"b": 1},)})) == {"a": [{"b": 1}]}


def test_what_is_nested_beyond_the_limit_is_cut():
    deep: object = {"password": S}
    for _ in range(DEPTH_LIMIT + 5):
        deep = [deep]
    text = json.dumps(Redactor().json(deep), ensure_ascii=False)
    assert S not in text
    assert "«cut: too deep»" in text


@pytest.mark.parametrize(
    "name",
    ["PASSWORD", "DB_PASSWORD", "dbPassword", "API-KEY", "apiKey", "SECRET_KEY_BASE", "token", "GITHUB_TOKEN", "ConnectionString",
     "ConnectionStrings__Default", "SENTRY_DSN", "MYSQL_PWD", "DB_PASS", "BASIC_AUTH", ".dockerconfigjson", "private-key", "COOKIE"],
)  # fmt: skip
def test_names_that_hide_their_value(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["PATH", "HOME", "FEATURE_X", "image", "name", "key", "secretName", "secretKeyRef", "tokenExpirationSeconds", "topologyKey",
     "author", "PORT", "LOG_LEVEL", "maxConnections", "passive"],
)  # fmt: skip
def test_names_that_do_not(name):
    assert not is_secret_name(name)
