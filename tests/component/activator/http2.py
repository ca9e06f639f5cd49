"""A client and an application that speak HTTP/2 by the package h2, as tests want them to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from tests.component.activator.conftest import SECONDS, App, Lab

Fields = list[tuple[bytes, bytes]]


@dataclass
class Answer:
    """What came on a stream."""

    fields: Fields = field(default_factory=list)
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    interim: list[Fields] = field(default_factory=list)
    ended: bool = False
    reset: int | None = None
    stream: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> int:
        return int(dict(self.fields)[b":status"])

    def header(self, name: str) -> str | None:
        values = [v.decode() for n, v in self.fields if n == name.encode()]
        return ", ".join(values) if values else None

    async def until(self, condition: Callable[[Answer], bool]) -> Answer:
        async with asyncio.timeout(SECONDS):
            while not condition(self):
                self.changed.clear()
                await self.changed.wait()
        return self

    async def done(self) -> Answer:
        return await self.until(lambda a: a.ended or a.reset is not None)


class Peer:
    """One end of a connection: reads, answers what the protocol asks for, keeps what came."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        client_side: bool,
        reads: bool = True,
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=client_side,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.answers: dict[int, Answer] = {}
        self.gives_back = reads
        self.goaway: h2.events.ConnectionTerminated | None = None
        self.pings = 0
        self.closed = asyncio.Event()
        self.task = asyncio.create_task(self.read())

    def start(self) -> None:
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    async def read(self) -> None:
        try:
            with contextlib.suppress(OSError, RuntimeError, h2.exceptions.ProtocolError):
                while data := await self.reader.read(65536):
                    for event in self.h2.receive_data(data):
                        await self.take(event)
                    self.flush()
        finally:
            self.closed.set()
            for answer in self.answers.values():
                answer.changed.set()

    async def take(self, event: Any) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event
            # The package takes a GOAWAY for the end of everything; it is none for open streams.
            state = h2.connection.ConnectionState
            is_client = self.h2.config.client_side
            self.h2.state_machine.state = state.CLIENT_OPEN if is_client else state.SERVER_OPEN
        if isinstance(event, h2.events.PingAckReceived):
            self.pings += 1
        stream = getattr(event, "stream_id", None)
        if not stream or isinstance(event, h2.events.WindowUpdated):
            return
        answer = self.answers.setdefault(stream, Answer())
        if isinstance(event, h2.events.RequestReceived | h2.events.ResponseReceived):
            answer.fields = [(bytes(n), bytes(v)) for n, v in event.headers]
        elif isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim.append([(bytes(n), bytes(v)) for n, v in event.headers])
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = [(bytes(n), bytes(v)) for n, v in event.headers]
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            if self.gives_back:
                self.give_back(event)
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = event.error_code
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        answer.changed.set()

    def give_back(self, event: Any) -> None:
        with contextlib.suppress(h2.exceptions.ProtocolError):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    async def send(self, stream: int, body: bytes, *, end: bool = False) -> None:
        """By the windows: waits for room."""
        async with asyncio.timeout(SECONDS):
            while body or end:
                room = min(self.h2.local_flow_control_window(stream), 16384)
                if body and not room:
                    await asyncio.sleep(0.001)
                    continue
                piece, body = body[:room], body[room:]
                self.h2.send_data(stream, piece, end_stream=end and not body)
                self.flush()
                await self.writer.drain()
                if not body:
                    return

    async def close(self) -> None:
        self.writer.close()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


class Client(Peer):
    """Asks the gateway."""

    def ask(
        self,
        host: str,
        path: str = "/",
        *fields: tuple[str, str],
        method: str = "GET",
        body: bytes | None = None,
        end: bool = True,
    ) -> Answer:
        """``body`` None and ``end``: a head alone."""
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":path", path), (":authority", host)]
        self.h2.send_headers(stream, [*head, *fields], end_stream=end and body is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=end)
        self.flush()
        answer = self.answers.setdefault(stream, Answer())
        answer.stream = stream
        return answer

    async def get(self, host: str, path: str = "/", *fields: tuple[str, str]) -> Answer:
        return await self.ask(host, path, *fields).done()


async def connect(lab: Lab, *, internal: bool = False, reads: bool = True) -> Client:
    """A client of the gateway, with prior knowledge."""
    port = lab.internal_port if internal else lab.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = Client(reader, writer, client_side=True, reads=reads)
    client.start()
    lab._stack.push_async_callback(client.close)
    return client


Answering = Callable[["Server", int, Answer], Awaitable[None]]


class Server(Peer):
    """An application's end of a connection: calls ``answering`` for each request's head."""

    answering: Answering
    app: Http2App

    async def take(self, event: Any) -> None:
        await super().take(event)
        if isinstance(event, h2.events.RequestReceived):
            stream = event.stream_id or 0
            task = asyncio.create_task(self.serve(stream, self.answers[stream]))
            self.app.tasks.add(task)
            task.add_done_callback(self.app.tasks.discard)

    async def serve(self, stream: int, request: Answer) -> None:
        self.app.received.append(request)
        with contextlib.suppress(h2.exceptions.ProtocolError, OSError, RuntimeError):
            await self.answering(self, stream, request)

    async def reply(
        self, stream: int, *fields: tuple[str, str], body: bytes = b"", status: int = 200
    ) -> None:
        self.h2.send_headers(stream, [(":status", str(status)), *fields], end_stream=not body)
        self.flush()
        if body:
            await self.send(stream, body, end=True)


class Http2App(App):
    """An application on a port of its own that speaks HTTP/2 and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[Answer] = []
        self.peers: list[Server] = []

    async def stop(self) -> None:
        for peer in self.peers:
            await peer.close()
        await super().stop()


async def an_app(
    lab: Lab, answering: Answering, *, port: int = 0, settings: dict[int, int] | None = None
) -> Http2App:
    app = Http2App()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        app.connections += 1
        peer = Server(reader, writer, client_side=False)
        peer.answering, peer.app = answering, app
        app.peers.append(peer)
        if settings:
            names = {h2.settings.SettingCodes(code): value for code, value in settings.items()}
            peer.h2.local_settings = h2.settings.Settings(client=False, initial_values=names)
        peer.start()
        await peer.closed.wait()
        writer.close()

    app.server = await asyncio.start_server(serve, "127.0.0.1", port)
    app.port = app.server.sockets[0].getsockname()[1]
    lab._stack.push_async_callback(app.stop)
    return app


async def echo(server: Server, stream: int, request: Answer) -> None:
    """Answers with the request's body, once it is whole."""
    await request.done()
    await server.reply(stream, body=request.body)
