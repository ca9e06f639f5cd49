"""The events of records, as upstream's dispatcher makes them."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from eventing.engines.kafka.messages import Record
from eventing.sources.kafka.events import Origin, Place, event_of_record, key_text

PLACE = Place("topic", 3, 42)
ORIGIN = Origin("ns", "source")


def made(record: Record, **overrides: str) -> Any:
    return event_of_record(record, PLACE, ORIGIN, overrides)


def test_a_record_becomes_an_event() -> None:
    headers = [("Content-Type", b"Text/Plain"), ("My-Header_1", b"\xc3\xa4"), ("x.y", b"2")]
    event = made(Record(b"k", b"hello", headers, 1_700_000_000_123), team="one")
    assert event.data == b"hello"
    assert event.attributes == {
        "specversion": "1.0",
        "id": "partition:3/offset:42",
        "type": "dev.knative.kafka.event",
        "source": "/apis/v1/namespaces/ns/kafkasources/source#topic",
        "subject": "partition:3#42",
        "time": "2023-11-14T22:13:20.123Z",
        "partitionkey": "k",
        "key": "k",
        "datacontenttype": "text/plain",
        "kafkaheadermyheader1": "\u00e4",
        "kafkaheaderxy": "2",
        "knativekafkapartition": "3",
        "knativekafkaoffset": "42",
        "team": "one",
    }


def test_a_tombstone_has_no_data() -> None:
    event = made(Record(None, None, (), 0))
    assert event.data is None
    assert not {"partitionkey", "key"} & event.attributes.keys()


BINARY = [
    ("ce_specversion", b"1.0"),
    ("ce_id", "\u00e4 1".encode()),
    ("ce_source", b"/s"),
    ("ce_type", b"t"),
    ("ce_ext", b"one"),
    ("content-type", b"application/json"),
    ("other", b"not an attribute"),
]


@pytest.mark.parametrize("value", [b'{"a":1}', None])
def test_an_event_in_binary_mode_stays_itself(value: bytes | None) -> None:
    event = made(Record(b"k", value, BINARY, 0), ext="two")
    assert event.data == (value or b"") or (value is None and not event.data)
    assert event.attributes == {
        "specversion": "1.0",
        "id": "\u00e4 1",
        "source": "/s",
        "type": "t",
        "ext": "two",
        "datacontenttype": "application/json",
        "knativekafkapartition": "3",
        "knativekafkaoffset": "42",
    }


def test_an_event_in_structured_mode_stays_itself() -> None:
    text = b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":1}}'
    headers = [("content-type", b"application/cloudevents+json; charset=utf-8")]
    event = made(Record(b"k", text, headers, 0))
    assert (event.attributes["type"], event.data) == ("t", b'{"a":1}')
    assert "partitionkey" not in event.attributes


def test_what_only_looks_like_an_event_becomes_one() -> None:
    event = made(Record(None, b"x", BINARY[1:], 0))
    assert event.attributes["type"] == "dev.knative.kafka.event"
    assert event.attributes["kafkaheaderceid"] == "\u00e4 1"
    broken = [("content-type", b"application/cloudevents+json")]
    event = made(Record(None, b"{", broken, 0))
    assert event.attributes["type"] == "dev.knative.kafka.event"
    assert event.data == b"{"


@pytest.mark.parametrize(
    ("key_type", "key", "text"),
    [
        ("", b"abc", "abc"),
        ("string", b"abc", "abc"),
        ("", b"\xff", "\ufffd"),
        ("byte-array", b"\x00\xff", "AP8="),
        ("int", struct.pack(">i", -7), "-7"),
        ("int", b"12", "12"),
        ("float", struct.pack(">f", 0.1), "0.1"),
        ("float", struct.pack(">d", 0.1), "0.1"),
        ("float", struct.pack(">d", 10.0), "10.0"),
        ("float", b"1.5", "1.5"),
        ("unknown", b"abc", "abc"),
        ("int", b"", None),
        ("int", None, None),
    ],
)
def test_keys_are_read_by_the_label(key_type: str, key: bytes | None, text: str | None) -> None:
    assert key_text(key, key_type) == text
