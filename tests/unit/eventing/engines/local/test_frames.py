"""Frames: what was written is read, what is damaged is not."""

from hypothesis import given
from hypothesis import strategies as st

from eventing.engines.event import RenderedEvent
from eventing.engines.framing import FRAME_BYTES, frame_length, frames
from eventing.engines.local.frames import decode, encode

EVENT = {
    "arrival_ns": st.integers(0, 2**63),
    "ttl": st.integers(-5, 2**31 - 1),
    "head": st.binary(max_size=40),
    "types": st.binary(max_size=10),
    "data": st.binary(max_size=60),
}
BYTES = st.builds(RenderedEvent, **EVENT).map(encode)


@given(**EVENT)
def test_an_event_is_read_as_written(arrival_ns, ttl, head, types, data):
    [(payload, _)] = frames(encode(RenderedEvent(arrival_ns, ttl, head, types, data)))
    found = decode(payload, 7)
    assert (found.position, found.arrival_ns, found.ttl) == (7, arrival_ns, ttl)
    assert (found.head, found.types, found.data) == (head, types, data)


@given(st.lists(BYTES, max_size=5), st.binary(max_size=12))
def test_whole_frames_are_found_whatever_follows(written, rest):
    data = b"".join(written)
    ends = [end for _, end in frames(data + rest)]
    assert ends[: len(written)] == [len(b"".join(written[: n + 1])) for n in range(len(written))]


@given(BYTES, st.data())
def test_a_changed_byte_is_noticed(written, draw):
    at = draw.draw(st.integers(0, len(written) - 1))
    damaged = bytearray(written)
    damaged[at] ^= draw.draw(st.integers(1, 255))
    assert list(frames(bytes(damaged))) == []


def test_a_hole_of_zeros_is_no_event():
    assert list(frames(bytes(4096))) == []
    assert frame_length(bytes(FRAME_BYTES)) == 0


@given(BYTES)
def test_frame_length(written):
    assert frame_length(written[:FRAME_BYTES]) == len(written)
