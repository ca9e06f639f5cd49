"""Requests over one connection of HTTP/2 without TLS, by prior knowledge."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.events
import h2.exceptions

_UNDERSTOOD = b"HTTP/1."


@dataclass
class Response:
    status: int = 0
    body: bytes = b""


def get(gateway: str, host: str, path: str, times: int = 1) -> list[Response] | None:
    """Ask so many times at once; None where the other end speaks no HTTP/2."""
    address, _, port = gateway.partition(":")
    with socket.create_connection((address, int(port or 80)), timeout=30) as connection:
        try:
            return _converse(connection, host, path, times)
        except (h2.exceptions.ProtocolError, ConnectionError):
            return None


def _converse(connection: socket.socket, host: str, path: str, times: int) -> list[Response] | None:
    codec = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    codec.initiate_connection()
    fields = [(":method", "GET"), (":scheme", "http"), (":authority", host), (":path", path)]
    answers = {}
    for _ in range(times):
        stream = codec.get_next_available_stream_id()
        codec.send_headers(stream, fields, end_stream=True)
        answers[stream] = Response()
    open_ones = set(answers)
    while open_ones:
        connection.sendall(codec.data_to_send())
        data = connection.recv(65536)
        if not data or data.startswith(_UNDERSTOOD):
            return None
        for event in codec.receive_data(data):
            open_ones -= _take(codec, answers, event)
    return list(answers.values())


def _take(
    codec: h2.connection.H2Connection, answers: dict[int, Response], event: h2.events.Event
) -> set[int]:
    """Keep what an event says; return the streams that it ends."""
    if isinstance(event, h2.events.ResponseReceived):
        fields = {str(name): str(value) for name, value in event.headers}
        answers[event.stream_id].status = int(fields[":status"])
    elif isinstance(event, h2.events.DataReceived):
        answers[event.stream_id].body += event.data
        codec.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
    elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
        return {event.stream_id}
    return set()
