"""Where events of an IntegrationSink are handed on to, and how."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.codec import Event, decode
from eventing.runtime.integrationsink import message_of, pod_of
from eventing.runtime.target import BadTarget, Bearer


def a_sink(**marks: str) -> Any:
    annotations = {f"eventing.hearth.dev/{name}": value for name, value in marks.items()}
    metadata = {"name": "S", "namespace": "ns"}
    return {"metadata": metadata, "status": {"annotations": annotations}}


def test_a_pod_is_where_control_says_and_shown_who_sends() -> None:
    target = pod_of(a_sink(**{"pod-address": "http://s.ns.svc/x"}), ("127.0.0.1", 7))
    assert (target.address, target.bearer) == (("127.0.0.1", 7), None)
    marks = {"pod-address": "http://s.ns.svc/x", "pod-sender": "a"}
    audience = "sinks.knative.dev/integrationsink/ns/s"
    assert pod_of(a_sink(**marks), None).bearer == Bearer("ns", "a", audience)
    with pytest.raises(BadTarget):
        pod_of(a_sink(), None)


def test_events_go_on_as_they_came() -> None:
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": "1",
        "source": "/s",
        "type": "t",
        "subject": "ü: b",
        "datacontenttype": "text/plain",
    }
    event = Event(attributes, b"data")
    fields, body = message_of([event])
    [again] = decode(fields, body)
    assert (again.attributes, again.data) == (attributes, b"data")
    fields, body = message_of([event, event])
    assert [each.attributes["id"] for each in decode(fields, body)] == ["1", "1"]
