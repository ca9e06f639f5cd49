"""Requests and responses through the gateway on real sockets: framing, fields, both directions."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from activator.dataplane import Limits
from activator.gateway import GatewaySettings
from activator.http.context import ServerLimits


async def test_a_request_reaches_the_application(lab: Any) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    response = await lab.get("hello.test", "/path?q=1", "X-One: 1")
    assert (response.status, response.body) == (200, b"hello")
    request = app.requests[0]
    assert (request.method, request.target) == ("GET", "/path?q=1")
    assert request.header("host") == "hello.test"
    assert request.header("x-one") == "1"


async def test_connections_are_kept_alive_on_both_sides(lab: Any) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    client = await lab.connect()
    for _ in range(5):
        assert (await client.get("hello.test")).status == 200
    assert app.connections == 1


async def test_forwarding_fields_are_set(lab: Any) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    await lab.get("hello.test:8080")
    request = app.requests[0]
    assert request.header("x-forwarded-for") == "127.0.0.1"
    assert request.header("x-forwarded-proto") == "http"
    assert request.header("x-forwarded-host") == "hello.test:8080"
    assert request.header("forwarded") == 'for=127.0.0.1;host="hello.test:8080";proto=http'


async def test_forwarding_fields_are_extended(lab: Any) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    await lab.get("hello.test", "/", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https")
    request = app.requests[0]
    assert request.header("x-forwarded-for") == "10.0.0.1, 127.0.0.1"
    assert request.header("x-forwarded-proto") == "https"


async def test_forwarding_fields_of_clients_are_replaced_where_they_are_not_trusted(
    lab: Any,
) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    lab.gateway.settings = GatewaySettings(trusts_forwarded=False)
    seen = ("X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https", "Forwarded: for=10.0.0.1")
    await lab.get("hello.test", "/", *seen)
    request = app.requests[0]
    assert request.header("x-forwarded-for") == "127.0.0.1"
    assert request.header("x-forwarded-proto") == "http"
    assert request.header("forwarded") == "for=127.0.0.1;host=hello.test;proto=http"


async def test_hop_by_hop_and_routing_fields_stop_here(lab: Any) -> None:
    app = await lab.app(
        lambda request: lab.text("x", "Connection: keep-alive, X-Hop", "X-Hop: 1", "X-End: 1")
    )
    lab.revision("hello", app)
    response = await lab.get(
        "hello.test",
        "/",
        "Connection: keep-alive, X-Private",
        "X-Private: secret",
        "Keep-Alive: timeout=5",
        "Proxy-Authorization: Basic eDp5",
        "Knative-Serving-Revision: other",
        "Knative-Serving-Namespace: other",
        "K-Proxy-Request: activator",
        "K-Passthrough-Lb: true",
        "K-Original-Host: other",
    )
    names = {name.lower() for name, _ in app.requests[0].headers}
    assert names == {
        "host",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "forwarded",
    }
    assert response.header("x-hop") is None
    assert response.header("connection") is None
    assert response.header("x-end") == "1"


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_000])
async def test_a_body_with_a_length_goes_both_ways(lab: Any, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    app = await lab.app(lambda request: lab.text(request.body))
    lab.revision("echo", app)
    client = await lab.connect()
    sending = asyncio.ensure_future(
        client.send(
            b"POST / HTTP/1.1\r\nHost: echo.test\r\nContent-Length: %d\r\n\r\n" % size + body
        )
    )
    response = await client.response()
    await sending
    assert response.body == body


async def test_a_chunked_body_with_trailers_goes_both_ways(lab: Any) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        b"5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n"
    )
    app = await lab.app(lambda request: answer)
    lab.revision("hello", app)
    client = await lab.connect()
    await client.send(
        b"POST / HTTP/1.1\r\nHost: hello.test\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;ext=1\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Check: 7\r\nHost: evil\r\n\r\n"
    )
    response = await client.response()
    request = app.requests[0]
    assert request.body == b"abcdefg"
    assert request.trailers == [("X-Check", "7")]
    assert response.body == b"hello world"
    assert response.trailers == [("X-Sum", "11")]
    assert (await client.get("hello.test")).body == b"hello world"


async def test_pipelined_requests_are_answered_in_order(lab: Any) -> None:
    async def answer(request: Any) -> bytes:
        if request.target == "/0":
            await asyncio.sleep(0.02)
        return bytes(lab.text(request.target))

    app = await lab.app(answer)
    lab.revision("hello", app)
    client = await lab.connect()
    post = b"POST /%d HTTP/1.1\r\nHost: hello.test\r\nContent-Length: 3\r\n\r\nabc"
    await client.send(b"".join(post % number for number in range(20)))
    bodies = [(await client.response()).body for _ in range(20)]
    assert bodies == [b"/%d" % number for number in range(20)]
    assert [request.body for request in app.requests] == [b"abc"] * 20


async def test_many_pipelined_refusals_need_no_depth(lab: Any) -> None:
    client = await lab.connect()
    count = 3000
    await client.send(lab.get_bytes("nobody.test") * count)
    for _ in range(count):
        assert (await client.response()).status == 404


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        pytest.param(b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n", 204, id="204"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", 304, id="304"),
    ],
)
async def test_responses_without_a_body(lab: Any, answer: bytes, status: int) -> None:
    app = await lab.app(lambda request: answer)
    lab.revision("hello", app)
    client = await lab.connect()
    for _ in range(2):
        assert (await client.get("hello.test")).status == status
    assert app.connections == 1


async def test_head_has_no_body_whatever_its_length_says(lab: Any) -> None:
    app = await lab.app(
        lambda request: (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
            if request.method == "HEAD"
            else lab.text("body")
        )
    )
    lab.revision("hello", app)
    client = await lab.connect()
    await client.send(b"HEAD / HTTP/1.1\r\nHost: hello.test\r\n\r\n")
    response = await client.response(to_head=True)
    assert response.header("content-length") == "1000"
    assert (await client.get("hello.test")).body == b"body"


@pytest.mark.parametrize("is_later", [False, True], ids=["at-once", "later"])
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "200 OK"])
async def test_a_body_where_none_is_allowed_hurts_nobody(
    lab: Any, status: str, is_later: bool
) -> None:
    """Python's wsgiref answers so, the body in a write of its own."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await lab.read_request(reader)
            if request.target == "/next":
                writer.write(lab.text("next"))
                continue
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\n".encode())
            if is_later:
                await writer.drain()
                await asyncio.sleep(0)
            writer.write(b"body")

    lab.revision("careless", await lab.raw_app(handler))
    client = await lab.connect()
    for _ in range(20):
        await client.send(b"HEAD / HTTP/1.1\r\nHost: careless.test\r\n\r\n")
        assert (await client.response(to_head=True)).status == int(status[:3])
        response = await client.get("careless.test", "/next")
        assert (response.status, response.body) == (200, b"next")


async def test_interim_responses_are_relayed(lab: Any) -> None:
    app = await lab.app(
        lambda request: b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + lab.text("done")
    )
    lab.revision("hello", app)
    client = await lab.connect()
    for _ in range(2):
        await client.send(lab.get_bytes("hello.test"))
        assert (await client.head()).status == 103
        assert (await client.response()).body == b"done"


async def test_expect_continue_is_the_applications_to_answer(lab: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"expect: 100-continue" in head.lower()
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(4)
        writer.write(lab.text(body))
        await writer.drain()

    app = await lab.raw_app(handler)
    lab.revision("hello", app)
    client = await lab.connect()
    await client.send(
        b"POST / HTTP/1.1\r\nHost: hello.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    )
    assert (await client.head()).status == 100
    await client.send(b"body")
    assert (await client.response()).body == b"body"


async def test_a_response_ended_by_close_is_chunked_for_the_client(lab: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\nuntil ")
        await writer.drain()
        writer.write(b"the end")

    app = await lab.raw_app(handler)
    lab.revision("hello", app)
    client = await lab.connect()
    for _ in range(2):
        response = await client.get("hello.test")
        assert (response.version, response.body) == ("HTTP/1.1", b"until the end")
        assert response.header("transfer-encoding") == "chunked"


async def test_http_1_0_client_gets_plain_bytes_and_the_end(lab: Any) -> None:
    app = await lab.app(
        lambda request: (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        )
    )
    lab.revision("hello", app)
    client = await lab.connect()
    await client.send(b"GET / HTTP/1.0\r\nHost: hello.test\r\n\r\n")
    response = await client.response()
    assert response.header("transfer-encoding") is None
    assert response.header("connection") == "close"
    assert response.body == b"hello"


async def test_http_1_0_keep_alive(lab: Any) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    client = await lab.connect()
    for _ in range(2):
        await client.send(b"GET / HTTP/1.0\r\nHost: hello.test\r\nConnection: keep-alive\r\n\r\n")
        response = await client.response()
        assert response.header("connection") == "keep-alive"
        assert response.body == b"hello"


async def test_connection_close_is_honoured(lab: Any) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    client = await lab.connect()
    response = await client.get("hello.test", "/", "Connection: close")
    assert response.header("connection") == "close"
    assert await client.rest() == b""


async def test_a_client_that_leaves_frees_its_pod(running_lab: Any) -> None:
    """After a while: it may only have closed its half. A reset frees it at once."""
    async with running_lab(Limits(server=ServerLimits(half_closed_seconds=0.1))) as lab:
        await _leave(lab)


async def _leave(lab: Any) -> None:
    gone = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.read() == b""
        gone.set()

    app = await lab.raw_app(handler)
    backend = lab.revision("slow", app)
    client = await lab.connect()
    await client.send(lab.get_bytes("slow.test"))
    await lab.until(lambda: app.connections == 1)
    await client.close()
    await asyncio.wait_for(gone.wait(), 60)
    assert backend.stats.active == 0


async def test_a_client_that_has_closed_its_half_is_answered(lab: Any) -> None:
    go_on = asyncio.Event()

    async def answer(_: Any) -> bytes:
        await go_on.wait()
        return bytes(lab.text("late"))

    app = await lab.app(answer)
    lab.revision("hello", app)
    client = await lab.connect()
    await client.send(lab.get_bytes("hello.test"))
    client.writer.write_eof()
    await lab.until(lambda: len(app.requests) == 1)
    [connection] = lab.clients
    await lab.until(lambda: connection.is_half_closed)
    go_on.set()
    response = await client.response()
    assert (response.body, response.header("connection")) == (b"late", "close")
    assert await client.rest() == b""


@pytest.mark.parametrize("host", ["nobody.test", "early.test"])
async def test_an_early_answer_reaches_a_client_that_only_sends(lab: Any, host: str) -> None:
    """Closing over unread bytes would reset the connection, and the answer would be lost."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(lab.text("no", status="413 Content Too Large"))
        await writer.drain()
        await reader.read()

    lab.revision("early", await lab.raw_app(handler))
    client = await lab.connect()
    size = 16 * 1024 * 1024
    await client.send(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n".encode())
    for _ in range(size // 65536):
        await client.send(bytes(65536))
    response = await client.response()
    assert response.status == (413 if host == "early.test" else 404)
    assert response.header("connection") == "close"
    assert await client.rest() == b""


async def test_an_early_answer_to_a_body_of_unknown_length(lab: Any) -> None:
    client = await lab.connect()
    await client.send(b"POST / HTTP/1.1\r\nHost: nobody.test\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    for _ in range(256):
        await client.send(chunk)
    assert (await client.response()).status == 404
    assert await client.rest() == b""


async def test_a_client_that_waits_to_send_its_body_is_told_of_the_end(lab: Any) -> None:
    """RFC 9110, section 10.1.1: who answers and closes instead of 100 says so."""
    client = await lab.connect()
    await client.send(
        b"POST / HTTP/1.1\r\nHost: nobody.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    )
    response = await client.response()
    assert (response.status, response.header("connection")) == (404, "close")
    assert await client.rest() == b""


async def test_equal_lengths_of_a_response_are_one(lab: Any) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"
    lab.revision("hello", await lab.app(lambda request: answer))
    response = await lab.get("hello.test")
    assert (response.body, response.header("content-length")) == (b"ok", "2")


@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\nX: 1\n\nbody"])
async def test_what_cannot_become_http_is_502_at_once(lab: Any, answer: bytes) -> None:
    lab.revision("other", await lab.app(lambda request: answer))
    response = await lab.get("other.test")
    assert (response.status, response.error) == (502, "bad-response")


async def test_an_early_response_leaves_the_connection_usable(lab: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(lab.text("no", status="413 Content Too Large"))
        await writer.drain()

    app = await lab.raw_app(handler)
    lab.revision("hello", app)
    client = await lab.connect()
    await client.send(b"POST / HTTP/1.1\r\nHost: hello.test\r\nContent-Length: 10\r\n\r\n12345")
    assert (await client.response()).status == 413
    await client.send(b"67890")
    assert (await client.get("hello.test")).status == 413
    assert app.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"nonsense\r\n\r\n", id="no-http"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            id="two-framings",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx", id="coding"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc", id="too-much"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", id="unasked-upgrade"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n", id="bare-lf"),
    ],
)
async def test_malformed_responses_are_502(lab: Any, answer: bytes) -> None:
    app = await lab.app(lambda request: answer)
    backend = lab.revision("bad", app)
    response = await lab.get("bad.test")
    assert (response.status, response.error) == (502, "bad-response")
    assert backend.stats.active == 0


async def test_a_connection_lost_before_the_response_is_502(lab: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    app = await lab.raw_app(handler)
    lab.revision("bad", app)
    client = await lab.connect()
    await client.send(b"POST / HTTP/1.1\r\nHost: bad.test\r\nContent-Length: 0\r\n\r\n")
    response = await client.response()
    assert (response.status, response.error) == (502, "upstream-reset")
    # Sent once and never again: the application may have acted on it.
    assert app.connections == 1


async def test_a_connection_lost_within_the_response_is_cut_for_the_client(lab: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
        await writer.drain()

    app = await lab.raw_app(handler)
    lab.revision("bad", app)
    client = await lab.connect()
    await client.send(lab.get_bytes("bad.test"))
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.response()


async def test_network_probes_are_answered_here(lab: Any) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    response = await lab.get("hello.test", "/", "K-Network-Probe: activator")
    assert (response.status, response.body) == (200, b"activator")
    response = await lab.get("hello.test", "/", "K-Network-Probe: probe", "K-Network-Hash: abc")
    assert (response.status, response.header("k-network-hash")) == (200, "abc")
    response = await lab.get("hello.test", "/", "K-Network-Probe: other")
    assert response.status == 400
    probe = ("K-Network-Probe: probe", "K-Network-Hash: override")
    known = (await lab.get("hello.test", "/", *probe)).header("k-network-hash")
    assert known is not None and re.fullmatch("[0-9a-f]{64}", known)
    lab.revision("hello", app, host="other.test")
    other = (await lab.get("other.test", "/", *probe)).header("k-network-hash")
    assert other is not None and other != known
    assert (await lab.get("nobody.test", "/", *probe)).status == 404
    assert app.requests == []


async def test_health(lab: Any) -> None:
    assert (await lab.get("127.0.0.1", "/healthz")).status == 200
    lab.gateway.is_ready = False
    assert (await lab.get("127.0.0.1", "/healthz")).status == 503


async def test_an_unknown_host_is_404_and_says_so(lab: Any) -> None:
    response = await lab.get("nobody.test")
    assert (response.status, response.error) == (404, "unknown-host")


async def test_a_host_that_is_none_is_refused(lab: Any) -> None:
    for host in ("a b", "a/b", "a@b", "a,b"):
        assert (await lab.get(host)).error == "bad-request"


async def test_connections_that_nobody_uses_are_given_up(running_lab: Any) -> None:
    async with running_lab(Limits(pod_idle_seconds=0.0)) as lab:
        app = await lab.app()
        backend = lab.revision("hello", app)
        await lab.get("hello.test")
        [pod] = backend.throttler.ready
        assert lab.plane.pools.idle(pod) == 1
        before = lab.gateway.clock()
        await lab.until(lambda: lab.gateway.clock() > before)
        lab.plane.pools.trim()
        assert lab.plane.pools.idle(pod) == 0
        assert (await lab.get("hello.test")).status == 200
        assert app.connections == 2


async def test_slow_heads_are_ended(running_lab: Any) -> None:
    async with running_lab(Limits(server=ServerLimits(head_seconds=0.1))) as lab:
        client = await lab.connect()
        await client.send(b"GET / HTTP/1.1\r\nHos")
        response = await client.response()
        assert (response.status, response.error) == (408, "head-timeout")
        assert await client.rest() == b""


async def test_idle_connections_are_closed(running_lab: Any) -> None:
    async with running_lab(Limits(server=ServerLimits(keep_alive_seconds=0.1))) as lab:
        lab.revision("hello", await lab.app())
        client = await lab.connect()
        assert (await client.get("hello.test")).status == 200
        assert await client.rest() == b""


async def test_too_many_connections_are_refused(running_lab: Any) -> None:
    async with running_lab(Limits(server=ServerLimits(connections=1))) as lab:
        first = await lab.connect()
        await first.get("nobody.test")
        second = await lab.connect()
        assert (await second.response()).error == "too-many-connections"
        assert await second.rest() == b""
        assert (await first.get("nobody.test")).status == 404


async def test_every_interim_response_is_passed_on_and_says_nothing_of_the_hop(lab: Any) -> None:
    interim = b"".join(
        b"HTTP/1.1 %d X\r\nX-Number: %d\r\nConnection: close\r\nContent-Length: 5\r\n\r\n" % (n, n)
        for n in (100, 102, 103, 103, 150, 199)
    )
    app = await lab.app(lambda request: interim + lab.text("done"))
    lab.revision("hello", app)
    client = await lab.connect()
    for _ in range(2):
        await client.send(lab.get_bytes("hello.test"))
        for number in (100, 102, 103, 103, 150, 199):
            head = await client.head()
            assert (head.status, head.headers) == (number, [("X-Number", str(number))])
        assert (await client.response()).body == b"done"
    assert app.connections == 1


async def test_an_interim_response_is_for_nobody_who_speaks_http_1_0(lab: Any) -> None:
    app = await lab.app(
        lambda request: b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + lab.text("done")
    )
    lab.revision("hello", app)
    client = await lab.connect()
    await client.send(b"GET / HTTP/1.0\r\nHost: hello.test\r\n\r\n")
    response = await client.response()
    assert (response.status, response.body) == (200, b"done")


async def test_an_application_refuses_a_body_before_it_is_sent(lab: Any) -> None:
    """RFC 9110, section 10.1.1: the final answer instead of 100, and the connection ends."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"expect: 100-continue\r\n" in head
        writer.write(lab.text("too large", status="413 Content Too Large"))
        await writer.drain()
        assert await reader.read() == b"", "a body that nobody asked for"

    backend = lab.revision("hello", await lab.raw_app(handler))
    client = await lab.connect()
    await client.send(
        b"POST / HTTP/1.1\r\nHost: hello.test\r\nContent-Length: 9000000\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    response = await client.response()
    assert (response.status, response.body) == (413, b"too large")
    assert response.header("connection") == "close"
    assert await client.rest() == b""
    assert backend.stats.active == 0


@pytest.mark.parametrize("method", ["PURGE", "BREW", "get", "FLUSH", "PRI", "VERSION-CONTROL", "!"])
async def test_any_token_is_a_method(lab: Any, method: str) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    client = await lab.connect()
    for target in ("/1", "/2"):
        await client.send(
            f"{method} {target} HTTP/1.1\r\nHost: hello.test\r\nContent-Length: 3\r\n\r\n"
            "abcGET /after HTTP/1.1\r\nHost: hello.test\r\n\r\n".encode()
        )
        assert (await client.response()).body == b"hello"
        assert (await client.response()).body == b"hello"
    assert [(request.method, request.target, request.body) for request in app.requests] == [
        (method, "/1", b"abc"),
        ("GET", "/after", b""),
        (method, "/2", b"abc"),
        ("GET", "/after", b""),
    ]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_reset_content_has_none(lab: Any, version: str) -> None:
    app = await lab.app(lambda request: b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n")
    lab.revision("hello", app)
    client = await lab.connect()
    ask = f"POST / HTTP/{version}\r\nHost: hello.test\r\nConnection: keep-alive\r\n\r\n".encode()
    for _ in range(2):
        await client.send(ask)
        response = await client.response()
        assert (response.status, response.body) == (205, b"")


async def test_what_a_204_says_of_a_body_is_not_passed_on(lab: Any) -> None:
    answer = b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\nX: 1\r\n\r\n"
    lab.revision("hello", await lab.app(lambda request: answer))
    client = await lab.connect()
    for _ in range(2):
        response = await client.get("hello.test")
        assert (response.status, response.headers) == (204, [("X", "1")])
