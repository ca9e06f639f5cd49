"""Schemas that are too much work are known before any value is checked."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventing.schemas.work import MOST_WORK, SchemaError, work_of


@pytest.mark.parametrize(
    ("schema", "work"),
    [
        (True, 1),
        ({}, 1),
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}}, 1),
        ({"allOf": [{}, {"anyOf": [{}, {}]}], "not": {}}, 6),
        ({"properties": {"a": {}}, "additionalProperties": {}, "patternProperties": {"x": {}}}, 3),
        ({"prefixItems": [{}, {}], "items": {"oneOf": [{}, {}]}}, 4),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {}}}, 2),
        ({"enum": list(range(100))}, 11),
        ({"unevaluatedProperties": False, "allOf": [{}]}, 4),
        ({"dependentSchemas": {"a": {}}, "dependencies": {"b": ["c"]}}, 2),
    ],
)
def test_work_is_that_of_the_value_most_looked_at(schema, work):
    assert work_of(schema) == work


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"next": {"$ref": "#"}}},
        {
            "$ref": "#/$defs/tree",
            "$defs": {
                "tree": {
                    "properties": {
                        "left": {"$ref": "#/$defs/tree"},
                        "right": {"$ref": "#/$defs/tree"},
                    },
                    "anyOf": [{"type": "object"}, {"type": "null"}],
                }
            },
        },
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#"}}]},
    ],
)
def test_what_refers_to_itself_in_one_way_is_served(schema):
    assert work_of(schema) < 10


def doubled(step):
    """Each level of a value is looked at twice as often as the one above."""
    return {"allOf": [step({"$ref": "#"}), step({"$ref": "#"})]}


def chain(length):
    """A schema of a few lines whose parts are 2 to the power of its length."""
    parts = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(length)}
    return {"$ref": "#/$defs/a0", "$defs": {**parts, f"a{length}": {}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {
            "$ref": "#/$defs/a",
            "$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}},
        },
        doubled(lambda ref: {"items": ref}),
        doubled(lambda ref: {"properties": {"a": ref}}),
        doubled(lambda ref: {"additionalProperties": ref}),
        {"properties": {"a": {"$ref": "#"}}, "patternProperties": {"^a": {"$ref": "#"}}},
        chain(40),
        {"enum": list(range(MOST_WORK * 20))},
        {"allOf": [{}] * (MOST_WORK + 1)},
    ],
    ids=str,
)
def test_work_without_end_is_refused(schema):
    with pytest.raises(SchemaError, match="look at one value"):
        work_of(schema)


@pytest.mark.parametrize(
    ("schema", "where"),
    [
        ({"$ref": "http://example.com/s.json"}, "#/$ref: only parts of the schema itself"),
        ({"$ref": "file:///etc/passwd"}, "#/$ref: only parts of the schema itself"),
        ({"$ref": "other.json"}, "#/$ref: only parts of the schema itself"),
        ({"$ref": "#anchor"}, "#/$ref: only parts of the schema itself"),
        ({"$ref": 3}, "#/$ref: only parts of the schema itself"),
        ({"$ref": "#/$defs/none"}, "#/$defs/none: there is no such part"),
        ({"properties": {"a": {"$id": "http://x/"}}}, "#/properties/a: $id is not served"),
        ({"$dynamicRef": "#a"}, "#: $dynamicRef is not served"),
        ({"properties": {"a": 3}}, "#/properties/a: a schema is an object or a Boolean"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "$schema: is one of"),
        ([], "a schema is an object or a Boolean"),
    ],
)
def test_what_is_not_served_is_named(schema, where):
    with pytest.raises(SchemaError, match=re.escape(where)):
        work_of(schema)


def schemas():
    names = st.sampled_from(["a", "b"])
    leaves = st.sampled_from([{}, True, {"type": "string"}, {"$ref": "#"}, {"$ref": "#/$defs/a"}])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.fixed_dictionaries({"allOf": st.lists(inner, max_size=3)}),
            st.fixed_dictionaries({"properties": st.dictionaries(names, inner)}),
            st.fixed_dictionaries({"items": inner, "additionalProperties": inner}),
        ),
        max_leaves=8,
    )


def visits(root, part, value):
    """What a validator that follows everything does: the model that the bound is held against."""
    count = 1
    if not isinstance(part, dict):
        return count
    if "$ref" in part:
        target = root if part["$ref"] == "#" else root["$defs"]["a"]
        count += visits(root, target, value)
    count += sum(visits(root, each, value) for each in part.get("allOf", []))
    if isinstance(value, dict):
        for key, each in value.items():
            if key in part.get("properties", {}):
                count += visits(root, part["properties"][key], each)
            elif "additionalProperties" in part:
                count += visits(root, part["additionalProperties"], each)
    if isinstance(value, list) and "items" in part:
        count += sum(visits(root, part["items"], each) for each in value)
    return count


def size_of(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(size_of, inner))


@settings(max_examples=200)
@given(
    schemas(),
    schemas(),
    st.recursive(
        st.just(0),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner)
        ),
    ),
)
def test_no_value_is_more_work_than_said(schema, definition, value):
    root = {"allOf": [schema], "$defs": {"a": definition}}
    try:
        work = work_of(root)
    except SchemaError:
        return
    assert visits(root, root, value) <= work * size_of(value)
