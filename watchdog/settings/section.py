"""What every section of the configuration is: a frozen pydantic model that knows no other keys.

Role: `Section`, and `Later` for keys that belong to the language but whose part comes in a later version. Neighbours: every
section module; `settings.wording` turns their errors into sentences. Guarantees: a key of a later version is refused by
name ("not in this version"), never mistaken for a typing error.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

NOT_IN_THIS_VERSION = "x-not-in-this-version"
"""Mark of such keys in the JSON Schema."""


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys refused, inputs never quoted in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Refused:
    """Refuses whatever is given; the sentence comes from the field's description."""

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_refuse)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"not": {}, NOT_IN_THIS_VERSION: True}


def _refuse(_value: Any) -> None:
    raise PydanticCustomError("not_in_this_version", "not in this version")


Later = Annotated[None, _Refused()]
"""Type of a key that is known and refused."""


def later(what: str) -> Any:
    """The field of a `Later` key; `what` says in a few words what will stand there."""
    return Field(default=None, exclude=True, description=f"not in this version: {what}")
