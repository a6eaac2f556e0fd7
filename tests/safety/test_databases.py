"""Whether the database is ahead of the good release: only what it has run with, healthy, speaks for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.model import Instant, Release, Schema, SchemaRecord, from_document, to_document
from watchdog.safety.databases import KEEP_RELEASES, KEEP_SCHEMAS, ahead, changes, note
from watchdog.testing.databases import schema_of

GOOD = Release(fingerprint="good", revision="7")
NEED_S = 1620.0
ONE, TWO = schema_of("orders"), schema_of("orders", "invoices")


def seen(*looks: tuple[str, Schema, float]) -> SchemaRecord:
    """A record after looks (release, schema, healthy seconds of it), a minute apart."""
    record = None
    for at, (release, schema, healthy_s) in enumerate(looks):
        record = note(record, release, schema, Instant(60.0 * at), healthy_s)
    return record or SchemaRecord()


@pytest.mark.parametrize(
    ("record", "now", "present", "words"),
    [
        (seen(("good", ONE, 0.0), ("good", ONE, NEED_S)), ONE, False, "ran healthy with this very schema for 27 min"),
        (seen(("good", ONE, 0.0), ("good", ONE, NEED_S - 1)), ONE, None, "seen healthy with its schema for 26 min"),
        (seen(("other", ONE, 0.0), ("other", ONE, NEED_S)), ONE, None, "never looked at while revision 7 ran"),
        (None, ONE, None, "never looked at"),
        (seen(("good", ONE, 0.0), ("good", ONE, NEED_S)), TWO, True, "since revision 7: 1 migration (fake: invoices)"),
        (
            seen(("good", ONE, 0.0), ("good", ONE, NEED_S), ("good", TWO, 0.0), ("good", TWO, 600.0)),
            TWO,
            True,  # it ran minutes before the next release, while the good one was still there
            "since revision 7: 1 migration",
        ),
        (
            seen(("good", ONE, 0.0), ("good", ONE, NEED_S), ("good", TWO, 0.0), ("good", TWO, NEED_S)),
            TWO,
            False,  # the good release has run with it for as long as its soak
            "this very schema",
        ),
        (
            seen(("good", ONE, 0.0), ("good", ONE, NEED_S)),
            replace(ONE, half_done="flyway: 8 add_total"),
            True,
            "stopped half-way: flyway: 8 add_total",
        ),
        (
            seen(("good", ONE, 0.0), ("good", ONE, NEED_S)),
            replace(ONE, unreadable=("public.alembic_version",)),
            None,
            "public.alembic_version may not be read: grant SELECT",
        ),
    ],
)
def test_the_answer_and_its_sentence(record, now: Schema, present: bool | None, words: str) -> None:
    found, sentence = ahead(record, GOOD, now, NEED_S)
    assert found is present
    assert words in sentence


def types(*names: str) -> Schema:
    return replace(ONE, events=names)


@pytest.mark.parametrize(
    ("looks", "now", "new"),
    [
        ([("good", types("ordered"), NEED_S)], types("ordered"), ""),
        ([("good", types("ordered"), NEED_S)], types(), ""),
        ([("good", types("ordered"), NEED_S)], types("gifted", "ordered"), "gifted"),
        # Of an earlier release, and not seen since: the good one was written when it was there.
        ([("older", types("paid"), 0.0), ("good", types("ordered"), NEED_S)], types("ordered", "paid"), ""),
        ([("good", types("ordered"), NEED_S), ("bad", types("gifted"), 0.0)], types("gifted", "ordered"), "gifted"),
        ([("good", types("ordered"), NEED_S), ("bad", types("gifted"), 0.0)], types("ordered"), "gifted"),
        # What it has seen once it knows, also when it is no longer among the newest.
        ([("good", types("paid"), 0.0), ("good", types("ordered"), NEED_S)], types("ordered", "paid"), ""),
        # It went back once already and lives with them since.
        (
            [("good", types("ordered"), NEED_S), ("bad", types("gifted"), 0.0), ("good", types("gifted"), 60.0)],
            types("gifted"),
            "",
        ),
    ],
)
def test_events_of_types_that_the_good_release_never_met_ask_a_person(looks, now: Schema, new: str) -> None:
    twice = [look for release, schema, s in looks for look in ((release, schema, 0.0), (release, schema, s))]
    present, sentence = ahead(seen(*twice), GOOD, now, NEED_S)
    assert present is (None if new else False), sentence
    assert (f"({new})" in sentence) is bool(new)


LOOK = st.tuples(
    st.sampled_from(["good", "next", "other"]),
    st.sampled_from([ONE, TWO, schema_of()]),
    st.sampled_from([0.0, 60.0, 900.0]),
)


@given(looks=st.lists(LOOK, max_size=40), now=st.sampled_from([ONE, TWO, schema_of()]))
def test_yes_is_only_said_after_the_soak_with_that_very_schema(looks, now: Schema) -> None:
    record = seen(*looks)
    present, _ = ahead(record, GOOD, now, NEED_S)
    watched, first = 0.0, True
    for release, schema, healthy_s in looks:
        if (release, schema) == ("good", now):
            watched, first = watched + (0.0 if first else healthy_s), False  # a first look has no time before it
    assert (present is False) == (watched >= NEED_S)
    assert from_document(SchemaRecord, to_document(record)) == record


def test_the_record_is_bounded_and_keeps_what_has_proven_itself() -> None:
    looks = [("good", ONE, 0.0), ("good", ONE, NEED_S)]
    looks += [("good", schema_of(f"t{n}"), 0.0) for n in range(20)]
    record = seen(*looks)
    assert len(record.seen) <= KEEP_SCHEMAS
    assert ahead(record, GOOD, ONE, NEED_S)[0] is False
    many = seen(*((f"r{n}", ONE, 0.0) for n in range(40)))
    assert [one.release for one in many.seen] == [f"r{n}" for n in range(40 - KEEP_RELEASES, 40)]


def test_changes_are_named_and_counted() -> None:
    before, after = schema_of("a", "b"), schema_of("b", *(f"t{n}" for n in range(9)))
    words = changes(before, replace(after, objects={**after.objects, "table public.b": "2"}))
    assert words.startswith("9 migrations (fake: t6, fake: t7, fake: t8 and 6 more)")
    assert "gone: table public.a" in words
    assert "changed: table public.b" in words
    assert changes(schema_of("a", "b"), schema_of("a")) == "migrations taken back: fake: b; gone: table public.b"
    assert changes(Schema(digest="1"), Schema(digest="2")) == "the schema is another one"
