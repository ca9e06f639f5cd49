from typing import Any

import pytest

from hearth.cluster.crd.structural import structural_errors

TEXT = {"type": "string"}
INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"


def problems(schema: dict[str, Any]) -> list[str]:
    return [str(error) for error in structural_errors(schema, "s")]


def with_field(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"f": schema}}


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(with_field(TEXT), id="plain"),
        pytest.param(with_field({PRESERVE: True}), id="open"),
        pytest.param(with_field({"x-kubernetes-int-or-string": True}), id="int or string"),
        pytest.param(
            with_field({"x-kubernetes-int-or-string": True, "anyOf": INT_OR_STRING}),
            id="int or string, spelled out",
        ),
        pytest.param(
            with_field({"x-kubernetes-int-or-string": True, "allOf": [{"anyOf": INT_OR_STRING}]}),
            id="int or string in allOf",
        ),
        pytest.param(
            with_field({**TEXT, "oneOf": [{"pattern": "a"}, {"maxLength": 1}]}), id="values only"
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "metadata": {"type": "object", "properties": {"name": {**TEXT, "maxLength": 9}}}
                },
            },
            id="metadata restricts the name",
        ),
    ],
)
def test_structural(schema: dict[str, Any]) -> None:
    assert problems(schema) == []


F = "s.properties[f]"


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param({}, ["s.type: Required value: must not be empty at the root"], id="root"),
        pytest.param(
            {"type": "string"}, ['s.type: Invalid value: "string": must be object at the root'],
            id="root of another type",
        ),
        pytest.param(
            with_field({}), [f"{F}.type: Required value: must not be empty for specified object "
                             "fields"], id="field",
        ),
        pytest.param(
            with_field({"type": "array"}), [f"{F}.items: Required value: must be specified"],
            id="no items",
        ),
        pytest.param(
            with_field({"type": "array", "items": {}}),
            [f"{F}.items.type: Required value: must not be empty for specified array items"],
            id="items",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": TEXT},
            ["s.additionalProperties: Forbidden: must not be used at the root"], id="map at root",
        ),
        pytest.param(
            with_field({**TEXT, "anyOf": [{"type": "string"}]}),
            [f"{F}.anyOf[0].type: Forbidden: must be empty to be structural"], id="type in anyOf",
        ),
        pytest.param(
            with_field({**TEXT, "not": {"default": 1, "description": "d"}}),
            [f"{F}.not.default: Forbidden: must be undefined to be structural",
             f"{F}.not.description: Forbidden: must be empty to be structural"], id="not",
        ),
        pytest.param(
            {"type": "object", "allOf": [{"properties": {"a": {"minimum": 1}}}]},
            ["s.properties[a]: Required value: because it is defined in "
             "s.allOf[0].properties[a]"], id="not declared outside",
        ),
        pytest.param(
            with_field({**TEXT, "pattern": "("}),
            [f'{F}.pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: '
             "error parsing regexp: missing closing ): `(`"], id="pattern",
        ),
        pytest.param(
            with_field({"type": "string", EMBEDDED: True, PRESERVE: True}),
            [f'{F}.type: Invalid value: "string": must be object if {EMBEDDED} is true'],
            id="embedded of another type",
        ),
        pytest.param(
            with_field({"type": "object", EMBEDDED: True}),
            [f"{F}.properties: Required value: must not be empty if {EMBEDDED} is true without "
             f"{PRESERVE}"], id="embedded without content",
        ),
        pytest.param(
            {"type": "object", "properties": {
                "metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}},
            ["s.properties[metadata]: Forbidden: must not specify anything other than name and "
             "generateName, but metadata is implicitly specified"], id="metadata",
        ),
        pytest.param(
            {"type": "object", "properties": {"kind": {"type": "integer"}}},
            ['s.properties[kind].type: Invalid value: "integer": must be string'], id="kind",
        ),
    ],
)  # fmt: skip
def test_not_structural(schema: dict[str, Any], expected: list[str]) -> None:
    assert problems(schema) == expected
