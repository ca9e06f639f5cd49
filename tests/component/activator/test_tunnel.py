"""WebSocket and other upgrades: spliced, with half close, back-pressure and an end."""

from __future__ import annotations

import asyncio
from typing import Any

UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: abc")
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"upgrade: websocket" in head.lower()
    assert b"connection: upgrade" in head.lower()
    writer.write(SWITCH + b"welcome")
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b"bye")
    await writer.drain()


async def test_bytes_flow_both_ways_after_the_upgrade(lab: Any) -> None:
    app = await lab.raw_app(echo)
    backend = lab.revision("ws", app)
    client = await lab.connect()
    # Bytes of the new protocol may come with the head.
    await client.send(lab.get_bytes("ws.test", "/", *UPGRADE) + b"early")
    response = await client.head()
    assert response.status == 101
    assert response.header("upgrade") == "websocket"
    assert await client.reader.readexactly(12) == b"welcomeearly"
    await client.send(b"ping")
    assert await client.reader.readexactly(4) == b"ping"
    assert backend.stats.active == 1
    # Half close: the application still gets its last word through.
    client.writer.write_eof()
    assert await client.rest() == b"bye"
    await lab.until(lambda: backend.stats.active == 0)
    assert lab.clients == []


async def test_a_large_echo_is_held_back_and_complete(lab: Any) -> None:
    lab.revision("ws", await lab.raw_app(echo))
    client = await lab.connect()
    await client.send(lab.get_bytes("ws.test", "/", *UPGRADE))
    await client.head()
    await client.reader.readexactly(7)
    total = 32 * 1024 * 1024
    sending = asyncio.create_task(client.send(bytes(total)))
    assert len(await client.reader.readexactly(total)) == total
    await sending


async def test_a_refused_upgrade_stays_http(lab: Any) -> None:
    app = await lab.app(lambda request: lab.text("no", status="400 Bad Request"))
    lab.revision("ws", app)
    client = await lab.connect()
    await client.send(lab.get_bytes("ws.test", "/", *UPGRADE) + lab.get_bytes("ws.test", "/2"))
    assert (await client.response()).status == 400
    assert (await client.response()).status == 400
    assert [request.target for request in app.requests] == ["/", "/2"]
    assert (await client.get("ws.test", "/3")).status == 400


async def test_an_offer_of_h2c_is_passed_over(lab: Any) -> None:
    app = await lab.app(lambda request: lab.text(request.body))
    lab.revision("hello", app)
    client = await lab.connect()
    offer = (
        b"POST / HTTP/1.1\r\nHost: hello.test\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 4\r\n\r\nbody"
    )
    for _ in range(2):
        await client.send(offer)
        assert (await client.response()).body == b"body"
    assert app.requests[0].header("upgrade") is None
    assert app.requests[0].header("http2-settings") is None


async def test_either_end_may_go_away(lab: Any) -> None:
    backend = lab.revision("ws", await lab.raw_app(echo))
    client = await lab.connect()
    await client.send(lab.get_bytes("ws.test", "/", *UPGRADE))
    await client.head()
    client.writer.transport.abort()
    await lab.until(lambda: backend.stats.active == 0)


async def test_the_revisions_timeout_ends_a_tunnel(lab: Any) -> None:
    backend = lab.revision("ws", await lab.raw_app(echo), timeout_seconds=0.15)
    client = await lab.connect()
    await client.send(lab.get_bytes("ws.test", "/", *UPGRADE))
    await client.head()
    try:
        assert await client.rest() in (b"welcome", b"")
    except ConnectionError:
        pass
    await lab.until(lambda: backend.stats.active == 0)


async def test_the_101_is_the_start_of_the_response(lab: Any) -> None:
    """A client that listens to a silent application is cut by idleTimeoutSeconds alone."""

    async def listener(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SWITCH)
        await reader.readexactly(4)
        writer.write(b"here")
        await reader.read()

    lab.revision("ws", await lab.raw_app(listener), response_start_timeout_seconds=20.0)
    client = await lab.connect()
    await client.send(lab.get_bytes("ws.test", "/", *UPGRADE))
    assert (await client.head()).status == 101
    await lab.pass_time(30.0)
    await client.send(b"ping")
    assert await client.reader.readexactly(4) == b"here"


async def test_the_101_has_to_come_in_time(lab: Any) -> None:
    app = await lab.raw_app(lambda reader, writer: asyncio.Event().wait())
    lab.revision("ws", app, response_start_timeout_seconds=0.1)
    client = await lab.connect()
    await client.send(lab.get_bytes("ws.test", "/", *UPGRADE))
    assert (await client.response()).error == "response-start-timeout"


async def test_silence_ends_a_tunnel_and_a_byte_either_way_keeps_it(lab: Any) -> None:
    backend = lab.revision("ws", await lab.raw_app(echo), idle_timeout_seconds=30.0)
    client = await lab.connect()
    await client.send(lab.get_bytes("ws.test", "/", *UPGRADE))
    await client.head()
    await client.reader.readexactly(7)
    for _ in range(3):
        await lab.pass_time(20.0)
        await client.send(b"ping")
        assert await client.reader.readexactly(4) == b"ping"
    await lab.pass_time(40.0)
    try:
        assert await client.rest() == b""
    except ConnectionError:
        pass
    await lab.until(lambda: backend.stats.active == 0)


async def test_a_tunnel_is_one_request_in_flight_and_ends_in_order_at_the_drain(lab: Any) -> None:
    """Any protocol. What was said before the end still arrives, both ways."""
    heard: list[bytes] = []
    ended = asyncio.Event()

    async def talker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"upgrade: foo/2\r\n" in head
        writer.write(b"HTTP/1.1 101 Whatever\r\nConnection: upgrade\r\nUpgrade: foo/2\r\n\r\n")
        while data := await reader.read(65536):
            heard.append(data)
            writer.write(data * 2)
        ended.set()

    backend = lab.revision("foo", await lab.raw_app(talker), container_concurrency=1)
    client = await lab.connect()
    offer = ("Connection: Upgrade", "Upgrade: foo/2")
    await client.send(lab.get_bytes("foo.test", "/", *offer))
    assert (await client.head()).status == 101
    assert backend.stats.active == 1
    await client.send(b"one")
    assert await client.reader.readexactly(6) == b"oneone"
    draining = asyncio.create_task(lab.plane.drain(delay_seconds=0, drain_seconds=0.1))
    await lab.until(lambda: lab.plane.clients.is_draining)
    await client.send(b"two")
    # Not a reset: an end, behind all that was said.
    assert await client.rest() == b"twotwo"
    await client.close()
    await asyncio.wait_for(ended.wait(), 60)
    assert b"".join(heard) == b"onetwo"
    assert await draining == 1
    assert backend.stats.active == 0


async def test_a_client_that_does_not_see_the_end_of_its_tunnel_is_cut(lab: Any) -> None:
    lab.revision("ws", await lab.raw_app(echo))
    client = await lab.connect()
    await client.send(lab.get_bytes("ws.test", "/", *UPGRADE))
    await client.head()
    began = asyncio.get_running_loop().time()
    await lab.plane.drain(delay_seconds=0, drain_seconds=0)
    assert asyncio.get_running_loop().time() - began < 9  # else it is cut after ten
    assert lab.clients == []
