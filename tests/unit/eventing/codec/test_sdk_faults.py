"""Nine things the Python SDK 2 gets wrong, each shown to be right here, and to be wrong there.

The second half is why ``test_sdk`` leaves such events out. A test of it that fails says that the
SDK has been mended: take the event into ``test_sdk`` then.
"""

import json

import pytest
from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_http_event,
    to_binary_event,
)
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.v1.event import CloudEvent

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


# -- the SDK ---------------------------------------------------------------------------------

TEXTS = {name.decode(): value.decode() for name, value in HEADERS}


def read(headers=(), body=b"", *, without=None):
    given = TEXTS | dict(headers)
    return from_http_event(HTTPMessage({k: v for k, v in given.items() if k != without}, body))


def read_json(members):
    kind = {"content-type": "application/cloudevents+json"}
    return from_http_event(HTTPMessage(kind, json.dumps(members).encode()))


def test_fault_1_what_is_missing_is_filled_in():
    assert read(without="ce-id").get_id()
    assert read(without="ce-specversion").get_specversion() == "1.0"


def test_fault_2_a_time_is_added_on_the_way():
    assert "ce-time" in to_binary_event(read()).headers


def test_fault_3_structured_with_repeated_headers_is_taken_for_binary():
    kind = {"content-type": "application/cloudevents+json"}
    event = read(kind, json.dumps(BASE | {"data": {"a": 1}}).encode())
    assert event.get_datacontenttype() == "application/cloudevents+json"
    assert event.get_data() != {"a": 1}


@pytest.mark.parametrize(
    ("data", "body"), [([1, "a"], b"[1, 'a']"), ("hello", b"hello"), (True, b"True")]
)
def test_fault_4_json_values_are_printed_as_python(data, body):
    event = CloudEvent(BASE | {"datacontenttype": "application/json"}, data)
    assert to_binary_event(event).body == body


def test_fault_5_quotes_are_kept():
    assert read({"ce-ext": '"a b"'}).get_extension("ext") == '"a b"'


def test_fault_6_null_is_refused():
    with pytest.raises(CloudEventValidationError):
        read_json(BASE | {"subject": None})


def test_fault_7_batches_are_not_known():
    with pytest.raises(AttributeError):
        read_json([BASE])


def test_fault_8_types_of_extensions_are_lost():
    event = read_json(BASE | {"n": 5, "flag": True})
    headers = to_binary_event(event).headers
    assert headers["ce-flag"] == "True"
    assert from_http_event(HTTPMessage(headers, b"")).get_extension("n") == "5"


def test_fault_9_the_body_is_written_anew():
    raw = b'{"z": 1,   "a": 1.10}'
    event = read({"content-type": "application/json"}, raw)
    assert to_binary_event(event).body != raw
