"""Structured and batched mode: JSON data untouched, types kept, faults named."""

import json

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventing.codec import (
    CodecError,
    Event,
    decode,
    decode_batch,
    decode_replies,
    decode_reply,
    decode_structured,
    encode_structured,
    render_head,
)

BASE = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
STRUCTURED = (b"content-type", b"application/cloudevents+json; charset=UTF-8")


def body(**more):
    return json.dumps(BASE | more).encode()


def test_json_data_keeps_its_very_text():
    raw = b'{"b": 1.0, "n":12345678901234567890123, "e": 1e2}'
    event = decode_structured(body()[:-1] + b', "data" : ' + raw + b" }")
    assert event.data == raw
    assert event.attributes["datacontenttype"] == "application/json"


@pytest.mark.parametrize(
    ("data", "wire"), [("hello", b'"hello"'), (True, b"true"), ([1, 2], b"[1, 2]"), (0, b"0")]
)
def test_any_json_value_stays_json(data, wire):
    assert decode_structured(body(data=data)).data == wire


def test_text_data_is_the_text():
    assert (
        decode_structured(body(data="héllo", datacontenttype="text/plain")).data == "héllo".encode()
    )


def test_base64_data():
    assert decode_structured(body(data_base64="AAH/")).data == b"\x00\x01\xff"


def test_types_of_extensions_are_kept():
    event = decode_structured(body(count=3, flag=True, gone=None))
    assert event.attributes["count"] == 3
    assert event.attributes["flag"] is True
    assert "gone" not in event.attributes
    assert b"ce-count: 3\r\nce-flag: true\r\n" in render_head(event)
    assert json.loads(encode_structured(event))["count"] == 3


@pytest.mark.parametrize(
    ("more", "attribute"),
    [
        pytest.param({"id": ""}, "id", id="empty"),
        pytest.param({"x": 1.5}, "x", id="float"),
        pytest.param({"x": 2**31}, "x", id="too large"),
        pytest.param({"x": {}}, "x", id="object"),
        pytest.param({"bad_name": "x"}, "bad_name", id="name"),
        pytest.param({"data": 1, "data_base64": "AA=="}, "data_base64", id="both"),
        pytest.param({"data_base64": "@"}, "data_base64", id="no base64"),
        pytest.param({"x": "a\nb"}, "x", id="control character"),
    ],
)
def test_faults_name_the_attribute(more, attribute):
    with pytest.raises(CodecError) as caught:
        decode_structured(body(**more))
    assert caught.value.attribute == attribute


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'{"id":1,}',
        b'{"id" 1}',
        b"\xff",
        body() + b"x",
        body()[:-1] + b', "x": NaN}',
        body()[:-1] + b', "id": "2"}',
        b'{"a":' + b"[" * 100_000,
    ],
)
def test_what_is_no_event_is_refused(text):
    with pytest.raises(CodecError):
        decode_structured(text)


def test_headers_beside_a_structured_event_do_not_count():
    [event] = decode([STRUCTURED, (b"ce-id", b"other"), (b"ce-specversion", b"1.0")], body())
    assert event.attributes["id"] == "1"


def test_version_0_3_carries_base64_in_data():
    event = decode_structured(body(specversion="0.3", data="AAE=", datacontentencoding="base64"))
    assert event.data == b"\x00\x01"
    assert json.loads(encode_structured(event))["datacontentencoding"] == "base64"


def test_batch():
    events = decode_batch(b"[" + body() + b" , " + body(id="2") + b"]")
    assert [event.attributes["id"] for event in events] == ["1", "2"]


def test_empty_batch():
    assert decode_batch(b" [ ] ") == []


def test_batch_holds_one_version():
    with pytest.raises(CodecError, match="one version"):
        decode_batch(b"[" + body() + b"," + body(specversion="0.3") + b"]")


@pytest.mark.parametrize("kind", [b"application/cloudevents+xml", b"application/cloudevents+avro"])
def test_other_formats_are_not_supported(kind):
    with pytest.raises(CodecError) as caught:
        decode([(b"content-type", kind)], b"")
    assert caught.value.status == 415


def test_a_reply_without_an_event():
    assert decode_replies([(b"content-type", b"text/plain")], b"ok") is None


def is_json_value(data):
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


@given(st.binary(), st.sampled_from(["application/json", "text/plain", "image/png", None]))
@example(b"\r0", "application/json")
@example(b" {}\n", None)
@example(b"\r", "application/json")
@example(b" text ", "text/plain")
def test_data_survives_structured_mode(data, content_type):
    """Byte for byte; of JSON the value's text, without white space around it (RFC 8259, 2)."""
    attributes: dict[str, str | int | bool] = dict(BASE)
    if content_type:
        attributes["datacontenttype"] = content_type
    event = decode_structured(encode_structured(Event(attributes, data or None)))
    is_json = content_type == "application/json" and is_json_value(data)
    assert (event.data or b"") == (data.strip(b" \t\r\n") if is_json else data)


def test_integers_of_thousands_of_digits_are_data_like_any_other():
    """Python reads none of more than 4,300 digits, and says so in its own words."""
    digits = b"9" * 5000
    base = b'{"specversion":"1.0","id":"1","source":"/s","type":"t"'
    event = decode_structured(base + b',"data":{"n":%b}}' % digits)
    assert event.data == b'{"n":%b}' % digits
    with pytest.raises(CodecError) as refused:
        decode_structured(base + b',"n":%b}' % digits)
    assert "set_int_max_str_digits" not in str(refused.value)
    assert refused.value.attribute == "n"


@pytest.mark.parametrize(
    "name", ["id", "source", "type", "specversion", "subject", "time", "dataschema"]
)
@pytest.mark.parametrize("value", [5, True])
def test_attributes_of_the_specification_are_strings(name, value):
    attributes = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"} | {name: value}
    with pytest.raises(CodecError) as refused:
        decode_structured(json.dumps(attributes).encode())
    assert refused.value.attribute == name


@pytest.mark.parametrize("nested", ["[" * 100_000, '{"a":' * 100_000])
def test_deep_json_is_refused_in_our_words(nested):
    body = '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":' + nested
    with pytest.raises(CodecError) as refused:
        decode_structured(body.encode())
    assert str(refused.value) == "the body's JSON is nested too deeply"


def test_one_reply_is_one_event():
    kind = [(b"content-type", b"application/cloudevents-batch+json")]
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
    found = decode_reply(kind, json.dumps([event]).encode())
    assert found is not None and found.attributes["id"] == "1"
    assert decode_reply([(b"content-type", b"text/plain")], b"ok") is None
    with pytest.raises(CodecError):
        decode_reply(kind, json.dumps([event, event]).encode())
