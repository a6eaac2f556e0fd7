"""What is wrong with a configuration, said so that a person finds the place.

Role: the errors and warnings of `settings.loader`. Guarantees: a refusal carries *every* problem that was found, ordered
by place; no message holds the value of a secret. Lines and columns count from 1; 0 means "no place in the file".
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from watchdog.model import record

Trail = tuple[str | int, ...]
"""Where in the configuration: keys and list indices from the root."""


@record
class Problem:
    """One thing that is wrong, or (as a warning) one thing that is worth a second look."""

    file: str
    """The file, or ``environment variable NAME``, or ``secret file PATH``."""
    line: int
    column: int
    path: str
    """``targets.api.signals.health.every``; empty = the file as a whole."""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """``file:line:column path: message (hint)``: what editors and people can jump to."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        where = f"{place} {self.path}" if self.path else place
        return f"{where}: {self.message} ({self.hint})" if self.hint else f"{where}: {self.message}"


class ConfigurationRefused(ValueError):
    """The configuration was not taken. Nothing of it is in force; `problems` names all that is wrong.

    `source_hash` and `files` are those of the refused content, so that a reload does not report the same text twice.
    """

    def __init__(self, problems: Iterable[Problem], *, source_hash: str = "", files: tuple[Path, ...] = ()) -> None:
        """Order the problems by place and drop repetitions."""
        self.problems = tuple(sorted(dict.fromkeys(problems), key=_order))
        self.source_hash = source_hash
        self.files = files
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _order(problem: Problem) -> tuple[int, str, int, int, str]:
    return (0 if problem.line else 1, problem.file, problem.line, problem.column, problem.message)


def spelled(trail: Trail) -> str:
    """The trail as people write it: ``groups.bookstore.order[1]``, ``features["/api/books"]``."""
    text = ""
    for part in trail:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("-", "").replace("_", "").isalnum():
            text += f".{part}" if text else part
        else:
            text += f'["{printable(part)}"]'
    return text


def printable(text: str, most: int = 60) -> str:
    """One line of at most `most` characters without control characters or lone surrogates."""
    clean = "".join(character if character.isprintable() else "?" for character in text)
    return clean if len(clean) <= most else clean[: most - 1] + "…"
