"""Both roles against the package h2, with the bytes cut anywhere."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import h2.events
import h2.exceptions
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activator.http.h2.codes import PREFACE, Code
from activator.http.h2.lanes import Lane
from activator.http.h2.limits import EngineLimits
from tests.unit.activator.http.h2.peers import (
    Client,
    Heard,
    Server,
    error_code,
    frames,
    their_client,
    their_server,
)

HEAD = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/a"), (b":authority", b"a.b")]
BODIES = st.lists(st.binary(max_size=3000), max_size=3)
REQUESTS = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.sampled_from([b"x-a", b"x-b", b"cookie"]), st.binary(max_size=20)),
            max_size=4,
        ),
        BODIES,
        st.sampled_from(["end", "trailers", "cut", "open"]),
    ),
    min_size=1,
    max_size=6,
)


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, stop in itertools.pairwise(places):
        yield data[start:stop]


def feed(server: Any, data: bytes, cuts: list[int]) -> None:
    for piece in pieces(data, cuts):
        server.engine.receive(piece)


def requests_of(plan: list[Any]) -> tuple[bytes, dict[int, Heard]]:
    """The bytes of a client, and what they say."""
    client, said = their_client(), bytearray()
    expected: dict[int, Heard] = {}
    for fields, bodies, how in plan:
        stream = client.get_next_available_stream_id()
        heard = expected[stream] = Heard(fields=[*HEAD, *fields])
        client.send_headers(stream, [*HEAD, *fields], end_stream=how == "end" and not bodies)
        for at, body in enumerate(bodies):
            is_last = how == "end" and at == len(bodies) - 1
            client.send_data(stream, body, end_stream=is_last)
            heard.body += body
        if how == "trailers":
            client.send_headers(stream, [(b"x-t", b"1")], end_stream=True)
            heard.trailers = [(b"x-t", b"1")]
        elif how == "end":
            heard.trailers = ()
        elif how == "cut":
            client.reset_stream(stream, 8)
            heard.cut = (8, False)
        client.ping(b"12345678")
        said += client.data_to_send()
    return bytes(said), expected


@settings(deadline=None)
@given(REQUESTS, st.lists(st.integers(0, 10**6), max_size=12))
def test_requests_are_the_same_however_they_are_cut(plan: list[Any], cuts: list[int]) -> None:
    data, expected = requests_of(plan)
    server = Server()
    feed(server, data, cuts)
    assert server.heard == expected
    whole = Server()
    whole.engine.receive(data)
    assert whole.take() == server.take()


def test_every_octet_by_itself() -> None:
    data, expected = requests_of(
        [([(b"x-a", b"1")], [b"body"], "end"), ([], [b"b"], "trailers"), ([], [], "cut")]
    )
    server = Server()
    feed(server, data, list(range(len(data))))
    assert server.heard == expected


@settings(deadline=None)
@given(
    st.lists(st.tuples(BODIES, st.booleans(), st.booleans()), min_size=1, max_size=5),
    st.lists(st.integers(0, 10**6), max_size=12),
)
def test_responses_are_the_same_however_they_are_cut(plan: list[Any], cuts: list[int]) -> None:
    client, peer = Client(), their_server()
    expected: dict[int, Heard] = {}
    for _ in plan:
        client.open(HEAD, b"question", True)
    peer.receive_data(client.take())
    for at, (bodies, has_trailers, hints) in enumerate(plan):
        stream = at * 2 + 1
        heard = expected[stream] = Heard(fields=[(b":status", b"200"), (b"x-a", b"1")])
        if hints:
            peer.send_headers(stream, [(b":status", b"103"), (b"link", b"</a>")])
            heard.interim.append(b"103")
        is_bare = not bodies and not has_trailers
        peer.send_headers(stream, heard.fields or [], end_stream=is_bare)
        for number, body in enumerate(bodies):
            is_last = number == len(bodies) - 1 and not has_trailers
            peer.send_data(stream, body, end_stream=is_last)
            heard.body += body
        if has_trailers:
            peer.send_headers(stream, [(b"x-t", b"1")], end_stream=True)
        heard.trailers = [(b"x-t", b"1")] if has_trailers else ()
    feed(client, peer.data_to_send(), cuts)
    assert client.heard == expected
    assert not client.engine.lanes


class Talk:
    """Our server and their client, each getting what the other says."""

    def __init__(self, **limits: int) -> None:
        self.server = Server(EngineLimits(**limits))
        self.client = their_client()
        self.events: list[Any] = []
        self.turn()

    def turn(self) -> None:
        """Until nobody has anything to say."""
        while True:
            said = self.client.data_to_send()
            if said:
                self.server.engine.receive(said)
            answer = self.server.take()
            if answer:
                self.events += self.client.receive_data(answer)
            if not said and not answer:
                return

    def ask(self, body: bytes = b"", *, end: bool = True) -> int:
        stream = self.client.get_next_available_stream_id()
        self.client.send_headers(stream, HEAD, end_stream=end and not body)
        if body:
            self.client.send_data(stream, body, end_stream=end)
        self.turn()
        return stream

    def lane(self, stream: int) -> Lane:
        return self.server.lanes[stream]

    def got(self, kind: Any, stream: int) -> list[Any]:
        return [e for e in self.events if isinstance(e, kind) and e.stream_id == stream]

    def body(self, stream: int) -> bytes:
        return b"".join(e.data for e in self.got(h2.events.DataReceived, stream))


def test_a_response_of_ours_is_theirs() -> None:
    talk = Talk()
    stream = talk.ask(b"question")
    lane = talk.lane(stream)
    lane.write_head([(b":status", b"103")], b"", False)
    lane.write_head([(b":status", b"200"), (b"x-a", b"1")], b"first", False)
    lane.send_data(b" second")
    lane.send_trailers([(b"grpc-status", b"0")])
    talk.turn()
    assert talk.body(stream) == b"first second"
    (interim,) = talk.got(h2.events.InformationalResponseReceived, stream)
    assert interim.headers == [(b":status", b"103")]
    (trailers,) = talk.got(h2.events.TrailersReceived, stream)
    assert trailers.headers == [(b"grpc-status", b"0")]
    assert talk.got(h2.events.StreamEnded, stream)
    assert not talk.server.engine.lanes


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(0, 300_000), min_size=1, max_size=4),
    st.integers(1000, 100_000),
    st.booleans(),
)
def test_large_bodies_go_by_the_windows(sizes: list[int], window: int, has_trailers: bool) -> None:
    talk = Talk()
    talk.client.update_settings({4: window})
    streams = [talk.ask() for _ in sizes]
    for stream, size in zip(streams, sizes, strict=True):
        lane = talk.lane(stream)
        lane.write_head([(b":status", b"200")], b"", False)
        lane.send_data(b"x" * size)
        if has_trailers:
            lane.send_trailers([(b"x-t", b"1")])
        else:
            lane.send_data(b"", True)
    for _ in range(2000):
        # Their client accepts nothing by itself: each turn it gives back what it got.
        talk.events.clear()
        talk.turn()
        seen = [e for e in talk.events if isinstance(e, h2.events.DataReceived)]
        for event in seen:
            sizes[streams.index(event.stream_id)] -= len(event.data)
            if event.flow_controlled_length:
                talk.client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if not talk.server.engine.lanes and not seen:
            break
    assert not talk.server.engine.lanes
    assert sizes == [0] * len(sizes)


def test_whoever_sends_too_much_is_told_to_wait() -> None:
    talk = Talk()
    stream = talk.ask()
    lane = talk.lane(stream)
    heard = talk.server.heard[stream]
    lane.write_head([(b":status", b"200")], b"", False)
    lane.send_data(b"x" * 100_000)
    assert heard.windows == [False]
    talk.turn()
    for event in talk.got(h2.events.DataReceived, stream):
        talk.client.acknowledge_received_data(event.flow_controlled_length, stream)
    talk.turn()
    assert heard.windows == [False, True]
    assert len(talk.body(stream)) == 100_000


def test_a_reader_that_pauses_stops_its_own_stream_only() -> None:
    talk = Talk(stream_window=65_535)
    slow, quick = talk.ask(b"a", end=False), talk.ask(b"a", end=False)
    talk.lane(slow).pause()
    for _ in range(80):
        for stream in (slow, quick):
            room = min(talk.client.local_flow_control_window(stream), 1000)
            if room:
                talk.client.send_data(stream, b"x" * room)
        talk.turn()
    assert len(talk.server.heard[slow].body) == 1
    assert talk.client.local_flow_control_window(slow) == 0
    assert len(talk.server.heard[quick].body) == 80_001
    talk.lane(slow).resume()
    talk.turn()
    assert len(talk.server.heard[slow].body) == 65_535
    assert talk.client.local_flow_control_window(slow) > 30_000


def test_all_paused_streams_together_hold_no_more_than_their_share() -> None:
    talk = Talk(stream_window=65_535, connection_window=200_000, held_octets=300_000)
    streams = [talk.ask(b"a", end=False) for _ in range(20)]
    for stream in streams:
        talk.lane(stream).pause()
    for stream in streams:
        while room := min(talk.client.local_flow_control_window(stream), 16_384):
            talk.client.send_data(stream, b"x" * room)
            talk.turn()
    held = talk.server.engine.held
    assert 300_000 < held <= 500_000
    assert talk.client.outbound_flow_control_window == 0
    # One that goes on makes room for all.
    talk.lane(streams[0]).resume()
    talk.lane(streams[1]).resume()
    talk.lane(streams[2]).cut(Code.CANCEL)
    talk.lane(streams[3]).resume()
    talk.turn()
    assert talk.server.engine.held == held - 4 * 65_534
    assert talk.client.outbound_flow_control_window > 0
    for stream in streams[4:]:
        talk.lane(stream).resume()
    assert talk.server.engine.held == 0


def test_a_client_that_takes_nothing_gets_no_further_stream() -> None:
    talk = Talk(queued_octets=100_000)
    first = talk.ask()
    talk.lane(first).write_head([(b":status", b"200")], b"", False)
    talk.lane(first).send_data(b"x" * 300_000)
    assert talk.server.engine.queued > 200_000
    second = talk.ask()
    assert talk.got(h2.events.StreamReset, second)[0].error_code == Code.REFUSED_STREAM
    talk.lane(first).cut(Code.CANCEL)
    assert talk.server.engine.queued == 0
    talk.turn()
    assert talk.ask() in talk.server.lanes


def test_the_end_of_a_paused_stream_waits_for_its_reader() -> None:
    talk = Talk()
    stream = talk.ask(b"a", end=False)
    talk.lane(stream).pause()
    talk.client.send_data(stream, b"b", end_stream=True)
    talk.turn()
    assert talk.server.heard[stream].trailers is None
    talk.lane(stream).resume()
    assert talk.server.heard[stream].body == b"ab"
    assert talk.server.heard[stream].trailers == ()


def test_streams_share_the_connections_window_in_turn() -> None:
    talk = Talk()
    streams = [talk.ask() for _ in range(3)]
    for stream in streams:
        talk.lane(stream).write_head([(b":status", b"200")], b"", False)
        talk.lane(stream).send_data(b"x" * 60_000)
    talk.turn()
    assert sum(len(talk.body(stream)) for stream in streams) == 65_535
    talk.client.increment_flow_control_window(3 * 16_384)
    talk.turn()
    grown = [len(talk.body(stream)) for stream in streams]
    assert sum(grown) == 65_535 + 3 * 16_384
    assert min(grown[1:]) > 16_000


def test_a_transport_that_is_full_stops_everything_until_it_is_not() -> None:
    talk = Talk()
    stream = talk.ask()
    lane = talk.lane(stream)
    lane.write_head([(b":status", b"200")], b"", False)
    talk.server.engine.set_blocked(True)
    lane.send_data(b"waits")
    talk.turn()
    assert talk.body(stream) == b""
    assert talk.server.heard[stream].windows == [False]
    talk.server.engine.set_blocked(False)
    talk.turn()
    assert talk.body(stream) == b"waits"
    assert talk.server.heard[stream].windows == [False, True]


def test_a_peer_that_asks_and_does_not_read_is_sent_away() -> None:
    """However useful what it sends beside that: answers would pile up."""
    talk = Talk(unread_answers=500)
    talk.ask(b"a", end=False)
    talk.server.engine.set_blocked(True)
    head = b"\x00\x00\x08\x06\x00\x00\x00\x00\x00"
    useful = b"\x00\x00\x01\x00\x00\x00\x00\x00\x01x"
    for _ in range(500):
        talk.server.engine.receive(useful + head + b"12345678")
    assert error_code(talk.server.take()) is None
    talk.server.engine.receive(useful + head + b"12345678")
    assert error_code(talk.server.take()) is Code.ENHANCE_YOUR_CALM


def test_a_drain_lets_open_streams_end() -> None:
    talk = Talk()
    first = talk.ask(b"a", end=False)
    talk.server.engine.give_notice()
    second = talk.ask(b"a")
    talk.server.engine.finish()
    assert talk.server.drained == 0
    # What comes after it is refused, and may be tried elsewhere.
    talk.server.engine.receive(b"\x00\x00\x04\x01\x05\x00\x00\x00\x05\x83\x86\x84\x81")
    late = error_code(talk.server.take()[-13:])
    assert late is Code.REFUSED_STREAM
    talk.lane(second).write_head([(b":status", b"200")], b"", True)
    talk.server.engine.receive(b"\x00\x00\x01\x00\x01\x00\x00\x00\x01b")
    assert talk.server.drained == 0
    talk.lane(first).write_head([(b":status", b"200")], b"", True)
    assert talk.server.drained > 0


def test_streams_beyond_a_goaway_were_not_looked_at() -> None:
    client, peer = Client(), their_server()
    for _ in range(2):
        client.open(HEAD, b"", True)
    peer.receive_data(client.take())
    peer.close_connection(last_stream_id=1)
    client.engine.receive(peer.data_to_send())
    assert client.heard[1].cut is None
    assert client.heard[3].cut == (Code.REFUSED_STREAM, False)
    assert not client.engine.has_room


def test_the_number_of_streams_that_a_server_allows() -> None:
    client, peer = Client(), their_server()
    peer.update_settings({3: 2})
    client.engine.receive(peer.data_to_send())
    client.open(HEAD, b"", True)
    assert client.engine.has_room
    client.open(HEAD, b"", True)
    assert not client.engine.has_room


def test_the_loss_of_a_connection_is_told_to_every_stream() -> None:
    talk = Talk()
    streams = [talk.ask(b"a", end=False) for _ in range(2)]
    talk.server.engine.lose("gone")
    assert [talk.server.heard[stream].cut for stream in streams] == [(0, False)] * 2
    # Whoever still writes is not heard.
    talk.lane(streams[0]).send_data(b"late")
    assert talk.server.heard[streams[0]].windows == []


@settings(deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(0, 400), max_size=4))
def test_any_octets_end_in_frames_or_in_a_fault(data: bytes, cuts: list[int]) -> None:
    server = Server()
    feed(server, PREFACE + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + data, cuts)
    written = frames(server.take())
    assert server.engine.is_broken == any(kind == 7 for kind, *_ in written)


def test_a_preface_that_is_none() -> None:
    for data in (b"GET / HTTP/1.1\r\n\r\n", PREFACE[:-1] + b"x"):
        server = Server()
        feed(server, data, list(range(len(data))))
        assert error_code(server.take()) is Code.PROTOCOL_ERROR
        assert server.engine.is_broken


@pytest.mark.parametrize("size", [16_384, 16_385])
def test_the_largest_frame(size: int) -> None:
    talk = Talk()
    talk.ask(b"a", end=False)
    head = size.to_bytes(3, "big") + b"\x00\x00\x00\x00\x00\x01"
    talk.server.engine.receive(head + b"x" * size)
    expected = None if size == 16_384 else Code.FRAME_SIZE_ERROR
    assert error_code(talk.server.take()) is expected


@settings(deadline=None, max_examples=30)
@given(
    sizes=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 30_000), st.integers(0, 20)), max_size=7
    ),
    cuts=st.lists(st.integers(0, 2**20), max_size=6),
)
def test_large_bodies_are_the_same_however_frames_and_pieces_lie(
    sizes: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    """Frames of a stream behind each other are one piece; one that is cut is put together."""
    client = their_client()
    said, expected = bytearray(), dict.fromkeys((1, 3, 5), b"")
    for stream in expected:
        client.send_headers(stream, HEAD)
    said += client.data_to_send()
    server = Server(EngineLimits(stream_window=2**20, connection_window=2**22))
    server.engine.receive(bytes(said))
    client.receive_data(server.take())
    said.clear()
    for number, size, fill in sizes:
        stream = 1 + 2 * number
        data = bytes([fill]) * size
        expected[stream] += data
        for at in range(0, max(1, size), 16_384):
            client.send_data(stream, data[at : at + 16_384])
        said += client.data_to_send()
    feed(server, bytes(said), cuts)
    assert {stream: server.heard[stream].body for stream in expected} == expected
    for stream in expected:
        client.end_stream(stream)
    feed(server, client.data_to_send(), cuts)
    assert [server.heard[stream].trailers for stream in expected] == [(), (), ()]
    assert not server.engine.is_broken and server.engine.held == 0


@settings(deadline=None, max_examples=30)
@given(
    sizes=st.lists(st.integers(0, 90_000), min_size=1, max_size=5),
    windows=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 70_000)), max_size=12),
    blocked=st.booleans(),
)
def test_what_is_sent_keeps_to_every_window_and_all_of_it_arrives(
    sizes: list[int], windows: list[tuple[int, int]], blocked: bool
) -> None:
    talk = Talk()
    streams = [talk.ask() for _ in range(3)]
    talk.server.engine.set_blocked(blocked)
    for stream in streams:
        talk.lane(stream).write_head([(b":status", b"200")], b"", False)
        for number, size in enumerate(sizes):
            talk.lane(stream).send_data(bytes([number]) * size)
        talk.lane(stream).send_data(b"", True)
    talk.turn()
    talk.server.engine.set_blocked(False)
    talk.turn()
    # The package h2 raises where a window is not kept to.
    every = [(number, 10**6) for number in (3, 0, 1, 2)]
    for number, octets in (*windows, *every):
        grown = None if number == 3 else streams[number]
        if grown is None or not talk.got(h2.events.StreamEnded, grown):
            talk.client.increment_flow_control_window(octets, grown)
            talk.turn()
    whole = b"".join(bytes([number]) * size for number, size in enumerate(sizes))
    for stream in streams:
        assert talk.body(stream) == whole
        assert len(talk.got(h2.events.StreamEnded, stream)) == 1
    assert talk.server.engine.queued == 0
