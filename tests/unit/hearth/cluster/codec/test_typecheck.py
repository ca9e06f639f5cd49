"""Values against schemas: Go's decode errors, unknown fields."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.codec.typecheck import decode_errors, drop_unknown, time_error, unknown_fields
from hearth.cluster.model.typetable import struct

CUSTOM = {
    "type": "object",
    "properties": {
        "metadata": struct("meta/v1", "ObjectMeta").schema,
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer"},
                "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
                "list": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"a": {"type": "string"}}},
                },
            },
        },
    },
}
CANNOT = "json: cannot unmarshal"


@pytest.mark.parametrize(
    ("path", "kind", "value", "message"),
    [
        pytest.param(
            "core/v1",
            "ConfigMap",
            {"data": {"a": 3}},
            f"{CANNOT} number into Go struct field ConfigMap.data of type string",
            id="map value",
        ),
        pytest.param(
            "core/v1",
            "ConfigMap",
            {"data": []},
            f"{CANNOT} array into Go struct field ConfigMap.data of type map[string]string",
            id="map",
        ),
        pytest.param(
            "core/v1",
            "ConfigMap",
            {"metadata": {"labels": {"a": True}}},
            f"{CANNOT} bool into Go struct field ObjectMeta.metadata.labels of type string",
            id="metadata",
        ),
        pytest.param(
            "apps/v1",
            "Deployment",
            {"spec": {"replicas": "2"}},
            f"{CANNOT} string into Go struct field DeploymentSpec.spec.replicas of type int32",
            id="pointer to number",
        ),
        pytest.param(
            "apps/v1",
            "Deployment",
            {"spec": {"replicas": 1.5}},
            f"{CANNOT} number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
            id="fraction",
        ),
        pytest.param(
            "core/v1",
            "Pod",
            {"spec": {"containers": {"name": "c"}}},
            f"{CANNOT} object into Go struct field PodSpec.spec.containers of type []v1.Container",
            id="list of structs",
        ),
        pytest.param(
            "core/v1",
            "Pod",
            {"spec": {"containers": [{"imagePullPolicy": 1}]}},
            f"{CANNOT} number into Go struct field Container.spec.containers.imagePullPolicy "
            "of type v1.PullPolicy",
            id="named string",
        ),
        pytest.param(
            "core/v1",
            "Pod",
            {"spec": {"containers": [{"resources": {"limits": {"cpu": "lots"}}}]}},
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            id="quantity",
        ),
        pytest.param(
            "core/v1",
            "Service",
            {"spec": {"ports": [{"targetPort": True}]}},
            f"{CANNOT} bool into Go value of type int32",
            id="number or name",
        ),
        pytest.param(
            "core/v1",
            "Secret",
            {"data": {"a": "###"}},
            "illegal base64 data at input byte 0",
            id="base64",
        ),
        pytest.param(
            "coordination/v1",
            "Lease",
            {"spec": {"renewTime": "now"}},
            'parsing time "now" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "now" as '
            '"2006"',
            id="time",
        ),
    ],
)
def test_what_go_says_of_a_wrong_value(path: str, kind: str, value: Any, message: str) -> None:
    assert decode_errors(value, struct(path, kind).schema, kind) == [message]


def test_only_the_first_wrong_value_is_told() -> None:
    value = {"data": {"a": 1}, "metadata": {"name": 2}}
    assert len(decode_errors(value, struct("core/v1", "ConfigMap").schema, "ConfigMap")) == 1


def test_nulls_and_unknown_fields_are_no_errors() -> None:
    value = {"data": None, "metadata": {"labels": None}, "dota": 3}
    assert decode_errors(value, struct("core/v1", "ConfigMap").schema, "ConfigMap") == []


def test_of_custom_kinds_only_metadata_has_types() -> None:
    assert decode_errors({"spec": {"size": "x"}}, CUSTOM, "Widget") == []
    assert decode_errors({"metadata": {"name": 1}}, CUSTOM, "Widget") != []


@pytest.mark.parametrize(
    ("text", "rest", "part"),
    [
        ("yesterday", "yesterday", "2006"),
        ("2026-13", "", "-"),
        ("2026-01-02 03:04:05Z", " 03:04:05Z", "T"),
        ("2026-01-02T03:04:05", "", "Z07:00"),
    ],
)
def test_where_go_gives_up_reading_a_time(text: str, rest: str, part: str) -> None:
    assert time_error(text, "L").endswith(f'cannot parse "{rest}" as "{part}"')


def test_unknown_fields_of_built_in_kinds() -> None:
    schema = struct("core/v1", "Pod").schema
    pod: dict[str, Any] = {
        "spec": {
            "foo": 1,
            "nodeSelector": {"any": "thing"},
            "containers": [{"name": "c"}, {"name": "d", "bar": {}}],
        },
        "metadata": {"nam": "x"},
    }
    paths = ["spec.foo", "spec.containers[1].bar", "metadata.nam"]
    assert unknown_fields(pod, schema) == paths
    drop_unknown(pod, schema)
    assert unknown_fields(pod, schema) == []
    assert pod["spec"]["containers"] == [{"name": "c"}, {"name": "d"}]


def test_unknown_fields_of_custom_kinds_come_sorted() -> None:
    obj: dict[str, Any] = {
        "apiVersion": "e/v1",
        "kind": "Widget",
        "zzz": 1,
        "metadata": {"extra": 1},
        "spec": {"any": {"x": 1}, "map": {"y": "z"}, "list": [{"a": "", "b": 1}], "no": 1},
    }
    expected = ["metadata.extra", "spec.list[0].b", "spec.no", "zzz"]
    assert unknown_fields(obj, CUSTOM) == expected


def test_a_schema_of_a_crd_is_recursive() -> None:
    schema = struct("apiextensions/v1", "CustomResourceDefinition").schema
    inner: dict[str, Any] = {"properties": {"a": {"items": {"additionalProperties": {"oops": 1}}}}}
    definition = {"spec": {"versions": [{"schema": {"openAPIV3Schema": inner}}]}}
    path = "spec.versions[0].schema.openAPIV3Schema.properties.a.items.additionalProperties"
    assert unknown_fields(definition, schema) == [f"{path}.oops"]
    inner["properties"]["a"] = {"additionalProperties": True}
    assert unknown_fields(definition, schema) == []
    assert decode_errors(definition, schema, "CustomResourceDefinition") == []
