"""Where a value stands in a document."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.keda.scalers.paths import MISSING, by_dots, lookup

_DOCUMENT = {
    "name": {"first": "Tom", "last": "Anderson"},
    "age": 37,
    "fav.movie": "Deer Hunter",
    "children": ["Sara", "Alex", "Jack"],
    "friends": [
        {"first": "Dale", "last": "Murphy", "age": 44, "nets": ["ig", "fb"], "on": True},
        {"first": "Roger", "last": "Craig", "age": 68, "nets": ["fb"], "on": False},
        {"first": "Jane", "last": "Murphy", "age": 47, "nets": ["ig"], "off": None},
    ],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("name.last", "Anderson"),
        ("name|last", "Anderson"),
        ("age", 37),
        ("children.#", 3),
        ("children.1", "Alex"),
        ("child*.2", "Jack"),
        ("c?ildren.0", "Sara"),
        (r"fav\.movie", "Deer Hunter"),
        ("friends.#.first", ["Dale", "Roger", "Jane"]),
        ("friends.1.last", "Craig"),
        ('friends.#(last=="Murphy").first', "Dale"),
        ('friends.#(last=="Murphy")#.first', ["Dale", "Jane"]),
        ("friends.#(age>45)#.last", ["Craig", "Murphy"]),
        ('friends.#(first%"D*").last', "Murphy"),
        ('friends.#(first!%"D*").last', "Craig"),
        ("friends.#(on==true).first", "Dale"),
        ("friends.#(off).first", "Jane"),
        ("friends.#(off==null).first", "Jane"),
        ('children.#(=="Jack")', "Jack"),
        ("friends.#(age>99)#", []),
        ("friends.#(age>99).first", MISSING),
        ("name.middle", MISSING),
        ("children.9", MISSING),
        ("age.more", MISSING),
    ],
)
def test_a_gjson_path_leads_to(path, found):
    assert lookup(_DOCUMENT, path) == found


def test_a_query_that_does_not_end_is_refused():
    with pytest.raises(ValueError, match="ends within a query"):
        lookup(_DOCUMENT, "friends.#(age>45")


@given(st.text(alphabet='ab.#()"\\*?|=<>%!01', max_size=12))
def test_no_path_does_more_than_find_miss_or_be_refused(path):
    try:
        lookup(_DOCUMENT, path)
    except ValueError as refused:
        assert "path" in str(refused)


def test_dots_lead_through_maps_and_lists_to_the_first_value():
    document = {"a": {"b": [{"c": 1}, {"c": 2}], 7: 3}}
    assert by_dots(document, "a.b.1.c") == 2
    assert by_dots(document, "a.7") == 3
    assert by_dots(document, "a.b.0.c.what.else") == 1


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("a.x", "key 'x' not found in path 'a.x'"),
        ("a.b.5", "key '5' not found"),
        ("a.b", "path 'a.b' does not lead to a value"),
    ],
)
def test_dots_that_lead_nowhere(path, words):
    with pytest.raises(ValueError, match=words):
        by_dots({"a": {"b": [1]}}, path)
