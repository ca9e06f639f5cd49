"""The server's half of SPDY/3.1, octet by octet."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.streaming.headers import Packer
from hearth.cluster.node.streaming.spdy import (
    Answer,
    Data,
    Ended,
    Event,
    Opened,
    Reset,
    Spdy,
    SpdyError,
)

# ``echo hello | kubectl exec -i`` of kubectl 1.20, its SYN_STREAMs and data.
KUBECTL = bytes.fromhex(
    "80030001000000290000000100000000000078f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000"
    "ffff"
    "800300010000001700000003000000000000c22e555c92929907000000ffff"
    "800300010000001900000005000000000000c22ac5565c92925f5a02000000ffff"
    "800300010000001500000007000000000000c229975a5404000000ffff"
    "000000030000000668656c6c6f0a0000000301000000"
)


def control(kind: int, body: bytes, *, flags: int = 0, version: int = 3) -> bytes:
    return struct.pack(">HHI", 1 << 15 | version, kind, flags << 24 | len(body)) + body


class Client:
    """Writes what a client does."""

    def __init__(self) -> None:
        self.packer = Packer()

    def opens(self, stream: int, *, flags: int = 0, **fields: str) -> bytes:
        head = struct.pack(">IIBB", stream, 0, 0, 0)
        return control(1, head + self.packer.write(fields), flags=flags)


def data(stream: int, octets: bytes, *, flags: int = 0) -> bytes:
    return struct.pack(">II", stream, flags << 24 | len(octets)) + octets


def events(spdy: Spdy, octets: bytes) -> list[Event]:
    return list(spdy.receive(octets))


def joined(found: Iterable[Event]) -> list[Event]:
    """Pieces of one stream that follow each other as one."""
    result: list[Event] = []
    for event in found:
        last = result[-1] if result else None
        if isinstance(event, Data) and isinstance(last, Data) and last.stream == event.stream:
            result[-1] = Data(event.stream, last.data + event.data, event.is_last)
        else:
            result.append(event)
    return result


EXPECTED: list[Event] = [
    Opened(1, {"streamtype": "error"}),
    Opened(3, {"streamtype": "stdin"}),
    Opened(5, {"streamtype": "stdout"}),
    Opened(7, {"streamtype": "stderr"}),
    Data(3, b"hello\n", is_last=True),
]


@given(st.lists(st.integers(0, len(KUBECTL)), max_size=20))
def test_a_real_client_however_it_is_cut(cuts: list[int]) -> None:
    spdy, found = Spdy(), []
    ends = [*sorted(cuts), len(KUBECTL)]
    for start, end in zip([0, *ends], ends, strict=False):
        found += events(spdy, KUBECTL[start:end])
    assert joined(found) == EXPECTED


def test_answers() -> None:
    spdy = Spdy()
    events(spdy, Client().opens(1, streamtype="stdout"))
    reply = spdy.reply(1)
    assert reply[:4] == b"\x80\x03\x00\x02" and reply[8:12] == b"\0\0\0\x01"
    assert spdy.data(1, b"ab") == b"\0\0\0\x01\0\0\0\x02ab"
    assert spdy.data(1, b"", is_last=True) == b"\0\0\0\x01\x01\0\0\0"
    assert spdy.data(1, b"too late") == b""
    assert spdy.reset(1) == b"\x80\x03\0\x03\0\0\0\x08\0\0\0\x01\0\0\0\x05"
    assert spdy.reset(1) == b"" == spdy.reply(1) == spdy.data(1, b"x")
    assert spdy.go_away() == b"\x80\x03\0\x07\0\0\0\x08\0\0\0\x01\0\0\0\0"


def test_pings() -> None:
    spdy = Spdy()
    ping = control(6, b"\0\0\0\x01")
    assert events(spdy, ping) == [Answer(ping)]
    first, second = spdy.ping(), spdy.ping()
    assert first == control(6, b"\0\0\0\x02") and second == control(6, b"\0\0\0\x04")
    assert events(spdy, first) == []


def test_a_stream_ends_on_both_sides() -> None:
    spdy, client = Spdy(most_streams=1), Client()
    events(spdy, client.opens(1))
    assert events(spdy, data(1, b"end", flags=1)) == [Data(1, b"end", is_last=True)]
    assert events(spdy, data(1, b"more")) == []
    assert events(spdy, client.opens(3)) == [Answer(control(3, b"\0\0\0\x03\0\0\0\x03"))]
    spdy.data(1, b"", is_last=True)
    assert events(spdy, client.opens(5)) == [Opened(5, {})]  # there is room again


def test_a_stream_of_one_direction() -> None:
    spdy, client = Spdy(), Client()
    assert events(spdy, client.opens(1, flags=1)) == [Opened(1, {}), Data(1, b"", is_last=True)]
    events(spdy, client.opens(3, flags=2))
    assert spdy.data(3, b"x") == b""


def test_a_client_gives_a_stream_up() -> None:
    spdy = Spdy()
    events(spdy, Client().opens(1))
    cancel = control(3, b"\0\0\0\x01\0\0\0\x05")
    assert events(spdy, cancel + data(1, b"late") + cancel) == [Reset(1)]


def test_what_means_nothing_here_is_passed_over() -> None:
    client = Client()
    block = client.packer.write({"a": "b"})
    settings = control(4, struct.pack(">III", 1, 7, 100))
    window = control(9, struct.pack(">II", 1, 1000))
    headers = control(8, struct.pack(">I", 1) + block)
    octets = settings + window + headers + client.opens(1, port="80")
    assert events(Spdy(), octets) == [Opened(1, {"port": "80"})]
    assert events(Spdy(), control(7, bytes(8))) == [Ended()]


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(control(1, b"", version=2), id="version"),
        pytest.param(struct.pack(">HHI", 0x8003, 1, 0xFFFFFF), id="length"),
        pytest.param(control(1, b"\0"), id="short SYN_STREAM"),
        pytest.param(control(1, struct.pack(">IIBB", 1, 0, 0, 0) + b"plain"), id="header block"),
        pytest.param(control(3, b"\0"), id="short RST_STREAM"),
        pytest.param(control(6, b"\0" * 5), id="long PING"),
        pytest.param(Client().opens(2), id="even stream"),
        pytest.param(Client().opens(0), id="stream 0"),
        pytest.param(data(1, b"early"), id="data of no stream"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="not SPDY"),
    ],
)
def test_hostile_frames(octets: bytes) -> None:
    with pytest.raises(SpdyError):
        events(Spdy(), octets)


def test_a_number_comes_once() -> None:
    client, spdy = Client(), Spdy()
    events(spdy, client.opens(5))
    with pytest.raises(SpdyError, match="stream 3 after 5"):
        events(spdy, client.opens(3))


def frames() -> st.SearchStrategy[bytes]:
    numbers, octets = st.integers(0, 9), st.binary(max_size=30)
    kinds, flags = st.integers(0, 11), st.integers(0, 3)
    controls = st.builds(lambda k, b, f: control(k, b, flags=f), kinds, octets, flags)
    datas = st.builds(lambda n, b, f: data(n, b, flags=f), numbers, octets, flags)
    return st.one_of(controls, datas, octets)


@given(st.lists(st.one_of(st.just(None), frames()), max_size=12))
def test_whatever_comes_is_bounded(pieces: list[bytes | None]) -> None:
    spdy, client, number = Spdy(most_streams=3), Client(), -1
    for piece in pieces:
        number += 2 if piece is None else 0
        try:
            events(spdy, client.opens(number) if piece is None else piece)
        except SpdyError:
            return
        assert len(spdy._streams) <= 3
        assert len(spdy._buffer) <= 64 * 1024 + 8
