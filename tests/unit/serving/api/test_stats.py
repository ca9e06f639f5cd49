from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.tokens import Tokens
from serving.api.stats import (
    LONGEST_LINE,
    Frame,
    Hello,
    Stat,
    StatsError,
    StatsReader,
    encode_frame,
    encode_hello,
)

SECRET = Tokens("secret")
HELLO = encode_hello("secret", "a-1")
STATS = (
    Stat("ns", "rev-1", 1.5, 10.0),
    Stat("ns", "rev-2", 0.25, 1.0, queued=3),
    Stat("ns", "rev-3", 5.0, 1.0, busy={"pod-a": 4, "pod-b": 1}),
    Stat("ns", "rev-4", 5.0, 9.0, answered={3: 8, 20: 1}),
)


def test_hello_then_frames() -> None:
    events = StatsReader(SECRET.accepts).receive(HELLO + encode_frame(12.5, STATS))
    assert events == [Hello("a-1"), Frame(12.5, STATS)]


def test_a_poke_says_so() -> None:
    events = StatsReader(SECRET.accepts).receive(HELLO + encode_frame(1.0, STATS, is_poke=True))
    assert events[1] == Frame(1.0, STATS, is_poke=True)


def test_what_a_later_version_adds_to_a_row_is_left_alone() -> None:
    row = b'{"at": 1, "stats": [["ns", "r", 1, 2, 3, {"p": 4}, {}, "more", []]]}\n'
    [_, frame] = StatsReader(SECRET.accepts).receive(HELLO + row)
    assert frame == Frame(1.0, (Stat("ns", "r", 1.0, 2.0, 3, {"p": 4}),))


@given(st.lists(st.integers(min_value=1, max_value=40), max_size=20))
def test_chunking_does_not_matter(sizes: list[int]) -> None:
    wire = HELLO + encode_frame(1.0, STATS) + encode_frame(2.0, ())
    reader, events, at = StatsReader(SECRET.accepts), [], 0
    for size in sizes:
        events += reader.receive(wire[at : at + size])
        at += size
    events += reader.receive(wire[at:])
    assert events == [Hello("a-1"), Frame(1.0, STATS), Frame(2.0, ())]


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(encode_hello("guess", "a"), id="wrong token"),
        pytest.param(b'{"activator": "a"}\n', id="no token"),
        pytest.param(b'{"token": 7}\n', id="token of the wrong type"),
        pytest.param(b"GET / HTTP/1.1\r\n", id="not our protocol"),
        pytest.param(b"[]\n", id="not an object"),
        pytest.param(HELLO + b'{"at": 1}\n', id="frame without stats"),
        pytest.param(HELLO + b'{"at": 1, "stats": [["ns", "r"]]}\n', id="short row"),
        pytest.param(HELLO + b'{"at": 1, "stats": [["ns", "r", "x", 1, 1]]}\n', id="no number"),
        pytest.param(HELLO + b'{"at": 1, "stats": [["ns", "r", 1, 1, 1, [2]]]}\n', id="no pods"),
        pytest.param(HELLO + b'{"at": 1, "stats": [7]}\n', id="no row"),
    ],
)
def test_a_broken_peer_is_refused_for_good(wire: bytes) -> None:
    reader = StatsReader(SECRET.accepts)
    with pytest.raises(StatsError):
        reader.receive(wire)
    with pytest.raises(StatsError):
        reader.receive(HELLO)


def test_an_endless_line_is_refused() -> None:
    reader = StatsReader(SECRET.accepts)
    with pytest.raises(StatsError):
        reader.receive(b"x" * (LONGEST_LINE + 1))


@pytest.mark.parametrize("amount", [b'"NaN"', b'"inf"', b"1e400", b"-1", b"null"])
@pytest.mark.parametrize(
    "frame",
    [
        b'{"at": 1, "stats": [["ns", "r", %s, 1, 1]]}',
        b'{"at": 1, "stats": [["ns", "r", 1, %s, 1]]}',
        b'{"at": 1, "stats": [["ns", "r", 1, 1, %s]]}',
        b'{"at": 1, "stats": [["ns", "r", 1, 1, 1, {"p": %s}]]}',
        b'{"at": %s, "stats": []}',
    ],
)
def test_amounts_are_finite(frame: bytes, amount: bytes) -> None:
    with pytest.raises(StatsError):
        StatsReader(SECRET.accepts).receive(HELLO + frame % amount + b"\n")
