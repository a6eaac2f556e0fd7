"""What changed between two releases, place by place."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.incidents.worlds import CANARY, template
from watchdog.incidents import template_diff
from watchdog.incidents.template_diff import LIMIT
from watchdog.redaction import Redactor


def diff(bad, good, redactor=None):
    return template_diff(bad, good, redactor or Redactor())


def rows(bad, good):
    return [(entry.change, entry.path, entry.good, entry.bad) for entry in diff(bad, good)]


def test_equal_templates_differ_in_nothing_also_when_only_their_hash_differs():
    assert rows(template("books:1", A="1"), template("books:1", A="1")) == []
    other = deepcopy(template("books:1"))
    other["metadata"]["labels"]["pod-template-hash"] = "zzz"
    assert rows(other, template("books:1")) == []


def test_changes_are_named_by_their_place_seen_from_good_to_bad():
    found = rows(template("books:2", A="1", C="3"), template("books:1", A="1", B="2"))
    assert found == [
        ("removed", "/spec/containers/api/env/B", {"name": "B", "value": "2"}, None),
        ("added", "/spec/containers/api/env/C", None, {"name": "C", "value": "3"}),
        ("changed", "/spec/containers/api/image", "books:1", "books:2"),
    ]


def test_an_inserted_entry_does_not_shift_the_others():
    good, bad = template("books:1", B="2"), template("books:1", A="1", B="2")
    assert [entry.path for entry in diff(bad, good)] == ["/spec/containers/api/env/A"]


def test_a_changed_secret_shows_as_changed_and_not_what_it_was():
    (entry,) = diff(template("books:1", DB_PASSWORD=CANARY), template("books:1", DB_PASSWORD="old" + CANARY))
    assert (entry.change, entry.path) == ("changed", "/spec/containers/api/env/DB_PASSWORD/value")
    assert entry.good == entry.bad == "«redacted-secret_name»"
    assert CANARY not in entry.sentence


def test_with_a_salt_the_marks_of_different_secrets_differ():
    redactor = Redactor(salt=b"0123456789abcdef")
    (entry,) = diff(template("b:1", TOKEN="one"), template("b:1", TOKEN="two"), redactor)
    assert entry.good != entry.bad


def test_lists_without_names_are_compared_by_position():
    assert rows({"args": ["a", "x", "c"]}, {"args": ["a", "b"]}) == [
        ("changed", "/args/0001", "b", "x"), ("added", "/args/0002", None, "c")
    ]  # fmt: skip


def test_names_that_come_twice_are_compared_by_position():
    twice = [{"name": "p", "v": 1}, {"name": "p", "v": 2}]
    assert rows({"l": twice}, {"l": twice[:1]}) == [("added", "/l/0001", None, twice[1])]


@pytest.mark.parametrize(
    ("bad", "good"), [({"a": {"b": 1}}, {"a": [1]}), ({"a": "text"}, {"a": {"b": 1}}), ({"a": None}, {"a": 1}), ({"a": True}, {"a": "x"})]
)  # fmt: skip
def test_a_place_that_changed_its_kind_is_one_change(bad, good):
    assert rows(bad, good) == [("changed", "/a", good["a"], bad["a"])]


def test_templates_with_little_in_common_are_listed_up_to_a_limit():
    assert len(diff({f"n{n}": n for n in range(1000)}, {})) == LIMIT


def test_very_deep_templates_are_compared_without_end():
    def deep(leaf):
        for _ in range(200):
            leaf = {"x": leaf}
        return leaf

    assert len(diff(deep(1), deep(2))) == 1


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "x", "token", "k"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from("abc"), TREES, max_size=3),
    st.dictionaries(st.sampled_from("abc"), TREES, max_size=3),
)
def test_there_is_a_difference_exactly_when_the_templates_differ_and_it_turns_round(bad, good):
    forth, back = diff(bad, good), diff(good, bad)
    assert bool(forth) == (bad != good)
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    assert [(turned[entry.change], entry.path, entry.bad, entry.good) for entry in forth] == [
        (entry.change, entry.path, entry.good, entry.bad) for entry in back
    ]
