"""Resources as a discovery document tells of them."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.kube.resources import NAMESPACES, PODS, Resource, resources_of


def a_document(group_version: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"groupVersion": group_version, "resources": list(entries)}


PODS_ENTRY = {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["create", "list"]}
NAMESPACES_ENTRY = {"name": "namespaces", "kind": "Namespace", "namespaced": False, "verbs": []}
LOGS_ENTRY = {"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get"]}


def test_the_core_group() -> None:
    document = a_document("v1", PODS_ENTRY, NAMESPACES_ENTRY, LOGS_ENTRY)
    assert resources_of(document) == [PODS, NAMESPACES]


@pytest.mark.parametrize(("verb", "expected"), [("list", [PODS]), ("watch", []), ("", [PODS])])
def test_those_that_can_be_asked(verb: str, expected: list[Resource]) -> None:
    assert resources_of(a_document("v1", PODS_ENTRY, LOGS_ENTRY), verb=verb) == expected


def test_a_named_group() -> None:
    entry = {"name": "leases", "kind": "Lease", "namespaced": True, "verbs": ["list"]}
    (lease,) = resources_of(a_document("coordination.k8s.io/v1", entry))
    assert lease.path("ns", "a") == "/apis/coordination.k8s.io/v1/namespaces/ns/leases/a"
