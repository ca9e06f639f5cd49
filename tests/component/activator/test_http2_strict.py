"""What no client may send, and what every client may: frames on a real socket, and their answer.

The cases are those of h2spec (its generic, hpack and http2 parts), and more of RFC 9113.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import Any

import hpack
import pytest

from activator.http.h2.codes import PREFACE, Code
from activator.http.h2.encoder import Encoder

AUTHORITY = (b":authority", b"hello.test")
GET = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), AUTHORITY]
POST = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/"), AUTHORITY]
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END, ENDH, PADDED, PRIO = 1, 4, 8, 32


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def block(fields: list[tuple[bytes, bytes]]) -> bytes:
    return Encoder().encode(fields)


def head(
    fields: list[tuple[bytes, bytes]] = GET, *, stream: int = 1, end: bool = True, extra: int = 0
) -> bytes:
    return frame(HEADERS, ENDH | (END if end else 0) | extra, stream, block(fields))


def raw(data: bytes, stream: int = 1) -> bytes:
    return frame(HEADERS, ENDH | END, stream, data)


def data(payload: bytes = b"test", *, stream: int = 1, end: bool = False, flags: int = 0) -> bytes:
    return frame(DATA, flags | (END if end else 0), stream, payload)


def setting(name: int, value: int) -> bytes:
    return frame(SETTINGS, 0, 0, struct.pack(">HI", name, value))


def window(octets: int, stream: int = 0) -> bytes:
    return frame(WINDOW, 0, stream, struct.pack(">I", octets))


def huffman(text: bytes) -> bytes:
    packed = hpack.Encoder().huffman_coder.encode(text)
    return bytes((0x80 | len(packed),)) + packed


def plain(text: bytes) -> bytes:
    return bytes((len(text),)) + text


@dataclass
class Outcome:
    """What the server has said about it."""

    goaway: Code | None = None
    resets: dict[int, Code] | None = None
    statuses: dict[int, bytes] | None = None
    pongs: int = 0
    bodies: dict[int, list[int]] | None = None
    closed: bool = False


class Raw:
    """A client that says whatever it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.decoder = hpack.Decoder()
        self.got = Outcome(resets={}, statuses={}, bodies={})

    async def say(self, said: bytes) -> None:
        self.writer.write(said)
        await self.writer.drain()

    async def next(self) -> bool:
        """Take in a frame; whether there was one."""
        try:
            top = await self.reader.readexactly(9)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.got.closed = True
            return False
        size, flags, stream = struct.unpack(">IBI", top)
        payload = await self.reader.readexactly(size >> 8)
        kind, got = size & 0xFF, self.got
        assert got.resets is not None and got.statuses is not None and got.bodies is not None
        if kind == GOAWAY:
            got.goaway = Code(int.from_bytes(payload[4:8], "big"))
        elif kind == RST:
            got.resets[stream] = Code(int.from_bytes(payload, "big"))
        elif kind == HEADERS:
            fields = dict(self.decoder.decode(payload, raw=True))
            got.statuses[stream] = fields.get(b":status", b"")
        elif kind == PING and flags & 1:
            got.pongs += 1
        elif kind == DATA:
            got.bodies.setdefault(stream, []).append(len(payload))
        return True

    async def until(self, condition: Any) -> Outcome:
        async with asyncio.timeout(60):
            while not condition(self.got) and await self.next():
                pass
        return self.got


async def a_client(lab: Any, *, preface: bool = True) -> Raw:
    reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
    client = Raw(reader, writer)

    async def close() -> None:
        writer.close()

    lab._stack.push_async_callback(close)
    if preface:
        await client.say(PREFACE + frame(SETTINGS, 0, 0))
    return client


def case(name: str, said: bytes, *codes: Code, on: int | None = None) -> Any:
    """``on``: the stream that is reset; None: the connection ends."""
    return pytest.param(said, codes, on, id=name)


E1 = Code.PROTOCOL_ERROR
SIZE, FLOW, CLOSED = Code.FRAME_SIZE_ERROR, Code.FLOW_CONTROL_ERROR, Code.STREAM_CLOSED
COMPRESSION, CALM = Code.COMPRESSION_ERROR, Code.ENHANCE_YOUR_CALM
OPEN = head(POST, end=False)
PART = frame(HEADERS, END, 1, block(GET)[:2])
PIECE = block(GET)[2:]

CONNECTION = [
    # RFC 9113, section 3.4 and 4.1 to 4.3.
    case("4.2-data-too-large", OPEN + data(b"x" * 16_385), SIZE),
    case("4.2-headers-too-large", frame(HEADERS, ENDH | END, 1, b"x" * 16_385), SIZE),
    case("4.3-no-field-block", raw(b"\x40\x01\x01\x00\xff\xff\xff\xff\xff\xff"), COMPRESSION),
    case("4.3-priority-within-a-block", PART + frame(PRIORITY, 0, 1, b"\0\0\0\0\xff"), E1),
    case("4.3-headers-within-a-block", PART + head(stream=3), E1),
    case("4.3-settings-within-a-block", PART + frame(SETTINGS, 0, 0), E1),
    case("4.3-data-within-a-block", PART + data(), E1),
    # 5.1
    case("5.1-idle-data", data(end=True), E1),
    case("5.1-idle-rst", frame(RST, 0, 1, b"\0\0\0\x08"), E1),
    case("5.1-idle-window", window(100, 1), E1),
    case("5.1-idle-continuation", frame(CONTINUATION, ENDH, 1, block(GET)), E1),
    case("5.1-half-closed-continuation", OPEN + frame(CONTINUATION, ENDH, 1, PIECE), E1),
    case("5.1-closed-headers", head(stream=3) + head(stream=1), CLOSED, E1),
    case(
        "5.1-closed-continuation",
        OPEN + frame(RST, 0, 1, b"\0\0\0\x08") + frame(CONTINUATION, ENDH, 1, PIECE),
        E1,
        CLOSED,
    ),
    case("5.1.1-even-stream", head(stream=2), E1),
    case("5.1.1-smaller-stream", head(stream=5) + head(stream=3), CLOSED, E1),
    case("5.3.1-priority-on-itself", frame(PRIORITY, 0, 1, b"\0\0\0\x01\xff"), E1),
    case("5.5-unknown-frame-within-a-block", PART + frame(22, 0, 1, b"x"), E1),
    # 6
    case("6.1-data-on-0", data(stream=0), E1),
    case("6.1-padding-too-large", OPEN + data(b"\x06test", flags=PADDED), E1),
    case("6.1-padding-empty-frame", OPEN + data(b"", flags=PADDED), E1),
    case("6.2-headers-on-0", head(stream=0), E1),
    case("6.2-padding-too-large", frame(HEADERS, ENDH | END | PADDED, 1, b"\x07\x82\x86"), E1),
    case("6.2-priority-cut-off", frame(HEADERS, ENDH | END | PRIO, 1, b"\0\0\0"), SIZE),
    case("6.3-priority-on-0", frame(PRIORITY, 0, 0, b"\0\0\0\0\xff"), E1),
    case("6.3-priority-of-4-octets", frame(PRIORITY, 0, 1, b"\0\0\0\0"), SIZE),
    case("6.4-rst-on-0", frame(RST, 0, 0, b"\0\0\0\x08"), E1),
    case("6.4-rst-of-3-octets", OPEN + frame(RST, 0, 1, b"\0\0\x08"), SIZE),
    case("6.5-ack-with-payload", frame(SETTINGS, 1, 0, b"\0"), SIZE),
    case("6.5-settings-on-a-stream", frame(SETTINGS, 0, 1, b"\0\3\0\0\0\x64"), E1),
    case("6.5-settings-cut-off", frame(SETTINGS, 0, 0, b"\0\3\0"), SIZE),
    case("6.5.2-enable-push", setting(2, 2), E1),
    case("6.5.2-initial-window", setting(4, 2**31), FLOW),
    case("6.5.2-frame-size-too-small", setting(5, 16_383), E1),
    case("6.5.2-frame-size-too-large", setting(5, 2**24), E1),
    case("6.7-ping-on-a-stream", frame(PING, 0, 1, b"12345678"), E1),
    case("6.7-ping-of-6-octets", frame(PING, 0, 0, b"123456"), SIZE),
    case("6.7-ping-ack-on-a-stream", frame(PING, 1, 1, b"12345678"), E1),
    case("6.8-goaway-on-a-stream", frame(GOAWAY, 0, 1, b"\0" * 8), E1),
    case("6.8-goaway-cut-off", frame(GOAWAY, 0, 0, b"\0" * 7), SIZE),
    case("6.9-window-by-0", window(0), E1),
    case("6.9-window-of-3-octets", frame(WINDOW, 0, 0, b"\0\0\1"), SIZE),
    case("6.9.1-window-too-large", window(2**31 - 1), FLOW),
    case("6.9.2-stream-window-too-large", OPEN + window(2**30, 1) + setting(4, 2**31 - 1), FLOW),
    case("6.10-continuation-then-data", PART + frame(CONTINUATION, 0, 1, PIECE) + data(), E1),
    case("6.10-continuation-on-0", PART + frame(CONTINUATION, ENDH, 0, PIECE), E1),
    case("6.10-continuation-of-another", PART + frame(CONTINUATION, ENDH, 3, PIECE), E1),
    case("6.10-behind-headers", OPEN + frame(CONTINUATION, ENDH, 1, PIECE), E1),
    case(
        "6.10-behind-continuation",
        PART + frame(CONTINUATION, ENDH, 1, PIECE) + frame(CONTINUATION, ENDH, 1, PIECE),
        E1,
    ),
    case("6.10-behind-data", OPEN + data() + frame(CONTINUATION, ENDH, 1, PIECE), E1),
    case("8.4-push-promise", frame(PUSH, ENDH, 1, b"\0\0\0\2" + block(GET)), E1),
    # RFC 7541.
    case("hpack-2.3.3-index-beyond", raw(b"\xc6"), COMPRESSION),
    case("hpack-2.3.3-name-beyond", raw(b"\x7f\x07\x01a"), COMPRESSION),
    case("hpack-4.2-size-at-the-end", raw(block(GET) + b"\x20"), COMPRESSION),
    case(
        "hpack-5.2-padding-too-long", raw(block(GET) + b"\0\x01a\x83\x1c\x64\xff\xff"), COMPRESSION
    ),
    case("hpack-5.2-padded-by-zero", raw(block(GET) + b"\0\x01a\x81\x18"), COMPRESSION),
    case("hpack-5.2-end-of-string", raw(block(GET) + b"\0\x01a\x84\xff\xff\xff\xff"), COMPRESSION),
    case("hpack-6.1-index-0", raw(b"\x80"), COMPRESSION),
    case("hpack-6.3-table-too-large", raw(b"\x3f\xe2\x1f" + block(GET)), COMPRESSION),
    # What h2spec does not have.
    case("continuation-flood", PART + frame(CONTINUATION, 0, 1, b"") * 65, CALM),
    case("continuation-octets", PART + frame(CONTINUATION, 0, 1, b"x" * 16_000) * 5, CALM),
    case("ping-flood", frame(PING, 0, 0, b"12345678") * 3000, CALM),
    case("settings-flood", frame(SETTINGS, 0, 0, b"") * 3000, CALM),
    case("large-settings-flood", frame(SETTINGS, 0, 0, b"\0\xff\0\0\0\0" * 2000) * 30, CALM),
    case("priority-flood", frame(PRIORITY, 0, 1, b"\0\0\0\0\xff") * 3000, CALM),
    case("unknown-frames-flood", frame(0xEE, 0, 0, b"") * 3000, CALM),
    case("empty-data-flood", OPEN + data(b"") * 3000, CALM),
    case("window-update-flood", window(1) * 3000, CALM),
    case("stream-window-update-flood", OPEN + window(1, 1) * 3000, CALM),
    case(
        "rapid-reset",
        b"".join(
            head(stream=number) + frame(RST, 0, number, b"\0\0\0\x08")
            for number in range(1, 5000, 2)
        ),
        CALM,
    ),
    case(
        "streams-that-we-are-made-to-reset",
        b"".join(
            head(POST, stream=number, end=False) + window(0, number) for number in range(1, 5000, 2)
        ),
        CALM,
    ),
    case(
        "header-bomb",
        raw(b"\x82\x86\x84\x40\x01a\x7f\xbd\x1e" + b"b" * 4028 + b"\xbe" * 10_000),
        CALM,
    ),
]


def malformed(name: str, fields: list[tuple[bytes, bytes]], *more: bytes) -> Any:
    end = not more
    return case(name, head(fields, end=end) + b"".join(more), E1, on=1)


def without(name: bytes) -> list[tuple[bytes, bytes]]:
    return [field for field in GET if field[0] != name]


STREAM = [
    case("5.1-half-closed-data", head(SLOW := [*GET, (b"x-slow", b"1")]) + data(), CLOSED, on=1),
    case("5.1-half-closed-headers", head(SLOW) + head(), CLOSED, on=1),
    case(
        "5.3.1-headers-on-itself",
        frame(HEADERS, ENDH | PRIO, 1, b"\0\0\0\1\xff" + block(POST)),
        E1,
        on=1,
    ),
    case("6.3-priority-of-4-octets", OPEN + frame(PRIORITY, 0, 1, b"\0\0\0\0"), SIZE, on=1),
    case("6.9-window-by-0", OPEN + window(0, 1), E1, on=1),
    case("6.9.1-window-too-large", OPEN + window(2**31 - 1, 1), FLOW, on=1),
    case(
        "flow-control-of-a-stream",
        head([*POST, (b"x-slow", b"1")], end=False) + data(b"x" * 16_384) * 20,
        FLOW,
        on=1,
    ),
    case("8.1-headers-without-end", OPEN + head([(b"x-t", b"1")], end=False), E1, on=1),
    malformed("8.1.1-length-differs", [*POST, (b"content-length", b"1")], data(end=True)),
    malformed(
        "8.1.1-length-differs-from-the-sum",
        [*POST, (b"content-length", b"1")],
        data(),
        data(end=True),
    ),
    malformed("8.1.1-length-and-less", [*POST, (b"content-length", b"9")], data(end=True)),
    malformed(
        "8.1.1-length-and-trailers",
        [*POST, (b"content-length", b"9")],
        data(),
        head([(b"x-t", b"1")]),
    ),
    malformed("8.1.1-length-and-no-body", [*POST, (b"content-length", b"9")]),
    malformed(
        "8.1.1-two-lengths",
        [*POST, (b"content-length", b"4"), (b"content-length", b"4")],
        data(end=True),
    ),
    malformed("8.1.1-length-signed", [*POST, (b"content-length", b"+4")], data(end=True)),
    malformed("8.1.1-lengths-in-a-list", [*POST, (b"content-length", b"4, 4")], data(end=True)),
    malformed("8.2.1-uppercase", [*GET, (b"X-TEST", b"ok")]),
    malformed("8.2.1-space-in-name", [*GET, (b"x test", b"ok")]),
    malformed("8.2.1-colon-in-name", [*GET, (b"x:test", b"ok")]),
    malformed("8.2.1-empty-name", [*GET, (b"", b"ok")]),
    malformed("8.2.1-high-octet-in-name", [*GET, (b"x-\xe4", b"ok")]),
    malformed("8.2.1-line-feed-in-value", [*GET, (b"x-a", b"a\nb: c")]),
    malformed("8.2.1-carriage-return-in-value", [*GET, (b"x-a", b"a\rb")]),
    malformed("8.2.1-null-in-value", [*GET, (b"x-a", b"a\0")]),
    malformed("8.2.1-space-before-value", [*GET, (b"x-a", b" a")]),
    malformed("8.2.1-tab-behind-value", [*GET, (b"x-a", b"a\t")]),
    malformed("8.2.2-connection", [*GET, (b"connection", b"keep-alive")]),
    malformed("8.2.2-keep-alive", [*GET, (b"keep-alive", b"1")]),
    malformed("8.2.2-proxy-connection", [*GET, (b"proxy-connection", b"close")]),
    malformed(
        "8.2.2-transfer-encoding", [*POST, (b"transfer-encoding", b"chunked")], data(end=True)
    ),
    malformed("8.2.2-upgrade", [*GET, (b"upgrade", b"websocket")]),
    malformed("8.2.2-te", [*GET, (b"te", b"trailers, deflate")]),
    malformed("8.3-unknown-pseudo", [*GET, (b":test", b"ok")]),
    malformed("8.3-unknown-pseudo-first", [(b":test", b"ok"), *GET]),
    malformed("8.3-status-in-a-request", [(b":status", b"200"), *GET]),
    malformed("8.3-pseudo-behind-a-field", [(b"x-a", b"1"), *GET]),
    malformed("8.3-pseudo-among-fields", [*GET[:3], (b"x-a", b"1"), GET[3]]),
    malformed("8.3-pseudo-in-trailers", POST, data(), head([(b":method", b"GET")])),
    malformed("8.1-uppercase-in-trailers", POST, data(), head([(b"X-A", b"1")])),
    malformed("8.2.2-connection-in-trailers", POST, data(), head([(b"connection", b"close")])),
    malformed("8.3.1-path-empty", [*without(b":path"), (b":path", b"")]),
    malformed("8.3.1-path-relative", [*without(b":path"), (b":path", b"a/b")]),
    malformed("8.3.1-path-absolute-form", [*without(b":path"), (b":path", b"http://a/b")]),
    malformed("8.3.1-path-with-space", [*without(b":path"), (b":path", b"/ HTTP/1.1")]),
    malformed("8.3.1-path-with-line-end", [*without(b":path"), (b":path", b"/\r\nx: y")]),
    malformed("8.3.1-path-with-fragment", [*without(b":path"), (b":path", b"/a#b")]),
    malformed("8.3.1-star-for-get", [*without(b":path"), (b":path", b"*")]),
    malformed("8.3.1-no-method", without(b":method")),
    malformed("8.3.1-no-scheme", without(b":scheme")),
    malformed("8.3.1-no-path", without(b":path")),
    malformed("8.3.1-no-authority", without(b":authority")),
    malformed("8.3.1-method-twice", [*GET, (b":method", b"GET")]),
    malformed("8.3.1-scheme-twice", [*GET, (b":scheme", b"http")]),
    malformed("8.3.1-path-twice", [*GET, (b":path", b"/")]),
    malformed("8.3.1-authority-twice", [*GET, AUTHORITY]),
    malformed("8.3.1-method-no-token", [*without(b":method"), (b":method", b"GE T")]),
    malformed(
        "8.3.1-method-with-line-end", [*without(b":method"), (b":method", b"GET / HTTP/1.1\r\n")]
    ),
    malformed("8.3.1-other-scheme", [*without(b":scheme"), (b":scheme", b"ftp")]),
    malformed(
        "8.3.1-user-in-authority", [*without(b":authority"), (b":authority", b"u@hello.test")]
    ),
    malformed(
        "8.3.1-path-in-authority", [*without(b":authority"), (b":authority", b"hello.test/a")]
    ),
    malformed(
        "8.3.1-space-in-authority", [*without(b":authority"), (b":authority", b"hello.test a")]
    ),
    malformed("8.3.1-host-differs", [*GET, (b"host", b"other.test")]),
    malformed("8.3.1-two-hosts", [*GET, (b"host", b"hello.test"), (b"host", b"hello.test")]),
    malformed("8.5-connect-with-path", [(b":method", b"CONNECT"), *without(b":method")]),
    malformed("rfc8441-protocol", [*GET, (b":protocol", b"websocket")]),
]


def fine(name: str, said: bytes, *, stream: int = 1) -> Any:
    return pytest.param(said, stream, id=name)


NEVER, ADDED, WITHOUT = b"\x10", b"\x40", b"\x00"
BASE = b"\x82\x86\x84\x01" + plain(b"hello.test")

GOOD = [
    fine("1-get", head()),
    fine("2-priority-on-idle", frame(PRIORITY, 0, 1, b"\0\0\0\0\xff") + head()),
    fine("2-window-on-half-closed", head(SLOW) + window(1, 1)),
    fine("2-priority-on-half-closed", head(SLOW) + frame(PRIORITY, 0, 1, b"\0\0\0\0\xff")),
    fine(
        "2-rst-of-another",
        head(SLOW, stream=1) + frame(RST, 0, 1, b"\0\0\0\x08") + head(stream=3),
        stream=3,
    ),
    fine(
        "2-priority-on-closed",
        head(SLOW)
        + frame(RST, 0, 1, b"\0\0\0\x08")
        + frame(PRIORITY, 0, 1, b"\0\0\0\0\xff")
        + head(stream=3),
        stream=3,
    ),
    fine("3.1-data", OPEN + data(end=True)),
    fine("3.1-several-data", OPEN + data() * 3 + data(end=True)),
    fine("3.1-data-with-padding", OPEN + data(b"\x06test\0\0\0\0\0\0", flags=PADDED, end=True)),
    fine("3.1-only-padding", OPEN + data(b"\x06\0\0\0\0\0\0", flags=PADDED, end=True)),
    fine(
        "3.2-headers-with-padding",
        frame(HEADERS, ENDH | END | PADDED, 1, b"\x02" + block(GET) + b"\0\0"),
    ),
    fine(
        "3.2-headers-with-priority",
        frame(HEADERS, ENDH | END | PRIO, 1, b"\0\0\0\0\xff" + block(GET)),
    ),
    fine("3.3-priority-1", frame(PRIORITY, 0, 1, b"\0\0\0\0\0") + head()),
    fine("3.3-priority-with-dependency", frame(PRIORITY, 0, 3, b"\0\0\0\1\xff") + head()),
    fine("3.3-priority-exclusive", frame(PRIORITY, 0, 3, b"\x80\0\0\1\xff") + head()),
    fine(
        "3.3-priority-of-a-higher-stream",
        frame(PRIORITY, 0, 5, b"\0\0\0\0\xff") + head(stream=3),
        stream=3,
    ),
    fine("3.5-settings", setting(3, 100) + head()),
    fine("3.7-ping", frame(PING, 0, 0, b"12345678") + head()),
    fine("3.7-ping-ack", frame(PING, 1, 0, b"12345678") + head()),
    fine("3.8-goaway", head() + frame(GOAWAY, 0, 0, b"\0" * 8)),
    fine("3.9-window", window(1) + head()),
    fine("3.9-window-of-a-stream", OPEN + window(1, 1) + data(end=True)),
    fine("3.10-continuation", PART + frame(CONTINUATION, ENDH, 1, PIECE)),
    fine(
        "3.10-several-continuations",
        PART
        + frame(CONTINUATION, 0, 1, PIECE[:3])
        + frame(CONTINUATION, 0, 1, b"")
        + frame(CONTINUATION, ENDH, 1, PIECE[3:]),
    ),
    fine("4-head", head([(b":method", b"HEAD"), *without(b":method")])),
    fine("4-post-with-trailers", OPEN + data() + head([(b"x-t", b"1")])),
    fine("4-post-with-trailers-alone", OPEN + head([(b"x-t", b"1")])),
    fine(
        "4-options",
        head([(b":method", b"OPTIONS"), (b":path", b"*"), (b":scheme", b"http"), AUTHORITY]),
    ),
    fine("4.1-unknown-frame", frame(22, 0, 0, b"12345678") + head()),
    fine("4.1-undefined-flag", frame(PING, 0x16, 0, b"12345678") + head()),
    fine("4.1-reserved-bit", frame(PING, 0, 0x80000000, b"12345678") + head()),
    fine("4.2-data-of-2^14", OPEN + data(b"x" * 16_384, end=True)),
    fine("6.5.2-unknown-setting", setting(0xFF, 1) + head()),
    fine("6.5.2-table-of-0", setting(1, 0) + head()),
    fine("6.5.2-push-off", setting(2, 0) + head()),
    fine(
        "6.9-closed-stream",
        head(SLOW) + frame(RST, 0, 1, b"\0\0\0\x08") + window(1, 1) + head(stream=3),
        stream=3,
    ),
    fine("7-goaway-with-unknown-code", frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\xff") + head()),
    fine(
        "7-rst-with-unknown-code",
        head(SLOW) + frame(RST, 0, 1, b"\0\0\0\xff") + head(stream=3),
        stream=3,
    ),
    fine(
        "8.1.1-length-of-a-body",
        head([*POST, (b"content-length", b"8")], end=False) + data() + data(end=True),
    ),
    fine("8.1.1-length-of-nothing", head([*POST, (b"content-length", b"0")])),
    fine("8.3.1-host-alone", head([*without(b":authority"), (b"host", b"hello.test")])),
    fine("8.3.1-host-as-authority", head([*GET, (b"host", b"hello.test")])),
    fine("8.3.1-scheme-https", head([*without(b":scheme"), (b":scheme", b"https")])),
    fine("8.2.2-te-trailers", head([*GET, (b"te", b"trailers")])),
    fine(
        "late-data-behind-a-reset",
        OPEN + frame(RST, 0, 1, b"\0\0\0\x08") + head(stream=3),
        stream=3,
    ),
    fine("hpack-indexed", raw(BASE)),
    fine("hpack-added-indexed-name", raw(BASE + b"\x7a" + plain(b"a"))),
    fine("hpack-added-indexed-name-packed", raw(BASE + b"\x7a" + huffman(b"a"))),
    fine("hpack-added-new-name", raw(BASE + ADDED + plain(b"x-a") + plain(b"1"))),
    fine("hpack-added-new-name-packed", raw(BASE + ADDED + huffman(b"x-a") + huffman(b"1"))),
    fine("hpack-plain-indexed-name", raw(BASE + b"\x0f\x2b" + plain(b"a"))),
    fine("hpack-plain-indexed-name-packed", raw(BASE + b"\x0f\x2b" + huffman(b"a"))),
    fine("hpack-plain-new-name", raw(BASE + WITHOUT + plain(b"x-a") + plain(b"1"))),
    fine("hpack-plain-new-name-packed", raw(BASE + WITHOUT + huffman(b"x-a") + huffman(b"1"))),
    fine("hpack-never-indexed-name", raw(BASE + b"\x1f\x2b" + plain(b"a"))),
    fine("hpack-never-indexed-name-packed", raw(BASE + b"\x1f\x2b" + huffman(b"a"))),
    fine("hpack-never-new-name", raw(BASE + NEVER + plain(b"x-a") + plain(b"1"))),
    fine("hpack-never-new-name-packed", raw(BASE + NEVER + huffman(b"x-a") + huffman(b"1"))),
    fine("hpack-table-size", raw(b"\x20" + BASE)),
    fine("hpack-table-size-twice", raw(b"\x20\x3f\xe1\x1f" + BASE)),
]


@pytest.fixture
async def served(lab: Any) -> Any:
    """A gateway whose application keeps those that ask for it waiting."""
    goes_on = asyncio.Event()

    async def answer(request: Any) -> bytes:
        if request.header("x-slow"):
            await goes_on.wait()
        return bytes(lab.text(b"" if request.method == "HEAD" else b"hello"))

    lab.revision("hello", await lab.app(answer))
    lab.goes_on = goes_on
    yield lab
    goes_on.set()


@pytest.mark.parametrize(("said", "codes", "on"), CONNECTION)
async def test_a_fault_of_the_connection(
    served: Any, said: bytes, codes: tuple[Code, ...], on: None
) -> None:
    client = await a_client(served)
    try:
        await client.say(said)
    except ConnectionError:
        pass
    got = await client.until(lambda got: got.closed)
    assert got.goaway in codes
    assert got.closed
    # Others are served as ever.
    assert (await served.get("hello.test")).status == 200


@pytest.mark.parametrize(("said", "codes", "on"), STREAM)
async def test_a_fault_of_a_stream(
    served: Any, said: bytes, codes: tuple[Code, ...], on: int
) -> None:
    client = await a_client(served)
    await client.say(said)
    got = await client.until(lambda got: got.resets)
    assert got.resets is not None and got.resets[on] in codes
    assert got.goaway is None
    # The connection goes on, and its tables are in step.
    await client.say(head(stream=7))
    got = await client.until(lambda got: 7 in got.statuses)
    assert got.statuses is not None and got.statuses[7] == b"200"


@pytest.mark.parametrize(("said", "stream"), GOOD)
async def test_what_is_allowed(served: Any, said: bytes, stream: int) -> None:
    served.goes_on.set()
    client = await a_client(served)
    await client.say(said)
    got = await client.until(lambda got: stream in got.statuses)
    assert got.statuses is not None and got.statuses[stream] == b"200"
    assert not got.closed
    assert got.goaway is None


async def test_a_preface_that_is_wrong_further_on(served: Any) -> None:
    client = await a_client(served, preface=False)
    await client.say(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
    got = await client.until(lambda got: got.closed)
    assert got.goaway is E1


async def test_a_first_frame_that_is_no_settings(served: Any) -> None:
    client = await a_client(served, preface=False)
    await client.say(PREFACE + frame(PING, 0, 0, b"12345678"))
    got = await client.until(lambda got: got.closed)
    assert got.goaway is E1


async def test_a_ping_is_answered(served: Any) -> None:
    client = await a_client(served)
    await client.say(frame(PING, 0, 0, b"12345678"))
    assert (await client.until(lambda got: got.pongs)).pongs == 1


async def test_streams_above_the_limit_are_refused(served: Any) -> None:
    client = await a_client(served)
    await client.say(b"".join(head(SLOW, stream=number) for number in range(1, 2 * 251, 2)))
    got = await client.until(lambda got: got.resets)
    assert got.resets == {501: Code.REFUSED_STREAM}
    served.goes_on.set()
    got = await client.until(lambda got: len(got.statuses) == 250)
    assert not got.closed


async def test_a_window_of_1_octet(served: Any) -> None:
    client = await a_client(served)
    await client.say(setting(4, 1) + head())
    got = await client.until(lambda got: got.bodies)
    assert got.bodies == {1: [1]}
    await client.say(setting(4, 3))
    got = await client.until(lambda got: got.bodies == {1: [1, 2]})
    # Below zero: what is taken back has to be paid back first.
    await client.say(setting(4, 0) + window(4, 1))
    got = await client.until(lambda got: len(got.bodies[1]) > 2)
    assert got.bodies == {1: [1, 2, 1]}


async def test_the_last_of_two_windows_counts(served: Any) -> None:
    client = await a_client(served)
    both = struct.pack(">HIHI", 4, 100, 4, 2)
    await client.say(frame(SETTINGS, 0, 0, both) + head())
    got = await client.until(lambda got: got.bodies)
    assert got.bodies == {1: [2]}


async def test_a_block_that_does_not_end_is_not_waited_for(served: Any) -> None:
    client = await a_client(served)
    await client.say(PART)
    await served.until(lambda: any(getattr(c, "_block_since", 0) for c in served.clients))
    await served.pass_time(10.5)
    assert (await client.until(lambda got: got.closed)).closed


async def test_pings_that_help_a_client_are_no_flood(served: Any) -> None:
    """gRPC measures the line by a ping for each message, thousands a second on a short one."""
    client = await a_client(served)
    await client.say(head([*POST, (b"x-slow", b"1")], end=False))
    for _ in range(30):
        await client.say((data(b"x") + frame(PING, 0, 0, b"12345678")) * 100)
    got = await client.until(lambda got: got.pongs == 3000)
    assert not got.closed
