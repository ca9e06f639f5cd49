"""Expressions in JSONata: what they give, and how they fail."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from eventing.transforms.jsonata import Expression, TransformError, content_type_of, problem_of

EVENT = {"specversion": "1.0", "id": "1", "type": "t", "data": {"n": 6, "l": [1, 2], "z": None}}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$", EVENT),
        ('$merge([$, {"type": "new"}]).type', "new"),
        ('{"a": data.n / 2, "b": data.n / 4, "c": data.none}', {"a": 3, "b": 1.5}),
        ('[data.l.{"x": $}]', [{"x": 1}, {"x": 2}]),
        ('{"z": data.z}', {"z": None}),
        ("$sum(data.l)", 3),
    ],
)
def test_what_an_expression_gives(text: str, result: Any) -> None:
    given = Expression(text).evaluate(EVENT)
    assert given == result
    assert repr(given) == repr(result), "whole numbers have no fraction"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("data.none", "gives nothing"),
        ('$error("no")', "no"),
        ("data.n + type", "number"),
        ("($f := function($x){1 + $f($x)}; $f(1))", "recursive"),
    ],
)
def test_an_expression_that_fails_says_why(text: str, why: str) -> None:
    with pytest.raises(TransformError, match=why):
        Expression(text).evaluate(EVENT)
    assert not problem_of(text), "it can be read"


@pytest.mark.parametrize("text", ["{ a", "(" * 5000, "", "x" * 100_001])
def test_what_is_no_expression_is_told(text: str) -> None:
    assert problem_of(text)


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonata", None)
    assert "hearth-serving[transform]" in problem_of("$")


@pytest.mark.parametrize(
    ("result", "content_type"),
    [
        ({"specversion": "1.0"}, "application/cloudevents+json"),
        ({"specversion": "1.0", "contenttype": "text/x"}, "text/x"),
        ({}, "application/json"),
        ([1], "application/json"),
        ("specversion", "application/json"),
    ],
)
def test_content_types(result: Any, content_type: str) -> None:
    assert content_type_of(result) == content_type
