"""``watchdog status``: the whole service on one screen, once or kept up to date.

Role: the first command anybody types. Neighbours: `cli.live` redraws. Guarantees: trouble of the daemon itself (a refused
configuration, the store, notices that are owed) stands above the table, never behind an option.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from watchdog.cli.options import asks_daemon, daemon, shows
from watchdog.cli.output import show
from watchdog.cli.terminal import Terminal, current
from watchdog.cli.text import plain
from watchdog.cli.times import age, shown

_QUIET = frozenset({"healthy"})


@click.command()
@click.option("-w", "--watch", is_flag=True, help="Keep it up to date until Ctrl-C.")
@click.option(
    "--every", type=click.FloatRange(min=0.2), default=2.0, metavar="SECONDS", help="Pace of --watch.  [default: 2]"
)
@shows("wide", "name")
@asks_daemon
def status(*, watch: bool, every: float, form: str) -> None:
    """The whole service on one screen.

    The first line says whether it may act: ARMED, OBSERVE, ASK, PAUSED, BLIND or NOT HOLDER. EVIDENCE is how far the
    evidence against the release has come: 100% fires.
    """
    terminal, asked = current(), daemon()
    if watch and form in ("text", "wide"):
        from watchdog.cli.live import watch as keep  # noqa: PLC0415 - rich is imported for this only

        keep(terminal, every, lambda: screen(terminal, asked.get("/status"), wide=form == "wide"))
        return
    if watch:
        raise click.UsageError(f"--watch shows text, not {form}")
    answer = asked.get("/status")
    if form == "name":
        show(terminal, answer, form, lambda: [plain(row["name"]) for row in answer.get("targets", ())])
    else:
        show(terminal, answer, form, lambda: screen(terminal, answer, wide=form == "wide"))


def screen(terminal: Terminal, answer: Mapping[str, Any], *, wide: bool) -> list[str]:
    """The lines of one status answer."""
    rows = answer.get("targets", ())
    table = _table(terminal, answer, wide=wide)
    if not terminal.headers:
        return table
    text = [terminal.strong(_headline(answer)), *_troubles(terminal, answer), ""]
    text += table if rows else ["no target is configured"]
    why = [row for row in rows if row.get("state") not in _QUIET]
    if why:
        text += ["", *(_sentence(row) for row in why)]
    return text


def _headline(answer: Mapping[str, Any]) -> str:
    return f"{plain(answer.get('headline'))}   (cycle {plain(answer.get('cycle'))})"


def _troubles(terminal: Terminal, answer: Mapping[str, Any]) -> list[str]:
    config, store, outbox = (answer.get(key) or {} for key in ("config", "store", "outbox"))
    leader = answer.get("leader") or {}
    text = []
    if config.get("error"):
        text.append(f"! configuration: {plain(config['error'])}")
        text.append(f"  the one read at {shown(config.get('loaded_at'), terminal.zone)} is still running")
    if store.get("ok") is not True:
        text.append(f"! store: {plain(store.get('sentence'))}: nothing is rolled back while this lasts")
    if leader.get("held") is not True:
        text.append(f"! leadership: {plain(leader.get('sentence'))}")
    if outbox.get("depth") and outbox.get("last_error"):
        text.append(f"! {plain(outbox['depth'])} notices are owed; last error: {plain(outbox['last_error'])}")
    return text + [f"! paused: {pause_words(terminal, pause)}" for pause in answer.get("pauses", ())]


def pause_words(terminal: Terminal, pause: Mapping[str, Any]) -> str:
    """A pause in a line: scope, until, who, why."""
    until = shown(pause.get("until"), terminal.zone)
    return f"{plain(pause.get('scope'))} until {until} by {plain(pause.get('who'))} ({plain(pause.get('why'))})"


def _table(terminal: Terminal, answer: Mapping[str, Any], *, wide: bool) -> list[str]:
    titles = ["NAME", "STATE", "SIGNALS", "EVIDENCE", "AGE", "RELEASE", "LAST GOOD", "BAKE"]
    more = ["MODE", "GROUP", "PLATFORM", "INCIDENT"]
    rows = []
    for row in answer.get("targets", ()):
        cells = [
            plain(row.get("name")),
            terminal.word(row.get("state")),
            _signals(row.get("signals", ())),
            plain(row.get("streak")) or "-",
            age(row.get("since"), answer.get("at")),
            plain(row.get("release")) or "-",
            plain(row.get("good")) or "-",
            plain(row.get("bake")) or "-",
        ]
        if wide:
            cells += [plain(row.get(key)) or "-" for key in ("mode", "group", "platform", "incident")]
        rows.append(cells)
    return terminal.table(titles + more if wide else titles, rows)


def _signals(signals: list[Mapping[str, Any]]) -> str:
    """``3 healthy``, or those that are not: ``errors failing, 2 healthy``."""
    if not signals:
        return "none yet"
    odd = [f"{plain(s.get('name'))} {plain(s.get('health'))}" for s in signals if s.get("health") != "healthy"]
    healthy = len(signals) - len(odd)
    return ", ".join([*odd, *([f"{healthy} healthy"] if healthy else [])])


def _sentence(row: Mapping[str, Any]) -> str:
    incident = row.get("incident")
    hint = f"  [watchdog incidents {plain(incident)}]" if incident else ""
    return f"{plain(row.get('name'))}: {plain(row.get('sentence'))}{hint}"
