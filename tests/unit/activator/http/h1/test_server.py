"""Which bytes are written when, as far as no socket is needed for it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from activator.http.context import ServerContext, ServerLimits
from activator.http.events import Handler, Refusal, ResponseHead, ServerStream
from activator.http.fields import Trailers
from activator.http.h1.server import ServerConnection
from activator.http.timers import Timers

ANSWER = ResponseHead.of(202)


class Transport:
    """Notes what is written."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append(data)

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else None

    def close(self) -> None:
        self.closed = True


class App:
    """Keeps the streams; the test answers them."""

    def __init__(self) -> None:
        self.streams: list[ServerStream] = []

    def request(self, stream: ServerStream) -> Handler:
        self.streams.append(stream)
        return self

    def on_body(self, data: bytes) -> None:
        pass

    def on_end(self, trailers: Trailers) -> None:
        pass

    def on_reset(self, refusal: Refusal | None) -> None:
        pass

    def on_window(self, is_open: bool) -> None:
        pass

    def on_deadline(self, now: float) -> None:
        pass


def requested(*requests: bytes) -> tuple[App, Transport]:
    """An application that has been sent these requests in one piece."""
    app, transport = App(), Transport()
    context = ServerContext(Timers(), ServerLimits(pipelined=8))
    connection = ServerConnection(context, lambda peer: app)
    connection.connection_made(cast(asyncio.Transport, transport))
    connection.data_received(b"".join(requests))
    assert len(app.streams) == len(requests)
    return app, transport


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def test_answers_made_in_one_turn_leave_together() -> None:
    app, transport = requested(GET, GET, GET)
    for stream in app.streams:
        stream.send_head(ANSWER, True)
    assert transport.writes == []
    await asyncio.sleep(0)
    assert transport.writes == [ANSWER.wire * 3]


async def test_an_answer_waits_for_the_next_one_a_turn_of_the_loop_at_most() -> None:
    app, transport = requested(GET, GET)
    app.streams[0].send_head(ANSWER, True)
    await asyncio.sleep(0)
    assert transport.writes == [ANSWER.wire]
    app.streams[1].send_head(ANSWER, True)
    await asyncio.sleep(0)
    assert transport.writes == [ANSWER.wire] * 2


async def test_an_answer_leaves_when_its_client_sends_no_more() -> None:
    app, transport = requested(GET)
    app.streams[0].send_head(ANSWER, True)
    connection = cast(Any, app.streams[0])._connection
    assert connection.eof_received() is False
    assert transport.writes == [ANSWER.wire]


async def test_an_answer_in_pieces_comes_behind_those_before_it() -> None:
    app, transport = requested(GET, GET, GET)
    app.streams[0].send_head(ANSWER, True)
    head = ResponseHead.of(200, body=b"on")
    app.streams[1].send_head(head, False)
    app.streams[1].send_body(b"ly")
    app.streams[1].send_end()
    app.streams[2].send_head(ANSWER, True)
    await asyncio.sleep(0)
    assert b"".join(transport.writes) == ANSWER.wire + head.wire + b"ly" + ANSWER.wire


async def test_the_last_answer_takes_those_before_it_along() -> None:
    app, transport = requested(GET, LAST)
    for stream in app.streams:
        stream.send_head(ANSWER, True)
    assert transport.closed
    sent = b"".join(transport.writes)
    assert sent.startswith(ANSWER.wire) and sent.count(b"HTTP/1.1 202") == 2


async def test_what_is_gathered_when_the_client_goes_is_not_written() -> None:
    app, transport = requested(GET, GET)
    app.streams[0].send_head(ANSWER, True)
    connection = cast(Any, app.streams[0])._connection
    connection.connection_lost(None)
    await asyncio.sleep(0)
    assert transport.writes == []
