"""The events of ticks."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.codec.event import check_attributes
from eventing.sources.ping.events import event_of


def ping(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": spec}


def test_type_source_and_time() -> None:
    event = event_of(ping(), 1_764_000_000.0)
    assert event.attributes == {
        "specversion": "1.0",
        "id": event.attributes["id"],
        "source": "/apis/v1/namespaces/ns/pingsources/p",
        "type": "dev.knative.sources.ping",
        "time": "2025-11-24T16:00:00Z",
    }
    assert event.data is None
    check_attributes(event.attributes)


def test_the_id_is_that_of_the_tick() -> None:
    first, again, next_one = (event_of(ping(), tick).attributes["id"] for tick in (60, 60, 120))
    other = event_of({"metadata": {"name": "p", "namespace": "ns", "uid": "v"}}, 60)
    assert first == again
    assert len({first, next_one, other.attributes["id"]}) == 3


@pytest.mark.parametrize(
    ("spec", "data", "content_type"),
    [
        ({"data": "hé", "contentType": "text/plain"}, "hé".encode(), "text/plain"),
        ({"dataBase64": "AP8=", "contentType": "image/png"}, b"\x00\xff", "image/png"),
        ({"data": "x"}, b"x", None),
        ({"contentType": "text/plain"}, None, None),
    ],
)
def test_data(spec: dict[str, Any], data: bytes | None, content_type: str | None) -> None:
    event = event_of(ping(**spec), 0.0)
    assert (event.data, event.attributes.get("datacontenttype")) == (data, content_type)


def test_overrides_are_set_last() -> None:
    event = event_of(ping(ceOverrides={"extensions": {"team": "one"}}), 0.0)
    assert event.attributes["team"] == "one"
