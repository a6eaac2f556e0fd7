"""The written reference and the program agree."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from watchdog.cli.exits import MEANING
from watchdog.cli.main import COMMANDS, cli

DOCS = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (DOCS / "cli.md").read_text()

SHARED = {
    "--socket",
    "--server",
    "--token-file",
    "-o",
    "--no-headers",
    "--utc",
    "--as",
    "-c",
    "--config",
    "-h",
    "--help",
}


def section(name: str) -> str:
    found = re.search(rf"^### `watchdog {name}\b.*?(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"no section for {name}"
    return found[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_section_with_all_its_options(name: str) -> None:
    text = section(name)
    if find_spec(f"watchdog.cli.{COMMANDS[name].module}") is None:
        return
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not SHARED & set(parameter.opts):
            assert any(option in text for option in parameter.opts), parameter.opts
        if isinstance(parameter, click.Argument):
            name_in_help = (parameter.metavar or parameter.human_readable_name or "").strip("[]").upper()
            assert name_in_help in text.upper() or isinstance(parameter.type, click.Choice), parameter.name
    for subcommand in getattr(command, "commands", {}):
        assert f"watchdog {name} {subcommand}" in text


def test_no_section_is_about_a_command_that_is_not_there() -> None:
    assert set(re.findall(r"^### `watchdog (\w+)", PAGE, re.MULTILINE)) == set(COMMANDS)


def test_the_options_that_mean_the_same_everywhere_are_explained_once() -> None:
    for option in SHARED:
        assert f"`{option}" in PAGE, option


def test_every_exit_code_stands_there_with_its_meaning_and_no_other() -> None:
    table = dict(re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE))
    assert table == {str(code.value): words for code, words in MEANING.items()}
