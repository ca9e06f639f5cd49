"""gRPC through the gateway, with the real client and server of the package grpcio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.component.activator.conftest import SECONDS, App
from tests.component.activator.test_routed import routed

HOST = "hello.test"
SERVICE = "test.Echo"


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """grpc.aio polls by a thread of its own, and wants the loop that Python comes with."""
    return {"asyncio": asyncio.new_event_loop}


class Echo(grpc.GenericRpcHandler):  # type: ignore[misc]
    """One method of each kind, on plain bytes."""

    def __init__(self) -> None:
        self.metadata: list[dict[str, Any]] = []
        self.remaining: list[float | None] = []
        self.cancelled = asyncio.Event()
        self.came = asyncio.Event()
        self.goes_on = asyncio.Event()

    def service(self, details: Any) -> Any:
        kinds = {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Wait": grpc.unary_unary_rpc_method_handler(self.wait),
            "Server": grpc.unary_stream_rpc_method_handler(self.server),
            "Client": grpc.stream_unary_rpc_method_handler(self.client),
            "Bidi": grpc.stream_stream_rpc_method_handler(self.bidi),
        }
        return kinds.get(details.method.rpartition("/")[2])

    def note(self, context: Any) -> None:
        self.metadata.append(dict(context.invocation_metadata()))
        self.remaining.append(context.time_remaining())

    async def unary(self, request: bytes, context: Any) -> bytes:
        self.note(context)
        await context.send_initial_metadata((("x-initial", "1"),))
        context.set_trailing_metadata((("x-trailing", "2"), ("x-bin", b"\x00\xff")))
        return request

    async def fail(self, request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: 50 % of it")
        return b""

    async def wait(self, request: bytes, context: Any) -> bytes:
        self.note(context)
        self.came.set()
        try:
            await self.goes_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return b"waited"

    async def server(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        for number in range(int(request)):
            yield b"%d" % number

    async def client(self, requests: Any, context: Any) -> bytes:
        return b",".join([each async for each in requests])

    async def bidi(self, requests: Any, context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            if request == b"fail":
                await context.abort(grpc.StatusCode.DATA_LOSS, "lost")
            yield request.upper()


class Served:
    """A gateway with a gRPC application behind it, and a channel to the gateway."""

    def __init__(self, lab: Any, echo: Echo, channel: Any, servers: list[Any]) -> None:
        self.lab = lab
        self.echo = echo
        self.channel = channel
        self.servers = servers

    def call(self, method: str, kind: str = "unary_unary") -> Any:
        return getattr(self.channel, kind)(f"/{SERVICE}/{method}")

    async def unary(self, request: bytes = b"", method: str = "Unary", **how: Any) -> bytes:
        return bytes(await self.call(method)(request, **{"timeout": SECONDS, **how}))


async def a_server(echo: Echo, **options: Any) -> tuple[Any, App]:
    server = grpc.aio.server(options=[(f"grpc.{k}", v) for k, v in options.items()])
    server.add_generic_rpc_handlers((echo,))
    app = App()
    app.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, app


@pytest.fixture
async def served(lab: Any) -> AsyncIterator[Served]:
    echo = Echo()
    server, app = await a_server(echo)
    lab.revision("hello", app, http2=True)
    async with a_channel(lab) as channel:
        yield Served(lab, echo, channel, [server])
    await server.stop(None)


def a_channel(lab: Any, host: str = HOST) -> Any:
    options = [("grpc.default_authority", host), ("grpc.enable_retries", 0)]
    return grpc.aio.insecure_channel(f"127.0.0.1:{lab.port}", options=options)


async def failure(call: Awaitable[Any]) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value


async def test_unary(served: Served) -> None:
    call = served.call("Unary")(b"hello", metadata=(("x-a", "1"), ("x-b-bin", b"\x00\xfe")))
    assert await call == b"hello"
    assert dict(await call.initial_metadata())["x-initial"] == "1"
    trailing: dict[str, Any] = dict(await call.trailing_metadata())
    assert (trailing["x-trailing"], trailing["x-bin"]) == ("2", b"\x00\xff")
    (metadata,) = served.echo.metadata
    assert (metadata["x-a"], metadata["x-b-bin"]) == ("1", b"\x00\xfe")
    assert metadata["x-forwarded-for"] == "127.0.0.1"


async def test_by_a_route_of_the_http_add_on_from_zero(lab: Any) -> None:
    echo = Echo()
    server, app = await a_server(echo)
    backend = routed(lab)
    async with a_channel(lab, "app.test") as channel:
        call = channel.unary_unary(f"/{SERVICE}/Unary")(b"hello")
        await lab.until(lambda: backend.throttler.waiting == 1)
        lab.endpoints(backend, {app.port: lab.State.READY}, http2=True)
        assert await call == b"hello"
        assert dict(await call.initial_metadata())["x-keda-http-cold-start"] == "true"
    await server.stop(None)


async def test_many_at_a_time(served: Served) -> None:
    answers = await asyncio.gather(*(served.unary(b"%d" % n) for n in range(200)))
    assert answers == [b"%d" % n for n in range(200)]


async def test_large_messages(served: Served) -> None:
    message = bytes(range(256)) * 8000
    assert await served.unary(message) == message


async def test_an_error_of_the_application(served: Served) -> None:
    error = await failure(served.unary(method="Fail"))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "not now: 50 % of it"
    # It knows no such method.
    error = await failure(served.unary(method="Other"))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_server_streaming(served: Served) -> None:
    call = served.call("Server", "unary_stream")(b"500", timeout=SECONDS)
    assert [each async for each in call] == [b"%d" % n for n in range(500)]
    assert await call.code() is grpc.StatusCode.OK


async def test_client_streaming(served: Served) -> None:
    async def requests() -> AsyncIterator[bytes]:
        for number in range(500):
            yield b"%d" % number

    call = served.call("Client", "stream_unary")(requests(), timeout=SECONDS)
    assert await call == b",".join(b"%d" % n for n in range(500))


async def test_bidirectional_streaming_answers_each_message_as_it_comes(served: Served) -> None:
    call = served.call("Bidi", "stream_stream")(timeout=SECONDS)
    for word in (b"one", b"two", b"three"):
        await call.write(word)
        assert await call.read() == word.upper()
    await call.write(b"fail")
    assert await call.code() is grpc.StatusCode.DATA_LOSS
    assert await call.details() == "lost"


async def test_bidirectional_streaming_that_the_client_ends(served: Served) -> None:
    call = served.call("Bidi", "stream_stream")(timeout=SECONDS)
    await call.write(b"one")
    await call.done_writing()
    assert [each async for each in call] == [b"ONE"]
    assert await call.code() is grpc.StatusCode.OK


async def test_a_deadline_is_known_to_the_application(served: Served) -> None:
    await served.unary(timeout=90)
    (remaining,) = served.echo.remaining
    assert remaining is not None and 60 < remaining < 91
    async with asyncio.timeout(SECONDS):
        while not served.echo.cancelled.is_set():  # one may end before it is there
            error = await failure(served.unary(method="Wait", timeout=0.2))
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_cancelled_call_is_cancelled_at_the_application(served: Served) -> None:
    call = served.call("Wait")(b"")
    await asyncio.wait_for(served.echo.came.wait(), SECONDS)
    call.cancel()
    await asyncio.wait_for(served.echo.cancelled.wait(), SECONDS)


async def test_errors_of_the_gateway_are_statuses_of_grpc(served: Served) -> None:
    async with a_channel(served.lab, "unknown.test") as channel:
        error = await failure(channel.unary_unary(f"/{SERVICE}/Unary")(b"", timeout=SECONDS))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert dict(error.trailing_metadata())["x-hearth-error"] == "unknown-host"
    # An application that is not there, and nobody makes one.
    backend = served.lab.backend("hello")
    backend.retire()
    served.lab.endpoints(backend, {})
    error = await failure(served.unary())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert error.details() == "the revision has been deleted"


async def test_a_time_out_of_the_gateway(served: Served) -> None:
    call = served.call("Wait")(b"", timeout=SECONDS)
    pending = asyncio.ensure_future(call)
    await asyncio.wait_for(served.echo.came.wait(), SECONDS)
    await served.lab.pass_time(301)
    error = await failure(pending)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert error.details() == "request timeout"
    await asyncio.wait_for(served.echo.cancelled.wait(), SECONDS)


async def test_an_application_that_dies_within_a_stream(served: Served) -> None:
    call = served.call("Bidi", "stream_stream")(timeout=SECONDS)
    await call.write(b"one")
    assert await call.read() == b"ONE"
    await served.servers[0].stop(None)
    assert await call.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE)


async def test_connections_that_age_lose_no_call(served: Served) -> None:
    """A server that sends GOAWAY to each connection after 100 ms, as many are set up to do."""
    server, app = await a_server(
        served.echo, max_connection_age_ms=100, max_connection_age_grace_ms=5000
    )
    served.lab.revision("aging", app, http2=True)
    async with a_channel(served.lab, "aging.test") as channel:
        call = channel.unary_unary(f"/{SERVICE}/Unary")
        began = asyncio.get_running_loop().time()
        calls = 0
        while asyncio.get_running_loop().time() - began < 1.0 or calls <= 100:
            answers = await asyncio.gather(*(call(b"x", timeout=SECONDS) for _ in range(20)))
            assert answers == [b"x"] * 20
            calls += 20
    await server.stop(None)


async def test_a_drain_of_the_gateway_lets_calls_end(served: Served) -> None:
    call = served.call("Wait")(b"", timeout=SECONDS)
    pending = asyncio.ensure_future(call)
    await asyncio.wait_for(served.echo.came.wait(), SECONDS)
    draining = asyncio.create_task(served.lab.plane.server.drain(5))
    await served.lab.until(lambda: served.lab.plane.clients.is_draining)
    served.echo.goes_on.set()
    assert await pending == b"waited"
    assert await draining == 0


async def test_a_cold_start(lab: Any) -> None:
    backend = lab.revision("hello")
    async with a_channel(lab) as channel:
        call = channel.unary_unary(f"/{SERVICE}/Unary")
        pending = asyncio.gather(*(call(b"x", timeout=SECONDS) for _ in range(10)))
        await lab.until(lambda: backend.throttler.waiting == 10)
        server, app = await a_server(Echo())
        lab.endpoints(backend, {app.port: lab.State.NOT_READY}, http2=True)
        assert await pending == [b"x"] * 10
        await server.stop(None)


async def test_a_hard_limit_holds_for_calls(lab: Any) -> None:
    running = most = 0

    class Counting(Echo):
        async def unary(self, request: bytes, context: Any) -> bytes:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1
            return request

    server, app = await a_server(Counting())
    lab.revision("hello", app, http2=True, container_concurrency=3)
    async with a_channel(lab) as channel:
        call = channel.unary_unary(f"/{SERVICE}/Unary")
        await asyncio.gather(*(call(b"x", timeout=SECONDS) for _ in range(60)))
    assert most == 3
    await server.stop(None)
