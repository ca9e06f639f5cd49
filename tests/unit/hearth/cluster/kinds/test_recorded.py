"""The rules of the built-in kinds against answers recorded from a real kube-apiserver."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest

from hearth.cluster.codec.strategic import strategic_merge
from hearth.cluster.codec.typecheck import decode_errors, drop_unknown, unknown_fields
from hearth.cluster.kinds import catalog
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.objectmeta import validate_object_meta
from tests import recordings
from tests.recordings import KUBERNETES_EXCHANGES

KINDS = {(kind.api_version, kind.plural): kind for kind in catalog.KINDS}

UID = "12345678-1234-1234-1234-123456789abc"
SERVER_DECIDES = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")


@cache
def exchanges() -> dict[str, dict[str, Any]]:
    return {exchange["id"]: exchange for exchange in recordings.exchanges(KUBERNETES_EXCHANGES)}


def kind_of(exchange: dict[str, Any]) -> Kind | None:
    """The built-in kind whose collection or object a recorded request names."""
    parts = exchange["path"].partition("?")[0].strip("/").split("/")
    version, rest = ("v1", parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    return KINDS.get((version, rest[0])) if rest and len(rest) <= 2 else None


def creates() -> list[str]:
    return [
        name
        for name, exchange in exchanges().items()
        if exchange["method"] == "POST"
        and "body" in exchange
        and exchange["status"] in (201, 422)
        and kind_of(exchange) is not None
        and not name.startswith("crd")
        and "dryRun=Some" not in exchange["path"]
    ]


def created(kind: Kind, body: dict[str, Any], namespace: str) -> tuple[dict[str, Any], list[Any]]:
    """An object as a create request leaves it, and its errors."""
    obj = copy.deepcopy(body)
    assert decode_errors(obj, kind.schema, kind.kind) == []
    drop_unknown(obj, kind.schema)
    obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
    metadata = obj.setdefault("metadata", {})
    if kind.namespaced:
        metadata["namespace"] = namespace
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + "abcde"
    metadata["uid"] = UID
    kind.strategy.default(obj)
    kind.strategy.prepare(obj, None)
    name_fn = kind.strategy.validate_name
    errors = validate_object_meta(obj, namespaced=kind.namespaced, name_fn=name_fn)
    return obj, errors + kind.strategy.validate(obj)


def comparable(value: Any, key: str = "") -> Any:
    """Without what differs from run to run: uids, allocated addresses, generated names."""
    if isinstance(value, dict):
        return {k: comparable(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [comparable(item, key) for item in value]
    if key in ("clusterIP", "clusterIPs") and value != "None":
        return "<ip>"
    if isinstance(value, str):
        if value.startswith("kube-api-access-"):
            return "kube-api-access"
        if key == "name" and value.startswith("gen-"):
            return "gen-"
        return value.replace(UID, "<uid>")
    return value


def without_server_fields(obj: dict[str, Any]) -> dict[str, Any]:
    obj = comparable(obj)
    metadata = {k: v for k, v in obj["metadata"].items() if k not in SERVER_DECIDES}
    return {**obj, "metadata": metadata}


def without_foreign_volume(obj: dict[str, Any]) -> dict[str, Any]:
    """The recording cluster added a config map of its own distribution to each token volume."""
    for volume in obj.get("spec", {}).get("volumes") or ():
        sources = volume.get("projected", {}).get("sources") or []
        if len(sources) == 4:
            del sources[3]
    return obj


@pytest.mark.parametrize("name", creates())
def test_a_create_request_ends_as_recorded(name: str) -> None:
    exchange = exchanges()[name]
    kind = kind_of(exchange)
    assert kind is not None
    obj, errors = created(kind, exchange["body"], "golden")
    if exchange["status"] == 422:
        expected = exchange["response"]["details"]["causes"]
        causes = [{"field": e.field, "message": e.message, "reason": e.reason} for e in errors]
        assert causes == expected
    else:
        assert [str(error) for error in errors] == []
        expected = without_foreign_volume(without_server_fields(exchange["response"]))
        assert without_server_fields(obj) == expected


UPDATES = ["cm immutable update", "deployment immutable selector"]


@pytest.mark.parametrize("name", UPDATES)
def test_an_update_is_refused_as_recorded(name: str) -> None:
    exchange = exchanges()[name]
    kind = kind_of(exchange)
    assert kind is not None
    source = {"cm immutable update": "cm immutable create"}.get(name, "deployment create")
    old, _ = created(kind, exchanges()[source]["body"], "golden")
    old["metadata"]["resourceVersion"] = "1"
    new = strategic_merge(old, exchange["body"], kind.schema)
    errors = kind.strategy.validate_update(new, old)
    causes = [{"field": e.field, "message": e.message, "reason": e.reason} for e in errors]
    assert causes == exchange["response"]["details"]["causes"]


def test_a_refused_pod_update_shows_the_difference_as_recorded() -> None:
    kind = KINDS["v1", "pods"]
    old = exchanges()["pod immutable image ok"]["response"]
    new = copy.deepcopy(old)
    new["spec"]["terminationGracePeriodSeconds"] = 7
    errors = kind.strategy.validate_update(new, old)
    causes = [{"field": e.field, "message": e.message, "reason": e.reason} for e in errors]
    assert causes == exchanges()["pod immutable field"]["response"]["details"]["causes"]


STRATEGIC = [
    "deployment strategic merge",
    "deployment strategic ports merge key",
    "deployment strategic setElementOrder",
    "deployment strategic replace list",
]


def test_strategic_merge_patches_in_turn_as_recorded() -> None:
    kind = KINDS["apps/v1", "deployments"]
    obj = exchanges()["deployment rich defaults"]["response"]
    for name in STRATEGIC:
        exchange = exchanges()[name]
        obj = strategic_merge(obj, exchange["body"], kind.schema)
        kind.strategy.default(obj)
        assert obj["spec"] == exchange["response"]["spec"], name


TABLES = ["cm get table", "deployment list table", "pod table", "event table"]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_recorded_columns(name: str) -> None:
    exchange = exchanges()[name]
    kind = kind_of(exchange)
    assert kind is not None
    fields = ("name", "type", "format", "description", "priority")
    columns = [{f: getattr(column, f) for f in fields} for column in kind.table.columns]
    assert columns == exchange["response"]["columnDefinitions"]


def test_table_cells_as_recorded() -> None:
    pod = copy.deepcopy(exchanges()["pod status patch"]["response"])
    pod["metadata"]["creationTimestamp"] = "1970-01-01T00:00:00Z"
    cells = KINDS["v1", "pods"].table.cells(pod, 0.0)
    assert list(cells) == exchanges()["pod table"]["response"]["rows"][0]["cells"]
    event = exchanges()["event create"]["response"]
    cells = KINDS["v1", "events"].table.cells(event, 0.0)
    assert list(cells) == exchanges()["event table"]["response"]["rows"][0]["cells"]


def test_discovery_names_are_as_recorded() -> None:
    for name, exchange in exchanges().items():
        for resource in (
            (exchange["response"] or {}).get("resources", ())
            if (name.startswith("discovery") and isinstance(exchange["response"], dict))
            else ()
        ):
            version = exchange["response"]["groupVersion"]
            kind = KINDS.get((version, resource["name"]))
            if kind is None:
                continue
            assert kind.kind == resource["kind"]
            assert kind.singular == resource["singularName"]
            assert kind.namespaced == resource["namespaced"]
            assert list(kind.short_names) == resource.get("shortNames", [])
            assert list(kind.categories) == resource.get("categories", [])
            assert list(kind.verbs) == resource["verbs"]


def test_recorded_bodies_have_no_unknown_fields_but_one() -> None:
    unknown = {
        name: unknown_fields(exchanges()[name]["body"], kind.schema)
        for name in creates()
        if (kind := kind_of(exchanges()[name])) is not None
    }
    expected = {"cm field validation warn": ["dota"]}
    assert {name: fields for name, fields in unknown.items() if fields} == expected
