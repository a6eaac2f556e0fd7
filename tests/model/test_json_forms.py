"""Every record has one JSON form, versioned: what is written reads back as the same record, and nothing else reads."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watchdog import model
from watchdog.model import (
    Counts,
    Entry,
    Incident,
    Instant,
    MalformedDocument,
    Pause,
    Release,
    Sample,
    UnitRef,
    Unknown,
    from_document,
    instant,
    iso,
    parse_instant,
    to_document,
)
from watchdog.model.codec import VERSION

RECORDS = sorted(
    (found for found in vars(model).values() if isinstance(found, type) and dataclasses.is_dataclass(found)),
    key=lambda found: found.__name__,
)

INSTANTS = st.integers(0, 4_000_000_000_000_000).map(lambda micros: Instant(micros / 1_000_000)).map(instant)
TEXTS = st.text(max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
SIMPLE = {
    str: TEXTS,
    int: st.integers(),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Instant: INSTANTS,
}


def values(hint: Any) -> st.SearchStrategy:
    """Any value of a type as the records use them."""
    if hint in SIMPLE:
        return SIMPLE[hint]
    if hint is type(None):
        return st.none()
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(TEXTS, JSON, max_size=2)
    if arguments:
        return st.one_of(*(values(argument) for argument in arguments))
    if issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    return records(hint)


def records(cls: type) -> st.SearchStrategy:
    """Any record of a class."""
    hints = typing.get_type_hints(cls)
    return st.deferred(
        lambda: st.builds(cls, **{field.name: values(hints[field.name]) for field in dataclasses.fields(cls)})
    )


def test_the_corpus_holds_the_records_of_the_house():
    names = {found.__name__ for found in RECORDS}
    assert {"Sample", "TargetVerdict", "Release", "Breach", "Decision", "Plan", "Intent", "Incident", "Pause"} <= names
    assert len(names) > 30


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
@given(data=st.data())
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_record_reads_back_as_it_was_also_through_text(cls, data):
    record = data.draw(records(cls))
    document = to_document(record)
    assert (document["kind"], document["v"]) == (cls.__name__, VERSION)
    assert from_document(cls, document) == record
    text = json.dumps(document, allow_nan=False)
    again = from_document(cls, json.loads(text))
    assert again == record
    assert json.dumps(to_document(again), allow_nan=False) == text, "one record has one form"


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_every_default_reads_back_from_a_form_without_it(cls):
    """A document of an older watchdog lacks the newer fields."""
    required = [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    required = ["kind_" if name == "kind" else name for name in required]
    example = example_of(cls)
    document = {key: item for key, item in to_document(example).items() if key in ("kind", "v", *required)}
    assert from_document(cls, document) == example
    for name in required:
        with pytest.raises(MalformedDocument, match=name.removesuffix("_")):
            from_document(cls, {key: item for key, item in document.items() if key != name})


def example_of(cls: type) -> Any:
    """A record with plain values in what has no default."""
    hints = typing.get_type_hints(cls)
    plain = {}
    for field in dataclasses.fields(cls):
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            plain[field.name] = plain_of(hints[field.name])
    return cls(**plain)


def plain_of(hint: Any) -> Any:
    simple = {str: "x", int: 1, bool: False, float: 1.5, Instant: instant(1_767_268_800.25)}
    if hint in simple:
        return simple[hint]
    if typing.get_origin(hint) is tuple:
        return ()
    arguments = typing.get_args(hint)
    if arguments:
        return plain_of(arguments[0])
    return next(iter(hint)) if issubclass(hint, StrEnum) else example_of(hint)


# -- what does not read ----------------------------------------------------------------------------------------------

PAUSE = to_document(example_of(Pause))
SAMPLE = to_document(Sample(signal="s", start=instant(0), end=instant(5), reading=Counts(good=1, bad=2)))
INCIDENT = to_document(example_of(Incident))


def changed(document: dict, **changes: Any) -> dict:
    return {**document, **changes}


@pytest.mark.parametrize(
    ("cls", "document", "words"),
    [
        (Pause, None, "expected an object"),
        (Pause, [], "expected an object"),
        (Pause, "Pause", "expected an object"),
        (Pause, {}, "expected a Pause"),
        (Pause, SAMPLE, "expected a Pause, found 'Sample'"),
        (Pause, changed(PAUSE, kind=None), "expected a Pause"),
        (Pause, changed(PAUSE, v=VERSION + 1), f"version {VERSION + 1} cannot be read"),
        (Pause, changed(PAUSE, v=0), "version 0"),
        (Pause, changed(PAUSE, v=True), "version True"),
        (Pause, changed(PAUSE, v="1"), "version '1'"),
        (Pause, changed(PAUSE, v=None), "version None"),
        (Pause, changed(PAUSE, colour="red"), "Pause: unknown key 'colour'"),
        (Pause, changed(PAUSE, who=1), "Pause.who: int does not fit"),
        (Pause, changed(PAUSE, who=None), "Pause.who: NoneType does not fit"),
        (Pause, changed(PAUSE, suppressed=True), "Pause.suppressed: bool does not fit"),
        (Pause, changed(PAUSE, suppressed=1.5), "Pause.suppressed: float does not fit"),
        (Pause, changed(PAUSE, until="tomorrow"), "Pause.until"),
        (Pause, changed(PAUSE, until="2026-01-01T00:00:00"), "Pause.until: .* has no UTC offset"),
        (Pause, changed(PAUSE, until=1767225600), "Pause.until: int does not fit"),
        (Pause, changed(PAUSE, applied_at=False), "Pause.applied_at"),
        (Sample, changed(SAMPLE, reading={"good": 1, "bad": 2}), "Sample.reading: None is none of counts, value, unknown"),
        (Sample, changed(SAMPLE, reading={"is": "guess"}), "Sample.reading: 'guess'"),
        (Sample, changed(SAMPLE, reading=[]), "Sample.reading: list does not fit"),
        (Sample, changed(SAMPLE, reading={"is": "counts", "good": 1}), "Sample.reading.*bad"),
        (Sample, changed(SAMPLE, reading={"is": "counts", "good": 1, "bad": "2"}), "Sample.reading.bad: str does not fit"),
        (Incident, changed(INCIDENT, stage="done"), "Incident.stage: 'done' is none of suspected, opened"),
        (Incident, changed(INCIDENT, units={}), "Incident.units: expected a list, found dict"),
        (Incident, changed(INCIDENT, units=[{"target": "x"}]), r"Incident.units\[0\]"),
        (Incident, changed(INCIDENT, units=[7]), r"Incident.units\[0\]: int does not fit"),
        (Incident, changed(INCIDENT, blamed=changed(INCIDENT["blamed"], images=[])), "Incident.blamed.images: list does not fit"),
        (Incident, changed(INCIDENT, blamed=changed(INCIDENT["blamed"], grade="best")), "Incident.blamed.grade: 'best'"),
    ],
)  # fmt: skip
def test_a_malformed_document_is_refused_and_its_place_is_named(cls, document, words):
    with pytest.raises(MalformedDocument, match=words):
        from_document(cls, document)


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
@given(data=st.data())
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_damage_to_one_field_gives_a_record_or_malformed_document_and_no_other_error(cls, data):
    document = to_document(example_of(cls))
    key = data.draw(st.sampled_from(sorted(document)))
    document[key] = data.draw(JSON)
    try:
        found = from_document(cls, document)
    except MalformedDocument:
        return
    assert isinstance(found, cls)


@given(JSON)
@settings(deadline=None)
def test_any_json_at_all_is_refused_for_an_incident(value):
    with pytest.raises(MalformedDocument):
        from_document(Incident, value)


@pytest.mark.parametrize("value", [{}, [], 7, None, Pause])
def test_what_is_no_record_has_no_document(value):
    with pytest.raises(TypeError, match="is not a record"):
        to_document(value)


# -- moments ---------------------------------------------------------------------------------------------------------


@given(INSTANTS)
def test_a_moment_is_iso_8601_in_utc_and_reads_back_to_the_microsecond(moment):
    text = iso(moment)
    assert text.endswith("Z")
    assert len(text) == len("2026-01-01T00:00:00.000000Z")
    assert parse_instant(text) == moment


def test_moments_with_other_offsets_are_the_same_moment():
    assert parse_instant("2026-01-01T13:00:00+01:00") == parse_instant("2026-01-01T12:00:00Z")
    with pytest.raises(ValueError, match="no UTC offset"):
        parse_instant("2026-01-01T12:00:00")


def test_a_field_called_kind_does_not_hide_what_the_record_is():
    entry = Entry(at=instant(0), kind="breach", sentence="x")
    assert to_document(entry) == {"kind": "Entry", "v": 1, "at": iso(instant(0)), "kind_": "breach", "sentence": "x",
                                  "actor": "watchdog", "data": {}}  # fmt: skip


def test_readings_say_what_they_are():
    sample = Sample(signal="s", start=instant(0), end=instant(5), reading=Unknown(reason="timeout"))
    assert to_document(sample)["reading"] == {"is": "unknown", "reason": "timeout"}


def test_raw_templates_stay_as_they_came():
    template = {"spec": {"containers": [{"name": "api", "args": ["--x", None, 1, 1.5, True]}]}}
    release = Release(fingerprint="f", template=template)
    assert from_document(Release, json.loads(json.dumps(to_document(release)))).template == template
    assert to_document(UnitRef(target="t", platform="p", uid="u", name="n"))["uid"] == "u"
