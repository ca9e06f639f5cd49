from __future__ import annotations

import uuid
from typing import Any

from hearth.cluster.crd.kinds import kinds_of
from hearth.cluster.model.kind import Kind

SOURCE_UID = "8f40623f-b42a-427b-8c35-fdd251a18dae"


def a_view(expression: str) -> Kind:
    annotations = {"view.hearth.dev/of": "widgets.example.com", "view.hearth.dev/as": expression}
    definition: dict[str, Any] = {
        "metadata": {"name": "shadows.example.com", "annotations": annotations},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "shadows", "kind": "Shadow"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}
            ],
        },
    }
    (kind,) = kinds_of(definition)
    return kind


def a_widget(**members: Any) -> dict[str, Any]:
    metadata = {
        "name": "w",
        "namespace": "ns",
        "uid": SOURCE_UID,
        "labels": {"a": "b"},
        "resourceVersion": "7",
        "creationTimestamp": "2026-11-30T07:00:00Z",
        "finalizers": ["stays/there"],
        "managedFields": [],
    }
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata, **members}


def shown(kind: Kind, obj: dict[str, Any]) -> dict[str, Any]:
    assert kind.from_storage is not None
    return kind.from_storage(obj)


def test_a_view_is_read_off_another_kind_and_never_written() -> None:
    kind = a_view("{'spec': {'size': object.spec.size * 2}}")
    assert (kind.view_of, kind.verbs) == ("widgets.example.com", ("get", "list", "watch"))
    assert kind.subresources == frozenset()
    view = shown(kind, a_widget(spec={"size": 2}))
    assert (view["kind"], view["spec"]) == ("Shadow", {"size": 4})


def test_it_has_a_name_and_an_owner_and_a_uid_of_its_own() -> None:
    metadata = shown(a_view("{}"), a_widget())["metadata"]
    assert (metadata["name"], metadata["labels"]) == ("w", {"a": "b"})
    assert metadata["uid"] == str(uuid.uuid5(uuid.UUID(SOURCE_UID), "Shadow"))
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Widget", SOURCE_UID, True)
    assert "finalizers" not in metadata and "managedFields" not in metadata


def test_an_object_that_says_too_little_is_shown_without_a_spec() -> None:
    kind = a_view("{'spec': {'size': object.spec.size}}")
    assert "spec" not in shown(kind, a_widget())
    assert shown(kind, a_widget(spec={"size": 1}))["spec"] == {"size": 1}


def test_an_expression_that_cannot_be_read_hurts_its_own_kind_alone() -> None:
    assert "spec" not in shown(a_view("{'spec': "), a_widget())
