from __future__ import annotations

from hearth.cluster.kinds.catalog import KINDS
from hearth.cluster.model.kind import Column, Kind, Table
from hearth.cluster.model.objects import Key, encode, make_entry
from hearth.cluster.model.served import ServedKinds, serve, version_priority
from hearth.cluster.rest import discovery


def a_kind(version: str, stored: str = "v1") -> Kind:
    table = Table((Column("Name"),), lambda obj, now: [obj["metadata"]["name"]])
    return Kind(
        "x.io", version, "Widget", "widgets", "widget", True, {}, table,
        custom=True, storage_version=stored, list_kind="WidgetList",
    )  # fmt: skip


def test_versions_are_in_order_of_maturity() -> None:
    versions = ["v1alpha1", "foo", "v2", "v1", "v1beta2", "v1beta10", "v10"]
    assert sorted(versions, key=version_priority) == [
        "v10", "v2", "v1", "v1beta10", "v1beta2", "v1alpha1", "foo",
    ]  # fmt: skip


def test_another_version_of_a_stored_object_differs_in_its_api_version_alone() -> None:
    obj = {"apiVersion": "x.io/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": 1}
    entry = make_entry(Key("widgets.x.io", "n", "w"), 1, encode(obj, 1))
    other = serve(a_kind("v1beta1"))
    assert other.full(entry) == entry.value.replace(b"x.io/v1", b"x.io/v1beta1")
    assert other.parse(entry)["apiVersion"] == "x.io/v1beta1"
    assert other.stored(other.parse(entry))["apiVersion"] == "x.io/v1"


def test_custom_kinds_come_and_go() -> None:
    kinds = ServedKinds(KINDS)
    kinds.set_custom("widgets.x.io", [a_kind("v1"), a_kind("v1beta1")])
    assert kinds.group_versions()["x.io"] == ["v1", "v1beta1"]
    served = kinds.by_resource("widgets.x.io")
    assert served is not None
    assert served.kind.version == "v1"
    kinds.set_custom("widgets.x.io", [])
    assert "x.io" not in kinds.group_versions()
    assert kinds.get("x.io", "v1", "widgets") is None


def test_discovery_lists_subresources_behind_their_resource() -> None:
    found = discovery.resource_list(ServedKinds(KINDS), "apps", "v1")
    assert found is not None
    names = [resource["name"] for resource in found["resources"]]
    at = names.index("deployments")
    assert names[at : at + 3] == ["deployments", "deployments/scale", "deployments/status"]
    assert discovery.resource_list(ServedKinds(KINDS), "apps", "v9") is None
