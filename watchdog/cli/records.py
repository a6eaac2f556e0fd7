"""``incidents`` and ``history``: what was, from the durable records.

Role: reads incidents and the ledger; ``history TARGET condemn|clear FINGERPRINT`` changes a grade. Guarantees: an incident
is shown with its whole timeline, and what could not be had as evidence is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import click

from watchdog.cli import decisions
from watchdog.cli.client import place
from watchdog.cli.exits import Exit
from watchdog.cli.options import asks_daemon, by, daemon, shows
from watchdog.cli.output import indented, show
from watchdog.cli.reply import order
from watchdog.cli.terminal import Terminal, current
from watchdog.cli.text import plain
from watchdog.cli.times import age, clock, shown, spell

_SHORT = 12
"""Characters of a fingerprint that people see; a unique beginning is enough everywhere."""


@click.command()
@click.argument("words", nargs=-1, metavar="[INCIDENT | edit INCIDENT | verify INCIDENT | pack INCIDENT]")
@click.option("--target", metavar="TARGET", help="Only this target's.")
@click.option("--open", "open_only", is_flag=True, help="Only those that are not closed.")
@click.option(
    "--from", "source", metavar="FILE", help="With edit: the filled-in form, - for standard input; no editor."
)
@shows("name")
@asks_daemon
def incidents(*, words: tuple[str, ...], target: str | None, open_only: bool, source: str | None, form: str) -> int:
    """All incidents, newest first; or one with its timeline.

    `edit` opens what only people know (causes, what went well, action items) in $EDITOR and puts it into the report's files.
    `verify` compares the files of an incident's bundle with their manifest and with the record; `pack` makes one
    .tar.gz of it in the present folder. INCIDENT may be a bundle's folder then, also without a daemon.
    """
    terminal = current()
    verb, incident = words if len(words) == 2 else ("", *(words or ("",)))[:2]  # noqa: PLR2004 - verb and incident
    if len(words) > 2 or verb not in ("", "edit", "verify", "pack"):  # noqa: PLR2004 - as above
        raise click.UsageError(f"{' '.join(words)}: an incident, or edit, verify or pack and an incident")
    if verb == "edit":
        from watchdog.cli import filling  # noqa: PLC0415 - brings the room of incidents

        return filling.edit(terminal, incident, source, form)
    if verb:
        from watchdog.cli import bundles  # noqa: PLC0415 - brings the room of incidents

        return bundles.verify(terminal, incident, form) if verb == "verify" else bundles.pack(terminal, incident, form)
    if incident:
        answer = daemon().get(place("incidents", incident))
        show(terminal, answer, form, lambda: _incident(terminal, answer))
        return Exit.OK
    query = {key: value for key, value in (("target", target), ("open", "true" if open_only else None)) if value}
    answer = daemon().get("/incidents" + (f"?{urlencode(query)}" if query else ""))
    rows = answer.get("incidents", ())
    if form == "name":
        show(terminal, answer, form, lambda: [plain(row.get("id")) for row in rows])
    else:
        show(terminal, answer, form, lambda: _incident_table(terminal, answer) or ["no incidents"])
    return Exit.OK


@click.command()
@click.argument("incident")
@click.argument("verdict", type=click.Choice(["right", "wrong"]))
@click.option("--reason", default="", metavar="WHY", help="One sentence for the record.")
@by
@shows()
@asks_daemon
def judge(*, incident: str, verdict: str, reason: str, claim: str, form: str) -> int:
    """Say whether what was done (or would have been) in a closed INCIDENT was right. It then needs nobody any more."""
    body = {"verdict": verdict, "why": reason, "as": claim}
    return order(current(), daemon().post(place("incidents", incident) + "/judge", body), form)


@click.command()
@click.argument("target")
@click.argument("verb", type=click.Choice(["condemn", "clear"]), required=False)
@click.argument("fingerprint", required=False)
@click.option("--reason", default="", metavar="WHY", help="Recorded with the new grade.")
@by
@shows()
@asks_daemon
def history(*, target: str, verb: str | None, fingerprint: str | None, reason: str, claim: str, form: str) -> int:
    """The releases of TARGET, newest first; or condemn or clear one.

    A condemned release is never rolled back to. Clearing one also lifts a person's no (`watchdog cancel`).
    """
    terminal = current()
    if verb:
        if not fingerprint:
            raise click.UsageError(f"which release? watchdog history {target} {verb} FINGERPRINT")
        reply = daemon().post(place("targets", target, "history", fingerprint, verb), {"why": reason, "as": claim})
        return order(terminal, reply, form)
    answer = daemon().get(place("targets", target) + "/history")
    show(terminal, answer, form, lambda: release_table(terminal, answer, answer) or ["no release is known"])
    return 0


def release_table(terminal: Terminal, answer: Mapping[str, Any], marks: Mapping[str, Any]) -> list[str]:
    """Releases of an answer with ``releases`` and ``at``.

    `marks` may name ``current`` and ``good``, by fingerprint or label.
    """
    rows = []
    for release in answer.get("releases", ()):
        fingerprint = release.get("fingerprint")
        names = {name for name in (fingerprint, release.get("label")) if name}
        place_now = [word for word in ("current", "good") if marks.get(word) in names]
        rows.append(
            [
                plain(release.get("revision")) or "-",
                plain(fingerprint)[:_SHORT],
                terminal.word(release.get("grade")),
                ", ".join(place_now) or "-",
                age(release.get("started"), answer.get("at")),
                spell(release.get("watched_s") or 0),
                ", ".join(plain(image) for image in (release.get("images") or {}).values()) or "-",
                plain(release.get("note")) or "-",
            ]
        )
    titles = ["REVISION", "FINGERPRINT", "GRADE", "NOW", "AGE", "WATCHED", "IMAGES", "NOTE"]
    return terminal.table(titles, rows) if rows else []


def _incident_table(terminal: Terminal, answer: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            plain(row.get("id")),
            plain(row.get("target")),
            _stage(terminal, row),
            age(row.get("opened_at"), answer.get("at")),
            plain(row.get("blamed")) or "-",
            plain(row.get("headline")),
        ]
        for row in answer.get("incidents", ())
    ]
    return terminal.table(["ID", "TARGET", "STAGE", "AGE", "BLAMED", "HEADLINE"], rows) if rows else []


def _stage(terminal: Terminal, row: Mapping[str, Any]) -> str:
    words = terminal.word(row.get("reason") or row.get("stage"))
    marks = [word for key, word in (("simulated", "simulated"), ("manual", "by hand")) if row.get(key)]
    if row.get("needs_human"):
        marks.append("needs human")
    return f"{words} ({', '.join(marks)})" if marks else words


def _incident(terminal: Terminal, answer: Mapping[str, Any]) -> list[str]:
    found = answer.get("incident") or {}
    blamed, good = (_release(found.get(key)) for key in ("blamed", "good"))
    text = [
        terminal.strong(f"{plain(found.get('id'))}: {plain(found.get('headline'))}"),
        f"{'Target:':<12}{plain(found.get('target'))}",
        f"{'Stage:':<12}{_stage(terminal, found)}",
        f"{'Blamed:':<12}{blamed}",
        f"{'Back to:':<12}{good}",
        f"{'Opened:':<12}{shown(found.get('opened_at'), terminal.zone)}",
        f"{'Closed:':<12}{shown(found.get('closed_at'), terminal.zone)}",
        f"{'Report:':<12}{plain(answer.get('report')) or '-'}",
        "",
        "Timeline:",
    ]
    text += indented(_timeline(terminal, found))
    if found.get("decision"):
        text += ["", f"Last decision: {decisions.outcome(found['decision'])}"]
        text += indented(decisions.checks(terminal, found["decision"]))
    missing = (found.get("evidence") or {}).get("missing") or ()
    if missing:
        text += ["", "Evidence that could not be had:", *indented([plain(item) for item in missing])]
    if found.get("stage") == "asked":
        name = plain(found.get("id"))
        text += ["", f"Next: watchdog approve {name} | watchdog cancel {name}"]
    return text


def _release(release: Any) -> str:
    if not isinstance(release, Mapping):
        return plain(release) or "-"
    images = ", ".join(plain(image) for image in (release.get("images") or {}).values())
    name = (
        f"revision {plain(release['revision'])}"
        if release.get("revision")
        else plain(release.get("fingerprint"))[:_SHORT]
    )
    return f"{name} ({images})" if images else name


def _timeline(terminal: Terminal, found: Mapping[str, Any]) -> list[str]:
    entries = found.get("entries") or ()
    rows = [
        [
            clock(entry.get("at"), terminal.zone),
            plain(entry.get("actor")),
            plain(entry.get("kind")),
            plain(entry.get("sentence")),
        ]
        for entry in entries
    ]
    return terminal.table(["TIME", "WHO", "WHAT", "SENTENCE"], rows) if rows else ["nothing was recorded"]
