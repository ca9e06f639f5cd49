import copy
from typing import Any

import pytest

from hearth.cluster.crd.shaping import drop_nulls, fill_defaults, prune

OPEN = {"x-kubernetes-preserve-unknown-fields": True}
TEXT = {"type": "string"}


def an_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        pytest.param(an_object(a=TEXT), {"a": "x", "b": 1}, {"a": "x"}, id="unknown field"),
        pytest.param(
            an_object(a=an_object(b=TEXT)), {"a": {"b": "x", "c": 1}}, {"a": {"b": "x"}},
            id="nested",
        ),
        pytest.param(
            an_object(a={"type": "array", "items": an_object(b=TEXT)}),
            {"a": [{"b": "x", "c": 1}]}, {"a": [{"b": "x"}]}, id="in a list",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": an_object(b=TEXT)},
            {"any": {"b": "x", "c": 1}}, {"any": {"b": "x"}}, id="in a map",
        ),
        pytest.param(an_object(a=OPEN), {"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 1}}}, id="open"),
        pytest.param(
            an_object(a={**an_object(b=an_object(c=TEXT)), **OPEN}),
            {"a": {"x": 1, "b": {"c": "y", "d": 1}}}, {"a": {"x": 1, "b": {"c": "y"}}},
            id="known fields of an open object are pruned inside",
        ),
        pytest.param(
            an_object(a={**an_object(b=TEXT), "x-kubernetes-embedded-resource": True}),
            {"a": {"kind": "K", "apiVersion": "v1", "metadata": {"x": 1}, "c": 1}},
            {"a": {"kind": "K", "apiVersion": "v1", "metadata": {"x": 1}}},
            id="an embedded resource keeps what every resource has",
        ),
    ],
)  # fmt: skip
def test_prune(schema: dict[str, Any], value: Any, expected: Any) -> None:
    prune(value, schema)
    assert value == expected


def test_the_root_keeps_what_every_resource_has() -> None:
    value = {"apiVersion": "v1", "kind": "K", "metadata": {"name": "x"}, "other": 1}
    prune(value, an_object(spec=TEXT), is_resource=True)
    assert value == {"apiVersion": "v1", "kind": "K", "metadata": {"name": "x"}}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        pytest.param(an_object(a={**TEXT, "default": "d"}), {}, {"a": "d"}, id="missing"),
        pytest.param(an_object(a={**TEXT, "default": "d"}), {"a": "x"}, {"a": "x"}, id="given"),
        pytest.param(an_object(a={**TEXT, "default": "d"}), {"a": None}, {"a": "d"}, id="null"),
        pytest.param(
            an_object(a={**TEXT, "default": "d", "nullable": True}), {"a": None}, {"a": None},
            id="nullable",
        ),
        pytest.param(
            an_object(a={**an_object(b={**TEXT, "default": "d"}), "default": {}}), {},
            {"a": {"b": "d"}}, id="defaults inside a default",
        ),
        pytest.param(
            an_object(a=an_object(b={**TEXT, "default": "d"})), {}, {}, id="not without the parent"
        ),
        pytest.param(
            an_object(a={"type": "array", "items": an_object(b={**TEXT, "default": "d"})}),
            {"a": [{}]}, {"a": [{"b": "d"}]}, id="in a list",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": {**TEXT, "default": "d"}},
            {"a": None}, {"a": "d"}, id="null in a map",
        ),
        pytest.param(an_object(a={"type": "boolean", "default": False}), {}, {"a": False}, id="no"),
    ],
)  # fmt: skip
def test_defaults(schema: dict[str, Any], value: Any, expected: Any) -> None:
    fill_defaults(value, schema)
    assert value == expected


def test_defaults_are_copied() -> None:
    schema = an_object(a={"type": "object", "default": {"list": []}, **OPEN})
    before = copy.deepcopy(schema)
    value: dict[str, Any] = {}
    fill_defaults(value, schema)
    value["a"]["list"].append(1)
    assert schema == before


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        pytest.param(an_object(a=TEXT), {"a": None}, {}, id="dropped"),
        pytest.param(an_object(a={**TEXT, "nullable": True}), {"a": None}, {"a": None}, id="kept"),
        pytest.param(
            an_object(a={**TEXT, "default": "d"}), {"a": None}, {"a": None}, id="left for default"
        ),
        pytest.param(an_object(a=OPEN), {"a": {"b": None}}, {"a": {"b": None}}, id="unknown"),
    ],
)
def test_nulls(schema: dict[str, Any], value: Any, expected: Any) -> None:
    drop_nulls(value, schema)
    assert value == expected
