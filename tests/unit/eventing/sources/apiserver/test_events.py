"""The events of changes, as Knative's adapter makes them."""

from __future__ import annotations

import json
from typing import Any

from eventing.codec.event import check_attributes
from eventing.kinds.apiserversource import _TYPES
from eventing.sources.apiserver.changes import Change
from eventing.sources.apiserver.events import event_of, types

POLICY: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "n", "namespace": "ns", "uid": "u", "resourceVersion": "7"},
    "spec": {"x": 1},
}
NODE: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "uid": "u"}}


def event(change: Change = Change.UPDATE, obj: Any = POLICY, **more: Any) -> Any:
    return event_of(change, obj, **{"source": "https://api", "whole": False, **more})


def test_attributes() -> None:
    found = event()
    assert found.attributes == {
        "specversion": "1.0",
        "id": found.attributes["id"],
        "source": "https://api",
        "type": "dev.knative.apiserver.ref.update",
        "subject": "/apis/networking.k8s.io/v1/namespaces/ns/networkpolicies/n",
        "datacontenttype": "application/json",
        "kind": "NetworkPolicy",
        "apiversion": "networking.k8s.io/v1",
        "name": "n",
        "namespace": "ns",
    }
    check_attributes(found.attributes)


def test_a_reference_or_the_whole_object() -> None:
    reference = {
        "kind": "NetworkPolicy",
        "namespace": "ns",
        "name": "n",
        "apiVersion": "networking.k8s.io/v1",
    }
    assert json.loads(event().data) == reference
    whole = event(whole=True)
    assert whole.attributes["type"] == "dev.knative.apiserver.resource.update"
    assert json.loads(whole.data) == POLICY


def test_what_has_no_namespace_says_nothing_of_one() -> None:
    found = event(obj=NODE)
    assert "namespace" not in found.attributes
    assert "namespace" not in json.loads(found.data)
    check_attributes(found.attributes)


def test_the_id_is_that_of_the_change() -> None:
    newer = {**POLICY, "metadata": {**POLICY["metadata"], "resourceVersion": "8"}}
    ids = {event().attributes["id"], event(Change.DELETE).attributes["id"]}
    ids |= {event(obj=newer).attributes["id"]}
    assert len(ids) == 3
    assert event().attributes["id"] in ids


def test_overrides() -> None:
    assert event(overrides={"team": "one"}).attributes["team"] == "one"


def test_the_types_that_a_status_names_are_those_that_are_sent() -> None:
    assert {"Resource": types(whole=True), "Reference": types(whole=False)} == _TYPES
