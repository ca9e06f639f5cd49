"""Custom resources in a running API server, from definition to removal."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.errors import ApiError, Conflict, Invalid, NotFound
from hearth.kube.resources import CRDS, Resource

WIDGETS = Resource("example.com", "v1", "widgets", "Widget", True)
WIDGETS_V2 = Resource("example.com", "v2", "widgets", "Widget", True)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer", "minimum": 0},
                "color": {"type": "string", "default": "red"},
                "ports": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["port"],
                    "items": {
                        "type": "object",
                        "required": ["port"],
                        "properties": {"port": {"type": "integer"}, "name": {"type": "string"}},
                    },
                },
            },
            "x-kubernetes-validations": [
                {"rule": "!has(oldSelf.size) || self.size >= oldSelf.size", "message": "shrinks"}
            ],
        },
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    },
}


def a_definition() -> dict[str, Any]:
    def version(name: str, stored: bool) -> dict[str, Any]:
        return {
            "name": name,
            "served": True,
            "storage": stored,
            "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": SCHEMA},
        }

    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [version("v1", True), version("v2", False)],
        },
    }


def a_widget(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "w", "namespace": "default"}
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata, "spec": spec}


async def until(condition: Callable[[], Any]) -> None:
    """Waits until an asynchronous condition holds."""
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def a_client(folder: Path) -> AsyncIterator[KubeClient]:
    async with (
        running_apiserver(folder) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        yield client


async def is_established(client: KubeClient, name: str = "widgets.example.com") -> bool:
    definition = await client.get(CRDS, name)
    conditions = definition["status"].get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


async def is_gone(client: KubeClient) -> bool:
    try:
        await client.get(CRDS, "widgets.example.com")
    except NotFound:
        return True
    return False


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[KubeClient]:
    async with a_client(tmp_path) as made:
        await made.create(CRDS, a_definition())
        await until(lambda: is_established(made))
        yield made


async def test_objects_are_completed_and_checked(client: KubeClient) -> None:
    created = await client.create(WIDGETS, a_widget(size=1) | {"status": {"ready": True}})
    assert created["spec"] == {"size": 1, "color": "red"}
    assert "status" not in created
    with pytest.raises(Invalid, match="should be greater than or equal to 0"):
        await client.patch(WIDGETS, "w", "default", {"spec": {"size": -1}})


async def test_transition_rules_compare_with_the_stored_object(client: KubeClient) -> None:
    await client.create(WIDGETS, a_widget(size=2))
    with pytest.raises(Invalid, match="spec: Invalid value: shrinks"):
        await client.patch(WIDGETS, "w", "default", {"spec": {"size": 1}})
    grown = await client.patch(WIDGETS, "w", "default", {"spec": {"size": 3}})
    assert grown["metadata"]["generation"] == 2


async def test_one_object_in_two_versions(client: KubeClient) -> None:
    await client.create(WIDGETS, a_widget(size=1))
    other = await client.get(WIDGETS_V2, "w", "default")
    assert other["apiVersion"] == "example.com/v2"
    assert other["spec"]["size"] == 1
    items, _ = await client.list(WIDGETS_V2, "default")
    assert [item["apiVersion"] for item in items] == ["example.com/v2"]


async def test_a_view_of_another_kind_is_read_and_never_written(client: KubeClient) -> None:
    definition = a_definition()
    definition["metadata"] = {
        "name": "shadows.example.com",
        "annotations": {
            "view.hearth.dev/of": "widgets.example.com",
            "view.hearth.dev/as": "{'spec': {'size': object.spec.size * 2}}",
        },
    }
    definition["spec"]["names"] = {"plural": "shadows", "kind": "Shadow"}
    await client.create(CRDS, definition)
    await until(lambda: is_established(client, "shadows.example.com"))
    await client.create(WIDGETS, a_widget(size=1))
    shadows = Resource("example.com", "v1", "shadows", "Shadow", True)
    view = await client.get(shadows, "w", "default")
    assert (view["kind"], view["spec"]) == ("Shadow", {"size": 2})
    items, version = await client.list(shadows)
    assert items == [view]
    with pytest.raises(ApiError, match="does not allow this method"):
        await client.create(shadows, {**view, "metadata": {"name": "x", "namespace": "default"}})
    with pytest.raises(ApiError, match="does not allow this method"):
        await client.delete(shadows, "w", "default")
    await client.patch(WIDGETS, "w", "default", {"spec": {"size": 3}})
    async for event in client.watch(shadows, resource_version=version):
        assert (event.type, event.object["spec"]) == ("MODIFIED", {"size": 6})
        break
    await client.delete(CRDS, "shadows.example.com")
    assert (await client.get(WIDGETS, "w", "default"))["spec"]["size"] == 3


async def test_two_appliers_share_an_object(client: KubeClient) -> None:
    first = a_widget(size=1, ports=[{"port": 1, "name": "a"}])
    await client.apply(WIDGETS, first, field_manager="alice")
    second = a_widget(ports=[{"port": 2, "name": "b"}])
    both = await client.apply(WIDGETS, second, field_manager="bob", force=False)
    assert [port["port"] for port in both["spec"]["ports"]] == [1, 2]
    with pytest.raises(Conflict, match=r'conflict with "alice": \.spec\.size'):
        await client.apply(WIDGETS, a_widget(size=2), field_manager="bob", force=False)
    less = await client.apply(WIDGETS, a_widget(size=1), field_manager="alice")
    assert [port["port"] for port in less["spec"]["ports"]] == [2]
    again = await client.apply(WIDGETS, a_widget(size=1), field_manager="alice")
    assert again["metadata"]["resourceVersion"] == less["metadata"]["resourceVersion"]


async def test_an_unknown_field_cannot_be_applied(client: KubeClient) -> None:
    with pytest.raises(ApiError, match=r"\.spec\.nope: field not declared in schema"):
        await client.apply(WIDGETS, a_widget(nope=1), field_manager="alice")


async def test_status_is_written_by_its_own_endpoint_alone(client: KubeClient) -> None:
    await client.create(WIDGETS, a_widget(size=1))
    patch = {"spec": {"size": 9}, "status": {"ready": True}}
    changed = await client.patch(WIDGETS, "w", "default", patch, subresource="status")
    assert (changed["spec"]["size"], changed["status"]) == (1, {"ready": True})
    assert changed["metadata"]["generation"] == 1
    owned = {
        entry.get("subresource", ""): set(entry["fieldsV1"])
        for entry in changed["metadata"]["managedFields"]
    }
    assert owned == {"": {"f:spec"}, "status": {"f:status"}}


async def test_a_definition_goes_with_its_objects(client: KubeClient) -> None:
    await client.create(WIDGETS, a_widget(size=1))
    await client.delete(CRDS, "widgets.example.com")
    await until(lambda: is_gone(client))
    with pytest.raises(NotFound):
        await client.list(WIDGETS, "default")


async def test_a_name_is_taken_while_another_definition_has_it(client: KubeClient) -> None:
    second = a_definition()
    second["metadata"]["name"] = "gadgets.example.com"
    second["spec"]["names"] = {"plural": "gadgets", "kind": "Widget"}
    await client.create(CRDS, second)

    async def accepted(status: str) -> bool:
        definition = await client.get(CRDS, "gadgets.example.com")
        return Conditions.of(definition).status("NamesAccepted") == status

    await until(lambda: accepted("False"))
    await client.delete(CRDS, "widgets.example.com")
    await until(lambda: is_gone(client))
    second = await client.get(CRDS, "gadgets.example.com")
    second["metadata"]["labels"] = {"asked": "again"}
    await client.update(CRDS, second)
    await until(lambda: accepted("True"))


async def test_custom_resources_are_there_after_a_restart(tmp_path: Path) -> None:
    async with a_client(tmp_path) as client:
        await client.create(CRDS, a_definition())
        await until(lambda: is_established(client))
        await client.create(WIDGETS, a_widget(size=1))
    async with a_client(tmp_path) as client:
        assert (await client.get(WIDGETS, "w", "default"))["spec"]["size"] == 1
