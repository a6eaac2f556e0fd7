"""Every command and every configuration that the documents show is one that the program takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from watchdog.cli.main import COMMANDS, cli
from watchdog.settings import load_text

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
GLOBAL = {"--socket", "--help", "-h", "--version"}


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for found in re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            yield page, found


def commands() -> list[tuple[str, str]]:
    found = []
    for language in ("sh", "console"):
        for page, text in blocks(language):
            for line in text.splitlines():
                part = line.removeprefix("$ ").strip()
                if part.startswith("watchdog "):
                    found.append((page.name, re.split(r"\s+[|#]", part)[0]))
    for page in PAGES:
        found += [(page.name, part) for part in re.findall(r"`(watchdog [a-z][^`]*)`", page.read_text())]
    return found


def plain(words: list[str]) -> list[str]:
    """Without what stands for something: `[--to]`, `(--for DURATION`, ellipses."""
    return [word.strip("[]()|,…") for word in words]


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_a_command_that_a_page_shows_is_there_with_its_options(page: str, line: str) -> None:
    try:
        words = plain(shlex.split(line)[1:])
    except ValueError:
        words = plain(line.split()[1:])
    assert words[0] in COMMANDS, (page, line)
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None
    if isinstance(command, click.Group) and len(words) > 1 and words[1].isalpha():
        command = command.commands[words[1].split("|")[0]]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | GLOBAL
    for word in words[1:]:
        if re.fullmatch(r"--?[a-z][a-z-]*", word.split("=")[0]):
            assert word.split("=")[0] in known, (page, line, word)


def configurations() -> list[tuple[str, str]]:
    return [
        (page.name, text)
        for page, text in blocks("yaml")
        if isinstance(loaded := yaml.safe_load(text), dict) and "targets" in loaded
    ]


@pytest.mark.parametrize(("page", "text"), configurations())
def test_a_configuration_that_a_page_shows_loads(page: str, text: str) -> None:
    assert load_text(text, dict.fromkeys(re.findall(r"env: (\w+)", text), "secret")).settings.targets, page


def test_there_is_something_to_look_at() -> None:
    assert len(commands()) > 50
    assert len(configurations()) >= 2


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in link:
                assert (page.parent / link).exists(), (page.name, link)
