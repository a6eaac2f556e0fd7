"""What one version wrote, the next one reads; and what the next one writes, this one reads where it says nothing new.

`forms/VERSION/` is kept for each version from 0.1.0 on: `documents.json` holds documents of real stores, `fields.json` the fields of
every record with their defaults, and the members of every choice. Made by ``python -m tests.model.test_old_forms`` before a release.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from watchdog import model
from watchdog.model import MalformedDocument, UnitRecord, from_document, record, to_document
from watchdog.model.record import ADDED, added

FORMS = Path(__file__).parent / "forms"
VERSIONS = sorted(path.name for path in FORMS.iterdir())
CLASSES = {name: found for name, found in vars(model).items() if isinstance(found, type)}
RECORDS = {name: found for name, found in CLASSES.items() if dataclasses.is_dataclass(found)}
CHOICES = {name: found for name, found in CLASSES.items() if issubclass(found, StrEnum)}
REQUIRED = "required"


def default_of(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return repr(field.default)
    return REQUIRED if field.default_factory is dataclasses.MISSING else f"{field.default_factory.__name__}()"


def present() -> dict[str, dict[str, Any]]:
    """The form of today."""
    fields = {
        name: {field.name: default_of(field) for field in dataclasses.fields(cls)} for name, cls in RECORDS.items()
    }
    return {"records": fields, "choices": {name: [member.value for member in cls] for name, cls in CHOICES.items()}}


def kept(version: str, file: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FORMS / version / file).read_text())
    return found


STORED = [
    (version, name, document) for version in VERSIONS for name, document in kept(version, "documents.json").items()
]


@pytest.mark.parametrize(
    ("version", "name", "document"), STORED, ids=[f"{version} {name}" for version, name, _ in STORED]
)
def test_a_document_of_an_earlier_version_is_read_and_nothing_of_it_is_lost(
    version: str, name: str, document: dict[str, Any]
) -> None:
    again = to_document(from_document(RECORDS[document["kind"]], document))
    assert {key: again[key] for key in document} == document


def test_documents_of_every_kind_that_is_stored_are_kept() -> None:
    for version in VERSIONS:
        kinds = {document["kind"] for document in kept(version, "documents.json").values()}
        assert kinds == {"Incident", "UnitRecord", "PauseRegister", "SchemaRecord", "Notice"}


@pytest.mark.parametrize("version", VERSIONS)
def test_no_field_and_no_choice_of_an_earlier_version_is_gone_or_means_something_else(version: str) -> None:
    before, now = kept(version, "fields.json"), present()
    for name, fields in before["records"].items():
        assert {key: now["records"].get(name, {}).get(key) for key in fields} == fields, name
    for name, members in before["choices"].items():
        assert set(members) <= set(now["choices"].get(name, ())), name


def test_a_field_that_came_later_is_declared_so_and_the_version_before_can_read_without_it() -> None:
    first = kept("0.1.0", "fields.json")["records"]
    for name, cls in RECORDS.items():
        for field in dataclasses.fields(cls):
            new = field.name not in first.get(name, {field.name: ""})
            assert not new or ADDED in field.metadata, f"{name}.{field.name}: write added(default, since=...)"


def of_the_next_version() -> tuple[type, type]:
    @record
    class Note:
        text: str

    before = Note

    @record
    class Note:  # type: ignore[no-redef]
        text: str
        urgent: bool = added(default=False, since="0.2.0")

    return before, Note


def test_a_record_that_says_nothing_new_is_written_as_the_version_before_wrote_it() -> None:
    before, after = of_the_next_version()
    assert from_document(before, to_document(after(text="a"))) == before(text="a")
    assert from_document(after, to_document(before(text="a"))) == after(text="a")


def test_a_record_that_says_something_new_is_refused_by_the_version_before_and_never_guessed() -> None:
    before, after = of_the_next_version()
    document = to_document(after(text="a", urgent=True))
    with pytest.raises(MalformedDocument, match="unknown key 'urgent'"):
        from_document(before, document)
    assert from_document(after, document) == after(text="a", urgent=True)


def test_what_is_not_declared_as_added_is_always_written() -> None:
    hints = typing.get_type_hints(UnitRecord)
    record_of = from_document(UnitRecord, next(doc for _, _, doc in STORED if doc["kind"] == "UnitRecord"))
    assert set(hints) <= set(to_document(record_of)) | {
        field.name for field in dataclasses.fields(UnitRecord) if ADDED in field.metadata
    }


if __name__ == "__main__":
    print(json.dumps(present(), indent=1, sort_keys=True))
