"""A gateway on real sockets with scripted applications and raw clients; no Kubernetes."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop

from activator.backends import Backend
from activator.dataplane import DataPlane, Limits
from activator.endpoints import Endpoint, State
from activator.routes import BackendRef, RouteTableBuilder
from activator.targets import TargetSpec
from tests.waiting import until

NAMESPACE = "default"
SECONDS = 60.0


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The data plane runs on uvloop, and its transports differ from asyncio's in small ways."""
    return {"uvloop": uvloop.new_event_loop}


@dataclass
class Request:
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        return ", ".join(values) if values else None


async def read_head(reader: asyncio.StreamReader) -> tuple[str, list[tuple[str, str]]]:
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    return first, [(n, v.strip()) for n, _, v in (line.partition(":") for line in lines)]


async def read_chunks(reader: asyncio.StreamReader) -> tuple[bytes, list[tuple[str, str]]]:
    body = b""
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if size == 0:
            break
        body += await reader.readexactly(size)
        assert await reader.readexactly(2) == b"\r\n"
    trailers = []
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        name, _, value = line[:-2].decode("latin-1").partition(":")
        trailers.append((name, value.strip()))
    return body, trailers


async def read_request(reader: asyncio.StreamReader) -> Request:
    first, headers = await read_head(reader)
    method, target, _ = first.split(" ")
    request = Request(method, target, headers)
    if request.header("transfer-encoding"):
        request.body, request.trailers = await read_chunks(reader)
    elif length := request.header("content-length"):
        request.body = await reader.readexactly(int(length))
    return request


@dataclass
class Response:
    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    version: str = "HTTP/1.1"
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def error(self) -> str | None:
        return self.header("x-hearth-error")


class Client:
    """A raw client: what it sends is up to the test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> Response:
        first, headers = await asyncio.wait_for(read_head(self.reader), SECONDS)
        version, status, *_ = first.split(" ", 2)
        return Response(int(status), headers, version=version)

    async def response(self, *, to_head: bool = False) -> Response:
        response = await self.head()
        if to_head or response.status in (204, 304) or response.status < 200:
            return response
        if response.header("transfer-encoding"):
            response.body, response.trailers = await asyncio.wait_for(
                read_chunks(self.reader), SECONDS
            )
        elif (length := response.header("content-length")) is not None:
            response.body = await asyncio.wait_for(self.reader.readexactly(int(length)), SECONDS)
        else:
            response.body = await self.rest()
        return response

    async def rest(self) -> bytes:
        """Everything until the connection is closed, which has to happen."""
        return await asyncio.wait_for(self.reader.read(), SECONDS)

    async def get(self, host: str, path: str = "/", *lines: str) -> Response:
        await self.send(get_request(host, path, *lines))
        return await self.response()

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass


def get_request(host: str, path: str = "/", *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class App:
    """An application on a port of its own."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self.server: asyncio.Server | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Listen no more and drop every connection, as a killed process does."""
        if self.server is not None:
            self.server.close()
            self.server = None
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def text(body: str | bytes, *lines: str, status: str = "200 OK") -> bytes:
    data = body.encode() if isinstance(body, str) else body
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", *lines, "", ""])
    return head.encode() + data


class Turn:
    """Waits for a deadline like any request."""

    def __init__(self) -> None:
        self.is_over = asyncio.Event()

    def expire(self, now: float) -> None:
        self.is_over.set()


class Lab:
    """The gateway under test and everything around it."""

    def __init__(self, stack: AsyncExitStack, limits: Limits | None, **plane: Any) -> None:
        self._stack = stack
        self._ahead = 0.0
        plane.setdefault("clock", lambda: time.monotonic() + self._ahead)
        self.plane = DataPlane(limits=limits, **plane)
        self.gateway = self.plane.gateway
        self.limits = limits or Limits()
        self.builder: RouteTableBuilder[Backend] = RouteTableBuilder(self.plane.backends.resolve)
        self.gateway.is_ready = True
        self.port = self.internal_port = 0

    @property
    def clients(self) -> list[Any]:
        """Open connections of clients."""
        return list(self.plane.clients.connections)

    async def start(self) -> None:
        _, self.port = await self.plane.listen("127.0.0.1", 0, internal=False)
        _, self.internal_port = await self.plane.listen("127.0.0.1", 0, internal=True)

    # Cluster.

    def ingress(
        self,
        name: str,
        *rules: dict[str, Any],
        annotations: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        **spec: Any,
    ) -> None:
        metadata: dict[str, Any] = {"namespace": NAMESPACE, "name": name, "generation": 1}
        self.builder.put(
            {
                "metadata": {**metadata, "annotations": annotations or {}, "labels": labels or {}},
                "spec": {"rules": list(rules), **spec},
            }
        )
        self.gateway.publish(self.builder.snapshot())

    def revision(
        self, name: str, *apps: App, host: str = "", http2: bool | None = False, **spec: Any
    ) -> Backend:
        """A revision behind ``host`` (NAME.test), ready on the apps' ports."""
        self.ingress(name, self.rule(host or f"{name}.test", {name: 100}))
        backend = self.backend(name)
        backend.configure(TargetSpec(NAMESPACE, name, **spec))
        self.endpoints(backend, {app.port: State.READY for app in apps}, http2=http2)
        return backend

    def backend(self, name: str) -> Backend:
        return self.plane.backends.resolve(BackendRef(NAMESPACE, name, 80, name))

    def rule(self, host: str, weights: dict[str, int], **path: Any) -> dict[str, Any]:
        splits = [
            {
                "serviceNamespace": NAMESPACE,
                "serviceName": name,
                "servicePort": 80,
                "percent": percent,
                "appendHeaders": {
                    "Knative-Serving-Namespace": NAMESPACE,
                    "Knative-Serving-Revision": name,
                },
            }
            for name, percent in weights.items()
        ]
        return {"hosts": [host], "http": {"paths": [{"splits": splits, **path}]}}

    def endpoints(
        self, backend: Backend, states: dict[int, State], *, http2: bool | None = False
    ) -> None:
        """What an EndpointSlice would say."""
        backend.update_endpoints(
            {
                ("127.0.0.1", port): Endpoint(("127.0.0.1", port), state, f"pod-{port}", http2)
                for port, state in states.items()
            }
        )

    # Around it.

    async def raw_app(self, handler: Handler, *, port: int = 0) -> App:
        app = App()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            app.connections += 1
            task = asyncio.current_task()
            assert task is not None
            app.tasks.add(task)
            try:
                await handler(reader, writer)
            except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
                pass
            finally:
                app.tasks.discard(task)
                writer.close()

        app.server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=2048)
        app.port = app.server.sockets[0].getsockname()[1]
        self._stack.push_async_callback(app.stop)
        return app

    async def app(
        self, answer: Callable[[Request], bytes | Awaitable[bytes]] | None = None, *, port: int = 0
    ) -> App:
        """Answers each request with the bytes that ``answer`` gives."""

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                request = await read_request(reader)
                app.requests.append(request)
                out = answer(request) if answer is not None else text("hello")
                writer.write(out if isinstance(out, bytes) else await out)
                await writer.drain()

        app = await self.raw_app(handler, port=port)
        return app

    async def connect(self, *, internal: bool = False, receive_buffer: int = 0) -> Client:
        port = self.internal_port if internal else self.port
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        except OSError:
            sock.close()
            raise
        limit = receive_buffer or 2**16
        client = Client(*await asyncio.open_connection(sock=sock, limit=limit))
        self._stack.push_async_callback(client.close)
        return client

    async def get(
        self, host: str, path: str = "/", *lines: str, internal: bool = False
    ) -> Response:
        client = await self.connect(internal=internal)
        return await client.get(host, path, *lines)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for something that happens by itself, without a fixed sleep."""
        await until(condition)

    async def pass_time(self, seconds: float) -> None:
        """The gateway's clock goes ahead; whatever was due by then has happened."""
        self._ahead += seconds
        turn = Turn()
        self.plane.timers.watch(turn, self.plane.timers.clock())
        await asyncio.wait_for(turn.is_over.wait(), SECONDS)

    # Helpers that tests use by name.

    Request = Request
    Response = Response
    text = staticmethod(text)
    get_bytes = staticmethod(get_request)
    read_request = staticmethod(read_request)
    State = State


@asynccontextmanager
async def running(limits: Limits | None = None, **plane: Any) -> AsyncIterator[Lab]:
    async with AsyncExitStack() as stack:
        lab = Lab(stack, limits, **plane)
        await lab.start()
        try:
            yield lab
        finally:
            await lab.plane.drain(delay_seconds=0, drain_seconds=0.05)


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with running() as made:
        yield made


@pytest.fixture
def running_lab() -> Callable[..., Any]:
    """For tests that need other limits."""
    return running
