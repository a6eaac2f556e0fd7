"""``describe``, ``explain`` and ``check``: everything about one target.

Role: reads; changes nothing. Guarantees: the road back is shown as it stands now, with every check of the gate and the
exact request; `check` answers with its exit code too (healthy, failing, not to be found out).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from watchdog.cli import decisions
from watchdog.cli.client import place
from watchdog.cli.exits import Exit
from watchdog.cli.options import asks_daemon, daemon, shows
from watchdog.cli.output import indented, show
from watchdog.cli.records import release_table
from watchdog.cli.terminal import Terminal, current
from watchdog.cli.text import plain
from watchdog.cli.times import age, shown, spell

_CODE_OF_HEALTH = {"healthy": Exit.OK, "failing": Exit.NEGATIVE}


@click.command()
@click.argument("target")
@shows()
@asks_daemon
def describe(*, target: str, form: str) -> None:
    """One target: signals, releases, policy, and the road back as it stands now."""
    terminal = current()
    answer = daemon().get(place("targets", target))
    show(terminal, answer, form, lambda: _description(terminal, answer))


@click.command()
@click.argument("target")
@shows()
@asks_daemon
def explain(*, target: str, form: str) -> None:
    """Why it acts or does not: every check of the gate, and what is missing to fire."""
    terminal = current()
    answer = daemon().get(place("targets", target) + "/explain")
    show(terminal, answer, form, lambda: _explanation(terminal, answer))


@click.command()
@click.argument("target")
@click.argument("signal", required=False)
@shows()
@asks_daemon
def check(*, target: str, signal: str | None, form: str) -> int:
    """One look at the signals now; it does not feed the judgement.

    Exit code 0 = healthy, 1 = failing, 7 = could not be found out (blind or inconclusive).
    """
    terminal = current()
    answer = daemon().post(place("targets", target) + "/check", {"signal": signal}).body
    show(terminal, answer, form, lambda: _samples(terminal, answer))
    return _CODE_OF_HEALTH.get(answer.get("health", ""), Exit.UNKNOWN)


def _description(terminal: Terminal, answer: Mapping[str, Any]) -> list[str]:
    row, unit, back = (answer.get(key) or {} for key in ("target", "unit", "road_back"))
    name = plain(row.get("name"))
    facts = [
        ("Name", name),
        ("State", f"{terminal.word(row.get('state'))}: {plain(row.get('sentence'))}"),
        ("Mode", plain(row.get("mode"))),
        ("Group", plain(row.get("group")) or "-"),
        ("Unit", " ".join(filter(None, (plain(unit.get("platform")), plain(unit.get("name"))))) or "-"),
        ("Release", f"{plain(row.get('release')) or '-'}  since {_since(terminal, row, answer)}"),
        ("Last good", plain(row.get("good")) or "none known"),
        ("Bake", plain(row.get("bake")) or "-"),
        ("Incident", plain(row.get("incident")) or "none open"),
    ]
    text = [f"{title + ':':<12}{words}" for title, words in facts]
    text += ["", "Signals:", *indented(_signal_table(terminal, row.get("signals", ())) or ["none has spoken yet"])]
    looks = [f"{plain(look.get('name'))}: {plain(look.get('sentence'))}" for look in answer.get("databases", ())]
    text += ["", "Databases:", *indented(looks)] if looks else []
    text += ["", "Releases:", *indented(release_table(terminal, answer, _marks(row)) or ["none is known"])]
    text += ["", "Policy:", *indented(_policy(answer.get("policy") or {}))]
    text += ["", f"Road back: {plain(back.get('sentence'))}"]
    text += indented([f"decision: {decisions.outcome(back.get('decision'))}"])
    text += indented(decisions.checks(terminal, back.get("decision")))
    text += indented(["", "Plan:", *indented(decisions.plan(back.get("plan")))])
    return [*text, "", f"Next: watchdog explain {name} | watchdog rollback {name} --dry-run"]


def _marks(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"current": row.get("release"), "good": row.get("good")}


def _since(terminal: Terminal, row: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    if not row.get("since"):
        return "-"
    return f"{shown(row['since'], terminal.zone)} ({age(row['since'], answer.get('at'))} ago)"


def _signal_table(terminal: Terminal, signals: list[Mapping[str, Any]]) -> list[str]:
    rows = [
        [
            plain(signal.get("name")),
            terminal.word(signal.get("health")),
            f"{signal.get('progress') or 0:.0%}",
            plain(signal.get("events")),
            _seconds(signal.get("data_age_s")),
            plain(signal.get("sentence")),
            plain(signal.get("missing")) or "-",
        ]
        for signal in signals
    ]
    return terminal.table(["SIGNAL", "HEALTH", "EVIDENCE", "EVENTS", "DATA AGE", "WHY", "MISSING TO FIRE"], rows)


def _policy(policy: Mapping[str, Any]) -> list[str]:
    shown_keys = {key: value for key, value in policy.items() if key not in ("kind", "v", "target")}
    size = max((len(key) for key in shown_keys), default=0) + 2
    return [f"{plain(key):<{size}}{_policy_value(key, value)}" for key, value in shown_keys.items()]


def _policy_value(key: str, value: Any) -> str:
    if key.endswith("_s") and isinstance(value, int | float) and not isinstance(value, bool):
        return spell(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(plain, value)) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{plain(name)} {_policy_value(name, item)}" for name, item in value.items())
    return plain(value) or "-"


def _explanation(terminal: Terminal, answer: Mapping[str, Any]) -> list[str]:
    decision, name = answer.get("decision") or {}, plain(answer.get("target"))
    text = [terminal.strong(f"{name}: {plain(answer.get('sentence'))}"), ""]
    text.append(f"Decision: {decisions.outcome(decision)}, at {shown(decision.get('at'), terminal.zone)}")
    text += indented(decisions.checks(terminal, decision))
    if answer.get("missing"):
        text += ["", "Missing to fire:", *indented([plain(sentence) for sentence in answer["missing"]])]
    incident = plain(answer.get("incident"))
    asking = ", ".join(map(plain, decision.get("asking", ())))
    if incident and asking:
        text += ["", f"It asks about: {asking}", f"Next: watchdog approve {incident} | watchdog cancel {incident}"]
    elif incident:
        text += ["", f"Next: watchdog incidents {incident} | watchdog cancel {incident}"]
    else:
        text += ["", f"Next: watchdog describe {name} | watchdog check {name}"]
    return text


def _samples(terminal: Terminal, answer: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            plain(sample.get("signal")),
            terminal.word(sample.get("health")),
            _seconds(sample.get("took_s")),
            ", ".join(f"{plain(name)} {_seconds(took)}" for name, took in (sample.get("phases") or {}).items()) or "-",
            plain(sample.get("release")) or "-",
            plain(sample.get("instance")) or "-",
            plain(sample.get("sentence")),
        ]
        for sample in answer.get("samples", ())
    ]
    table = terminal.table(["SIGNAL", "RESULT", "TOOK", "PHASES", "RELEASE", "INSTANCE", "WHY"], rows)
    if not terminal.headers:
        return table
    asked = {str(query): None for sample in answer.get("samples", ()) for query in sample.get("asked") or ()}
    queries = ["", "Asked:", *indented([plain(query) for query in asked])] if asked else []
    return [*table, *queries, "", f"{plain(answer.get('target'))} looks {terminal.word(answer.get('health'))} now"]


def _seconds(value: Any) -> str:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else spell(value)
