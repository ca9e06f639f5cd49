"""Applications that speak HTTP/2, behind the gateway, for clients of either version."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.component.activator.http2 import Answer, Client, Server, an_app, connect, echo

HOST = "hello.test"


async def test_a_client_of_http1(lab: Any) -> None:
    app = await an_app(lab, echo)
    lab.revision("hello", app, http2=True)
    client = await lab.connect()
    for _ in range(2):
        await client.send(
            b"POST /p?q HTTP/1.1\r\nHost: hello.test\r\nX-Upper: 1\r\nTE: trailers\r\n"
            b"Connection: te, x-hop\r\nX-Hop: 1\r\nContent-Length: 4\r\n\r\nbody"
        )
        response = await client.response()
        assert (response.status, response.body) == (200, b"body")
    assert app.connections == 1
    fields = dict(app.received[0].fields)
    assert fields[b":method"] == b"POST"
    assert fields[b":path"] == b"/p?q"
    assert fields[b":scheme"] == b"http"
    assert fields[b":authority"] == b"hello.test"
    assert fields[b"x-upper"] == b"1"
    assert fields[b"te"] == b"trailers"
    assert fields[b"content-length"] == b"4"
    assert fields[b"x-forwarded-for"] == b"127.0.0.1"
    assert not {b"host", b"connection", b"x-hop"} & set(fields)


async def test_chunks_and_trailers_both_ways(lab: Any) -> None:
    async def answer(server: Server, stream: int, request: Answer) -> None:
        await request.done()
        server.h2.send_headers(stream, [(":status", "200"), ("x-kind", "h2")])
        server.h2.send_data(stream, request.body)
        server.h2.send_headers(stream, [("x-checksum", "7")], end_stream=True)
        server.flush()

    app = await an_app(lab, answer)
    lab.revision("hello", app, http2=True)
    client = await lab.connect()
    await client.send(
        b"POST / HTTP/1.1\r\nHost: hello.test\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n3\r\ndef\r\n0\r\nX-T: 1\r\n\r\n"
    )
    response = await client.response()
    assert response.body == b"abcdef"
    assert response.header("transfer-encoding") == "chunked"
    assert response.header("x-kind") == "h2"
    assert response.trailers == [("x-checksum", "7")]
    (request,) = app.received
    assert request.trailers == [(b"x-t", b"1")]
    assert b"transfer-encoding" not in dict(request.fields)


async def test_a_client_of_http2(lab: Any) -> None:
    app = await an_app(lab, echo)
    lab.revision("hello", app, http2=True)
    client = await connect(lab)
    answers = [client.ask(HOST, method="POST", body=b"%d" % n) for n in range(50)]
    for number, answer in enumerate(answers):
        assert (await answer.done()).body == b"%d" % number
    assert app.connections == 1


async def test_an_empty_answer(lab: Any) -> None:
    async def answer(server: Server, stream: int, request: Answer) -> None:
        await server.reply(stream, status=int(dict(request.fields)[b":path"][1:]))

    lab.revision("hello", await an_app(lab, answer), http2=True)
    client, old = await connect(lab), await lab.connect()
    for status in (200, 204, 304, 404):
        assert (await client.get(HOST, f"/{status}")).status == status
        response = await old.get(HOST, f"/{status}")
        assert (response.status, response.body) == (status, b"")


async def test_head(lab: Any) -> None:
    async def answer(server: Server, stream: int, request: Answer) -> None:
        await server.reply(stream, ("content-length", "9"))

    lab.revision("hello", await an_app(lab, answer), http2=True)
    client, old = await connect(lab), await lab.connect()
    assert (await client.ask(HOST, method="HEAD").done()).header("content-length") == "9"
    await old.send(b"HEAD / HTTP/1.1\r\nHost: hello.test\r\n\r\n" * 2)
    for _ in range(2):
        response = await old.head()
        assert (response.status, response.header("content-length")) == (200, "9")


async def test_hints_and_expectations(lab: Any) -> None:
    async def answer(server: Server, stream: int, request: Answer) -> None:
        server.h2.send_headers(stream, [(":status", "100")])
        server.h2.send_headers(stream, [(":status", "103"), ("link", "</a>")])
        server.flush()
        await request.done()
        await server.reply(stream, body=request.body)

    lab.revision("hello", await an_app(lab, answer), http2=True)
    client = await lab.connect()
    await client.send(
        b"POST / HTTP/1.1\r\nHost: hello.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    )
    assert (await client.head()).status == 100
    hints = await client.head()
    assert (hints.status, hints.header("link")) == (103, "</a>")
    await client.send(b"body")
    assert (await client.response()).body == b"body"


@pytest.mark.parametrize("is_old", [True, False])
async def test_large_bodies(lab: Any, is_old: bool) -> None:
    body = bytes(range(256)) * 8192
    lab.revision("hello", await an_app(lab, echo), http2=True)
    if is_old:
        client = await lab.connect()
        head = b"POST / HTTP/1.1\r\nHost: hello.test\r\nContent-Length: %d\r\n\r\n" % len(body)
        await client.send(head + body)
        assert (await client.response()).body == body
    else:
        other = await connect(lab)
        answer = other.ask(HOST, method="POST", body=b"", end=False)
        await other.send(answer.stream, body, end=True)
        assert (await answer.done()).body == body


async def test_an_application_that_does_not_read_stops_its_own_client_only(lab: Any) -> None:
    async def answer(server: Server, stream: int, request: Answer) -> None:
        server.gives_back = False
        if dict(request.fields)[b":path"] == b"/small":
            await server.reply(stream, body=b"small")

    app = await an_app(lab, answer)
    lab.revision("hello", app, http2=True)
    client = await connect(lab)
    large = client.ask(HOST, "/large", method="POST", body=b"", end=False)
    sent = asyncio.create_task(client.send(large.stream, b"x" * 3_000_000))
    try:
        await lab.until(lambda: bool(app.received) and len(app.received[0].body) >= 65_535)
        for _ in range(3):
            assert (await client.get(HOST, "/small")).body == b"small"
        assert not sent.done()
        assert len(app.received[0].body) < 300_000
    finally:
        sent.cancel()
        await asyncio.gather(sent, return_exceptions=True)


async def test_a_client_that_is_gone_is_a_cancelled_stream(lab: Any) -> None:
    async def answer(server: Server, stream: int, request: Answer) -> None:
        await asyncio.Event().wait()

    app = await an_app(lab, answer)
    lab.revision("hello", app, http2=True)
    client, old = await connect(lab), await lab.connect()
    answers = client.ask(HOST)
    await old.send(lab.get_bytes(HOST))
    await lab.until(lambda: len(app.received) == 2)
    client.h2.reset_stream(answers.stream, 8)
    client.flush()
    await old.close()
    await lab.until(lambda: any(getattr(c, "is_half_closed", False) for c in lab.clients))
    # It may only have closed its half; that is known when its time is over.
    await lab.pass_time(5.2)
    for request in app.received:
        assert (await request.until(lambda a: a.reset is not None)).reset == 8
    # The connection is as good as before.
    assert app.connections == 1
    assert not app.peers[0].closed.is_set()


async def test_a_limit_of_streams_is_kept(lab: Any) -> None:
    goes_on = asyncio.Event()
    most = 0

    async def answer(server: Server, stream: int, request: Answer) -> None:
        nonlocal most
        server.busy = getattr(server, "busy", 0) + 1  # type: ignore[attr-defined]
        most = max(most, server.busy)  # type: ignore[attr-defined]
        await goes_on.wait()
        server.busy -= 1  # type: ignore[attr-defined]
        await server.reply(stream, body=b"done")

    app = await an_app(lab, answer, settings={3: 2})
    lab.revision("hello", app, http2=True)
    client = await connect(lab)
    answers = [client.ask(HOST) for _ in range(5)]
    await lab.until(lambda: len(app.received) == 5)
    assert (most, app.connections) == (2, 3)
    goes_on.set()
    for pending in answers:
        assert (await pending.done()).body == b"done"


async def test_calls_are_balanced_not_connections(lab: Any) -> None:
    apps = [await an_app(lab, echo) for _ in range(3)]
    lab.revision("hello", *apps, http2=True, container_concurrency=1)
    client = await connect(lab)
    for _ in range(4):
        answers = [client.ask(HOST, method="POST", body=b"x") for _ in range(3)]
        for answer in answers:
            await answer.done()
    assert all(len(app.received) >= 2 for app in apps)
    assert [app.connections for app in apps] == [1, 1, 1]


async def test_a_goaway_leaves_out_what_is_sent_again(lab: Any) -> None:
    async def answer(server: Server, stream: int, request: Answer) -> None:
        if server is app.peers[0] and stream == 3:
            # Stream 1 was looked at, 3 was not.
            server.h2.close_connection(last_stream_id=1)
            server.flush()
            server.h2.state_machine.state = type(server.h2.state_machine.state).SERVER_OPEN
            first.set()
            return
        if server is app.peers[0]:
            await first.wait()
        await server.reply(stream, body=b"%d" % app.peers.index(server))

    first = asyncio.Event()
    app = await an_app(lab, answer)
    lab.revision("hello", app, http2=True)
    client = await connect(lab)
    kept, again = client.ask(HOST), client.ask(HOST, method="POST", body=b"x")
    assert (await kept.done()).body == b"0"
    assert (await again.done()).body == b"1"
    assert app.connections == 2


async def test_a_refused_stream_is_sent_again_once(lab: Any) -> None:
    refusals = 0

    async def answer(server: Server, stream: int, request: Answer) -> None:
        nonlocal refusals
        if refusals > 0:
            refusals -= 1
            server.h2.reset_stream(stream, 7)
            server.flush()
        else:
            await server.reply(stream, body=b"taken")

    app = await an_app(lab, answer)
    backend = lab.revision("hello", app, http2=True)
    client = await connect(lab)
    refusals = 1
    assert (await client.get(HOST)).body == b"taken"
    refusals = 2
    refused = await client.get(HOST)
    assert (refused.status, refused.header("x-hearth-error")) == (502, "upstream-reset")
    await lab.until(lambda: backend.stats.active == 0)


async def test_a_request_whose_body_has_gone_is_not_sent_again(lab: Any) -> None:
    async def answer(server: Server, stream: int, request: Answer) -> None:
        await request.until(lambda a: bool(a.body))
        server.h2.reset_stream(stream, 7)
        server.flush()

    app = await an_app(lab, answer)
    lab.revision("hello", app, http2=True)
    client = await connect(lab)
    pending = client.ask(HOST, method="POST", body=b"part", end=False)
    await pending.until(lambda a: a.ended)
    assert pending.status == 502
    assert len(app.received) == 1


@pytest.mark.parametrize("has_begun", [False, True])
async def test_an_application_that_dies(lab: Any, has_begun: bool) -> None:
    async def answer(server: Server, stream: int, request: Answer) -> None:
        if has_begun:
            server.h2.send_headers(stream, [(":status", "200")])
            server.h2.send_data(stream, b"part")
            server.flush()
            await server.writer.drain()
        server.writer.transport.abort()

    lab.revision("hello", await an_app(lab, answer), http2=True)
    client = await connect(lab)
    pending = await client.get(HOST)
    if has_begun:
        assert (pending.ended, pending.reset) == (False, 2)
    else:
        assert (pending.status, pending.header("x-hearth-error")) == (502, "upstream-reset")


async def test_a_malformed_answer(lab: Any) -> None:
    async def answer(server: Server, stream: int, request: Answer) -> None:
        fields = [(":status", "200"), ("connection", "close")]
        server.h2.config.validate_outbound_headers = False
        server.h2.send_headers(stream, fields, end_stream=True)
        server.flush()

    lab.revision("hello", await an_app(lab, answer), http2=True)
    pending = await (await connect(lab)).get(HOST)
    assert (pending.status, pending.header("x-hearth-error")) == (502, "bad-response")


async def test_an_application_that_speaks_http1_behind_a_port_for_http2(lab: Any) -> None:
    app = await lab.app()
    lab.revision("hello", app, http2=True)
    response = await lab.get(HOST)
    assert (response.status, response.error) == (502, "bad-response")


async def test_a_cold_start(lab: Any) -> None:
    app = await an_app(lab, echo)
    port = app.port
    await app.stop()
    backend = lab.revision("hello")
    client: Client = await connect(lab)
    pending = [client.ask(HOST, method="POST", body=b"x") for _ in range(20)]
    await lab.until(lambda: backend.throttler.waiting == 20)
    # Its address is known, and nobody listens there yet.
    lab.endpoints(backend, {port: lab.State.NOT_READY}, http2=True)
    started = await an_app(lab, echo, port=port)
    for answer in pending:
        assert (await answer.done()).body == b"x"
    assert started.connections == 1
    assert any(answer.header("server-timing") for answer in pending)


async def test_connections_end_with_their_pod(lab: Any) -> None:
    app = await an_app(lab, echo)
    backend = lab.revision("hello", app, http2=True)
    client = await connect(lab)
    pending = client.ask(HOST, method="POST", body=b"a", end=False)
    await lab.until(lambda: bool(app.received))
    lab.endpoints(backend, {app.port: lab.State.TERMINATING}, http2=True)
    await client.send(pending.stream, b"b", end=True)
    assert (await pending.done()).body == b"ab"
    await asyncio.wait_for(app.peers[0].closed.wait(), 60)


async def test_a_connection_that_its_application_closed_is_not_used(lab: Any) -> None:
    app = await an_app(lab, echo)
    lab.revision("hello", app, http2=True)
    client = await connect(lab)
    for number in range(1, 4):
        assert (await client.get(HOST)).status == 200
        assert app.connections == number
        app.peers[-1].writer.close()
        await asyncio.wait_for(app.peers[-1].closed.wait(), 60)
        # The gateway may not have read of it yet.


async def test_other_ports_of_the_same_pod_have_their_own_protocol(lab: Any) -> None:
    app = await lab.app(lambda request: lab.text("old"))
    backend = lab.revision("hello", app)
    assert (await lab.get(HOST)).body == b"old"
    # The Service says something else now: connections of the old kind are over.
    lab.endpoints(backend, {app.port: lab.State.READY}, http2=True)
    assert (await lab.get(HOST)).error == "bad-response"
    lab.endpoints(backend, {app.port: lab.State.READY})
    assert (await lab.get(HOST)).body == b"old"


async def test_an_application_that_has_fallen_silent_gets_no_further_call(lab: Any) -> None:
    """Its node is gone, say: nothing says so, and the connection would be used for ever."""

    async def answer(server: Server, stream: int, request: Answer) -> None:
        if server is app.peers[0]:
            server.writer.transport.pause_reading()  # type: ignore[attr-defined]
        else:
            await server.reply(stream, body=b"another")

    app = await an_app(lab, answer)
    lab.revision("hello", app, http2=True)
    client = await connect(lab)
    lost = client.ask(HOST)
    await lab.until(lambda: bool(app.received))
    for _ in range(3):
        assert not lost.ended
        lab.plane.pools.trim()
    # It goes once more, and so does the next one.
    assert (await lost.done()).body == b"another"
    assert (await client.get(HOST)).body == b"another"


async def test_one_that_is_only_slow_keeps_its_calls(lab: Any) -> None:
    goes_on = asyncio.Event()

    async def answer(server: Server, stream: int, request: Answer) -> None:
        await goes_on.wait()
        await server.reply(stream, body=b"slow")

    app = await an_app(lab, answer)
    lab.revision("hello", app, http2=True)
    client = await connect(lab)
    pending = client.ask(HOST)
    await lab.until(lambda: bool(app.received))
    (pool,) = lab.plane.pools._pools.values()
    (connection,) = pool.connections
    for _ in range(6):
        lab.plane.pools.trim()
        await lab.until(lambda: connection._has_heard or not connection._was_asked)
    goes_on.set()
    assert (await pending.done()).body == b"slow"


# -- what a pod speaks is found out (autodetect-http2) ----------------------------------------


async def test_a_pod_that_speaks_http2_is_found_out(lab: Any) -> None:
    app = await an_app(lab, echo)
    lab.revision("hello", app, http2=None)
    client = await connect(lab)
    answers = [client.ask(HOST, method="POST", body=b"x") for _ in range(20)]
    for answer in answers:
        assert (await answer.done()).body == b"x"
    assert app.connections == 1


async def test_a_pod_that_speaks_http1_is_found_out(lab: Any) -> None:
    """By a malformed request, and no more than that one."""
    prefaces = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal prefaces
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"PRI"):
                prefaces += 1
                writer.write(lab.text("what?", status="400 Bad Request"))
                return
            writer.write(lab.text("hello"))

    lab.revision("hello", await lab.raw_app(handler), http2=None)
    answers = await asyncio.gather(*(lab.get(HOST) for _ in range(5)))
    assert [answer.body for answer in answers] == [b"hello"] * 5
    assert (await (await connect(lab)).get(HOST)).body == b"hello"
    assert prefaces == 1


@pytest.mark.parametrize("closes", [True, False])
async def test_one_that_does_not_answer_a_preface_speaks_http1(lab: Any, closes: bool) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"PRI"):
            writer.write(lab.text("hello"))
            await writer.drain()
        elif not closes:
            await reader.read()

    lab.revision("hello", await lab.raw_app(handler), http2=None)
    assert (await lab.get(HOST)).body == b"hello"
    assert (await lab.get(HOST)).body == b"hello"


async def test_what_a_pod_speaks_is_found_out_at_a_cold_start(lab: Any) -> None:
    app = await an_app(lab, echo)
    port = app.port
    await app.stop()
    backend = lab.revision("hello")
    client = await connect(lab)
    pending = client.ask(HOST, method="POST", body=b"x")
    await lab.until(lambda: backend.throttler.waiting == 1)
    lab.endpoints(backend, {port: lab.State.NOT_READY}, http2=None)
    started = await an_app(lab, echo, port=port)
    assert (await pending.done()).body == b"x"
    # The probe's connection carries the first request.
    assert started.connections == 1
    # A new process at the same place may speak something else.
    await started.stop()
    lab.endpoints(backend, {port: lab.State.READY}, http2=None)
    await lab.app(lambda request: lab.text("old"), port=port)
    assert (await client.get(HOST)).body == b"old"
