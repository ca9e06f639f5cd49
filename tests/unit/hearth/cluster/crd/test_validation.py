"""The messages are those that kube-apiserver 1.36 gives for the same schema and value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.crd.validation import validate_value


def errors(schema: dict[str, Any], value: Any, **more: Any) -> list[tuple[str, str, str]]:
    found = validate_value({"type": "object", "properties": {"f": schema}}, {"f": value}, **more)
    return [(e.field, e.reason, e.message) for e in found]


INVALID, TYPE = "FieldValueInvalid", "FieldValueTypeInvalid"


@pytest.mark.parametrize(
    ("schema", "value", "reason", "message"),
    [
        pytest.param(
            {"type": "integer"}, "x", TYPE,
            'Invalid value: "string": f in body must be of type integer: "string"', id="type",
        ),
        pytest.param(
            {"type": "string"}, None, TYPE,
            'Invalid value: "null": f in body must be of type string: "null"', id="null",
        ),
        pytest.param(
            {"x-kubernetes-int-or-string": True}, [], TYPE,
            'Invalid value: "array": f in body must be of type integer,string: "array"',
            id="int or string",
        ),
        pytest.param(
            {"type": "string", "format": "date-time"}, "x", TYPE,
            'Invalid value: "x": f in body must be of type date-time: "x"', id="format",
        ),
        pytest.param(
            {"type": "integer", "minimum": 1}, 0, INVALID,
            "Invalid value: 0: f in body should be greater than or equal to 1", id="minimum",
        ),
        pytest.param(
            {"type": "integer", "minimum": 1, "exclusiveMinimum": True}, 1, INVALID,
            "Invalid value: 1: f in body should be greater than 1", id="exclusive minimum",
        ),
        pytest.param(
            {"type": "number", "maximum": 1.5}, 2.25, INVALID,
            "Invalid value: 2.25: f in body should be less than or equal to 1.5", id="maximum",
        ),
        pytest.param(
            {"type": "number", "maximum": 2, "exclusiveMaximum": True}, 2, INVALID,
            "Invalid value: 2: f in body should be less than 2", id="exclusive maximum",
        ),
        pytest.param(
            {"type": "integer", "multipleOf": 3}, 4, INVALID,
            "Invalid value: 4: f in body should be a multiple of 3", id="multiple",
        ),
        pytest.param(
            {"type": "string", "minLength": 2}, "é", INVALID,
            'Invalid value: "é": f in body should be at least 2 chars long', id="too short",
        ),
        pytest.param(
            {"type": "string", "maxLength": 1}, "ab", "FieldValueTooLong",
            "Too long: may not be more than 1 byte", id="too long",
        ),
        pytest.param(
            {"type": "string", "pattern": "^a$"}, "b", INVALID,
            "Invalid value: \"b\": f in body should match '^a$'", id="pattern",
        ),
        pytest.param(
            {"type": "string", "pattern": "^(a+)+$"}, "a" * 30 + "!", INVALID,
            f"Invalid value: \"{'a' * 30}!\": f in body should match '^(a+)+$'",
            id="pattern in linear time",
        ),
        pytest.param(
            {"type": "string", "enum": ["a", "b"]}, "c", "FieldValueNotSupported",
            'Unsupported value: "c": supported values: "a", "b"', id="enum",
        ),
        pytest.param(
            {"type": "integer", "enum": [1, 2]}, 3, "FieldValueNotSupported",
            'Unsupported value: 3: supported values: "1", "2"', id="enum of numbers",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1], INVALID,
            "Invalid value: 1: f in body should have at least 2 items", id="too few items",
        ),
        pytest.param(
            {"type": "array", "items": {"type": "integer"}, "maxItems": 1}, [1, 2],
            "FieldValueTooMany", "Too many: 2: must have at most 1 item", id="too many items",
        ),
        pytest.param(
            {"type": "object", "minProperties": 1}, {}, INVALID,
            "Invalid value: 0: f in body should have at least 1 properties", id="too few fields",
        ),
        pytest.param(
            {"type": "object", "maxProperties": 1}, {"a": 1, "b": 2}, "FieldValueTooMany",
            "Too many: 2: must have at most 1 item", id="too many fields",
        ),
    ],
)  # fmt: skip
def test_one_complaint(schema: dict[str, Any], value: Any, reason: str, message: str) -> None:
    assert errors(schema, value) == [("f", reason, message)]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param({"type": "integer"}, 2.0, id="a whole number"),
        pytest.param({"type": "number"}, 2, id="an integer is a number"),
        pytest.param({"type": "string", "nullable": True}, None, id="nullable"),
        pytest.param({"x-kubernetes-int-or-string": True}, "50%", id="string"),
        pytest.param({"x-kubernetes-int-or-string": True}, 50, id="int"),
        pytest.param({"type": "string", "format": "no-such-format"}, "x", id="unknown format"),
        pytest.param({"type": "object", "additionalProperties": True}, {"a": 1}, id="anything"),
        pytest.param({"x-kubernetes-preserve-unknown-fields": True}, [1], id="no type"),
    ],
)
def test_no_complaint(schema: dict[str, Any], value: Any) -> None:
    assert errors(schema, value) == []


def test_a_fraction_for_an_integer_gets_two_complaints() -> None:
    assert errors({"type": "integer"}, 1.5) == [
        ("f", TYPE, 'Invalid value: "number": f in body must be of type integer: "number"'),
        (
            "<nil>",
            INVALID,
            'Invalid value: "": Checked value must be of type integer (default format) in f',
        ),
    ]


def test_a_number_beyond_its_format() -> None:
    assert errors({"type": "integer", "format": "int32"}, 2**31) == [
        (
            "<nil>",
            INVALID,
            'Invalid value: "": Checked value must be of type integer with format int32 in f',
        )
    ]


def test_paths_of_nested_values() -> None:
    schema = {
        "type": "object",
        "additionalProperties": {
            "type": "array",
            "items": {"type": "object", "required": ["a"], "properties": {"b": {"type": "string"}}},
        },
    }
    found = errors(schema, {"key": [{"b": 1}]})
    assert [(field, reason) for field, reason, _ in found] == [
        ("f.key[0].b", TYPE),
        ("f.key[0].a", "FieldValueRequired"),
    ]


def test_a_prefix_stands_before_paths_but_not_in_messages() -> None:
    schema = {"type": "object", "properties": {"ready": {"type": "boolean"}}}
    found = validate_value(schema, {"ready": "x"}, prefix="status")
    assert str(found[0]) == (
        'status.ready: Invalid value: "string": ready in body must be of type boolean: "string"'
    )


@pytest.mark.parametrize(
    ("schema", "value", "first"),
    [
        pytest.param(
            {"anyOf": [{"minimum": 5}, {"maximum": 1}]}, 3,
            '"f" must validate at least one schema (anyOf)', id="any",
        ),
        pytest.param(
            {"oneOf": [{"minimum": 5}, {"maximum": 1}]}, 3,
            '"f" must validate one and only one schema (oneOf). Found none valid', id="one of none",
        ),
        pytest.param(
            {"oneOf": [{"minimum": 1}, {"maximum": 5}]}, 3,
            '"f" must validate one and only one schema (oneOf). Found 2 valid alternatives',
            id="one of two",
        ),
        pytest.param(
            {"not": {"minimum": 1}}, 3, '"f" must not validate the schema (not)', id="not",
        ),
    ],
)  # fmt: skip
def test_junctors(schema: dict[str, Any], value: Any, first: str) -> None:
    found = errors({"type": "integer", **schema}, value)
    assert found[0] == ("<nil>", INVALID, f'Invalid value: "": {first}')


def test_all_of_tells_what_failed_and_that_it_did() -> None:
    found = errors({"type": "integer", "allOf": [{"minimum": 5}, {"maximum": 9}]}, 3)
    assert [message for _, _, message in found] == [
        "Invalid value: 3: f in body should be greater than or equal to 5",
        'Invalid value: "": "f" must validate all the schemas (allOf)',
    ]


def test_what_an_update_does_not_touch_is_not_held_against_it() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer", "minimum": 5}, "b": {"type": "integer"}},
    }
    assert errors(schema, {"a": 1, "b": 2}, old={"f": {"a": 1, "b": 1}}) == []
    assert errors(schema, {"a": 2, "b": 1}, old={"f": {"a": 1, "b": 1}}) != []


def test_items_of_keyed_lists_are_compared_with_their_former_selves() -> None:
    items = {
        "type": "object",
        "properties": {"k": {"type": "string"}, "v": {"type": "integer", "minimum": 5}},
    }
    schema = {
        "type": "array",
        "items": items,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
    }
    old = [{"k": "a", "v": 1}]
    assert errors(schema, [{"k": "b", "v": 9}, {"k": "a", "v": 1}], old={"f": old}) == []
    plain = {"type": "array", "items": items}
    assert errors(plain, [{"k": "b", "v": 9}, {"k": "a", "v": 1}], old={"f": old}) != []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=6,
)
SCHEMAS = st.recursive(
    st.sampled_from(
        [
            {"type": "string", "minLength": 2},
            {"type": "integer", "minimum": 0},
            {"type": "number"},
            {"type": "boolean"},
            {"x-kubernetes-int-or-string": True},
            {"x-kubernetes-preserve-unknown-fields": True},
        ]
    ),
    lambda inner: st.one_of(
        inner.map(lambda s: {"type": "array", "items": s}),
        inner.map(lambda s: {"type": "object", "properties": {"a": s}, "required": ["a"]}),
        inner.map(lambda s: {"type": "object", "additionalProperties": s}),
        inner.map(lambda s: {"anyOf": [s, {"type": "string"}]}),
    ),
    max_leaves=4,
)


@given(SCHEMAS, JSON)
def test_any_value_can_be_validated(schema: dict[str, Any], value: Any) -> None:
    found = validate_value(schema, value)
    assert all(error.field and error.message for error in found)


@given(SCHEMAS, JSON)
def test_an_unchanged_field_is_always_accepted(schema: dict[str, Any], value: Any) -> None:
    assert errors(schema, value, old={"f": value}) == []
