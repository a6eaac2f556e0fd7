"""The text of a first configuration, from what was found in a cluster.

Role: pure; behind `watchdog init`. Guarantees: the text loads; it is in `observe`; whatever was not found stands in it as a comment,
with what to write. One line a fact, so that a small shop's file fits a screen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from watchdog.model import record
from watchdog.platforms.kubernetes.discovery import Found

YAML_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")

FIELDS = {"Deployment": "deployment", "StatefulSet": "statefulset", "DaemonSet": "daemonset"}


@record
class Counted:
    """A preset that gives data for a workload. `events` a minute; `namespace` empty = the series name none."""

    preset: str
    app: str
    events: float
    namespace: str = ""


@record
class Access:
    """How the cluster and Prometheus are reached; empty = the usual, none."""

    context: str = ""
    kubeconfig: str = ""
    prometheus: str = ""


def written(found: Sequence[Found], counted: Mapping[tuple[str, str], Counted], access: Access) -> str:
    """The file. `counted` by namespace and name."""
    lines = [
        "# Written by `watchdog init`. In observe nothing is rolled back: what would have been is recorded (docs/how-to/thresholds.md).",
        "mode: observe",
    ]
    if access.prometheus:
        lines.append(f"prometheus: {{main: {{url: {json.dumps(access.prometheus)}}}}}")
    targets, left_out = _targets(found)
    lines += ["targets:" if targets else "targets: {}  # nothing was found that could be watched"]
    for name, members in targets.items():
        lines += _target(name, members, counted, access)
    if targets:
        lines.append(
            "# Before `enforce`, for each target: data: none, compatible or check - may the code go back without the data?"
        )
    return "\n".join([*lines, *left_out]) + "\n"


def _targets(found: Sequence[Found]) -> tuple[dict[str, list[Found]], list[str]]:
    """Targets by name - the workloads of one Helm release are one - and a comment for each workload that is none."""
    groups: dict[tuple[str, ...], list[Found]] = {}
    left_out = []
    for one in found:
        if one.claim:
            left_out.append(f"# Left out: {_words(one)}: {one.claim}.")
            continue
        key: tuple[str, ...] = ("helm", *one.helm) if one.helm else (one.kind, one.namespace, one.name)
        groups.setdefault(key, []).append(one)
    named: dict[str, list[Found]] = {}
    for key, members in groups.items():
        named[_name(key, members[0], named)] = members
    return named, left_out


def _name(key: tuple[str, ...], first: Found, taken: Mapping[str, object]) -> str:
    short = key[-1]
    choices = (short, f"{first.namespace}-{short}", f"{first.namespace}-{short}-{first.kind.lower()}")
    return next((name for name in choices if name not in taken), f"{choices[-1]}-{len(taken)}")


def _target(
    name: str, members: Sequence[Found], counted: Mapping[tuple[str, str], Counted], access: Access
) -> list[str]:
    first = members[0]
    place = {"context": access.context, "kubeconfig": access.kubeconfig}
    if first.helm:
        platform = {"namespace": first.helm[0], "release": first.helm[1], **place}
    else:
        platform = {"namespace": first.namespace, FIELDS[first.kind]: first.name, **place}
    lines = [f"  {json.dumps(name) if not name[0].isalpha() else name}:"]
    lines.append(f"    {'helm' if first.helm else 'kubernetes'}: {_flow(platform)}")
    lines.append("    signals:")
    for place_, one in enumerate(members):
        mark = f"-{one.name}" if len(members) > 1 else ""
        lines += _signals(one, mark if place_ or mark else "", counted.get((one.namespace, one.name)))
    lines.append("      workload: {}  # crash loops, image pulls, progress deadline, restarts")
    return lines


def _signals(one: Found, mark: str, counted: Counted | None) -> list[str]:
    lines = []
    if one.probe is None:
        lines.append(f'      # {one.name} has no HTTP probe; say what users need: health{mark}: {{http: "http://..."}}')
    elif one.helm and mark:
        # A Helm release has pods of several workloads: one address asks only this one's.
        lines.append(
            f"      # {one.name} answers its {one.probe.kind} probe on :{one.probe.port}{one.probe.path}; give its Service: "
            f'health{mark}: {{http: "http://...{one.probe.path}"}}'
        )
    else:
        probe = one.probe
        tls = ", scheme: https" if probe.scheme == "https" else ""
        verify = ", verify: false" if tls else ""  # as the kubelet asks
        asked = f"{{pods: {{port: {probe.port}, path: {json.dumps(probe.path)}{tls}}}{verify}}}"
        lines.append(f"      health{mark}: {{http: {asked}}}  # its {probe.kind} probe")
    if counted is not None:
        within = f", namespace: {json.dumps(counted.namespace)}" if counted.namespace else ""
        asked = f"{{preset: {counted.preset}, app: {json.dumps(counted.app)}{within}}}"
        lines.append(f"      errors{mark}: {{prometheus: {asked}}}  # {counted.events:.0f} requests a minute now")
    if one.insights:
        lines.append(
            f"      # {one.name} reports to Application Insights; its workspace: failures{mark}: {{app_insights: {{workspace: GUID, role: {one.name}}}}}"
        )
    return lines


def _flow(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in values.items() if value) + "}"


def _scalar(text: str) -> str:
    """Plain where YAML reads it as the same text."""
    plain = text.replace("-", "").replace(".", "").isalnum() and text[0].isalpha()
    return text if plain and text.lower() not in YAML_WORDS else json.dumps(text)


def _words(one: Found) -> str:
    return f"{one.kind} {one.namespace}/{one.name}"
