"""What a peer with broken framing gets: one answer, then the end; and nothing reaches the pod."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

HOST = "Host: hello.test"


def request(*lines: str, first: str = "POST / HTTP/1.1", body: str = "") -> bytes:
    return ("\r\n".join([first, *lines, "", ""]) + body).encode("latin-1")


BROKEN = [
    pytest.param(
        request(HOST, "Content-Length: 5", "Transfer-Encoding: chunked", body="0\r\n\r\n"),
        400,
        id="length-and-coding",
    ),
    pytest.param(request(HOST, "Content-Length: 1", "Content-Length: 2", body="ab"), 400, id="two"),
    pytest.param(request(HOST, "Content-Length: +1", body="a"), 400, id="signed-length"),
    pytest.param(request(HOST, "Transfer-Encoding: xchunked"), 400, id="not-chunked"),
    pytest.param(request(HOST, "Transfer-Encoding: gzip, chunked"), 501, id="gzip"),
    pytest.param(request(HOST, "Transfer-Encoding: chunked", body="zz\r\n"), 400, id="chunk-size"),
    pytest.param(
        request(HOST, "Transfer-Encoding: chunked", body="1\r\nab\r\n0\r\n\r\n"),
        400,
        id="chunk-long",
    ),
    pytest.param(
        request(HOST, "Transfer-Encoding: chunked", body="1\na\r\n0\r\n\r\n"), 400, id="chunk-lf"
    ),
    pytest.param(request(HOST + "\rX: y"), 400, id="bare-cr"),
    pytest.param(request(HOST + "\nX: y"), 400, id="bare-lf"),
    pytest.param(request(HOST, "X: a", " folded"), 400, id="folded"),
    pytest.param(request(HOST, "X : a"), 400, id="space-before-colon"),
    pytest.param(request(HOST, HOST), 400, id="two-hosts"),
    pytest.param(request("X: y"), 400, id="no-host"),
    pytest.param(request(HOST, first="GET / HTTP/3.0"), 505, id="version-3"),
    pytest.param(request(HOST, first="GET / HTTP/1.2"), 505, id="version-1.2"),
    pytest.param(request(HOST, first="GET  / HTTP/1.1"), 400, id="two-spaces"),
    pytest.param(
        request(HOST, "Transfer-Encoding: chunked", body="1;" + "e" * 70_000 + "\r\na\r\n"),
        400,
        id="chunk-extension",
    ),
    pytest.param(request(HOST, first="GET / HTTP/2.0"), 505, id="version-2"),
    pytest.param(request(HOST, "X: " + "a" * 70_000), 431, id="large-field"),
    pytest.param(request(HOST, *(f"X-{n}: y" for n in range(300))), 431, id="many-fields"),
    pytest.param(request(HOST, first="CONNECT example.com:443 HTTP/1.1"), 405, id="connect"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="tls"),
]


@pytest.mark.parametrize(("data", "status"), BROKEN)
async def test_broken_framing_ends_the_connection(lab: Any, data: bytes, status: int) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    client = await lab.connect()
    await client.send(data)
    response = await client.response()
    assert response.status == status
    assert response.error is not None
    assert response.header("connection") == "close"
    assert await client.rest() == b""
    assert [r for r in app.requests if r.body or r.method == "GET"] == []


async def test_answers_to_earlier_requests_come_first(lab: Any) -> None:
    async def answer(_: Any) -> bytes:
        await asyncio.sleep(0.01)
        return bytes(lab.text("first"))

    lab.revision("hello", await lab.app(answer))
    client = await lab.connect()
    await client.send(lab.get_bytes("hello.test") + b"BROKEN\r\n\r\n")
    assert (await client.response()).body == b"first"
    assert (await client.response()).status == 400
    assert await client.rest() == b""


async def test_a_smuggled_request_is_not_seen(lab: Any) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    client = await lab.connect()
    await client.send(
        request(HOST, "Content-Length: 4", "Transfer-Encoding: chunked", body="0\r\n\r\n")
        + lab.get_bytes("hello.test", "/smuggled")
    )
    assert (await client.response()).status == 400
    assert await client.rest() == b""
    assert app.requests == []


async def test_what_follows_a_closing_request_is_ignored(lab: Any) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    client = await lab.connect()
    await client.send(
        lab.get_bytes("hello.test", "/", "Connection: close") + lab.get_bytes("hello.test", "/2")
    )
    assert (await client.response()).status == 200
    assert await client.rest() == b""
    assert [r.target for r in app.requests] == ["/"]


async def test_a_fault_within_a_body_ends_the_request_under_way(lab: Any) -> None:
    ended = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await reader.read()
        finally:
            ended.set()

    app = await lab.raw_app(handler)
    backend = lab.revision("hello", app)
    client = await lab.connect()
    await client.send(request(HOST, "Transfer-Encoding: chunked", body="3\r\nabc\r\n"))
    await lab.until(lambda: app.connections == 1)
    await client.send(b"broken\r\n")
    assert (await client.response()).status == 400
    assert await client.rest() == b""
    await asyncio.wait_for(ended.wait(), 60)
    assert backend.stats.active == 0


@pytest.mark.parametrize("size", [1, 2, 7, 64])
async def test_a_request_in_small_pieces(lab: Any, size: int) -> None:
    app = await lab.app(lambda request: lab.text(request.body))
    lab.revision("hello", app)
    client = await lab.connect()
    data = request(HOST, "X-Long: " + "v" * 100, "Transfer-Encoding: chunked") + (
        b"5\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n"
    )
    for start in range(0, len(data), size):
        await client.send(data[start : start + size])
        await asyncio.sleep(0)
    assert (await client.response()).body == b"hello world"
    assert app.requests[0].trailers == [("X-T", "1")]
