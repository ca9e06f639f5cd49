"""Events as records and back, by our codec and by the SDK's."""

from __future__ import annotations

import datetime

import pytest
from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    from_kafka_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from eventing.codec import CodecError, Event, render_head
from eventing.codec.sdk import from_sdk
from eventing.engines.event import RenderedEvent
from eventing.engines.kafka.messages import (
    Record,
    event_of,
    record_of,
    stored_event,
    structured_record,
)

TEXT = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co"), exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=20,
).filter(lambda text: text == text.strip() and not (text[0] == text[-1] == '"'))
NAMES = st.from_regex("[a-z][a-z0-9]{0,9}", fullmatch=True).filter(
    lambda name: (
        name
        not in {
            *("data", "time", "dataschema", "schemaurl", "datacontenttype", "datacontentencoding"),
            *("id", "source", "type", "specversion", "subject"),
        }
    )
)
EXTENSIONS = st.dictionaries(NAMES | st.just("partitionkey"), TEXT, max_size=4)
MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
REQUIRED = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


def an_event(attributes: dict[str, str], data: bytes, types: bytes = b"") -> RenderedEvent:
    head = render_head(Event(dict[str, str | int | bool](REQUIRED | attributes), None))
    return RenderedEvent(1_700_000_000_123_456_789, 3, head, types, data)


@given(EXTENSIONS, st.binary(max_size=50), st.sampled_from([b"", b'{"n":5}']))
def test_what_was_written_comes_back(attributes: dict[str, str], data: bytes, types: bytes) -> None:
    sent = an_event(attributes, data, types)
    found = stored_event(record_of(sent), (2, 9))
    assert (found.head, found.types, found.data) == (sent.head, sent.types, sent.data)
    assert (found.arrival_ns, found.ttl, found.position) == (sent.arrival_ns, 3, (2, 9))


def test_a_record_is_a_cloudevent_of_the_binding() -> None:
    said = {"datacontenttype": "application/json", "partitionkey": "ä b", "subject": "100%"}
    record = record_of(an_event(said, b"{}"))
    assert dict(record.headers) == {
        "hearth_arrival": b"1700000000123456789",
        "hearth_ttl": b"3",
        "ce_specversion": b"1.0",
        "ce_id": b"1",
        "ce_source": b"/s",
        "ce_type": b"t",
        "content-type": b"application/json",
        "ce_partitionkey": "ä b".encode(),
        "ce_subject": b"100%",
    }
    assert (record.key, record.value) == ("ä b".encode(), b"{}")
    assert record.timestamp_ms == 1_700_000_000_123


def test_an_event_without_data_is_a_tombstone_and_back() -> None:
    record = record_of(an_event({"partitionkey": "k"}, b""))
    assert (record.key, record.value) == (b"k", None)
    assert stored_event(record, 0).data == b""
    assert event_of(record).data is None


@given(EXTENSIONS, TEXT)
def test_the_sdk_reads_what_we_write(attributes: dict[str, str], text: str) -> None:
    sent = an_event(attributes | {"datacontenttype": "text/plain"}, text.encode())
    record = record_of(sent)
    headers = {name: value for name, value in record.headers if name.startswith(("ce_", "content"))}
    found = from_kafka_event(KafkaMessage(headers, record.key, record.value or b""))
    assert found.get_data() == text
    assert {name: found.get_extension(name) for name in attributes} == attributes
    assert found.get_id() == "1"


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
@given(EXTENSIONS, TEXT)
def test_we_read_what_the_sdk_writes(write, attributes: dict[str, str], text: str) -> None:
    sent = CloudEvent(
        {**REQUIRED, "time": MOMENT, "datacontenttype": "text/plain", **attributes}, text
    )
    message = write(sent)
    key = message.key.encode() if isinstance(message.key, str) else message.key
    record = Record(key, message.value, list(message.headers.items()), 17)
    event = event_of(record)
    assert event == from_sdk(sent)
    stored = stored_event(record, 1)
    assert (stored.arrival_ns, stored.ttl, stored.data) == (17_000_000, 255, text.encode())
    assert stored.attributes == event.texts()


@given(EXTENSIONS, st.integers(-(2**31), 2**31 - 1), st.binary(min_size=1, max_size=50))
def test_structured_mode_keeps_types_and_bytes(
    attributes: dict[str, str], number: int, data: bytes
) -> None:
    named: dict[str, str | int | bool] = {**REQUIRED, **attributes, "n1": number}
    event = Event({**named, "datacontenttype": "application/x"}, data)
    record = structured_record(event, 17)
    assert event_of(record) == event
    assert record.key == (attributes["partitionkey"].encode() if record.key else None)


def binary(**headers: bytes) -> list[tuple[str, bytes]]:
    return [*((f"ce_{name}", value.encode()) for name, value in REQUIRED.items()), *headers.items()]


def test_the_key_of_a_record_is_its_partitionkey() -> None:
    assert event_of(Record(b"k", b"x", binary(), 0)).text("partitionkey") == "k"
    said = event_of(Record(b"k", b"x", binary(ce_partitionkey=b"mine"), 0))
    assert said.text("partitionkey") == "mine"
    for odd in (b"\xff\xfe", b"\x00\x00\x00\x01", b""):
        assert event_of(Record(odd, b"x", binary(), 0)).text("partitionkey") is None


def test_header_names_are_read_in_any_case_and_others_passed_over() -> None:
    headers = [(name.upper(), value) for name, value in binary()] + [("other", b"\xff")]
    assert event_of(Record(None, b"x", headers, 0)).text("id") == "1"


@pytest.mark.parametrize(
    ("headers", "value", "words"),
    [
        ([], b"x", "required"),
        (binary(ce_subject=b"\xff"), b"x", "UTF-8"),
        (binary(ce_subject=b"\x00"), b"x", "control"),
        ([("content-type", b"application/cloudevents-batch+json")], b"[]", "one event"),
        ([("content-type", b"application/cloudevents+json")], b"{}", "required"),
        ([("content-type", b"application/cloudevents+json")], None, "JSON|object"),
        ([("content-type", b"application/cloudevents+avro")], b"x", "not supported"),
    ],
)
def test_what_is_no_event_is_named(headers, value: bytes | None, words: str) -> None:
    with pytest.raises(CodecError, match=words):
        event_of(Record(None, value, headers, 0))
