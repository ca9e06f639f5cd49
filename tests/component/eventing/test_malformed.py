"""Events that are none: each is refused with a status and a message that names what is at fault."""

import asyncio
import contextlib
import json
from typing import Any

import pytest

from eventing.runtime.config import IngressLimits
from eventing.runtime.ingress import Ingress
from tests.component.eventing.test_ingress import Broker, exchange, ingress, post, status

GOOD = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
MEMBERS = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
ONE = b"application/cloudevents+json"
MANY = b"application/cloudevents-batch+json"


def binary(changes=(), *more, body=b""):
    """The good event with headers changed, taken away (None) and added."""
    headers = GOOD | dict(changes)
    lines = [f"{name}: {value}".encode() for name, value in headers.items() if value is not None]
    return post(more=b"".join(line + b"\r\n" for line in (*lines, *more)), body=body)


def structured(members, kind=ONE, *more):
    body = members if isinstance(members, bytes) else json.dumps(members).encode()
    lines = b"".join(line + b"\r\n" for line in (b"content-type: " + kind, *more))
    return post(more=lines, body=body)


def changed(**changes):
    return {name: value for name, value in (MEMBERS | changes).items() if value is not ...}


CASES: dict[str, tuple[bytes, int, tuple[str, ...]]] = {}
each: Any  # of loops over text, bytes and values


def case(name, request, code, *words):
    assert name not in CASES, name
    CASES[name] = (request, code, words)


# What has to be there, in both modes.
for each in ("id", "source", "specversion", "type"):
    named = f'"{each}"'
    case(f"binary, no {each}", binary({f"ce-{each}": None}), 400, named)
    case(f"binary, empty {each}", binary({f"ce-{each}": ""}), 400, named)
    case(f"binary, blank {each}", binary({f"ce-{each}": "   "}), 400, named)
    case(f"binary, quoted nothing for {each}", binary({f"ce-{each}": '""'}), 400, named)
    case(f"binary, {each} twice", binary((), b"ce-%b: x" % each.encode()), 400, named)
    case(f"binary, bell in {each}", binary({f"ce-{each}": "a%07b"}), 400, named)
    case(f"binary, no UTF-8 in {each}", binary({f"ce-{each}": "%C0%A0"}), 400, named)
    case(f"no {each}", structured(changed(**{each: ...})), 400, named)
    case(f"empty {each}", structured(changed(**{each: ""})), 400, named)
    case(f"null {each}", structured(changed(**{each: None})), 400, named)
    case(f"number for {each}", structured(changed(**{each: 1})), 400, named)
    case(f"true for {each}", structured(changed(**{each: True})), 400, named)
    case(f"list for {each}", structured(changed(**{each: ["1"]})), 400, named)
    case(f"object for {each}", structured(changed(**{each: {}})), 400, named)
    case(f"newline in {each}", structured(changed(**{each: "a\nb"})), 400, named)

# Versions.
for each in ("0.1", "0.2", "1", "1.1", "2.0", "1.0 ", "v1.0", "latest"):
    if each != "1.0 ":  # in a header blanks around a value are no part of it
        case(f"binary, version {each}", binary({"ce-specversion": each}), 400, '"specversion"')
    case(f"version {each!r}", structured(changed(specversion=each)), 400, '"specversion"')

# Forms of single attributes.
for each in (":x", "/%zz", "/%", "http://[::1", "http://h:port", "1a:b", "//a b"):
    case(f"source {each}", structured(changed(source=each)), 400, '"source"')
for each in (
    *("now", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-13-01T00:00:00Z"),
    *("2026-02-30T00:00:00Z", "2026-01-02T25:00:00Z", "2026-01-02T03:60:05Z", "1700000000"),
    *("2026-01-02T03:04:05+0100", "-2026-01-02T03:04:05Z", "2026-01-02T03:04:61Z", ""),
):
    case(f"time {each!r}", structured(changed(time=each)), 400, '"time"')
for each in ("/", "a b", "text/plain;", "text/", "/plain", "a/b/c", "text/plain; =x", "a/b; c", ""):
    if each != "text/plain;":  # Go's parser takes it, and so does Knative
        case(
            f"datacontenttype {each!r}",
            structured(changed(datacontenttype=each)),
            400,
            '"datacontenttype"',
        )
for each in ("subject", "dataschema"):
    case(f"empty {each}", structured(changed(**{each: ""})), 400, f'"{each}"')
    case(f"binary, empty {each}", binary({f"ce-{each}": ""}), 400, f'"{each}"')
    case(f"number for {each}", structured(changed(**{each: 5})), 400, f'"{each}"')
for each in ("%zz", "http://[::1", ":x", "/relative", "schema.json"):
    case(f"dataschema {each}", structured(changed(dataschema=each)), 400, '"dataschema"')
case("number for time", structured(changed(time=1700000000)), 400, '"time"')
case("number for datacontenttype", structured(changed(datacontenttype=1)), 400, '"datacontenttype"')

# Names.
for each in (
    "Upper",
    "with-dash",
    "with_line",
    "with.dot",
    "with space",
    "ümlaut",
    "",
    "a\n",
    "ａ",
):
    case(f"name {each!r}", structured(changed(**{each: "x"})), 400, "a-z and 0-9")
for each in (b"ce-with_line", b"ce-with.dot", b"ce-", b"ce-a-b"):
    case(f"binary, name {each!r}", binary((), each + b": x"), 400)
case("header ce-datacontenttype", binary((), b"ce-datacontenttype: a/b"), 400, '"datacontenttype"')
case("header ce-data", binary((), b"ce-data: x"), 400, '"data"')
case("header twice", binary((), b"ce-ext: 1", b"CE-Ext: 2"), 400, '"ext"')
case("two types", binary((), b"content-type: a/b", b"content-type: a/b"), 400, '"datacontenttype"')

# Values.
for each in (2**31, -(2**31) - 1, 10**40):
    case(f"integer {each}", structured(changed(number=each)), 400, '"number"', "32 bits")
for each in (1.5, 1e300, {"a": 1}, [], [1]):
    case(f"value {each!r}", structured(changed(ext=each)), 400, '"ext"')
for each in ("\x00", "\x1f", "\x7f", "\x85", "\ufdd0", "\uffff", "\U0001fffe"):
    case(f"character {each!r}", structured(changed(ext=f"a{each}")), 400, '"ext"')
for each in ("%00", "%7F", "%C2%85", "%EF%BF%BF", "%FF", "%C0%80", "%E2%82", "%ED%A0%80", "%F8%88"):
    case(f"binary, value {each}", binary((), b"ce-ext: a" + each.encode()), 400, '"ext"')
lone = json.dumps(MEMBERS).replace("}", ', "ext": "\\ud800"}').encode()
case("a lone surrogate", structured(lone), 400, '"ext"')

# Data.
case("data twice over", structured(changed(data=1, data_base64="MQ==")), 400, '"data_base64"')
for each in ("?", "MQ", "MQ=", "M Q=", 5, ["MQ=="], {}, True):
    case(f"data_base64 {each!r}", structured(changed(data_base64=each)), 400, '"data_base64"')
old = changed(specversion="0.3", datacontentencoding="base64", data="?")
case("0.3, data that is no base64", structured(old), 400, '"data"')
case("0.3, a number in base64", structured(old | {"data": 5}), 400, '"data"')

# JSON.
for each in (
    *(b"", b" ", b"{", b"}", b"[]", b"null", b"1", b'"text"', b"nonsense", b"{} {}", b"[", b"\xff"),
    *(b"{'a': 1}", b'{"a" 1}', b'{"a": }', b'{"a": 1,}', b'{"a": 1 "b": 2}', b"{1: 2}", b'{"a'),
    *(
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 01}',
        b'{"a": "\n"}',
        b'{"a": tru}',
        b"\xef\xbb\xbf{}",
    ),
    *(json.dumps(MEMBERS).encode() + b"x", json.dumps(MEMBERS).encode("utf-16")),
):
    case(f"JSON {each[:40]!r}", structured(each), 400)
twice = json.dumps(MEMBERS).replace("}", ', "id": "2"}').encode()
case("a member twice", structured(twice), 400, '"id"', "more than once")
case("another charset", structured(MEMBERS, ONE + b"; charset=latin-1"), 400, "UTF-8")

# Batches.
for each in (b"", b"{}", b"null", b"[1]", b"[null]", b"[[]]", b"[,]", b"[{}", b"[{},]", b'["a"]'):
    case(f"batch {each!r}", structured(each, MANY), 400)
case("a batch with a bad one", structured([MEMBERS, changed(type=...)], MANY), 400, '"type"')
two = [MEMBERS, changed(specversion="0.3")]
case("a batch of two versions", structured(two, MANY), 400, '"specversion"')
case("a batch that is one event", structured(MEMBERS, MANY), 400, "array")
case("an event that is a batch", structured([MEMBERS]), 400, "object")

# Formats and codings.
for each in (
    b"+xml",
    b"+avro",
    b"+protobuf",
    b"",
    b"+yaml",
    b"-batch",
    b"-batch+protobuf",
    b"+jsonx",
):
    kind = b"application/cloudevents" + each
    case(f"format {kind.decode()}", structured(b"x", kind), 415, "not supported")
for each in (b"gzip", b"br", b"deflate", b"zstd", b"gzip, identity"):
    case(f"coding {each.decode()}", binary((), b"content-encoding: " + each, body=b"x"), 415)

# No events at all.
case("nothing", post(more=b""), 400, '"id"')
case("a form", post(more=b"content-type: text/plain\r\n", body=b"a=b"), 400, '"id"')
case("JSON that is no event", structured(MEMBERS, b"application/json"), 400, '"id"')


def test_the_table_is_a_long_one():
    assert len(CASES) >= 200


async def test_every_malformed_event_is_refused_by_its_status_and_the_fault_named():
    broker, wrong = Broker(), []
    async with ingress(broker) as port:
        for name, (request, code, words) in CASES.items():
            answer = await exchange(port, request)
            text = answer.decode("latin-1")
            said = text.partition("\r\n\r\n")[2]
            if status(answer) != code or not said.strip() or any(w not in said for w in words):
                wrong.append(f"{name}: {status(answer)} {said.strip()!r}, expected {code} {words}")
    assert wrong == []
    assert broker.got == []


@pytest.mark.parametrize("text", ["a" * 5000, "ä" * 3000])
async def test_a_message_does_not_give_back_all_that_was_sent(text):
    async with ingress(max_event_bytes=100_000) as port:
        for fault in ({"source": f"%zz{text}"}, {"time": text}, {"datacontenttype": f"/{text}"}):
            answer = await exchange(port, structured(changed(**fault)))
            assert status(answer) == 400
            assert len(answer) < 1000


@pytest.mark.parametrize("whole", [0, 10, len(binary()) - 3])
async def test_a_head_that_does_not_become_whole_is_not_waited_for(whole):
    limits = IngressLimits(head_seconds=0.2, idle_seconds=0.2)
    server = Ingress(lambda place: Broker(), limits=limits)
    port = await server.start("127.0.0.1", 0)
    try:
        answer = await exchange(port, binary()[:whole], close=False)
        assert answer == b"" or status(answer) == 408
    finally:
        await server.stop(grace_seconds=1)


async def test_a_body_that_drips_is_not_waited_for():
    server = Ingress(lambda place: Broker(), limits=IngressLimits(request_seconds=0.3))
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(binary(body=b"x" * 1000)[:-1000])
        answer = asyncio.ensure_future(reader.read())
        async with asyncio.timeout(60):
            while not answer.done():
                writer.write(b"x")
                await asyncio.wait([answer], timeout=0.02)
        assert status(answer.result()) == 408
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        await server.stop(grace_seconds=1)
