"""CloudEvents 1.0.2 as an intermediary keeps it: core, HTTP binding, JSON format."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import from_http_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from conformance.addresses import Address
from conformance.hub import Box, Message, of_sdk
from conformance.messages import STRUCTURED, batch, binary, event, headers_of, structured
from conformance.rules import rule

STRUCTURED_DELIVERY = {"format": "json"}


def refused(answer: Message) -> bool:
    return 400 <= answer.status < 500


def accepted(answer: Message) -> bool:
    return 200 <= answer.status < 300


@pytest.fixture(scope="module")
def box(shared: Address) -> Box:
    """What is subscribed to the address, in binary mode as far as that is the sender's choice."""
    made = shared.hub.box()
    shared.subscribe(made)
    return made


@pytest.fixture(scope="module")
def json_box(shared: Address) -> Box:
    """As ``box``, with deliveries asked for in structured mode."""
    made = shared.hub.box()
    shared.subscribe(made, delivery=STRUCTURED_DELIVERY)
    return made


def through(address: Address, box: Box, message: Message) -> Message:
    """Send an event; return it as it was delivered."""
    address.put_in(message)
    return box.wait_for(has_id(message.attributes["id"]))


def has_id(wanted: str) -> Callable[[Message], bool]:
    return lambda each: each.attributes["id"] == wanted


# -- what is an event ------------------------------------------------------------------------


@rule("CE-02", "HB-02", "HB-24", "DP-03")
def test_the_json_format_is_understood(shared: Address, box: Box):
    got = through(shared, box, structured(event(data={"a": 1})))
    assert json.loads(got.data) == {"a": 1}


@rule("CE-04", "CE-13")
@pytest.mark.parametrize("mode", ["binary", "structured"])
@pytest.mark.parametrize("name", ["id", "source", "specversion", "type"])
def test_a_required_attribute_that_is_missing_is_refused(post, mode, name):
    attributes = event(**{name: None})
    message = binary(attributes) if mode == "binary" else structured(attributes)
    answer = post(message)
    assert answer.status == 400


@rule("CE-16", "CE-18")
@pytest.mark.parametrize("mode", ["binary", "structured"])
@pytest.mark.parametrize("name", ["id", "source", "specversion", "type"])
def test_a_required_attribute_that_is_empty_is_refused(post, mode, name):
    attributes = event(**{name: ""})
    assert refused(post(binary(attributes) if mode == "binary" else structured(attributes)))


@rule("CE-25", "CE-26")
@pytest.mark.parametrize("name", ["subject", "dataschema"])
def test_an_optional_attribute_that_is_empty_is_refused(post, name):
    assert refused(post(structured(event(**{name: ""}))))


@rule("CE-05", "CE-29")
@pytest.mark.parametrize("name", ["Upper", "under_score", "with-dash", "with.dot", "ümlaut", ""])
def test_a_name_with_other_characters_is_refused(post, name):
    assert refused(post(structured(event(**{name: "x"}))))


@rule("CE-06")
def test_a_long_name_is_no_error(shared: Address, box: Box):
    name = "averylongattributename0123456789"
    got = through(shared, box, binary(event(**{name: "x"})))
    assert got.attributes[name] == "x"


VALUES: dict[str, Any] = {
    "boolean": "true",
    "integer": "-2147483648",
    "string": "ä text",
    "binary": "AAEC/w==",
    "uri": "https://example.com/a?b=c#d",
    "urireference": "../a",
    "timestamp": "2026-01-02T03:04:05.678Z",
}


@rule("CE-07", "CE-29")
@pytest.mark.parametrize("name", VALUES)
def test_values_of_all_types_pass_as_text(shared: Address, box: Box, name):
    got = through(shared, box, binary(event(**{f"my{name}": VALUES[name]})))
    assert got.attributes[f"my{name}"] == VALUES[name]


@rule("CE-08")
@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 10**30])
def test_an_integer_of_more_than_32_bits_is_refused(post, value):
    assert refused(post(structured(event(number=value))))


@rule("CE-09")
@pytest.mark.parametrize(
    "value", [{"a": 1}, [1], 1.5, "a\u0007b", "a\nb", "\u0085", "\ufdd0", "\uffff"]
)
def test_a_value_of_no_type_is_refused(post, value):
    assert refused(post(structured(event(myvalue=value))))


@rule("CE-09")
def test_an_unpaired_surrogate_is_refused(post):
    text = json.dumps(event()).replace("}", ',"myvalue":"\\udead"}')
    assert refused(post(Message((("content-type", STRUCTURED),), text.encode())))


@rule("CE-12", "JF-02")
@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (-7, "-7"), (0, "0")]
)
def test_integers_and_booleans_have_one_text(shared: Address, box: Box, value, text):
    got = through(shared, box, structured(event(myvalue=value)))
    assert got.is_structured or got.header("ce-myvalue") == text
    assert str(got.attributes["myvalue"]).lower() == text


@rule("CE-18")
@pytest.mark.parametrize("source", ["%zz", ":no-scheme", "http://[::1"])
def test_a_source_that_is_no_uri_reference_is_refused(post, source):
    assert refused(post(structured(event(source=source))))


@rule("CE-19", "CE-21")
@pytest.mark.parametrize("changes", [{"source": "relative"}, {"source": "/a/b"}, {"type": "x"}])
def test_what_is_only_recommended_is_no_error(post, changes):
    assert accepted(post(binary(event(**changes))))


@rule("CE-20")
def test_an_event_of_1_0_stays_one(shared: Address, box: Box):
    assert through(shared, box, binary(event())).attributes["specversion"] == "1.0"


@rule("CE-20")
@pytest.mark.parametrize("version", ["0.1", "1.1", "2.0", "1", "one"])
def test_another_version_is_refused(post, version):
    assert refused(post(binary(event(specversion=version))))


@rule("CE-23")
@pytest.mark.parametrize("value", ["/", "a b", "text/plain; =x", "a/b/c"])
def test_a_datacontenttype_that_is_no_media_type_is_refused(post, value):
    assert refused(post(structured(event(datacontenttype=value, data="x"))))


@rule("CE-28")
@pytest.mark.parametrize(
    "value",
    ["yesterday", "2026-01-02", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05", "1700000000"],
)
def test_a_time_that_is_not_of_rfc_3339_is_refused(post, value):
    assert refused(post(binary(event(time=value))))


@rule("CE-28")
@pytest.mark.parametrize(
    "value", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456789+05:30", "2016-12-31T23:59:60Z"]
)
def test_a_time_of_rfc_3339_is_delivered_as_it_came(shared: Address, box: Box, value):
    assert through(shared, box, binary(event(time=value))).attributes["time"] == value


# -- what an intermediary does ---------------------------------------------------------------


@rule("CE-03", "CE-29", "CE-34")
@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_optional_attributes_and_extensions_are_forwarded(shared: Address, box: Box, mode):
    extra = {
        "subject": "s",
        "time": "2026-01-02T03:04:05Z",
        "dataschema": "https://example.com/schema",
        "partitionkey": "p",
        "myextension": "x",
    }
    sent = event(**extra)
    more = ("X-Not-The-Events", "1")
    message = (
        binary(sent, b"{}", "application/json", more)
        if mode == "binary"
        else structured(sent | {"data": {}}, more)
    )
    got = through(shared, box, message).attributes
    assert sent.items() <= got.items()
    assert not any("notthe" in name.replace("-", "") for name in got)


@rule("CE-36", "CE-37")
@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_an_event_of_64_kib_is_forwarded(shared: Address, box: Box, mode):
    data = json.dumps({"text": "x" * (64 * 1024 - 600)}, separators=(",", ":")).encode()
    sent = event()
    message = (
        binary(sent, data) if mode == "binary" else structured(sent | {"data": json.loads(data)})
    )
    assert json.loads(through(shared, box, message).data) == json.loads(data)


@rule("CP-66", "CP-77")
@pytest.mark.parametrize("kind", ["application/json", "application/octet-stream", "text/plain"])
def test_data_arrives_byte_for_byte(shared: Address, box: Box, kind):
    data = (
        b'{ "z": 1.10,\r\n "a": [ ] }\x00\xff' if kind != "application/json" else b'{ "z": 1.10 }'
    )
    got = through(shared, box, binary(event(), data, kind))
    assert got.data == data
    assert got.header("content-type") == kind


# -- the HTTP binding ------------------------------------------------------------------------


@rule("HB-03", "JF-22")
def test_nobody_gets_a_batch_unasked(shared: Address, box: Box):
    sent = [event() for _ in range(5)]
    for each in sent:
        shared.put_in(binary(each))
    got = [box.wait_for(has_id(each["id"])) for each in sent]
    kinds = [each.header("content-type") or "" for each in got]
    assert not any(each.startswith("application/cloudevents-batch") for each in kinds)


@rule("HB-04", "HB-05", "JF-10")
@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_the_content_type_is_the_datacontenttype(shared: Address, box: Box, mode):
    kind = "application/xml; charset=utf-8"
    sent = event()
    message = (
        binary(sent, b"<a/>", kind)
        if mode == "binary"
        else structured(sent | {"datacontenttype": kind, "data": "<a/>"})
    )
    got = through(shared, box, message)
    assert got.is_structured or got.header("content-type") == kind
    assert got.attributes["datacontenttype"] == kind
    assert got.header("ce-datacontenttype") is None


@rule("HB-05")
def test_a_datacontenttype_header_is_refused_or_not_passed_on(shared: Address, box: Box):
    extra = ("ce-datacontenttype", "text/plain")
    answer = shared.post(binary(event(), b"{}", "application/json", extra))
    marker = event()
    shared.put_in(binary(marker))
    box.wait_for(has_id(marker["id"]))
    assert refused(answer) or accepted(answer)
    assert all(each.header("ce-datacontenttype") is None for each in box.received())


@rule("HB-06", "HB-07", "HB-08")
def test_each_attribute_is_a_header_of_its_name(shared: Address, box: Box):
    sent = event(subject="s", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    got = through(shared, box, binary(sent))
    names = [name.lower() for name, _ in got.headers]
    for name in sent:
        assert names.count(f"ce-{name}") == 1


@rule("HB-08")
def test_names_of_headers_are_read_in_any_case(shared: Address, box: Box):
    sent = event(subject="s")
    shouted = tuple((name.upper(), value) for name, value in headers_of(sent))
    got = through(shared, box, Message((*shouted, ("CONTENT-TYPE", "text/plain")), b"x"))
    assert got.attributes["id"] == sent["id"]
    assert got.attributes["subject"] == "s"


TEXT = {
    "space": ("a b", "a%20b"),
    "quote": ('a"b', "a%22b"),
    "percent": ("50%", "50%25"),
    "percent sign and digits": ("%41", "%2541"),
    "euro": ("€", "%E2%82%AC"),
    "beyond U+FFFF": ("😀", "%F0%9F%98%80"),
    "the example": ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
    "plain": ("!#$&'()*+,-./:;<=>?@[\\]^_`{|}~", "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"),
}


@rule("HB-09", "HB-10", "HB-11", "HB-15", "HB-16", "HB-18", "HB-20")
@pytest.mark.parametrize("mode", ["binary", "structured"])
@pytest.mark.parametrize("case", TEXT)
def test_values_are_percent_encoded(shared: Address, box: Box, mode, case):
    text, wire = TEXT[case]
    sent = event(subject=text)
    got = through(shared, box, binary(sent) if mode == "binary" else structured(sent))
    assert got.is_structured or got.header("ce-subject") == wire
    assert got.attributes["subject"] == text
    assert all(value.isascii() and value.isprintable() for _, value in got.headers)


def with_subject(wire: str) -> Message:
    return binary(event(), b"{}", "application/json", ("ce-subject", wire))


@rule("HB-12", "HB-14")
@pytest.mark.parametrize(
    ("wire", "text"),
    [('"a b"', "a b"), (r'"a \"b\" \\c"', r'a "b" \c'), ('"a%20b"', "a b"), ('"plain"', "plain")],
)
def test_quoted_values_are_unquoted(shared: Address, box: Box, wire, text):
    assert through(shared, box, with_subject(wire)).attributes["subject"] == text


@rule("HB-13")
@pytest.mark.parametrize(
    ("wire", "text"), [("%2541", "%41"), ("%252525", "%2525"), ("a%2520b", "a%20b")]
)
def test_values_are_percent_decoded_once(shared: Address, box: Box, wire, text):
    assert through(shared, box, with_subject(wire)).attributes["subject"] == text


@rule("HB-18", "HB-19")
@pytest.mark.parametrize(
    ("wire", "text"), [("%e2%82%ac", "€"), ("%41%42c", "ABc"), ("%7e", "~"), ("%2F", "/")]
)
def test_lower_case_and_needless_encoding_are_read(shared: Address, box: Box, wire, text):
    assert through(shared, box, with_subject(wire)).attributes["subject"] == text


@rule("HB-19")
@pytest.mark.parametrize("wire", ["%C0%A0", "%FF", "%E2%82", "%ED%A0%80", "%80"])
def test_invalid_utf_8_is_refused(post, wire):
    assert refused(post(with_subject(wire)))


@rule("HB-21", "JF-06")
def test_a_structured_delivery_has_the_media_type_of_its_format(shared: Address, json_box: Box):
    got = through(shared, json_box, binary(event()))
    kind = (got.header("content-type") or "").partition(";")[0].strip().lower()
    assert kind == "application/cloudevents+json"


@rule("HB-22", "JF-07")
def test_the_payload_of_a_structured_delivery_has_every_attribute(shared: Address, json_box: Box):
    sent = event(subject="s", time="2026-01-02T03:04:05Z", myextension="x")
    got = through(shared, json_box, binary(sent))
    assert sent.items() <= json.loads(got.body).items()


@rule("HB-22")
def test_headers_beside_a_structured_payload_do_not_count(shared: Address, box: Box):
    sent = event(subject="payload")
    others = headers_of(event(subject="header", type="header"))
    got = through(shared, box, structured(sent | {"data": 1}, *others))
    assert got.attributes["subject"] == "payload"
    assert got.attributes["id"] == sent["id"]


@rule("HB-25", "JF-23")
def test_a_batch_is_read_by_its_media_type(shared: Address, box: Box):
    sent = [event(data=1), event(data=2)]
    answer = shared.post(batch(*sent))
    if refused(answer):
        pytest.skip("batches are optional, and not taken here")
    assert [json.loads(box.wait_for(has_id(each["id"])).data) for each in sent] == [1, 2]
    array_as_one = batch(*sent, content_type=STRUCTURED)
    assert refused(shared.post(array_as_one))


@rule("HB-26")
def test_a_batch_of_two_versions_is_refused(post):
    if refused(post(batch(event(), event()))):
        pytest.skip("batches are optional, and not taken here")
    assert refused(post(batch(event(), event(specversion="0.3"))))


# -- the JSON format -------------------------------------------------------------------------


@rule("JF-01")
def test_extensions_are_members_of_the_event(shared: Address, json_box: Box):
    got = through(shared, json_box, binary(event(myextension="x")))
    assert json.loads(got.body)["myextension"] == "x"


@rule("JF-02")
def test_values_keep_their_json_type(shared: Address, json_box: Box):
    sent = event(number=5, flag=True, text="5")
    got = json.loads(through(shared, json_box, structured(sent)).body)
    assert (got["number"], got["flag"], got["text"]) == (5, True, "5")


@rule("JF-03")
def test_null_is_not_set(shared: Address, box: Box):
    text = json.dumps(event()).replace("}", ',"subject":null,"myextension":null,"time":null}')
    got = through(shared, box, Message((("content-type", STRUCTURED),), text.encode()))
    assert not {"subject", "myextension", "time"} & got.attributes.keys()


@rule("JF-03", "CE-04")
def test_a_required_attribute_that_is_null_is_refused(post):
    text = json.dumps(event(type=None)).replace("}", ',"type":null}')
    assert refused(post(Message((("content-type", STRUCTURED),), text.encode())))


@rule("JF-08", "JF-09")
def test_binary_data_is_written_as_base64(shared: Address, json_box: Box):
    data = bytes(range(256))
    got = json.loads(
        through(shared, json_box, binary(event(), data, "application/octet-stream")).body
    )
    assert base64.b64decode(got["data_base64"]) == data
    assert "data" not in got
    assert got["datacontenttype"] == "application/octet-stream"


@rule("JF-08", "JF-12", "JF-13")
@pytest.mark.parametrize("kind", ["application/json", "application/vnd.x+json; charset=utf-8"])
@pytest.mark.parametrize("value", [{"a": [1, 2.5]}, [1], "text", 1, True, None])
def test_json_data_is_written_as_json(shared: Address, json_box: Box, kind, value):
    got = json.loads(
        through(shared, json_box, binary(event(), json.dumps(value).encode(), kind)).body
    )
    assert got["data"] == value
    assert type(got["data"]) is type(value)


@rule("JF-14")
def test_text_that_is_not_json_is_written_as_a_string(shared: Address, json_box: Box):
    got = json.loads(
        through(shared, json_box, binary(event(), b'<much wow="xml"/>', "text/xml")).body
    )
    if "data_base64" in got:  # an implementation that takes all data for binary
        assert base64.b64decode(got["data_base64"]) == b'<much wow="xml"/>'
    else:
        assert got["data"] == '<much wow="xml"/>'


@rule("JF-15")
@pytest.mark.parametrize("kind", [None, "application/octet-stream", "image/png"])
def test_base64_data_is_read_as_bytes(shared: Address, box: Box, kind):
    data = b"\x00\xff not json"
    members = event(datacontenttype=kind, data_base64=base64.b64encode(data).decode())
    got = through(shared, box, structured(members))
    assert got.data == data
    assert got.attributes.get("datacontenttype") == kind


@rule("JF-16", "JF-17", "JF-19", "JF-20", "JF-11")
@pytest.mark.parametrize("kind", [None, "application/json", "application/x+json"])
@pytest.mark.parametrize("value", [{"a": 1}, [1, "b"], "text", '{"a":1}', 1.5, True])
def test_json_data_is_read_as_the_value_it_is(shared: Address, box: Box, kind, value):
    got = through(shared, box, structured(event(datacontenttype=kind, data=value)))
    assert json.loads(got.data) == value


@rule("JF-18")
def test_data_of_another_type_is_read_as_text(shared: Address, box: Box):
    got = through(shared, box, structured(event(datacontenttype="text/plain", data='say "hi"')))
    assert got.data == b'say "hi"'


@rule("JF-21", "CE-22")
def test_json_without_a_type_has_one_in_binary_mode(shared: Address, box: Box):
    got = through(shared, box, structured(event(data={"a": 1})))
    assert got.attributes["datacontenttype"] == "application/json"


@rule("JF-21", "CE-22")
def test_binary_data_without_a_type_stays_without(shared: Address, box: Box):
    got = through(shared, box, structured(event(data_base64="e30=")))
    assert "datacontenttype" not in got.attributes


# -- real clients ----------------------------------------------------------------------------


@rule("DP-03", "DP-05", "HB-01", "CE-02")
@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_events_of_the_python_sdk_come_through(shared: Address, box: Box, mode):
    sent = CloudEvent(
        event(
            time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            datacontenttype="application/json",
            myextension="ä b",
        ),
        {"a": [1, 2]},
    )
    write = to_binary_event if mode == "binary" else to_structured_event
    got = from_http_event(through(shared, box, of_sdk(write(sent))).for_sdk())
    assert got.get_data() == {"a": [1, 2]}
    assert got.get_time() == sent.get_time()
    assert got.get_extension("myextension") == "ä b"
    assert (got.get_id(), got.get_source()) == (sent.get_id(), sent.get_source())
