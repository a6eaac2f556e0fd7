"""What lies over the file: variables ``WATCHDOG_SECTION__KEY`` and a directory of secret files.

Role: asks pydantic-settings' own sources, one variable or file at a time, so that every value keeps the name of where it
came from. Precedence: variables, then secret files, then the file, then defaults. Guarantees: no value of a variable or
secret file appears in a message; Kubernetes' service-link variables (``WATCHDOG_PORT=tcp://...``) are passed over; any
other unknown ``WATCHDOG_...`` variable is a warning, since pydantic-settings would not say a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_settings import EnvSettingsSource, NestedSecretsSettingsSource, SecretsSettingsSource, SettingsError

from watchdog.settings.problems import Problem, Trail, printable
from watchdog.settings.root import ENV_DELIMITER, ENV_PREFIX, EnvironmentSettings
from watchdog.settings.wording import suggestion

SECRETS_DIR = "WATCHDOG_SECRETS_DIR"
"""Variable that names the directory of secret files."""
OTHER_VARIABLES = frozenset({SECRETS_DIR, "WATCHDOG_CONFIG", "WATCHDOG_SOCKET", "WATCHDOG_TEST_REQUIRE"})
"""Variables with our prefix that are no part of the configuration."""
_SERVICE_LINK = re.compile(
    r"WATCHDOG_(?:[A-Z0-9]+_)*"  # a Service `watchdog`, or `watchdog-...`; two underscores are ours
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)


@dataclass
class Layer:
    """Values of one layer, each with its label, and what is wrong with them."""

    tree: dict[str, Any] = field(default_factory=dict)
    labels: dict[Trail, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    files: dict[Path, bytes] = field(default_factory=dict)


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """The layer of all ``WATCHDOG_...`` variables."""
    layer = Layer()
    source = EnvSettingsSource(EnvironmentSettings)
    for name in sorted(environ):
        upper = name.upper()
        if upper.startswith(ENV_PREFIX) and upper not in OTHER_VARIABLES and not _SERVICE_LINK.fullmatch(upper):
            _add(layer, source, name.lower(), environ[name], f"environment variable {printable(name)}")
    return layer


def secrets_layer(directory: Path | None) -> Layer:
    """The layer of the files below `directory`; ``targets/api/signals/health/http/headers/authorization`` is such a file."""
    layer = Layer()
    if directory is None:
        return layer
    label = f"secrets directory {printable(str(directory))}"
    if not directory.is_dir():
        layer.problems.append(Problem(file=label, line=0, column=0, path="", message="there is no such directory"))
        return layer
    try:
        source = NestedSecretsSettingsSource(
            SecretsSettingsSource(EnvironmentSettings),
            secrets_dir=directory,
            secrets_nested_subdir=True,
            secrets_prefix="",
        )
    except (SettingsError, OSError, ValueError) as error:
        reason = "a file is not UTF-8 text" if isinstance(error, UnicodeError) else printable(str(error), 120)
        layer.problems.append(Problem(file=label, line=0, column=0, path="", message=f"cannot be read: {reason}"))
        return layer
    for name, content in sorted(source.env_vars.items()):
        layer.files[directory / name] = (content or "").encode()
        _add(layer, source, name, content or "", f"secret file {printable(name, 120)}")
    return layer


def _add(layer: Layer, source: EnvSettingsSource, name: str, value: str, label: str) -> None:
    source.env_vars = {name: value}
    try:
        found = source()
    except SettingsError:
        message = "expects JSON here, for example {} or a list in brackets"
        layer.problems.append(Problem(file=label, line=0, column=0, path="", message=message))
        return
    if not found:
        section = name.removeprefix(ENV_PREFIX.lower()).split(ENV_DELIMITER)[0].split("/")[0]
        hint = suggestion(section, EnvironmentSettings.model_fields)
        message = "is not part of the configuration and was not used"
        layer.warnings.append(Problem(file=label, line=0, column=0, path="", message=message, hint=hint))
        return
    for trail in leaves(found):
        layer.labels[trail] = label
    layer.tree = merged(layer.tree, found)


def leaves(tree: Any, trail: Trail = ()) -> Iterator[Trail]:
    """The trails of all values that are no mapping with content."""
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from leaves(value, (*trail, key))
    else:
        yield trail


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `under`: mappings are merged, everything else is replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        if key == "http" and isinstance(below, str) and isinstance(value, dict):
            below = {"url": below}  # the short form, so that a header can be laid over it
        if isinstance(below, dict) and isinstance(value, dict):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result
