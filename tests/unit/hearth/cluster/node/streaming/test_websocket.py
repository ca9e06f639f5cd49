"""The server's half of WebSockets, octet by octet."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.streaming import websocket
from hearth.cluster.node.streaming.websocket import (
    Answer,
    Closed,
    Event,
    Piece,
    WebSocket,
    WebSocketError,
)

MASK = b"\x01\x02\x03\x04"


def client(payload: bytes, *, first: int = 0x82, mask: bytes = MASK) -> bytes:
    size = len(payload)
    if size < 126:
        head = struct.pack(">BB", first, 128 | size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", first, 128 | 126, size)
    else:
        head = struct.pack(">BBQ", first, 128 | 127, size)
    return head + mask + bytes(each ^ mask[at % 4] for at, each in enumerate(payload))


def messages(found: list[Event]) -> list[bytes]:
    whole: list[bytes] = []
    for event in found:
        if isinstance(event, Piece):
            if event.is_first:
                whole.append(b"")
            whole[-1] += event.data
    return whole


@given(
    st.lists(st.binary(max_size=300), max_size=5),
    st.binary(min_size=4, max_size=4),
    st.lists(st.integers(0, 2000), max_size=10),
)
def test_messages_however_they_are_cut(sent: list[bytes], mask: bytes, cuts: list[int]) -> None:
    octets = b"".join(client(each, mask=mask) for each in sent)
    half, found = WebSocket(), []
    ends = [*sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
    for start, end in zip([0, *ends], ends, strict=False):
        found += list(half.receive(octets[start:end]))
    assert messages(found) == sent
    assert sum(isinstance(each, Piece) and each.is_last for each in found) == len(sent)


def test_a_long_message() -> None:
    whole = bytes(range(256)) * 400
    (piece,) = WebSocket().receive(client(whole))
    assert piece == Piece(whole, is_first=True, is_last=True)


def test_fragments_with_a_question_between() -> None:
    octets = client(b"one ", first=0x02) + client(b"?", first=0x89)
    octets += client(b"two ", first=0x00) + client(b"three", first=0x80)
    found = list(WebSocket().receive(octets))
    assert Answer(b"\x8a\x01?") in found
    assert messages(found) == [b"one two three"]
    assert [each.is_last for each in found if isinstance(each, Piece)] == [False, False, True]


def test_an_end() -> None:
    half = WebSocket()
    assert list(half.receive(client(b"", first=0x8A))) == []
    assert list(half.receive(client(b"\x03\xe8", first=0x88) + client(b"late"))) == [Closed()]
    assert list(half.receive(client(b"later"))) == []


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\x82\x01a", id="no mask"),
        pytest.param(client(b"a", first=0xC2), id="reserved bit"),
        pytest.param(client(b"a", first=0x80), id="nothing to continue"),
        pytest.param(client(b"a", first=0x02) + client(b"b", first=0x82), id="not continued"),
        pytest.param(client(b"a", first=0x83), id="unknown data"),
        pytest.param(client(b"a", first=0x8B), id="unknown control"),
        pytest.param(client(b"a", first=0x09), id="control in fragments"),
        pytest.param(client(b"a" * 126, first=0x89), id="long control"),
        pytest.param(b"\x82\xff" + b"\xff" * 12, id="length"),
    ],
)
def test_hostile_frames(octets: bytes) -> None:
    with pytest.raises(WebSocketError):
        list(WebSocket().receive(octets))


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_whatever_comes_is_bounded(pieces: list[bytes]) -> None:
    half = WebSocket()
    for piece in pieces:
        try:
            list(half.receive(piece))
        except WebSocketError:
            return
        if not half._is_closed:
            assert len(half._buffer) <= 14 + 125


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_what_is_sent(size: int) -> None:
    payload = b"x" * size
    sent = websocket.frame(payload)
    assert sent[0] == 0x82 and sent.endswith(payload)
    length = sent[1] if size < 126 else int.from_bytes(sent[2 : len(sent) - size])
    assert length == size
    assert websocket.text(b"a") == b"\x81\x01a"
    assert websocket.close() == b"\x88\x02\x03\xe8"
    assert websocket.ping() == b"\x89\x00"
