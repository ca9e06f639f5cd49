"""Our codec and the Python SDK's, held against each other, and the adapters between their events.

What the SDK gets wrong is left out of the events that are made here, and shown in
``test_sdk_faults``.
"""

import datetime
import json
import string
from typing import Any

import pytest
from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_http_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from eventing.codec import (
    CodecError,
    Event,
    decode,
    decode_batch,
    decode_structured,
    encode_structured,
    render_head,
)
from eventing.codec.event import text_of
from eventing.codec.sdk import from_sdk, to_sdk
from eventing.codec.structured import CONTENT_TYPE

TEXT = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cn"), exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=20,
).filter(lambda text: not (text.startswith('"') and text.endswith('"')) and text == text.strip())
NAMES = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12).filter(
    lambda name: (
        name
        not in ("data", "id", "source", "type", "time", "specversion", "subject", "datacontenttype")
        and name not in ("dataschema", "schemaurl", "datacontentencoding")
    )
)
MOMENTS = st.datetimes(timezones=st.just(datetime.UTC)).map(
    lambda moment: moment.isoformat().replace("+00:00", "Z")
)
# Objects alone: lists and plain values are among what the SDK writes as Python prints them.
OBJECTS = st.dictionaries(TEXT, st.integers(-1000, 1000) | TEXT | st.booleans() | st.none())
DATA = st.one_of(
    st.tuples(st.just("application/json"), OBJECTS.map(lambda value: json.dumps(value).encode())),
    st.tuples(st.just("text/plain"), TEXT.map(str.encode)),
    st.tuples(
        st.just("application/octet-stream"), st.binary(min_size=1).map(lambda b: b + b"\xff")
    ),
    st.just((None, None)),
)


@st.composite
def events(draw, extensions=TEXT):
    attributes = {
        "specversion": draw(st.sampled_from(["1.0", "0.3"])),
        "id": draw(TEXT),
        "source": draw(st.sampled_from(["/s", "https://example.com/a?b", "urn:a:b", "/ä ö"])),
        "type": draw(TEXT),
    }
    attributes |= draw(st.dictionaries(NAMES, extensions, max_size=3))
    if draw(st.booleans()):
        attributes["subject"] = draw(TEXT)
    # Without a time the SDK makes one up.
    attributes["time"] = draw(MOMENTS)
    kind, data = draw(DATA)
    if kind is not None:
        attributes["datacontenttype"] = kind
    return Event(attributes, data)


def moment(text):
    return datetime.datetime.fromisoformat(text)


def same(event, attributes):
    """Whether the SDK's attributes are the event's, in text form."""
    theirs = dict(attributes)
    assert theirs.pop("time") == moment(event.attributes["time"])
    theirs.pop("datacontentencoding", None)
    ours = {name: text for name, text in event.texts().items() if name != "time"}
    assert {name: text_of(value) for name, value in theirs.items()} == ours


def same_data(event, value):
    if event.attributes.get("datacontenttype") == "application/json":
        assert value == json.loads(event.data or b"")
    elif isinstance(value, str):
        assert value.encode() == event.data
    else:
        assert value == event.data


def headers_of(head):
    lines = [line.partition(b": ") for line in head.split(b"\r\n") if line]
    return {name.decode(): value.decode() for name, _, value in lines}


def fields_of(message):
    return [(name.lower().encode(), value.encode()) for name, value in message.headers.items()]


@given(events())
def test_what_we_write_in_binary_mode_the_sdk_reads(event):
    read = from_http_event(HTTPMessage(headers_of(render_head(event)), event.data or b""))
    same(event, read.get_attributes())
    same_data(event, read.get_data())


@given(events(TEXT | st.integers(-(2**31), 2**31 - 1) | st.booleans()))
def test_what_we_write_in_structured_mode_the_sdk_reads(event):
    kind = {"content-type": CONTENT_TYPE.decode()}
    read = from_http_event(HTTPMessage(kind, encode_structured(event)))
    same(event, read.get_attributes())
    same_data(event, read.get_data())


@given(events())
def test_what_the_sdk_writes_in_binary_mode_we_read(event):
    message = to_binary_event(to_sdk(event))
    [read] = decode(fields_of(message), message.body)
    same(read, to_sdk(event).get_attributes())
    same_data(read, to_sdk(event).get_data())


@given(events(TEXT | st.integers(-(2**31), 2**31 - 1) | st.booleans()))
def test_what_the_sdk_writes_in_structured_mode_we_read(event):
    message = to_structured_event(to_sdk(event))
    [read] = decode(fields_of(message), message.body)
    same(read, to_sdk(event).get_attributes())
    same_data(read, to_sdk(event).get_data())


@given(st.lists(events(), max_size=4))
def test_a_batch_of_what_the_sdk_writes_we_read(several):
    alike = [each for each in several if each.attributes["specversion"] == "1.0"]
    body = b",".join(to_structured_event(to_sdk(each)).body for each in alike)
    read = decode_batch(b"[" + body + b"]")
    assert [each.text("id") for each in read] == [each.text("id") for each in alike]


@given(events(TEXT | st.integers(-(2**31), 2**31 - 1) | st.booleans()))
def test_an_event_comes_back_from_the_sdk(event):
    back = from_sdk(to_sdk(event))
    assert moment(back.attributes.pop("time")) == moment(event.attributes["time"])
    assert back.attributes == {name: v for name, v in event.attributes.items() if name != "time"}
    if event.attributes.get("datacontenttype") == "application/json":
        assert json.loads(back.data or b"") == json.loads(event.data or b"")
    else:
        assert back.data == event.data


BASE: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


def test_no_time_is_made_up():
    assert "time" not in to_sdk(Event(dict(BASE))).get_attributes()


@pytest.mark.parametrize("value", [[1, "a"], "hello", True, 1.5, {"a": None}])
def test_python_values_are_json(value):
    event = from_sdk(CloudEvent(dict(BASE), value))
    assert event.attributes["datacontenttype"] == "application/json"
    assert json.loads(event.data or b"") == value
    assert to_sdk(event).get_data() == value


@pytest.mark.parametrize(
    ("attributes", "data", "at_fault"),
    [
        ({"datacontenttype": "text/plain"}, {"a": 1}, "text/plain"),
        ({"number": 1.5}, None, '"number"'),
        ({"note": "a\x00b"}, None, '"note"'),
        ({"source": "%zz"}, None, '"source"'),
        ({}, {"a": {1, 2}}, "no JSON"),
    ],
)
def test_what_is_no_event_is_refused(attributes, data, at_fault):
    with pytest.raises(CodecError) as refused:
        from_sdk(CloudEvent(BASE | attributes, data))
    assert at_fault in str(refused.value)


def test_a_leap_second_is_no_moment_of_python():
    with pytest.raises(CodecError) as refused:
        to_sdk(Event(BASE | {"time": "2016-12-31T23:59:60Z"}))
    assert refused.value.attribute == "time"


def test_data_that_is_not_what_its_type_says_stays_bytes():
    for kind, data in (("application/json", b"{"), ("text/plain", b"\xff")):
        assert to_sdk(Event(BASE | {"datacontenttype": kind}, data)).get_data() == data


def test_an_event_that_we_read_goes_to_user_code_and_back():
    body = b'{"specversion":"1.0","id":"1","source":"/s","type":"t","n":5,"data":{"a":1}}'
    event = from_sdk(to_sdk(decode_structured(body)))
    assert event.attributes["n"] == 5
    assert event.data == b'{"a":1}'
