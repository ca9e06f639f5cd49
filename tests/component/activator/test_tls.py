"""TLS at the gateway, on real sockets: certificates by name, versions, endings, limits."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from activator.tls.terminator import TlsLimits
from tests.component.activator.conftest import Client, get_request
from tests.component.activator.secured import (
    Secured,
    authority_file,
    client_context,
    command,
    pair_for,
    shown,
)

HOST = "hello.test"


@pytest.fixture
async def secured(lab: Any) -> Secured:
    made = await Secured(lab).start()
    made.show_names({HOST: pair_for(HOST)})
    return made


# -- names -------------------------------------------------------------------------------------


async def test_a_request_by_tls(lab: Any, secured: Secured) -> None:
    app = await lab.app()
    lab.revision("hello", app)
    client = await secured.connect(HOST)
    for _ in range(3):
        assert (await client.get(HOST)).body == b"hello"
    assert {request.header("x-forwarded-proto") for request in app.requests} == {"https"}
    assert app.requests[0].header("forwarded") == f"for=127.0.0.1;host={HOST};proto=https"
    assert secured.terminator.results == {"ok": 1}
    assert secured.terminator.pending == 0


async def test_the_certificate_is_that_of_the_name(secured: Secured) -> None:
    secured.show_names(
        {
            "a.example.test": pair_for("a.example.test"),
            "*.example.test": pair_for("*.example.test", "*.deep.example.test"),
            "*.x.example.test": pair_for("*.x.example.test"),
        }
    )
    assert await shown(secured, "a.example.test") == {"a.example.test"}
    assert await shown(secured, "A.EXAMPLE.test") == {"a.example.test"}
    assert "*.example.test" in await shown(secured, "b.example.test")
    assert "*.example.test" in await shown(secured, "b.deep.example.test")
    assert await shown(secured, "b.x.example.test") == {"*.x.example.test"}


async def test_an_unknown_name_is_told_so(secured: Secured) -> None:
    with pytest.raises(ssl.SSLError, match="unrecognized name"):
        await secured.connect("other.test")
    with pytest.raises(ssl.SSLError, match=r"(?i)missing.extension|unknown"):
        await secured.connect(None)
    assert secured.terminator.results["callback failed"] == 2
    secured.show_names({"*": pair_for("other.test")})
    assert await shown(secured, "other.test") == await shown(secured, None) == {"other.test"}


async def test_without_any_certificate(secured: Secured) -> None:
    secured.show_names({})
    with pytest.raises(ssl.SSLError, match="unrecognized name"):
        await secured.connect(HOST)


async def test_the_listener_inside(lab: Any, secured: Secured) -> None:
    name = "hello.default.svc.cluster.test"
    secured.show_names({name: pair_for(name)})
    lab.ingress("hello", {**lab.rule(name, {"hello": 100}), "visibility": "ClusterLocal"})
    lab.endpoints(lab.backend("hello"), {(await lab.app()).port: lab.State.READY})
    client = await secured.connect(name, internal=True)
    assert (await client.get(name)).body == b"hello"
    outside = await secured.connect(name)
    assert (await outside.get(name)).status == 404


# -- versions and protocols --------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_versions(lab: Any, secured: Secured, version: ssl.TLSVersion) -> None:
    lab.revision("hello", await lab.app(lambda request: lab.text(request.body)))
    context = client_context()
    context.minimum_version = context.maximum_version = version
    client = await secured.connect(HOST, context)
    assert client.writer.get_extra_info("ssl_object").version() == version.name.replace("_", ".")
    body = b"x" * 300_000
    head = f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n\r\n"
    await client.send(head.encode() + body)
    assert (await client.response()).body == body


async def test_tls_1_1_is_refused(secured: Secured) -> None:
    context = client_context()
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="protocol version"):
        await secured.connect(HOST, context)
    assert secured.terminator.results == {"unsupported protocol": 1}


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        (("h2", "http/1.1"), "h2"),
        (("http/1.1", "h2"), "h2"),
        (("http/1.1",), "http/1.1"),
        (("http/1.0", "spdy/1"), None),
        ((), None),
    ],
)
async def test_protocols(
    lab: Any, secured: Secured, offered: tuple[str, ...], agreed: str | None
) -> None:
    lab.revision("hello", await lab.app())
    client = await secured.connect(HOST, client_context(*offered))
    assert client.writer.get_extra_info("ssl_object").selected_alpn_protocol() == agreed
    if agreed == "h2":
        # The server's settings.
        assert (await client.reader.readexactly(9))[3:5] == b"\x04\x00"
    else:
        assert (await client.get(HOST)).body == b"hello"


@pytest.mark.parametrize("http2", [True, False])
async def test_httpx(lab: Any, secured: Secured, http2: bool) -> None:
    lab.revision("hello", await lab.app(lambda request: lab.text(request.body or b"none")))
    async with httpx.AsyncClient(http2=http2, verify=client_context(), timeout=60) as client:
        answers = await asyncio.gather(
            *(
                client.post(
                    f"https://127.0.0.1:{secured.port}/",
                    headers={"host": HOST},
                    content=b"%d" % n * 5000,
                    extensions={"sni_hostname": HOST},
                )
                for n in range(20)
            )
        )
    assert [answer.content for answer in answers] == [b"%d" % n * 5000 for n in range(20)]
    assert {answer.http_version for answer in answers} == {"HTTP/2" if http2 else "HTTP/1.1"}


@pytest.mark.parametrize(("way", "version"), [("--http2", "2"), ("--http1.1", "1.1")])
async def test_curl(lab: Any, secured: Secured, tmp_path: Path, way: str, version: str) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl")
    lab.revision("hello", await lab.app(lambda request: lab.text(f"got {request.target}")))
    where = ("--resolve", f"{HOST}:{secured.port}:127.0.0.1", "--cacert")
    urls = [f"https://{HOST}:{secured.port}/path"] * 2
    code, out = await command(
        *(curl, "-sS", way, *where, str(authority_file(tmp_path))),
        *("-w", "\n%{http_version} %{http_code}\n", *urls),
    )
    assert (code, out.splitlines()) == (0, ["got /path", f"{version} 200"] * 2)
    code, out = await command(curl, "-sS", way, *where[:2], *urls[:1])
    assert code == 60, out


async def test_openssl(lab: Any, secured: Secured, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl")
    lab.revision("hello", await lab.app())
    words = (openssl, "s_client", "-connect", f"127.0.0.1:{secured.port}", "-CAfile")
    request = get_request(HOST, "/", "Connection: close")
    code, out = await command(
        *(*words, str(authority_file(tmp_path)), "-servername", HOST, "-verify_return_error"),
        *("-ign_eof", "-alpn", "http/1.1"),
        sent=request,
    )
    assert code == 0, out
    assert "Verify return code: 0 (ok)" in out
    assert "ALPN protocol: http/1.1" in out
    assert out.rstrip().endswith("closed")
    assert "hello" in out


async def test_a_session_is_taken_up_again(lab: Any, secured: Secured) -> None:
    lab.revision("hello", await lab.app())
    context = client_context()

    def visit(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool]:
        with (
            socket.create_connection(("127.0.0.1", secured.port)) as raw,
            context.wrap_socket(raw, server_hostname=HOST, session=session) as tls,
        ):
            tls.sendall(get_request(HOST))
            assert b"200 OK" in tls.recv(1000)
            return tls.session, bool(tls.session_reused)

    session, reused = await asyncio.to_thread(visit, None)
    assert not reused
    # New certificates do not make sessions bad.
    secured.show_names({HOST: pair_for(HOST)})
    assert (await asyncio.to_thread(visit, session))[1]


# -- new certificates --------------------------------------------------------------------------


async def test_certificates_change_under_load_and_no_request_fails(
    lab: Any, secured: Secured
) -> None:
    lab.revision("hello", await lab.app())
    ends = asyncio.Event()
    kept, fresh = 0, 0

    async def stay() -> None:
        nonlocal kept
        client = await secured.connect(HOST)
        while not ends.is_set():
            assert (await client.get(HOST)).status == 200
            kept += 1

    async def come_and_go() -> None:
        nonlocal fresh
        while not ends.is_set():
            client = await secured.connect(HOST, client_context("http/1.1"))
            assert (await client.get(HOST)).status == 200
            await client.close()
            fresh += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(stay())
            group.create_task(come_and_go())
        for _ in range(20):
            before = fresh
            secured.show_names({HOST: pair_for(HOST)})
            await lab.until(lambda before=before: fresh >= before + 4)
        ends.set()
    assert kept >= 20
    assert secured.terminator.results == {"ok": fresh + 4}


async def test_the_next_handshake_sees_the_new_certificate(secured: Secured) -> None:
    old = await secured.connect(HOST)
    secured.show_names({HOST: pair_for(HOST, "new.test")})
    assert "new.test" in await shown(secured, HOST)
    assert (await old.get("other.test")).status == 404


# -- redirects ---------------------------------------------------------------------------------


async def redirected(lab: Any) -> None:
    lab.ingress("hello", lab.rule(HOST, {"hello": 100}), httpOption="Redirected")
    lab.endpoints(lab.backend("hello"), {(await lab.app()).port: lab.State.READY})


async def test_plain_http_is_sent_to_https(lab: Any, secured: Secured) -> None:
    await redirected(lab)
    answer = await lab.get(HOST, "/a?b=c")
    assert (answer.status, answer.header("location")) == (301, f"https://{HOST}/a?b=c")
    client = await secured.connect(HOST)
    assert (await client.get(HOST, "/a?b=c")).body == b"hello"
    assert (await lab.get(HOST, internal=True)).body == b"hello"


async def test_a_redirect_names_the_port_of_the_gateway(running_lab: Any) -> None:
    async with running_lab(secure_port=8443) as lab:
        await redirected(lab)
        answer = await lab.get(f"{HOST}:8080", "/a")
        assert answer.header("location") == f"https://{HOST}:8443/a"


async def test_who_has_come_by_tls_to_a_proxy_in_front_is_not_sent_again(lab: Any) -> None:
    await redirected(lab)
    assert (await lab.get(HOST, "/", "X-Forwarded-Proto: https")).status == 200
    assert (await lab.get(HOST, "/", "X-Forwarded-Proto: http")).status == 301
    lab.gateway.settings = type(lab.gateway.settings)(trusts_forwarded=False)
    assert (await lab.get(HOST, "/", "X-Forwarded-Proto: https")).status == 301


async def test_acme_is_answered_by_plain_http(lab: Any) -> None:
    path = "/.well-known/acme-challenge/token"
    solver = lab.rule(HOST, {"solver": 100}, path=path)["http"]["paths"]
    rule = lab.rule(HOST, {"hello": 100})
    rule["http"]["paths"] = [*solver, *rule["http"]["paths"]]
    lab.ingress("hello", rule, httpOption="Redirected")
    for name in ("solver", "hello"):
        app = await lab.app(lambda request, name=name: lab.text(name))
        lab.endpoints(lab.backend(name), {app.port: lab.State.READY})
    assert (await lab.get(HOST, path)).body == b"solver"
    assert (await lab.get(HOST, "/")).status == 301


# -- endings -----------------------------------------------------------------------------------


async def test_an_early_answer_to_a_long_body_arrives(lab: Any, secured: Secured) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(lab.text("too much", "Connection: close", status="413 Content Too Large"))
        await writer.drain()
        await reader.read()

    lab.revision("hello", await lab.raw_app(handler))
    client = await secured.connect(HOST)
    size = 8 * 1024 * 1024
    await client.send(f"PUT / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {size}\r\n\r\n".encode())
    try:
        await client.send(b"x" * size)
    except OSError:
        pass
    answer = await client.response()
    assert (answer.status, answer.body) == (413, b"too much")


async def test_the_end_of_a_connection_is_said(lab: Any, secured: Secured) -> None:
    lab.revision("hello", await lab.app())
    context = client_context()

    def visit() -> bytes:
        with (
            socket.create_connection(("127.0.0.1", secured.port)) as raw,
            context.wrap_socket(raw, server_hostname=HOST, suppress_ragged_eofs=False) as tls,
        ):
            tls.sendall(get_request(HOST, "/", "Connection: close"))
            data = b""
            while piece := tls.recv(1000):
                data += piece
            return data

    assert (await asyncio.to_thread(visit)).endswith(b"hello")


async def test_a_client_that_ends_its_half_is_answered(lab: Any, secured: Secured) -> None:
    lab.revision("hello", await lab.app())
    raw = Client(*await asyncio.open_connection("127.0.0.1", secured.port))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            await raw.send(outgoing.read())
            incoming.write(await raw.reader.read(65536))
    tls.write(get_request(HOST))
    with pytest.raises(ssl.SSLWantReadError):
        tls.unwrap()
    await raw.send(outgoing.read())
    data = b""
    while not data.endswith(b"hello"):
        incoming.write(await asyncio.wait_for(raw.reader.read(65536), 60))
        try:
            data += tls.read(65536)
        except ssl.SSLWantReadError:
            pass
    await raw.close()


async def test_a_tunnel_goes_both_ways_and_ends(lab: Any, secured: Secured) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
        )
        while data := await reader.read(65536):
            writer.write(data.upper())
            await writer.drain()
        writer.write(b"END")

    lab.revision("hello", await lab.raw_app(handler))
    client = await secured.connect(HOST)
    await client.send(get_request(HOST, "/", "Connection: Upgrade", "Upgrade: echo"))
    assert (await client.head()).status == 101
    for piece in (b"abc", b"d" * 200_000):
        await client.send(piece)
        assert await client.reader.readexactly(len(piece)) == piece.upper()


async def test_a_slow_reader_holds_the_application_back(lab: Any, secured: Secured) -> None:
    written = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
        for _ in range(1024):
            writer.write(b"x" * 65536)
            await writer.drain()
            written += 65536

    lab.revision("hello", await lab.raw_app(handler))
    client = await secured.connect(HOST)
    await client.send(get_request(HOST))
    assert (await client.head()).status == 200
    before = -1
    while written != before:
        before = written
        await asyncio.sleep(0.2)
    assert written < 48 * 1024 * 1024
    rest = await asyncio.wait_for(client.reader.readexactly(64 * 1024 * 1024), 60)
    assert rest == b"x" * len(rest)


async def test_drain(lab: Any, secured: Secured) -> None:
    lab.revision("hello", await lab.app())
    client = await secured.connect(HOST)
    assert (await client.get(HOST)).status == 200
    assert await lab.plane.drain(delay_seconds=0, drain_seconds=1) == 0
    assert await client.rest() == b""


# -- what is no TLS, and limits ----------------------------------------------------------------


async def test_plain_http_to_the_tls_port(secured: Secured) -> None:
    client = Client(*await asyncio.open_connection("127.0.0.1", secured.port))
    answer = await client.get(HOST)
    assert (answer.status, answer.header("connection")) == (400, "close")
    assert answer.body == b"Client sent an HTTP request to an HTTPS server.\n"
    assert await client.rest() == b""
    await client.close()
    assert secured.terminator.results == {"http request": 1}


@pytest.mark.parametrize(
    "data", [b"\x00" * 100, b"\x16\x03\x01\xff\xff" + b"x" * 70_000, b"SSH-2.0-x\r\n"]
)
async def test_nonsense_ends_its_own_connection(lab: Any, secured: Secured, data: bytes) -> None:
    lab.revision("hello", await lab.app())
    client = Client(*await asyncio.open_connection("127.0.0.1", secured.port))
    await client.send(data)
    await ended(client)
    assert secured.terminator.pending == 0
    assert (await (await secured.connect(HOST)).get(HOST)).status == 200


async def test_a_damaged_record_ends_the_connection(lab: Any, secured: Secured) -> None:
    lab.revision("hello", await lab.app())
    client = await secured.connect(HOST)
    assert (await client.get(HOST)).status == 200
    raw = client.writer.get_extra_info("socket")
    record = b"\x17\x03\x03\x00\x20" + b"y" * 32
    with socket.socket(fileno=socket.dup(raw.fileno())) as copy:
        copy.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(copy, record)
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await client.reader.readexactly(1)
    await lab.until(lambda: not lab.clients)


async def ended(client: Client) -> bytes:
    """What comes until the connection ends, in whatever way."""
    try:
        return await client.rest()
    except ConnectionResetError:
        return b""
    finally:
        await client.close()


async def test_a_handshake_that_does_not_end_is_cut(lab: Any, secured: Secured) -> None:
    silent = Client(*await asyncio.open_connection("127.0.0.1", secured.port))
    slow = Client(*await asyncio.open_connection("127.0.0.1", secured.port))
    await slow.send(b"\x16\x03\x01\x02\x00\x01\x00")
    await lab.until(lambda: secured.terminator.pending == 2)
    served = await secured.connect(HOST)
    await lab.pass_time(10.2)
    for client in (silent, slow):
        assert await ended(client) == b""
    assert secured.terminator.results == {"ok": 1, "timeout": 2}
    # One that is through is not cut.
    assert (await served.get("other.test")).status == 404


async def test_no_more_handshakes_than_so_at_a_time(lab: Any) -> None:
    secured = await Secured(lab, TlsLimits(handshakes=3)).start()
    secured.show_names({HOST: pair_for(HOST)})
    waiting = [await asyncio.open_connection("127.0.0.1", secured.port) for _ in range(3)]
    await lab.until(lambda: secured.terminator.pending == 3)
    late = Client(*await asyncio.open_connection("127.0.0.1", secured.port))
    assert await ended(late) == b""
    assert secured.terminator.results == {"too many": 1}
    # Those that had their time make room.
    await lab.pass_time(1.1)
    assert await shown(secured, HOST) == {HOST}
    assert secured.terminator.results["too many"] == 2
    for _, other in waiting:
        other.close()
    await lab.until(lambda: secured.terminator.pending == 0)
    assert secured.terminator.results["gone"] == 2
