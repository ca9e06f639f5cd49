"""Both halves of HTTP/1.1 by themselves: an application that is no proxy, a client that POSTs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import uvloop

from activator.http.context import ServerContext, ServerLimits
from activator.http.events import (
    CONTINUE,
    FieldBlock,
    Handler,
    Lost,
    Peer,
    Refusal,
    RequestHead,
    Reset,
    ResponseHead,
    ServerStream,
)
from activator.http.fields import Trailers
from activator.http.h1.client import ClientConnection
from activator.http.server import HttpServer
from activator.http.timers import Timers

ANSWER = ResponseHead.of(202)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


class Collecting:
    """Takes a whole request, as the broker's ingress does, and leaves the answer to the test."""

    def __init__(self, app: App, stream: ServerStream) -> None:
        self.app = app
        self.stream = stream
        self.body = stream.head.body
        self.trailers: Trailers = ()
        self.reset = False
        if stream.is_whole:
            app.receive(self)
        elif stream.head.expects_continue:
            stream.send_informational(CONTINUE)

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_end(self, trailers: Trailers) -> None:
        self.trailers = trailers
        self.app.receive(self)

    def on_reset(self, refusal: Refusal | None) -> None:
        self.reset = True
        self.app.changed.set()

    def on_window(self, is_open: bool) -> None:
        pass

    def on_deadline(self, now: float) -> None:
        pass


@dataclass
class App:
    """Answers each request at once, or whenever the test says so."""

    answers: bool = True
    requests: list[Collecting] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def session(self, peer: Peer) -> App:
        assert peer.address == "127.0.0.1"
        return self

    def request(self, stream: ServerStream) -> Handler:
        return Collecting(self, stream)

    def receive(self, request: Collecting) -> None:
        self.requests.append(request)
        self.changed.set()
        if self.answers:
            request.stream.send_head(ANSWER, True)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


class Asking:
    """Waits for one response."""

    def __init__(self) -> None:
        self.head: ResponseHead | None = None
        self.body = b""
        self.trailers: Trailers = ()
        self.interim: list[int] = []
        self.reset: Reset | None = None
        self.done = asyncio.Event()

    def on_informational(self, head: ResponseHead) -> None:
        self.interim.append(head.status)

    def on_response(self, head: ResponseHead, end: bool) -> None:
        self.head = head
        self.body += head.body
        if end:
            self.done.set()

    def on_response_body(self, data: bytes) -> None:
        self.body += data

    def on_response_end(self, trailers: Trailers) -> None:
        self.trailers = trailers
        self.done.set()

    def on_lost(self, reset: Reset) -> None:
        self.reset = reset
        self.done.set()

    def on_request_window(self, is_open: bool) -> None:
        pass

    async def result(self) -> tuple[int, bytes]:
        async with asyncio.timeout(60):
            await self.done.wait()
        return self.head.status if self.head is not None else 0, self.body


class Client:
    """One connection and what its owner hears."""

    def __init__(self) -> None:
        self.idle: list[ClientConnection] = []
        self.lost = 0

    async def connect(self, port: int) -> ClientConnection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: ClientConnection(loop.time, on_idle=self.idle.append, on_lost=self._count),
            "127.0.0.1",
            port,
        )
        return connection

    def _count(self, connection: ClientConnection) -> None:
        self.lost += 1


@contextlib.asynccontextmanager
async def serving(app: App, limits: ServerLimits | None = None) -> AsyncIterator[int]:
    server = HttpServer(ServerContext(Timers(), limits))
    _, port = await server.listen("127.0.0.1", 0, app.session)
    try:
        yield port
    finally:
        await server.drain(0.05)


def post(body: bytes, *, length: int | None = None) -> RequestHead:
    block = FieldBlock.of([(b"ce-id", b"1")])
    size = len(body) if length is None else length
    return RequestHead.of(b"POST", b"/ns/name", b"broker", blocks=(block,), length=size)


async def test_a_post_is_collected_and_answered_and_the_connection_kept() -> None:
    app, client = App(), Client()
    async with serving(app) as port:
        connection = await client.connect(port)
        for number in range(3):
            asking = Asking()
            connection.open(asking, post(b"event"), b"event", True, False)
            assert await asking.result() == (202, b"")
            assert client.idle == [connection] * (number + 1)
            assert connection.is_usable(asyncio.get_running_loop().time())
        connection.close()
    request = app.requests[0]
    assert (request.stream.head.method, request.stream.head.target) == (b"POST", b"/ns/name")
    assert request.stream.head.fields == [(b"ce-id", b"1")]
    assert [request.body for request in app.requests] == [b"event"] * 3


async def test_a_body_of_unknown_length_with_trailers() -> None:
    app, client = App(), Client()
    async with serving(app) as port:
        connection, asking = await client.connect(port), Asking()
        stream = connection.open(asking, post(b"", length=-1), b"first ", False, False)
        stream.send_body(b"second")
        stream.send_end([(b"x-sum", b"2")])
        assert (await asking.result())[0] == 202
        connection.close()
    assert app.requests[0].body == b"first second"
    assert app.requests[0].trailers == [(b"x-sum", b"2")]


async def test_answers_keep_the_order_of_requests_whoever_is_ready_first() -> None:
    app = App(answers=False)
    async with serving(app, ServerLimits(pipelined=8)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
        writer.write(b"".join(request % number for number in range(12)))
        await app.until(lambda: len(app.requests) == 8)
        for made in reversed(app.requests[:8]):
            made.stream.send_head(ResponseHead.of(200, body=made.stream.head.target), True)
        await app.until(lambda: len(app.requests) == 12)
        for made in app.requests[8:]:
            made.stream.send_head(ResponseHead.of(200, body=made.stream.head.target), True)
        for number in range(12):
            assert await reader.readuntil(b"\r\n\r\n") == (
                b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(b"/%d" % number)
            )
            assert await reader.readexactly(len(b"/%d" % number)) == b"/%d" % number
        writer.close()
        await writer.wait_closed()


async def test_an_informational_response_comes_first() -> None:
    app, client = App(), Client()
    async with serving(app) as port:
        connection, asking = await client.connect(port), Asking()
        head = post(b"body")
        head.expects_continue = True
        stream = connection.open(asking, head, b"", False, False)
        async with asyncio.timeout(60):
            while not asking.interim:
                await asyncio.sleep(0.001)
        stream.send_body(b"body")
        stream.send_end()
        assert await asking.result() == (202, b"")
        assert asking.interim == [100]
        connection.close()


async def test_a_response_in_pieces_is_given_without_chunks_to_who_takes_none() -> None:
    app, client = App(answers=False), Client()
    async with serving(app) as port:
        connection, asking = await client.connect(port), Asking()
        connection.open(asking, post(b"e"), b"e", True, False)
        await app.until(lambda: len(app.requests) == 1)
        stream = app.requests[0].stream
        head = ResponseHead(200, b"HTTP/1.1 200 OK\r\nx: 1\r\n\r\n", 25, True)
        head.form = head.form.OPEN
        stream.send_head(head, False)
        for piece in (b"one", b"", b"two"):
            stream.send_body(piece)
        stream.send_end([(b"x-sum", b"2")])
        assert await asking.result() == (200, b"onetwo")
        assert asking.trailers == [(b"x-sum", b"2")]
        assert client.idle == [connection]
        connection.close()


async def test_a_client_that_leaves_is_told_to_the_application() -> None:
    app = App(answers=False)
    async with serving(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await app.until(lambda: len(app.requests) == 1)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await app.until(lambda: app.requests[0].reset)


async def test_a_client_that_has_said_all_gets_its_answer() -> None:
    """Half closed: as with ``printf ... | nc -N``."""
    app = App(answers=False)
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        writer.write_eof()
        await app.until(lambda: len(app.requests) == 1)
        app.requests[0].stream.send_head(ResponseHead.of(200, body=b"late"), True)
        data = await asyncio.wait_for(reader.read(), 60)
        assert data.startswith(b"HTTP/1.1 200 OK\r\n") and data.endswith(b"\r\n\r\nlate")
        writer.close()
        await writer.wait_closed()


async def test_a_client_that_may_be_gone_is_given_up_after_a_while() -> None:
    app = App(answers=False)
    async with serving(app, replace(ServerLimits(), half_closed_seconds=0.1)) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        writer.write_eof()
        await app.until(lambda: bool(app.requests) and app.requests[0].reset)
        writer.close()
        await writer.wait_closed()


async def test_a_connection_that_ends_without_an_answer_says_so() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    client = Client()
    connection = await client.connect(server.sockets[0].getsockname()[1])
    asking = Asking()
    connection.open(asking, post(b"e"), b"e", True, False)
    await asking.result()
    assert asking.reset is not None
    assert (asking.reset.cause, asking.reset.has_begun) == (Lost.CLOSED, False)
    assert client.idle == []
    server.close()


async def test_an_early_answer_survives_a_client_that_goes_on_sending() -> None:
    """Closing over unread bytes would reset the connection and take the answer with it."""

    class Refusing(App):
        def request(self, stream: ServerStream) -> Handler:
            stream.send_head(ResponseHead.of(413), True)
            return Collecting(App(answers=False), stream)

    async with serving(Refusing()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        size = 32 * 1024 * 1024
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65536):
            writer.write(bytes(65536))
            await writer.drain()
        data = await asyncio.wait_for(reader.read(), 60)
        assert data.startswith(b"HTTP/1.1 413 ") and b"connection: close\r\n" in data
        writer.close()
        await writer.wait_closed()
