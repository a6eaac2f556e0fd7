"""What only people know of an incident: as a text to fill in, read back, and put into the report's files.

Role: pure; `cli.filling` lets a person edit and writes, `recorder` carries it over. Guarantees: a text that was filled in
reads back as what was meant; a heading that nobody knows is refused, never dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from watchdog.incidents.html import render_html
from watchdog.incidents.markdown import render
from watchdog.incidents.report import FOR_PEOPLE, title_of
from watchdog.model import JsonObject
from watchdog.redaction import Redactor

_HEADING = re.compile(r"^## (.*)$", re.MULTILINE)


class NotUnderstood(ValueError):
    """A filled-in text has a heading that is none of ours, or one twice."""


def form_of(report: JsonObject) -> str:
    """The text to fill in, with what stands there already."""
    said = report["for_people"]
    parts = [f"# {report['headline']}", "Write below the headings, and leave the headings as they are.", ""]
    for name in FOR_PEOPLE:
        parts += [f"## {title_of(name)}", "", str(said.get(name, "")), ""]
    return "\n".join(parts)


def filled_in(text: str) -> dict[str, str]:
    """What was written below each heading; an empty text for one that is left out. Raises NotUnderstood."""
    names = {title_of(name).lower(): name for name in FOR_PEOPLE}
    pieces = _HEADING.split(text)[1:]
    found: dict[str, str] = dict.fromkeys(FOR_PEOPLE, "")
    seen: set[str] = set()
    for heading, body in zip(pieces[::2], pieces[1::2], strict=True):
        name = names.get(heading.strip().lower())
        if name is None or name in seen:
            known = ", ".join(title_of(each) for each in FOR_PEOPLE)
            raise NotUnderstood(f"the heading {heading.strip()!r} is {'there twice' if name else f'none of: {known}'}")
        seen.add(name)
        found[name] = body.strip()
    if not seen:
        raise NotUnderstood("there is no heading at all")
    return found


def carried_over(report: JsonObject, before: bytes) -> JsonObject:
    """The report with what people had written into the one before; as it is where that cannot be understood."""
    try:
        said = json.loads(before)["for_people"]
    except (ValueError, KeyError, TypeError):
        return report
    return with_words(report, said) if isinstance(said, Mapping) else report


def with_words(report: JsonObject, said: Mapping[str, object], redactor: Redactor | None = None) -> JsonObject:
    """The report with these words in it, of each name that it knows."""
    clean = redactor or Redactor()
    words = {name: clean.text(str(said[name]))[0] for name in FOR_PEOPLE if said.get(name)}
    return {**report, "for_people": {**report["for_people"], **words}}


def encoded(document: JsonObject) -> bytes:
    """A report or manifest as the file has it."""
    return (json.dumps(document, ensure_ascii=False, indent=1, default=str) + "\n").encode(errors="replace")


def files_of(report: JsonObject) -> dict[str, bytes]:
    """The three files of a report."""
    return {
        "report.json": encoded(report),
        "report.md": render(report).encode(errors="replace"),
        "report.html": render_html(report).encode(errors="replace"),
    }
