"""YAML is read with places, as YAML 1.2, without constructing anything, and within bounds."""

from __future__ import annotations

import pytest

from watchdog.settings.document import MOST_VALUES, Unreadable, read_document


@pytest.mark.parametrize(
    "word",
    [
        "no",
        "yes",
        "on",
        "off",
        "y",
        "n",
        "NO",
        "Off",
        "1:30",
        "0x1f",
        "0o17",
        "007",
        ".inf",
        ".nan",
        "2026-01-01",
        "1e999",
        "9" * 5000,
    ],
)
def test_what_yaml_1_1_would_turn_into_something_else_stays_text(word):
    assert read_document(f"key: {word}\n").tree == {"key": word}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("true", True),
        ("False", False),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ('"true"', "true"),
        ("'12'", "12"),
    ],
)
def test_scalars_of_yaml_1_2_are_read_as_what_they_are(word, value):
    found = read_document(f"key: {word}\n").tree["key"]
    assert found == value and type(found) is type(value)


def test_keys_are_text_whatever_they_look_like():
    assert read_document("no: 1\n12: 2\ntrue: 3\n").tree == {"no": 1, "12": 2, "true": 3}


def test_every_key_item_and_value_has_its_place():
    document = read_document("a:\n  b: 1\n  c: [x,  y]\n")
    assert document.keys[("a",)] == (1, 1)
    assert document.keys[("a", "c")] == (3, 3)
    assert document.values[("a", "b")] == (2, 6)
    assert document.values[("a", "c", 1)] == (3, 11)
    assert document.mark(("a", "b")) == (2, 6)
    assert document.mark(("a", "b"), at_key=True) == (2, 3)
    assert document.mark(("a", "gone")) == (1, 1)


def test_an_alias_is_the_anchored_value_and_stands_where_it_is_used():
    document = read_document("a: &usual {x: 1}\nb: *usual\nc: &name api\nd: *name\n")
    assert document.tree == {"a": {"x": 1}, "b": {"x": 1}, "c": "api", "d": "api"}
    assert document.keys[("b",)] == (2, 1)
    assert document.values[("b", "x")] == (1, 15)


def test_merged_mappings_give_way_to_what_is_said_in_place():
    text = "a: &one {x: 1, y: 1}\nb: &two {y: 2, z: 2}\nc:\n  <<: [*one, *two]\n  x: 9\n"
    assert read_document(text).tree["c"] == {"x": 9, "y": 1, "z": 2}


def test_of_a_key_that_stands_twice_the_first_is_kept_and_the_second_is_named():
    document = read_document("a: 1\nb: 2\na: 3\n")
    assert document.tree == {"a": 1, "b": 2}
    assert [(trail, mark) for trail, mark, _, _ in document.flaws] == [(("a",), (3, 1))]


def test_all_flaws_of_a_document_are_collected():
    document = read_document("a: 1\na: 2\nb: !x 3\nc:\n? [k]\n: 1\n")
    assert [mark[0] for _, mark, _, _ in document.flaws] == [2, 3, 4, 5]


def test_text_in_quotes_may_be_empty_and_nothing_may_not():
    assert read_document('a: ""\n').tree == {"a": ""}
    assert read_document("a:\n").flaws[0][2] == "has no value"


def test_nesting_is_bounded_before_it_can_hurt():
    with pytest.raises(Unreadable, match="nested deeper"):
        read_document("[" * 100_000)


def test_the_number_of_values_is_bounded():
    with pytest.raises(Unreadable, match="more than"):
        read_document("[" + "1," * (MOST_VALUES + 1) + "1]")


def test_aliases_that_nest_ever_deeper_are_bounded():
    chain = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 50))
    with pytest.raises(Unreadable, match="nested deeper"):
        read_document(chain)


def test_a_document_that_is_empty_is_nothing():
    assert read_document("").tree is None
    assert read_document("# only a comment\n").tree is None
