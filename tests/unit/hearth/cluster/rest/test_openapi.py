"""OpenAPI documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hearth.cluster.kinds import catalog
from hearth.cluster.model.typetable import struct
from hearth.cluster.rest import openapi, openapi_proto

KINDS = list(catalog.KINDS)
SWAGGER = openapi.swagger(KINDS, "v1.36.2")
WIDGET = replace(
    KINDS[0],
    group="golden.example.com",
    version="v1",
    kind="Widget",
    plural="widgets",
    custom=True,
    schema={
        "type": "object",
        "properties": {
            "metadata": struct("meta/v1", "ObjectMeta").schema,
            "spec": {
                "type": "object",
                "properties": {"size": {"type": "integer", "nullable": True, "default": 1}},
            },
        },
    },
)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].rpartition("/")[2]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_leads_somewhere() -> None:
    assert set(references(SWAGGER)) <= set(SWAGGER["definitions"])
    for kind in KINDS:
        document = openapi.group_version([kind], "v1.36.2")
        assert set(references(document)) <= set(document["components"]["schemas"])
        json.dumps(document)


def test_kinds_are_found_by_group_version_kind() -> None:
    model = SWAGGER["definitions"]["io.k8s.api.apps.v1.Deployment"]
    gvk = {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert model["x-kubernetes-group-version-kind"] == [gvk]
    assert model["description"]


def test_every_kind_and_its_main_fields_are_described() -> None:
    for kind in KINDS:
        model = SWAGGER["definitions"][openapi.model_name(kind)]
        assert model.get("description"), kind.kind
        for field in ("metadata", "spec", "status"):
            assert field not in model["properties"] or model["properties"][field]["description"]


def test_every_description_is_of_something() -> None:
    for name in openapi.descriptions():
        path, _, rest = name.partition(".")
        if path == "*":
            continue
        type_name, _, field = rest.partition(".")
        assert not field or field in struct(path, type_name).fields, name


def test_merge_keys_are_told() -> None:
    containers = SWAGGER["definitions"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"


def test_clients_see_dry_run_and_field_validation() -> None:
    path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    operation = SWAGGER["paths"][path]["patch"]
    assert {p["name"] for p in operation["parameters"]} >= {"dryRun", "fieldValidation"}
    assert operation["x-kubernetes-group-version-kind"]["kind"] == "Deployment"


def test_a_custom_kind() -> None:
    name = "com.example.golden.v1.Widget"
    v3 = openapi.group_version([WIDGET], "v")["components"]["schemas"]
    assert v3[name]["properties"]["spec"]["properties"]["size"]["nullable"] is True
    assert "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" in v3
    v2 = openapi.swagger([WIDGET], "v")["definitions"]
    size = v2[name]["properties"]["spec"]["properties"]["size"]
    assert size == {"type": "integer", "default": 1}


def test_the_index_changes_with_a_custom_schema_only() -> None:
    changed = replace(WIDGET, schema={**WIDGET.schema, "required": ["spec"]})
    path = "apis/golden.example.com/v1"
    first = openapi.index([*KINDS, WIDGET], "v")["paths"]
    second = openapi.index([*KINDS, changed], "v")["paths"]
    assert first.keys() == second.keys()
    assert {p for p in first if first[p] != second[p]} == {path}
    assert first["api/v1"]["serverRelativeURL"].startswith("/openapi/v3/api/v1?hash=")


# A reader of protobuf's wire format, enough to look at what was written.


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
            yield number, value
        elif wire == 1:
            yield number, data[at : at + 8]
            at += 8
        else:
            size, at = varint(data, at)
            yield number, data[at : at + size]
            at += size


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def named(data: bytes) -> tuple[str, bytes]:
    found = dict(fields(data))
    return found[1].decode(), found[2]


def test_protobuf_holds_the_models() -> None:
    document = dict(fields(openapi_proto.encode_document(SWAGGER)))
    assert document[1] == b"2.0"
    models = dict(named(entry) for _, entry in fields(document[9]))
    assert set(models) == set(SWAGGER["definitions"])
    spec = list(fields(models["io.k8s.api.core.v1.PodSpec"]))
    properties = next(value for number, value in spec if number == 25)
    containers = dict(named(entry) for _, entry in fields(properties))["containers"]
    extensions = [named(value) for number, value in fields(containers) if number == 31]
    yaml = dict(fields(dict(extensions)["x-kubernetes-patch-merge-key"]))[2]
    assert yaml == b'"name"'


def test_protobuf_holds_the_patch_operations() -> None:
    document = dict(fields(openapi_proto.encode_document(SWAGGER)))
    paths = dict(named(entry) for _, entry in fields(document[8]))
    assert set(paths) == set(SWAGGER["paths"])
    item = paths["/api/v1/namespaces/{namespace}/configmaps/{name}"]
    operation = list(fields(dict(fields(item))[8]))
    extensions = dict(named(value) for number, value in operation if number == 13)
    gvk = json.loads(dict(fields(extensions["x-kubernetes-group-version-kind"]))[2])
    assert gvk == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert sum(number == 8 for number, _ in operation) == 4
