"""Promises of the repository itself."""

from __future__ import annotations

import ast
import re
import subprocess
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.repository.lock import LOCK, intruders

ROOT = Path(__file__).parents[2]
OWNED_BY_PYPI = {"observers", "events", "tricks", "utils", "watchmedo", "version"}
SOURCES = sorted((ROOT / "watchdog").rglob("*.py"))
LONGEST = 60


def test_no_distribution_called_watchdog_is_in_the_lock() -> None:
    assert intruders(LOCK.read_text()) == []


def test_the_check_sees_an_intruder() -> None:
    assert intruders('[[package]]\nname = "watchdog"\nversion = "7.1.0"\n') == ["7.1.0"]


def test_the_import_package_is_only_ours() -> None:
    assert set(packages_distributions().get("watchdog", [])) <= {"rollback-watchdog"}


def test_no_module_has_a_name_that_pypis_watchdog_owns() -> None:
    assert [path for path in SOURCES if path.stem in OWNED_BY_PYPI] == []


def test_the_readme_begins_with_the_two_commands() -> None:
    commands = re.findall(r"^make \w+", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_fit_a_screen_and_modules_say_their_role(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a module says its role, neighbours and guarantees"
    long = [
        f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST
    ]
    assert long == []


def test_no_file_names_a_path_of_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    texts = {name: _text(ROOT / name) for name in listed.stdout.splitlines()}
    pattern = re.compile(r"(?<![\w.])/(?:work|root|farm)/")
    assert [
        name for name, text in texts.items() if pattern.search(text) and name != "tests/repository/test_repository.py"
    ] == []


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (UnicodeDecodeError, OSError):
        return ""
