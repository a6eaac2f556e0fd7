"""The map of ports in docs/testing.md is whole and true."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from watchdog import ports, writer

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
WORLD = re.compile(r"^from (tests\.[\w.]+) import", re.MULTILINE)
NAMES = re.compile(r"`([^`]+)`")
MAP = {port: columns for port, *columns in ROW.findall((ROOT / "docs" / "testing.md").read_text())}
NONE_YET: dict[str, str] = {}


def protocols() -> dict[str, type]:
    found = {}
    for module in (ports, writer):
        for name, thing in vars(module).items():
            own = inspect.isclass(thing) and thing.__module__ == module.__name__
            if own and getattr(thing, "_is_protocol", False):
                found[name] = thing
    return found


def with_worlds(path: Path) -> list[str]:
    """The text of a contract test, and of the modules of `tests` that bring it its worlds."""
    text = path.read_text()
    worlds = [ROOT / f"{name.replace('.', '/')}.py" for name in WORLD.findall(text)]
    return [text, *(world.read_text() for world in worlds)]


def resolved(dotted: str) -> Any:
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


def methods(port: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_")}


def test_every_port_stands_in_the_map_and_nothing_else() -> None:
    assert len(protocols()) > 10
    assert set(MAP) == set(protocols())


@pytest.mark.parametrize("port", MAP)
def test_its_contract_is_there_and_runs_on_the_fakes_and_on_the_real_things(port: str) -> None:
    contracts, fakes, real = MAP[port]
    texts = []
    for name in NAMES.findall(contracts):
        path = ROOT / name
        assert path.is_file(), f"{name} is not there"
        # A contract that others subclass stands beside the modules that bring fake and real thing to it.
        around = path.parent.glob("test_*contract.py") if path.name == "contract.py" else [path]
        texts += [text for near in around for text in with_worlds(near)]
    for dotted in (*NAMES.findall(fakes), *NAMES.findall(real)):
        module, _, name = dotted.rpartition(".")  # the fake platform is made by its world, so its module must do
        assert any(name in text or module in text for text in texts), f"no contract of {port} runs on {dotted}"


@pytest.mark.parametrize("port", MAP)
def test_fakes_and_real_things_have_every_method_of_the_port(port: str) -> None:
    _contract, fakes, real = MAP[port]
    assert NAMES.findall(fakes)
    assert NAMES.findall(real) or real == NONE_YET[port]
    for dotted in (*NAMES.findall(fakes), *NAMES.findall(real)):
        assert methods(protocols()[port]) <= methods(resolved(dotted)), dotted
