"""The JSON Schema of the file, for editors and for ``config schema``.

Role: made from the same models that validate, so it cannot drift. Keys of later versions are in it, marked
``x-not-in-this-version`` and allowed no value. Not in it: what only holds across keys (`settings.crosscheck`).
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from watchdog.settings.root import Settings
from watchdog.settings.units import Allowance, format_allowance, format_duration, format_rate

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SPELLING = {"duration": format_duration, "rate": format_rate}


class _Schema(GenerateJsonSchema):
    """Writes defaults as people type them."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        shown = super().default_schema(schema)
        default = schema.get("default")
        spell = _SPELLING.get(str(shown.get("x-unit")))
        if isinstance(default, Allowance):
            shown["default"] = format_allowance(default)
        elif isinstance(default, int | float) and spell is not None:
            shown["default"] = spell(default)
        elif shown.get("x-unit") == "status":
            shown["default"] = "200-299"
        elif default is None:
            shown.pop("default", None)
        return shown

    def encode_default(self, dft: Any) -> Any:
        return None if isinstance(dft, Allowance) else super().encode_default(dft)


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of the configuration file, with descriptions and defaults."""
    made = Settings.model_json_schema(by_alias=True, schema_generator=_Schema)
    sections = made["$defs"]
    tidied: dict[str, Any] = _tidied({"$schema": DIALECT, "$id": "urn:rollback-watchdog:settings:1", **made})
    for name in sections:
        tidied["$defs"][name]["title"] = name
    return {**tidied, "title": "Settings"}


def _tidied(node: Any) -> Any:
    """Without titles that only repeat a key, and without null: a key without a value is refused."""
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy = {key: _tidied(item) for key, item in node.items() if not (key == "title" and isinstance(item, str))}
    choices = tidy.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        del tidy["anyOf"]
        tidy |= rest[0] if len(rest) == 1 else {"anyOf": rest}
    return tidy
