"""Binary mode: header rules, faults with their attribute, forwarding byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.codec import (
    CodecError,
    attributes_of_head,
    binary,
    decode,
    decode_binary,
    render_head,
)
from eventing.codec.binary import decode_value, encode_value
from eventing.codec.event import check_media_type

REQUIRED = (
    (b"ce-id", b"1"),
    (b"ce-source", b"/s"),
    (b"ce-type", b"t"),
    (b"ce-specversion", b"1.0"),
)


def headers(*more, without=None):
    return [pair for pair in REQUIRED if pair[0] != without] + list(more)


def test_attributes_and_data_as_they_came():
    event = decode_binary(headers((b"content-type", b"text/plain")), b"\x00raw")
    assert event.attributes == {
        "id": "1",
        "source": "/s",
        "type": "t",
        "specversion": "1.0",
        "datacontenttype": "text/plain",
    }
    assert event.data == b"\x00raw"


def test_plain_values_are_forwarded_as_the_bytes_that_came():
    head = render_head(decode_binary(headers((b"ce-ext", b"a,b;c=d"), (b"host", b"x")), b""))
    assert b"ce-ext: a,b;c=d\r\n" in head
    assert b"host" not in head


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion"])
def test_missing_required_attribute_is_named(name):
    with pytest.raises(CodecError) as caught:
        decode_binary(headers(without=b"ce-" + name.encode()), b"")
    assert caught.value.attribute == name


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion"])
def test_empty_required_attribute_is_named(name):
    with pytest.raises(CodecError) as caught:
        decode_binary(headers((b"ce-" + name.encode(), b""), without=b"ce-" + name.encode()), b"")
    assert caught.value.attribute == name


@pytest.mark.parametrize("version", [b"0.2", b"1.1", b"2.0"])
def test_other_versions_are_refused(version):
    given_headers = headers((b"ce-specversion", version), without=b"ce-specversion")
    with pytest.raises(CodecError, match="unsupported version"):
        decode_binary(given_headers, b"")


def test_version_0_3_is_kept():
    event = decode_binary(headers((b"ce-specversion", b"0.3"), without=b"ce-specversion"), b"")
    assert event.attributes["specversion"] == "0.3"


@pytest.mark.parametrize(
    ("header", "attribute"),
    [
        pytest.param((b"ce-bad_name", b"x"), "bad_name", id="name"),
        pytest.param((b"ce-data", b"x"), "data", id="data"),
        pytest.param((b"ce-datacontenttype", b"x"), "datacontenttype", id="content type"),
        pytest.param((b"ce-id", b"2"), "id", id="twice"),
        pytest.param((b"ce-subject", b""), "subject", id="empty optional"),
        pytest.param((b"ce-time", b"yesterday"), "time", id="time"),
        pytest.param((b"ce-time", b"2023-02-30T00:00:00Z"), "time", id="no such day"),
        pytest.param((b"ce-ext", b"%C0%A0"), "ext", id="overlong UTF-8"),
        pytest.param((b"ce-ext", b"%00"), "ext", id="control character"),
        pytest.param((b"ce-ext", b"\xff"), "ext", id="raw byte"),
    ],
)
def test_faults_name_the_attribute(header, attribute):
    with pytest.raises(CodecError) as caught:
        decode_binary(headers(header), b"")
    assert caught.value.attribute == attribute


@pytest.mark.parametrize(
    "source",
    [
        b":nothing",
        b"/a%zz",
        b"//[::1",
        b"http://[::1/a",
        b"http://host:port/",
        b"http://a:b:80",
        b"1a:b",
        b"a_b:c",
        b"http://a]b/",
    ],
)
def test_source_is_a_uri_reference(source):
    with pytest.raises(CodecError) as caught:
        decode_binary(headers((b"ce-source", source), without=b"ce-source"), b"")
    assert caught.value.attribute == "source"


@pytest.mark.parametrize(
    "source",
    [
        "/a:b",
        "a/b:c",
        "?a:b",
        "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
        "mailto:a@example.com",
        "http://user:word@[::1]:8080/a?b#c",
        "//host/a",
        "http://host:/",
        "1-555-123-4567",
        "/ä ö",
        "file:///a",
    ],
)
def test_uri_references_of_all_forms_are_taken(source):
    given = b"ce-source", encode_value(source)
    event = decode_binary(headers(given, without=b"ce-source"), b"")
    assert event.attributes["source"] == source


@pytest.mark.parametrize("source", [b"http://" + b"a" * 60_000 + b"[", b"//" + b"[" * 60_000])
def test_a_long_source_is_refused_in_linear_time(source):
    with pytest.raises(CodecError):
        decode_binary(headers((b"ce-source", source), without=b"ce-source"), b"")


@pytest.mark.parametrize("text", ["\ufdd0", "\ufdef", "\uffff", "\U0001fffe", "\U0010ffff"])
def test_noncharacters_are_refused(text):
    with pytest.raises(CodecError) as refused:
        decode_binary(headers((b"ce-subject", encode_value(text))), b"")
    assert refused.value.attribute == "subject"


@pytest.mark.parametrize(
    "time",
    [b"2016-12-31T23:59:60Z", b"2020-02-29T01:02:03.123456789+01:30", b"2020-01-01t00:00:00z"],
)
def test_rfc_3339_times_are_taken(time):
    assert decode_binary(headers((b"ce-time", time)), b"").attributes["time"] == time.decode()


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"a%20b", "a b"),
        (b"%E2%82%AC", "€"),
        (b"%e2%82%ac", "€"),
        (b'"quoted"', "quoted"),
        (b'"a\\"b"', 'a"b'),
        (b'"a%20b"', "a b"),
        (b"%2520", "%20"),
        (b"100%", "100%"),
        ("€".encode(), "€"),
        (b"a b", "a b"),
    ],
)
def test_values_are_unquoted_then_decoded_once(wire, text):
    assert decode_value("ext", wire) == text


@given(
    st.text(
        st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"),
        min_size=1,
    )
)
def test_any_text_survives_the_wire(text):
    wire = encode_value(text)
    assert all(0x21 <= byte <= 0x7E and byte not in b'"' for byte in wire)
    if not (text.startswith('"') and text.endswith('"')):
        assert decode_value("ext", wire) == text


@given(
    st.dictionaries(
        st.from_regex(r"x[a-z0-9]{1,8}", fullmatch=True), st.text('aé "%€z', min_size=1)
    )
)
def test_a_head_gives_its_attributes_back(extensions):
    event = decode_binary(headers(), b"")
    event.attributes |= extensions
    event.head = None
    assert attributes_of_head(render_head(event)) == event.texts()


def test_no_body_and_no_content_type_is_no_data():
    assert decode(headers(), b"")[0].data is None


def test_headers_that_repeat_are_remembered_within_bounds():
    """What is remembered decodes as it did at first, and producers cannot make it grow."""
    for number in range(3000):
        given = [
            (b"ce-specversion", b"1.0"),
            (b"ce-id", b"%d" % number),
            (b"ce-source", b"/s%%20%d" % number),
            (b"ce-type", b"t"),
        ]
        event = decode_binary(given, b"")
        assert event == decode_binary(given, b"")
        assert event.attributes["source"] == f"/s {number}"
        assert event.head == (
            b"ce-specversion: 1.0\r\nce-id: %d\r\nce-source: /s%%20%d\r\nce-type: t\r\n"
            % (number, number)
        )
    assert len(binary._remembered) <= binary._REMEMBERED
    assert not any(name == b"ce-id" for name, _ in binary._remembered)


def test_a_content_type_given_twice_is_refused():
    twice = [(b"content-type", b"a/b"), (b"content-type", b"a/c")]
    with pytest.raises(CodecError, match="more than once"):
        decode_binary(headers(*twice), b"")


@pytest.mark.parametrize(
    "value",
    [
        "application/json",
        "text/plain; charset=utf-8",
        'a/b;x="y z"',
        'a/b; x="\\"" ;',
        "a/b ; x = y",
        "json",
    ],
)
def test_types_of_data_that_go_reads(value):
    event = decode_binary(headers((b"content-type", value.encode())), b"x")
    assert event.attributes["datacontenttype"] == value


@pytest.mark.parametrize(
    "value",
    ["application/json utf-8", "a/b/c", "a/", "/", "a/b;c", "a/b;;c=d", "a/b; c=", 'a/b; x="y'],
)
def test_types_of_data_that_go_does_not_read(value):
    with pytest.raises(CodecError) as refused:
        decode_binary(headers((b"content-type", value.encode())), b"x")
    assert refused.value.attribute == "datacontenttype"


@pytest.mark.parametrize("value", ["a/b" + " " * 60_000 + "x", "a/b;" + "x=y;" * 15_000 + "!"])
def test_a_long_type_is_refused_in_linear_time(value):
    with pytest.raises(CodecError):
        check_media_type(value)


@pytest.mark.parametrize("value", ["２０24-01-01T00:00:00Z", "2024-01-01T00:00:0٠Z"])
def test_digits_of_other_scripts_make_no_time(value):
    with pytest.raises(CodecError) as refused:
        decode_binary(headers((b"ce-time", value.encode())), b"")
    assert refused.value.attribute == "time"


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"GZIP", b"identity, gzip"])
def test_compressed_data_is_refused(coding):
    with pytest.raises(CodecError) as refused:
        decode(headers((b"content-encoding", coding)), b"x")
    assert refused.value.status == 415
    assert decode(headers((b"content-encoding", b" Identity ")), b"x")
