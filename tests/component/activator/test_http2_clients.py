"""Clients that speak HTTP/2 to the gateway, in front of applications that speak HTTP/1.1."""

from __future__ import annotations

import asyncio
import datetime
import shutil
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from activator.dataplane import Limits
from activator.dispatch import Dispatcher
from activator.http.context import ServerLimits
from hearth.kube.certificates import AUTHORITIES, CERTIFICATE, KEY, renewed
from tests.component.activator.http2 import Client, connect

HOST = "hello.test"


async def test_requests_of_one_connection_are_answered_as_they_come(lab: Any) -> None:
    waits = asyncio.Event()

    async def answer(request: Any) -> bytes:
        if request.target == "/slow":
            await waits.wait()
        return bytes(lab.text(request.target, "X-Kind: h1"))

    app = await lab.app(answer)
    lab.revision("hello", app)
    client = await connect(lab)
    slow = client.ask(HOST, "/slow")
    quick = await client.get(HOST, "/quick?a=b")
    assert (quick.status, quick.body) == (200, b"/quick?a=b")
    assert quick.header("x-kind") == "h1"
    assert not slow.ended
    waits.set()
    assert (await slow.done()).body == b"/slow"


async def test_what_the_application_gets(lab: Any) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    client = await connect(lab)
    fields = [
        ("x-a", "1"),
        ("cookie", "a=b"),
        ("x-a", "2"),
        ("cookie", "c=d"),
        ("te", "trailers"),
        ("knative-serving-revision", "other"),
        ("x-forwarded-for", "9.9.9.9"),
    ]
    assert (
        await client.ask(HOST, "/p?q", *fields, method="POST", body=b"abc").done()
    ).status == 200
    (request,) = app.requests
    assert (request.method, request.target, request.body) == ("POST", "/p?q", b"abc")
    assert request.header("host") == HOST
    assert request.header("x-a") == "1, 2"
    assert request.header("cookie") == "a=b; c=d"
    assert request.header("te") == "trailers"
    assert request.header("content-length") == "3"
    assert request.header("transfer-encoding") is None
    assert request.header("knative-serving-revision") is None
    assert request.header("x-forwarded-for") == "9.9.9.9, 127.0.0.1"
    assert request.header("x-forwarded-proto") == "http"


async def test_a_body_in_pieces_goes_on_in_chunks_with_its_trailers(lab: Any) -> None:
    app = await lab.app(lambda request: lab.text(request.body))
    lab.revision("hello", app)
    client = await connect(lab)
    answer = client.ask(HOST, method="POST", body=b"first ", end=False)
    stream = answer.stream
    await client.send(stream, b"second")
    client.h2.send_headers(stream, [("x-checksum", "1"), ("content-length", "9")], end_stream=True)
    client.flush()
    assert (await answer.done()).body == b"first second"
    assert app.requests[0].header("transfer-encoding") == "chunked"
    assert app.requests[0].trailers == [("x-checksum", "1")]


async def test_a_chunked_response_with_trailers(lab: Any) -> None:
    reply = (
        b"HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nX-Kept: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"
    )
    lab.revision("hello", await lab.app(lambda request: reply))
    answer = await (await connect(lab)).get(HOST)
    assert answer.body == b"hello"
    assert answer.trailers == [(b"x-t", b"1")]
    assert answer.header("x-kept") == "1"
    for name in ("x-hop", "connection", "transfer-encoding"):
        assert answer.header(name) is None


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_responses_without_a_body(lab: Any, status: str) -> None:
    lab.revision("hello", await lab.app(lambda r: f"HTTP/1.1 {status}\r\n\r\n".encode()))
    answer = await (await connect(lab)).get(HOST)
    assert str(answer.status) == status[:3]
    assert answer.body == b""


async def test_head(lab: Any) -> None:
    lab.revision("hello", await lab.app(lambda r: b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"))
    client = await connect(lab)
    answer = await client.ask(HOST, method="HEAD").done()
    assert (answer.status, answer.header("content-length"), answer.body) == (200, "9", b"")
    # An answer of the gateway's own as well.
    refused = await client.ask("unknown.test", method="HEAD").done()
    assert (refused.status, refused.body) == (404, b"")


async def test_hints_come_before_the_response(lab: Any) -> None:
    reply = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    lab.revision("hello", await lab.app(lambda request: reply + lab.text("hello")))
    answer = await (await connect(lab)).get(HOST)
    assert answer.interim == [[(b":status", b"103"), (b"link", b"</a>")]]
    assert answer.body == b"hello"


async def test_expect_is_passed_on_and_its_answer_back(lab: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"expect: 100-continue" in head.lower()
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(4)
        writer.write(lab.text(body))

    lab.revision("hello", await lab.raw_app(handler))
    client = await connect(lab)
    fields = [("expect", "100-continue"), ("content-length", "4")]
    answer = client.ask(HOST, "/", *fields, method="POST", end=False)
    await answer.until(lambda a: bool(a.interim))
    await client.send(answer.stream, b"body", end=True)
    assert (await answer.done()).body == b"body"


async def test_large_bodies_both_ways(lab: Any) -> None:
    app = await lab.app(lambda request: lab.text(request.body))
    lab.revision("hello", app)
    client = await connect(lab)
    body = bytes(range(256)) * 8192
    answer = client.ask(HOST, method="POST", body=b"", end=False)
    await client.send(answer.stream, body, end=True)
    assert (await answer.done()).body == body


async def test_a_client_that_does_not_read_stops_its_own_stream_only(lab: Any) -> None:
    sent = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/large" not in head:
            writer.write(lab.text("small"))
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    lab.revision("hello", await lab.raw_app(handler))
    client = await connect(lab, reads=False)
    # The small answers need room that the large one must not take.
    client.h2.increment_flow_control_window(1_000_000)
    large = client.ask(HOST, "/large")
    await large.until(lambda a: len(a.body) == 65535)
    before = -1
    while before != sent:
        before = sent
        for _ in range(3):
            assert (await client.get(HOST, "/small")).body == b"small"
    assert sent < 30_000_000
    # What it takes later it gets.
    client.h2.increment_flow_control_window(10_000, stream_id=large.stream)
    client.flush()
    await large.until(lambda a: len(a.body) == 75535)


async def test_a_cancelled_request_is_cancelled_at_the_application(lab: Any) -> None:
    gone = asyncio.Event()
    came = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        came.set()
        if not await reader.read():
            gone.set()

    backend = lab.revision("hello", await lab.raw_app(handler))
    client = await connect(lab)
    answer = client.ask(HOST)
    await asyncio.wait_for(came.wait(), 60)
    client.h2.reset_stream(answer.stream, 8)
    client.flush()
    await asyncio.wait_for(gone.wait(), 60)
    await lab.until(lambda: backend.stats.active == 0)


async def test_a_response_cut_off_is_a_reset(lab: Any) -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel"

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        await writer.drain()

    lab.revision("hello", await lab.raw_app(handler))
    client = await connect(lab)
    answer = await client.get(HOST)
    assert (answer.reset, answer.ended) == (2, False)
    # Others go on.
    assert (await client.get("unknown.test")).status == 404


async def test_an_early_answer_stops_the_upload(lab: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(lab.text("enough", status="413 Content Too Large"))
        await writer.drain()
        await reader.read()

    lab.revision("hello", await lab.raw_app(handler))
    client = await connect(lab)
    answer = client.ask(HOST, method="POST", body=b"part", end=False)
    await answer.until(lambda a: a.ended)
    assert (answer.status, answer.body) == (413, b"enough")
    await answer.until(lambda a: a.reset == 0)
    assert (await client.get("unknown.test")).status == 404


async def test_errors_of_the_gateway(lab: Any) -> None:
    client = await connect(lab)
    answer = await client.get("unknown.test")
    assert (answer.status, answer.header("x-hearth-error")) == (404, "unknown-host")
    connect_answer = client.h2.get_next_available_stream_id()
    client.h2.send_headers(
        connect_answer, [(":method", "CONNECT"), (":authority", "a.b:80")], end_stream=False
    )
    client.flush()
    await lab.until(lambda: connect_answer in client.answers)
    refused = await client.answers[connect_answer].until(lambda a: a.ended)
    assert (refused.status, refused.header("x-hearth-error")) == (405, "connect-refused")
    large = await client.get(HOST, "/", *[("x-a", "b" * 8000)] * 10)
    assert (large.status, large.header("x-hearth-error")) == (431, "head-too-large")
    assert (await client.get("unknown.test")).status == 404


async def test_a_request_time_out(lab: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    app = await lab.raw_app(handler)
    lab.revision("hello", app, timeout_seconds=2.0)
    client = await connect(lab)
    answer = client.ask(HOST)
    await lab.until(lambda: app.connections == 1)
    await lab.pass_time(2.2)
    assert (await answer.done()).status == 504
    assert answer.header("x-hearth-error") == "request-timeout"


async def test_one_waits_in_the_backlog_and_others_do_not(lab: Any) -> None:
    cold = lab.revision("cold")
    lab.revision("hello", await lab.app())
    client = await connect(lab)
    waiting = client.ask("cold.test")
    assert (await client.get(HOST)).status == 200
    assert cold.throttler.waiting == 1
    app = await lab.app(lambda request: lab.text("at last"))
    lab.endpoints(cold, {app.port: lab.State.READY})
    assert (await waiting.done()).body == b"at last"


async def test_a_drain_sends_goaway_and_lets_streams_end(lab: Any) -> None:
    waits = asyncio.Event()

    async def answer(request: Any) -> bytes:
        await waits.wait()
        return bytes(lab.text("late"))

    app = await lab.app(answer)
    lab.revision("hello", app)
    idle, busy = await connect(lab), await connect(lab)
    await idle.get("unknown.test")
    pending = busy.ask(HOST)
    await lab.until(lambda: len(app.requests) == 1)
    draining = asyncio.create_task(lab.plane.server.drain(5))
    await asyncio.wait_for(idle.closed.wait(), 60)
    assert idle.goaway is not None and idle.goaway.error_code == 0
    await lab.until(lambda: busy.goaway is not None)
    waits.set()
    assert (await pending.done()).body == b"late"
    assert await draining == 0


async def test_a_connection_without_streams_is_closed_in_the_end(lab: Any) -> None:
    client = await connect(lab)
    await client.get("unknown.test")
    await lab.pass_time(76)
    await asyncio.wait_for(client.closed.wait(), 60)
    assert client.goaway is not None and client.goaway.error_code == 0


async def test_a_client_that_says_half_a_preface_is_not_waited_for(lab: Any) -> None:
    client = await lab.connect()
    await client.send(b"PRI * HTTP/2.0\r\n\r\nSM")
    # Our settings are there: the connection has changed its half.
    await client.reader.readexactly(9)
    await lab.pass_time(11)
    await lab.until(lambda: not lab.clients)


async def test_the_preface_in_single_octets(lab: Any) -> None:
    lab.revision("hello", await lab.app())
    reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
    client = Client(reader, writer, client_side=True)
    client.h2.initiate_connection()
    for octet in client.h2.data_to_send():
        writer.write(bytes((octet,)))
        await writer.drain()
    assert (await client.get(HOST)).body == b"hello"
    await client.close()


async def test_the_preface_behind_a_request_is_none(lab: Any) -> None:
    lab.revision("hello", await lab.app())
    client = await lab.connect()
    assert (await client.get(HOST)).status == 200
    await client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    response = await client.response()
    assert (response.status, response.error) == (505, "unsupported-version")


async def test_an_offer_to_upgrade_is_taken(lab: Any) -> None:
    lab.revision("hello", await lab.app(lambda request: lab.text(request.target)))
    reader, writer = await asyncio.open_connection("127.0.0.1", lab.port)
    client = Client(reader, writer, client_side=True)
    settings = client.h2.initiate_upgrade_connection()
    assert settings is not None
    client.task.cancel()
    writer.write(
        b"GET /first HTTP/1.1\r\nHost: hello.test\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: " + settings + b"\r\n\r\n"
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"upgrade: h2c" in head.lower()
    client.flush()
    client.task = asyncio.create_task(client.read())
    await lab.until(lambda: 1 in client.answers)
    first = await client.answers[1].done()
    assert first.body == b"/first"
    assert (await client.get(HOST, "/second")).body == b"/second"
    await client.close()


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["Upgrade: h2c", "Connection: Upgrade"], id="no-settings"),
        pytest.param(
            [
                "Upgrade: h2c",
                "Connection: Upgrade, HTTP2-Settings",
                "HTTP2-Settings: AAMAAABk",
                "HTTP2-Settings: AAMAAABk",
            ],
            id="two-settings",
        ),
        pytest.param(
            ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: A"],
            id="malformed-settings",
        ),
        pytest.param(
            ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAT_____"],
            id="settings-out-of-range",
        ),
        pytest.param(
            [
                "Upgrade: h2c",
                "Connection: Upgrade, HTTP2-Settings, close",
                "HTTP2-Settings: AAMAAABk",
            ],
            id="with-close",
        ),
    ],
)
async def test_an_offer_to_upgrade_is_passed_over(lab: Any, lines: list[str]) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    client = await lab.connect()
    assert (await client.get(HOST, "/", *lines)).status == 200
    if "close" not in lines[1]:
        assert (await client.get(HOST, "/", *lines)).status == 200
    assert app.requests[0].header("upgrade") is None
    assert app.requests[0].header("http2-settings") is None


async def test_clients_of_either_version_share_a_listener(lab: Any) -> None:
    lab.revision("hello", await lab.app())
    client = await connect(lab, internal=True)
    assert (await client.get(HOST)).body == b"hello"
    assert (await lab.get(HOST, internal=True)).body == b"hello"


async def test_a_whole_answer_that_nobody_takes_is_dropped_in_the_end(running_lab: Any) -> None:
    limits = Limits(server=ServerLimits(keep_alive_seconds=5.0))
    async with running_lab(limits) as lab:
        lab.revision("hello", await lab.app(lambda request: lab.text("x" * 100_000)))
        client = await connect(lab, reads=False)
        answer = client.ask(HOST)
        await answer.until(lambda a: len(a.body) == 65535)
        for _ in range(3):
            await lab.pass_time(5.2)
        assert (await answer.done()).reset == 8


async def test_httpx(lab: Any) -> None:
    lab.revision("hello", await lab.app(lambda request: lab.text(request.body or b"none")))
    async with httpx.AsyncClient(http1=False, http2=True, timeout=60) as client:
        url = f"http://127.0.0.1:{lab.port}/"
        answers = await asyncio.gather(
            *(client.post(url, headers={"host": HOST}, content=b"%d" % n) for n in range(20))
        )
    assert [answer.content for answer in answers] == [b"%d" % n for n in range(20)]
    assert {answer.http_version for answer in answers} == {"HTTP/2"}


async def test_where_tls_has_agreed_on_it(lab: Any, tmp_path: Path) -> None:
    lab.revision("hello", await lab.app(lambda r: lab.text(r.header("x-forwarded-proto"))))
    made = renewed({}, ["127.0.0.1"], datetime.datetime.now(datetime.UTC))
    assert made is not None
    for name in (CERTIFICATE, KEY):
        (tmp_path / name).write_bytes(made[name])
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(tmp_path / CERTIFICATE, tmp_path / KEY)
    server_tls.set_alpn_protocols(["h2", "http/1.1"])
    gateway = lab.gateway
    _, port = await lab.plane.server.listen(
        "127.0.0.1",
        0,
        lambda peer: Dispatcher(gateway, peer, internal=False),
        tls=server_tls,
    )
    url = f"https://127.0.0.1:{port}/"
    client_tls = ssl.create_default_context(cadata=made[AUTHORITIES].decode())
    for has_http2 in (True, False):
        async with httpx.AsyncClient(http2=has_http2, verify=client_tls, timeout=60) as client:
            answer = await client.get(url, headers={"host": HOST})
        assert (answer.status_code, answer.text) == (200, "https")
        assert answer.http_version == ("HTTP/2" if has_http2 else "HTTP/1.1")


@pytest.mark.parametrize("way", ["--http2-prior-knowledge", "--http2"])
async def test_curl(lab: Any, way: str) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl")
    lab.revision("hello", await lab.app(lambda request: lab.text(f"got {request.target}")))
    # curl 7.88 breaks down where it uses such a connection a second time (mended in 8.0).
    urls = [f"http://127.0.0.1:{lab.port}/path"] * (1 if "prior" in way else 2)
    process = await asyncio.create_subprocess_exec(
        *(curl, "-sS", way, "-H", f"Host: {HOST}", "-w", "\n%{http_version} %{http_code}\n", *urls),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert out.decode().splitlines() == ["got /path", "2 200"] * len(urls)


async def test_h2load(lab: Any) -> None:
    h2load = shutil.which("h2load")
    if h2load is None:
        pytest.skip("there is no h2load (Debian: nghttp2-client)")
    lab.revision("hello", await lab.app())
    url = f"http://127.0.0.1:{lab.port}/"
    process = await asyncio.create_subprocess_exec(
        *(h2load, "-n", "2000", "-c", "4", "-m", "20", "-H", f":authority: {HOST}", url),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert b"status codes: 2000 2xx" in out


async def test_a_request_that_is_answered_before_it_is_taken_leaves_nothing(lab: Any) -> None:
    """What was kept of it is forgotten: the next requests need the connection's window."""
    lab.revision("hello", timeout_seconds=0.1)
    client = await connect(lab)
    for _ in range(2):
        asked = client.ask(HOST, method="POST", body=None, end=False)
        await client.send(asked.stream, bytes(120_000), end=True)
        answer = await asked.done()
        assert (answer.status, answer.header("x-hearth-error")) == (504, "queue-timeout")
        [connection] = lab.clients
        assert (connection.engine.lanes, connection.engine.held) == ({}, 0)
