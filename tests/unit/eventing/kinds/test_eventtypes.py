"""EventTypes that sources register."""

from __future__ import annotations

from typing import Any

from eventing.kinds.eventtypes import kept_event_types
from hearth.kube.plan import Create, Delete, Update

REF = {"apiVersion": "v1", "kind": "Service", "name": "s"}
TYPES = [{"type": "a", "source": "/x"}, {"type": "b", "source": "/x"}]


def source(**sink: Any) -> dict[str, Any]:
    return {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "PingSource",
        "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
        "spec": {"sink": sink or {"ref": REF}},
    }


def made(of: dict[str, Any], types: Any = TYPES) -> list[dict[str, Any]]:
    actions = kept_event_types(of, types, [])
    assert all(isinstance(each, Create) for each in actions)
    return [each.obj for each in actions if isinstance(each, Create)]


def test_there_is_one_for_each_type_that_refers_to_the_sink() -> None:
    first, second = made(source())
    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert first["spec"]["reference"] == {**REF, "namespace": "ns"}
    assert [(each["name"], each.get("value")) for each in first["spec"]["attributes"]] == [
        ("specversion", None),
        ("id", None),
        ("type", "a"),
        ("source", "/x"),
    ]


def test_a_sink_that_is_no_object_has_none() -> None:
    assert made(source(uri="http://s")) == []


def test_what_is_as_it_should_be_is_left_alone() -> None:
    assert kept_event_types(source(), TYPES, made(source())) == ()


def test_another_sink_changes_them_and_types_that_are_no_more_go() -> None:
    there = made(source())
    moved = source(ref={**REF, "name": "t"})
    changed, other = kept_event_types(moved, TYPES, there)
    assert isinstance(changed, Update) and isinstance(other, Update)
    assert changed.obj["spec"]["reference"]["name"] == "t"
    [gone] = kept_event_types(source(), TYPES[:1], there)
    assert isinstance(gone, Delete) and gone.name == there[1]["metadata"]["name"]
