"""Nine things the Python SDK 2.0 gets wrong, each shown to be right here."""

import json

import pytest

from eventing.codec import (
    CodecError,
    decode,
    decode_structured,
    encode_structured,
    render_head,
)

HEADERS = [
    (b"ce-specversion", b"1.0"),
    (b"ce-id", b"1"),
    (b"ce-source", b"/s"),
    (b"ce-type", b"t"),
]
BASE = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


@pytest.mark.parametrize("missing", [b"ce-id", b"ce-specversion"])
def test_nothing_missing_is_filled_in(missing):
    with pytest.raises(CodecError):
        decode([pair for pair in HEADERS if pair[0] != missing], b"")


def test_no_time_is_added_to_forwarded_events():
    [event] = decode(HEADERS, b"")
    assert "time" not in event.attributes
    assert b"ce-time" not in render_head(event)


def test_structured_with_repeated_headers_is_structured():
    headers = [(b"content-type", b"application/cloudevents+json"), *HEADERS]
    [event] = decode(headers, json.dumps(BASE | {"data": {"a": 1}}).encode())
    assert event.data == b'{"a": 1}'


@pytest.mark.parametrize("data", [[1, "a"], "hello", True])
def test_json_values_are_not_printed_as_python(data):
    text = json.dumps(data)
    event = decode_structured(json.dumps(BASE | {"data": data}).encode())
    assert event.data == text.encode()
    assert json.loads(encode_structured(event))["data"] == data


def test_quoted_header_values_are_unquoted():
    [event] = decode([*HEADERS, (b"ce-ext", b'"a b"')], b"")
    assert event.attributes["ext"] == "a b"
    assert b"ce-ext: a%20b\r\n" in render_head(event)


def test_null_attributes_are_absent():
    assert "x" not in decode_structured(json.dumps(BASE | {"x": None}).encode()).attributes


def test_batches_are_read():
    headers = [(b"content-type", b"application/cloudevents-batch+json")]
    assert len(decode(headers, json.dumps([BASE, BASE]).encode())) == 2


def test_integers_stay_integers():
    event = decode_structured(json.dumps(BASE | {"n": 5}).encode())
    assert json.loads(encode_structured(event))["n"] == 5


def test_the_body_is_not_written_anew():
    raw = b'{"z": 1,   "a": 1.10}'
    [event] = decode([*HEADERS, (b"content-type", b"application/json")], raw)
    assert event.data is raw
