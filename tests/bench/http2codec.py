"""What the codec of HTTP/2 costs a small gRPC call, beside the package h2: 50 streams, no I/O."""

from __future__ import annotations

import time
from collections.abc import Callable

import h2.config
import h2.connection
import h2.events

from activator.http.fields import Trailers
from activator.http.h2.decoder import Block
from activator.http.h2.lanes import Lane
from activator.http.h2.roles import ClientEngine, ServerEngine
from tests.bench.rows import Row, row

ROUNDS, STREAMS, RUNS = 200, 50, 9
REQUEST = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/helloworld.Greeter/SayHello"),
    (b":authority", b"hello.default.example.com"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
    (b"user-agent", b"grpc-python/1.80.0 grpc-c/50.0.0 (linux; chttp2)"),
    (b"grpc-accept-encoding", b"identity, deflate, gzip"),
    (b"x-forwarded-for", b"127.0.0.1"),
    (b"x-forwarded-proto", b"http"),
]
RESPONSE = [
    (b":status", b"200"),
    (b"content-type", b"application/grpc"),
    (b"grpc-accept-encoding", b"identity, deflate, gzip"),
]
TRAILERS = [(b"grpc-status", b"0")]
MESSAGE = b"\x00\x00\x00\x00\x07\n\x05world"


def rows() -> list[Row]:
    """The table's rows."""
    runs = [(_ours(), _theirs()) for _ in range(RUNS)]
    name = "HTTP/2 codec, both halves of a small gRPC call, 50 streams"
    peer = sorted(theirs for _, theirs in runs)[RUNS // 2]
    return [row(name, [ours for ours, _ in runs], "us", peers={"the package h2": peer})]


class _Call(Lane):
    __slots__ = ("log",)
    log: list[int]

    def begin(self, block: Block, data: bytes, flow: int, end: bool) -> None:
        if end:
            self.write_head(RESPONSE, MESSAGE, False)
            self.send_trailers(TRAILERS)

    def deliver(self, data: bytes) -> None:
        raise AssertionError("a message comes with its head here")

    def deliver_window(self, is_open: bool) -> None:
        raise AssertionError("nothing here is as large as a window")

    def on_cut(self, code: int, detail: str, *, is_fault: bool) -> None:
        raise AssertionError(f"{code}: {detail}")

    def deliver_end(self, trailers: Trailers) -> None:
        self.log.append(self.id)

    def read_trailers(self, block: Block) -> Trailers:
        return block.fields


def _now(call: Callable[[], None]) -> None:
    call()


def _ours() -> float:
    """Microseconds of CPU a call."""
    asked, answered, log = bytearray(), bytearray(), list[int]()

    def new_lane(stream: int) -> Lane:
        return _Call(server, stream, server.peer_window)

    client = ClientEngine(asked.extend, time.monotonic, _now)
    server = ServerEngine(answered.extend, time.monotonic, _now, new_lane)
    client.start()
    server.start()
    began = time.process_time()
    for _ in range(ROUNDS):
        for _ in range(STREAMS):
            call = _Call(client, client.next_stream, client.peer_window)
            call.log = log
            client.add(call)
            call.write_head(REQUEST, MESSAGE, True)
        server.receive(bytes(asked))
        asked.clear()
        client.receive(bytes(answered))
        answered.clear()
    spent = time.process_time() - began
    assert len(log) == ROUNDS * STREAMS
    return spent / len(log) * 1e6


def _theirs() -> float:
    client, server = _peer(client_side=True), _peer(client_side=False)
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    calls = 0
    began = time.process_time()
    for _ in range(ROUNDS):
        for _ in range(STREAMS):
            stream = client.get_next_available_stream_id()
            client.send_headers(stream, REQUEST)
            client.send_data(stream, MESSAGE, end_stream=True)
        for event in server.receive_data(client.data_to_send()):
            _give_back(server, event)
            if isinstance(event, h2.events.StreamEnded):
                server.send_headers(event.stream_id, RESPONSE)
                server.send_data(event.stream_id, MESSAGE)
                server.send_headers(event.stream_id, TRAILERS, end_stream=True)
        for event in client.receive_data(server.data_to_send()):
            _give_back(client, event)
            calls += isinstance(event, h2.events.StreamEnded)
    spent = time.process_time() - began
    assert calls == ROUNDS * STREAMS
    return spent / calls * 1e6


def _give_back(peer: h2.connection.H2Connection, event: h2.events.Event) -> None:
    if isinstance(event, h2.events.DataReceived):
        peer.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)


def _peer(*, client_side: bool) -> h2.connection.H2Connection:
    """With every check turned off that can be, for ours are made elsewhere."""
    config = h2.config.H2Configuration(
        client_side=client_side,
        header_encoding=None,
        validate_inbound_headers=False,
        validate_outbound_headers=False,
        normalize_inbound_headers=False,
        normalize_outbound_headers=False,
    )
    made = h2.connection.H2Connection(config)
    made.initiate_connection()
    return made
