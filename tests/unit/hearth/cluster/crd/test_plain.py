"""What the quick look lets pass, the slow ways leave as it is and find nothing wrong with."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.crd import shaping
from hearth.cluster.crd.plain import plain
from hearth.cluster.crd.validation import validate_value

Schema = dict[str, Any]
CRDS = Path(__file__).parents[5] / "crds"
NAMES = st.sampled_from(["a", "b", "c"])
SCALARS: list[Schema] = [
    {"type": "string"},
    {"type": "string", "pattern": "^a"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "enum": ["a", "b"]},
    {"type": "integer"},
    {"type": "integer", "format": "int32"},
    {"type": "integer", "minimum": 1},
    {"type": "number"},
    {"type": "boolean"},
    {"x-kubernetes-int-or-string": True},
    {"type": "string", "nullable": True, "default": "a"},
    {},
]
VALUES = st.recursive(
    st.sampled_from(
        [None, True, 0, 1, 1.0, 1.5, 2**31, 2**70, "", "a", "b", "2030-01-01T00:00:00Z"]
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def _objects(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    more = st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "required": st.lists(NAMES, max_size=1),
            "additionalProperties": st.booleans() | inner,
            "x-kubernetes-preserve-unknown-fields": st.just(True),
            "x-kubernetes-embedded-resource": st.just(True),
            "minProperties": st.just(1),
            "not": inner,
        },
    )
    lists = st.fixed_dictionaries(
        {"type": st.just("array")},
        optional={"items": inner, "maxItems": st.just(1), "default": st.just([])},
    )
    return more | lists


SCHEMAS = st.recursive(st.sampled_from(SCALARS), _objects, max_leaves=6)


def _is_left_alone(schema: Schema, value: Any, *, is_resource: bool) -> bool:
    shaped = copy.deepcopy(value)
    shaping.prune(shaped, schema, is_resource=is_resource)
    shaping.drop_nulls(shaped, schema)
    shaping.fill_defaults(shaped, schema)
    return repr(shaped) == repr(value) and not validate_value(schema, value)


@given(SCHEMAS, VALUES)
def test_what_passes_is_left_alone(schema: Schema, value: Any) -> None:
    test = plain(schema)
    for _ in range(2):  # once compiled, once more
        if test(value):
            assert _is_left_alone(schema, value, is_resource=False)


OWN = st.sampled_from([{"type": "object"}, {"type": "string"}, {"type": "string", "pattern": "^a"}])
RESOURCES = st.dictionaries(
    st.sampled_from(["apiVersion", "kind", "metadata", "spec"]), VALUES, max_size=4
)


@given(
    st.dictionaries(st.sampled_from(["apiVersion", "kind", "metadata"]), OWN),
    st.none() | st.booleans() | st.just({"type": "string"}),
    RESOURCES,
)
def test_a_resource_that_passes_is_left_alone(own: Schema, extra: Any, value: Any) -> None:
    schema: Schema = {"type": "object", "properties": {**own, "spec": {"type": "string"}}}
    if extra is not None:
        schema["additionalProperties"] = extra
    if plain(schema, is_resource=True)(value):
        assert _is_left_alone(schema, value, is_resource=True)


CONTAINER = {"image": "i", "name": "c", "resources": {}, "readinessProbe": {"successThreshold": 1}}
GOOD: list[tuple[str, dict[str, Any]]] = [
    (
        "serving.knative.dev_services.yaml",
        {"spec": {"template": {"spec": {"containers": [CONTAINER], "timeoutSeconds": 300}}}},
    ),
    (
        "autoscaling.internal.knative.dev_podautoscalers.yaml",
        {"spec": {"protocolType": "http1", "reachability": "Reachable", "scaleTargetRef": {}}},
    ),
]


@pytest.mark.parametrize(("file", "given"), GOOD)
def test_what_is_in_order_passes(file: str, given: dict[str, Any]) -> None:
    [version] = yaml.safe_load((CRDS / file).read_text())["spec"]["versions"]
    obj = {"apiVersion": "v", "kind": "K", "metadata": {"name": "n"}, **given}
    assert plain(version["schema"]["openAPIV3Schema"], is_resource=True)(obj)
    obj["spec"]["nobody-knows"] = 1
    assert not plain(version["schema"]["openAPIV3Schema"], is_resource=True)(obj)
