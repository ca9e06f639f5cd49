from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.runtime.engine.frames import FrameReader


def frame(stream: int, text: bytes) -> bytes:
    return struct.pack(">BxxxI", stream, len(text)) + text


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=8),
    st.integers(1, 17),
)
def test_however_it_is_cut(frames: list[tuple[int, bytes]], size: int) -> None:
    wire = b"".join(frame(*each) for each in frames)
    reader = FrameReader()
    got: dict[int, bytes] = {1: b"", 2: b""}
    for at in range(0, len(wire), size):
        for stream, piece in reader.feed(wire[at : at + size]):
            got[stream] += piece
    for stream in (1, 2):
        assert got[stream] == b"".join(text for number, text in frames if number == stream)


def test_a_terminal_has_no_frames() -> None:
    assert list(FrameReader(is_raw=True).feed(b"\x01ab")) == [(1, b"\x01ab")]
