"""Events as messages and back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.codec import Event, render_head
from eventing.engines.event import RenderedEvent
from eventing.engines.nats.messages import block_for, headers_of, message_id, stored_event

TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co")), min_size=1, max_size=20)
NAMES = st.from_regex("[a-z][a-z0-9]{0,9}", fullmatch=True)


def a_block(headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"NATS/1.0\r\n{lines}\r\n".encode() if lines else b""


def an_event(**attributes: str) -> RenderedEvent:
    named = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"} | attributes
    head = render_head(Event(dict[str, str | int | bool](named), None))
    return RenderedEvent(17, 3, head, b'{"n":5}', b"data")


@given(st.dictionaries(NAMES, TEXT, max_size=5), st.binary(max_size=50), st.integers(0, 255))
def test_what_was_published_comes_back(attributes: dict[str, str], data: bytes, ttl: int) -> None:
    attributes.pop("datacontenttype", None)
    sent = replace(an_event(**attributes), data=data, ttl=ttl)
    found = stored_event(block_for(sent, message_id(sent)), data, 9, 0)
    assert found is not None
    assert (found.head, found.types, found.data) == (sent.head, sent.types, sent.data)
    assert (found.arrival_ns, found.ttl, found.position) == (17, ttl, 9)


def test_a_message_is_a_cloudevent_of_the_binding() -> None:
    headers = headers_of(block_for(an_event(datacontenttype="application/json", subject="a b")))
    assert headers["ce-id"] == "1"
    assert headers["ce-subject"] == "a%20b"
    assert headers["content-type"] == "application/json"


def test_source_and_id_together_name_an_event() -> None:
    first = message_id(an_event())
    assert first == message_id(an_event(type="other"))
    others = {message_id(an_event(id="2")), message_id(an_event(source="/r"))}
    assert len({first, *others}) == 3


@pytest.mark.parametrize(
    ("headers", "data"),
    [
        (
            {
                "ce-specversion": "1.0",
                "ce-id": "1",
                "Ce-Source": "/s",
                "ce-type": "t",
                "ce-datacontenttype": "text/plain",
            },
            b"hello",
        ),
        (
            {"content-type": "application/cloudevents+json"},
            b'{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"text/plain",'
            b'"data":"hello"}',
        ),
    ],
    ids=["binary", "structured"],
)
def test_what_others_published_is_an_event_too(headers: dict[str, str], data: bytes) -> None:
    found = stored_event(a_block(headers), data, 4, 99)
    assert found is not None
    assert found.attributes["source"] == "/s"
    assert found.attributes["datacontenttype"] == "text/plain"
    assert (found.arrival_ns, found.data, found.position) == (99, b"hello", 4)


@pytest.mark.parametrize(
    ("headers", "data"),
    [(None, b"hello"), ({"content-type": "application/cloudevents+json"}, b"{}"), ({}, b"")],
)
def test_what_is_no_event_is_none(headers: dict[str, str] | None, data: bytes) -> None:
    assert stored_event(a_block(headers or {}), data, 4, 99) is None
