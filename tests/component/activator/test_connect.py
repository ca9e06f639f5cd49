"""CONNECT on the in-cluster listener, over real sockets."""

import asyncio
import contextlib
from base64 import b64encode
from typing import Any

import pytest

from activator import failures
from activator.http.events import Refusal
from activator.tunnels import Tunnels, Way, way_to

DOMAIN = b"cluster.local"
HOST = b"plain.default.svc.cluster.local"


class Services:
    """The endpoints of ``default/plain``, by its ports."""

    def __init__(self) -> None:
        self.ports: dict[int, int] = {}
        self.refused: list[str] = []

    def address_of(self, namespace: str, name: str, port: int) -> Way:
        if (namespace, name) != ("default", "plain"):
            return failures.UNKNOWN_HOST
        real = self.ports.get(port)
        return failures.NO_ENDPOINTS if real is None else ("127.0.0.1", real)

    def refuse(self, refusal: Refusal) -> None:
        self.refused.append(refusal.reason)


@contextlib.asynccontextmanager
async def tunnelled(lab: Any) -> Any:
    """The in-cluster listener of a lab, with tunnels."""
    services = Services()
    tunnels = Tunnels(
        lambda authority, asking: way_to(
            authority, services.address_of, cluster_domain=DOMAIN, namespace=asking
        ),
        refused=services.refuse,
    )
    where = await lab.plane.listen("127.0.0.1", 0, internal=True, door=tunnels.door)
    lab.internal_port = where[1]
    try:
        yield services
    finally:
        await tunnels.close()


async def connected(lab: Any, host: bytes) -> tuple[Any, Any]:
    client = await lab.connect(internal=True)
    await client.send(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (host, host))
    return client, await client.head()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Gives back what comes, and its end."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def test_bytes_go_both_ways_to_an_endpoint(lab: Any) -> None:
    app = await lab.raw_app(echo)
    async with tunnelled(lab) as services:
        services.ports[443] = app.port
        client, answer = await connected(lab, HOST + b":443")
        assert answer.status == 200
        for piece in (b"\x16\x03\x01 no http", b"GET / HTTP/1.1\r\n\r\n"):
            await client.send(piece)
            assert await client.reader.readexactly(len(piece)) == piece
        client.writer.write_eof()
        assert await client.rest() == b""
        assert services.refused == []


async def test_a_name_alone_is_a_service_of_the_namespace_that_asks(lab: Any) -> None:
    app = await lab.raw_app(echo)
    async with tunnelled(lab) as services:
        services.ports[443] = app.port
        client = await lab.connect(internal=True)
        asks = b"proxy-authorization: basic " + b64encode(b"default:pod")
        await client.send(b"CONNECT plain:443 HTTP/1.1\r\nHost: plain\r\n%b\r\n\r\n" % asks)
        assert (await client.head()).status == 200
        await client.send(b"hello")
        assert await client.reader.readexactly(5) == b"hello"


async def test_more_passes_than_anybody_holds(lab: Any) -> None:
    app = await lab.raw_app(echo)
    async with tunnelled(lab) as services:
        services.ports[443] = app.port
        client, _ = await connected(lab, b"plain.default:443")
        sent = bytes(range(256)) * 40_000

        async def send() -> None:
            client.writer.write(sent)
            await client.writer.drain()
            client.writer.write_eof()

        _, got = await asyncio.gather(send(), client.reader.read(-1))
        assert got == sent


async def test_a_request_may_come_in_pieces_with_more_behind_it(lab: Any) -> None:
    app = await lab.raw_app(echo)
    async with tunnelled(lab) as services:
        services.ports[443] = app.port
        client = await lab.connect(internal=True)
        for piece in (b"CON", b"NECT %b:443 HTTP/1.1\r" % HOST, b"\n\r\nhello"):
            await client.send(piece)
            await asyncio.sleep(0)
        assert (await client.head()).status == 200
        assert await client.reader.readexactly(5) == b"hello"


async def test_other_requests_are_served_as_ever(lab: Any) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    async with tunnelled(lab):
        client = await lab.connect(internal=True)
        await client.send(b"CO")
        await client.send(b"NTROL / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.response()).error == "unknown-host"
        client = await lab.connect(internal=True)
        for _ in range(2):
            await client.send(b"G")
            await client.send(b"ET / HTTP/1.1\r\nHost: hello.test\r\n\r\n")
            assert (await client.response()).status == 200


async def test_without_tunnels_connect_is_refused(lab: Any) -> None:
    _, answer = await connected(lab, HOST + b":443")
    assert (answer.status, answer.error) == (405, "connect-refused")


@pytest.mark.parametrize(
    ("host", "status", "error"),
    [
        (HOST + b":444", 503, "no-endpoints"),
        (b"other.default.svc:443", 404, "unknown-host"),
        (HOST, 400, "bad-request"),
        (b":443", 400, "bad-request"),
        (b"a b:443", 400, "bad-request"),
        (b"a:70000", 400, "bad-request"),
    ],
)
async def test_why_there_is_no_tunnel(lab: Any, host: bytes, status: int, error: str) -> None:
    async with tunnelled(lab) as services:
        _, answer = await connected(lab, host)
        assert (answer.status, answer.error) == (status, error)
        assert services.refused == [error]


async def test_hosts_outside_are_reached_as_they_are(lab: Any) -> None:
    app = await lab.raw_app(echo)
    dead = await lab.app()
    await dead.stop()
    async with tunnelled(lab) as services:
        client, answer = await connected(lab, b"127.0.0.1:%d" % app.port)
        assert answer.status == 200
        await client.send(b"x")
        assert await client.reader.readexactly(1) == b"x"
        _, answer = await connected(lab, b"127.0.0.1:%d" % dead.port)
        assert (answer.status, services.refused) == (502, ["connect-failed"])


async def test_the_end_of_either_side_is_the_end_of_both(lab: Any) -> None:
    ended = asyncio.Event()

    async def application(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1) == b"e":
            return
        with contextlib.suppress(OSError):
            await reader.read(1)
        ended.set()

    app = await lab.raw_app(application)
    async with tunnelled(lab) as services:
        services.ports[443] = app.port
        client, _ = await connected(lab, HOST + b":443")
        await client.send(b"e")
        assert await client.rest() == b""
        client, _ = await connected(lab, HOST + b":443")
        await client.send(b"x")
        client.writer.transport.abort()
        async with asyncio.timeout(60):
            await ended.wait()


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"CONNECT  %b HTTP/1.1\r\nHost: x", id="two-spaces"),
        pytest.param(b"CONNECT %b  HTTP/1.1\r\nHost: x", id="two-spaces-behind"),
        pytest.param(b"CONNECT %b HTTP/1.1 \r\nHost: x", id="space-last"),
        pytest.param(b"CONNECT %b HTTP/1.2\r\nHost: x", id="version"),
        pytest.param(b"CONNECT %b\r\nHost: x", id="no-version"),
        pytest.param(b"CONNECT %b HTTP/1.1\nHost: x", id="lf-behind-the-line"),
        pytest.param(b"CONNECT %b HTTP/1.1\r\nHost: x\nY: z", id="lf-in-a-field"),
        pytest.param(b"CONNECT %b HTTP/1.1\r\nHost: x\rY: z", id="cr-in-a-field"),
        pytest.param(b"CONNECT %b HTTP/1.1\r\nHost: x\0", id="nul"),
        pytest.param(b"CONNECT %b HTTP/1.1\r\nHost : x", id="space-before-the-colon"),
        pytest.param(b"CONNECT %b HTTP/1.1\r\nHost: x\r\n y", id="folded"),
        pytest.param(b"CONNECT %b HTTP/1.1\r\nno colon", id="no-colon"),
        pytest.param(b"CONNECT %b HTTP/1.1\r\nHost: x\r\nContent-Length: 5", id="length"),
        pytest.param(b"CONNECT %b HTTP/1.1\r\nHost: x\r\ntransfer-Encoding: x", id="coding"),
        pytest.param(b"CONNECT %b HTTP/1.1\r\nHost: x\r\nContent_Length: 5", id="underscore"),
    ],
)
async def test_a_malformed_request_for_a_tunnel_gets_none(lab: Any, head: bytes) -> None:
    app = await lab.raw_app(echo)
    async with tunnelled(lab) as services:
        services.ports[443] = app.port
        client = await lab.connect(internal=True)
        await client.send(head % (HOST + b":443") + b"\r\n\r\n")
        answer = await client.response()
        assert (answer.status, answer.error) == (400, "bad-request")
        assert await client.rest() == b""
        assert app.connections == 0
