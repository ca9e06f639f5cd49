"""TLS to applications whose Service says that they speak it."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from activator.backends import Backend
from activator.dataplane import Limits
from activator.endpoints import Endpoint
from activator.routes import BackendRef
from activator.tls.contexts import certified_context
from hearth.kube.certificates import issued, new_authority
from tests.component.activator.conftest import App, get_request, read_request
from tests.component.activator.secured import AUTHORITY, NOW, Secured, client_context, pair_for

NAME = "app.default.svc"
_BELIEVED = new_authority("cluster", ["svc"], NOW)


async def a_secured_app(lab: Any, *names: str) -> App:
    pair = issued(_BELIEVED, names or [NAME], NOW)
    context = certified_context(pair.chain, pair.key)
    app = App()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        app.connections += 1
        try:
            while True:
                request = await read_request(reader)
                app.requests.append(request)
                if request.header("upgrade"):
                    await echo(reader, writer)
                    return
                writer.write(lab.text(request.body or b"hello"))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    app.server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    app.port = app.server.sockets[0].getsockname()[1]
    lab._stack.push_async_callback(app.stop)
    return app


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
    )
    while data := await reader.read(65536):
        writer.write(data.upper())


def leads_to(lab: Any, app: App, *, name: str = NAME) -> Backend:
    rule = lab.rule("app.test", {"app": 100})
    # A plain Service: nobody makes pods for it that could be waited for.
    del rule["http"]["paths"][0]["splits"][0]["appendHeaders"]
    lab.ingress("app", rule)
    backend: Backend = lab.plane.backends.resolve(BackendRef("default", "app", 80))
    address = ("127.0.0.1", app.port)
    ready = Endpoint(address, lab.State.READY, "pod", tls_name=name)
    backend.update_endpoints({address: ready})
    return backend


@pytest.fixture
async def trusting(lab: Any) -> Any:
    lab.plane.pools.trust.set([_BELIEVED.chain.decode()])
    return lab


async def test_requests_reach_it_and_connections_are_kept(trusting: Any) -> None:
    lab = trusting
    app = await a_secured_app(lab)
    leads_to(lab, app)
    client = await lab.connect()
    for _ in range(3):
        assert (await client.get("app.test")).body == b"hello"
    body = b"x" * 500_000
    head = f"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {len(body)}\r\n\r\n"
    await client.send(head.encode() + body)
    assert (await client.response()).body == body
    assert app.connections == 1


async def test_tls_at_both_ends(trusting: Any) -> None:
    lab = trusting
    leads_to(lab, await a_secured_app(lab))
    secured = await Secured(lab).start()
    secured.show_names({"app.test": pair_for("app.test")})
    client = await secured.connect("app.test", client_context("http/1.1"))
    await client.send(get_request("app.test", "/", "Connection: Upgrade", "Upgrade: echo"))
    assert (await client.head()).status == 101
    await client.send(b"a" * 100_000)
    assert await client.reader.readexactly(100_000) == b"A" * 100_000


async def test_who_cannot_show_its_name_gets_nothing(trusting: Any) -> None:
    lab = trusting
    app = await a_secured_app(lab, "other.default.svc")
    leads_to(lab, app)
    answer = await lab.get("app.test")
    assert (answer.status, app.requests) == (502, [])


async def test_who_is_not_believed_gets_nothing(lab: Any) -> None:
    app = await a_secured_app(lab)
    leads_to(lab, app)
    assert (await lab.get("app.test")).status == 502
    assert app.requests == []


async def test_a_bundle_that_means_nothing_does_no_harm_to_others(lab: Any) -> None:
    leads_to(lab, await a_secured_app(lab))
    lab.plane.pools.trust.set(["nonsense", AUTHORITY.chain.decode(), _BELIEVED.chain.decode()])
    assert (await lab.get("app.test")).status == 200


async def test_who_speaks_no_tls(running_lab: Any) -> None:
    async with running_lab(Limits(connect_seconds=0.5)) as lab:
        app = await lab.app()
        leads_to(lab, app)
        assert (await lab.get("app.test")).status == 502
        assert app.requests == []


def test_protocols_of_the_context() -> None:
    from activator.tls.trust import Trust

    trust = Trust()
    context = trust.context
    assert trust.context is context
    assert context.verify_mode is ssl.CERT_REQUIRED
    trust.set([])
    assert trust.context is not context
