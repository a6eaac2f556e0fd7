"""The executable statements of the rule, loaded by path where they are; tests that need them skip with the reason otherwise."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

STATEMENTS = Path(__file__).parents[4] / "shared" / "judgement"


def statement(name: str) -> ModuleType:
    """One of `reference` and `pods`. They import each other by name, so their folder is on the path for a moment."""
    if not (STATEMENTS / f"{name}.py").is_file():
        pytest.skip(f"the executable statement {name} of the rule is not beside the checkout")
    sys.path.insert(0, str(STATEMENTS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(STATEMENTS))
