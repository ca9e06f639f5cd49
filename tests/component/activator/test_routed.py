"""Exchanges by a route of KEDA's HTTP add-on, over a clock that the test moves; no Kubernetes."""

from __future__ import annotations

import asyncio
from typing import Any

from activator.addonroutes import AddonRoutes
from activator.backends import Backend
from activator.endpoints import Endpoint, State
from activator.policies import USUAL, RouteCounts, policy_of, target_ref, target_spec
from activator.routes import BackendRef
from hearth.keda.api.httproutes import (
    ColdStart,
    HttpRoute,
    Response,
    Rule,
    ServiceRef,
    StaticRoute,
    Timeouts,
)
from tests.component.activator.conftest import App, Lab, get_request

HOST = "app.test"
SPARE = BackendRef("default", "spare", 80)


def routed(lab: Lab, *apps: App, **route: Any) -> Backend:
    """A route whose target has these applications."""
    made = HttpRoute("default", "app", "1", ServiceRef("app", 80), rules=(Rule((HOST,)),), **route)
    backend = lab.plane.backends.resolve(target_ref(made))
    backend.policy = policy_of(made, USUAL, lambda namespace, name: None, RouteCounts())
    backend.configure(target_spec(made, USUAL))
    table: AddonRoutes[Backend] = AddonRoutes()
    table.put(made, backend)
    lab.gateway.publish(lab.builder.snapshot().beside(table.hosts))
    lab.endpoints(backend, {app.port: State.READY for app in apps})
    return backend


async def held(lab: Lab, begins: bytes = b"") -> tuple[App, asyncio.Event]:
    """An application that says ``begins``, and the rest once the event is set."""
    rest = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        app.requests.append(await lab.read_request(reader))
        writer.write(begins)
        await rest.wait()
        writer.write(b"end" if begins else lab.text("late"))
        await writer.drain()

    app = await lab.raw_app(handler)
    return app, rest


async def test_a_response_has_to_begin_within_300_seconds(lab: Lab) -> None:
    app, _ = await held(lab)
    backend = routed(lab, app)
    client = await lab.connect()
    await client.send(get_request(HOST))
    await lab.until(lambda: bool(app.requests))
    await lab.pass_time(299)
    assert backend.stats.active == 1
    await lab.pass_time(2)
    response = await client.response()
    assert (response.status, response.error) == (504, "response-start-timeout")


async def test_one_that_has_begun_may_take_any_time(lab: Lab) -> None:
    app, rest = await held(lab, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
    routed(lab, app)
    client = await lab.connect()
    await client.send(get_request(HOST))
    assert (await client.head()).status == 200
    await lab.pass_time(3000)
    rest.set()
    assert await client.reader.readexactly(3) == b"end"


async def test_the_whole_may_be_bounded_beyond_the_beginning(lab: Lab) -> None:
    app, _ = await held(lab, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
    routed(lab, app, timeouts=Timeouts(request=1000.0))
    client = await lab.connect()
    await client.send(get_request(HOST))
    assert (await client.head()).status == 200
    await lab.pass_time(990)
    await lab.pass_time(20)
    assert await client.rest() == b""


async def test_waiting_is_bounded_by_readiness_alone(lab: Lab) -> None:
    backend = routed(lab, timeouts=Timeouts(readiness=600.0))
    client = await lab.connect()
    await client.send(get_request(HOST))
    await lab.until(lambda: bool(backend.throttler.waiting))
    await lab.pass_time(590)
    assert backend.throttler.waiting == 1
    await lab.pass_time(20)
    assert (await client.response()).error == "readiness-timeout"


async def test_the_fallback_gets_its_time_and_counts_where_it_came_by(lab: Lab) -> None:
    spare, rest = await held(lab)
    other = lab.plane.backends.resolve(SPARE)
    lab.endpoints(other, {spare.port: State.READY})
    backend = routed(lab, cold_start=ColdStart(ServiceRef("spare", 80)))
    client = await lab.connect()
    await client.send(get_request(HOST))
    await lab.until(lambda: bool(backend.throttler.waiting))
    await lab.pass_time(31)
    await lab.until(lambda: bool(spare.requests))
    assert (backend.stats.active, backend.throttler.waiting) == (1, 0)
    rest.set()
    assert (await client.response()).body == b"late"
    assert (backend.stats.active, other.stats.active) == (0, 0)
    assert backend.policy is not None
    assert set(backend.policy.counts.by_kind) == {(b"GET", 200)}


async def test_a_client_that_goes_while_its_target_is_cold_leaves_nothing(lab: Lab) -> None:
    backend = routed(lab, timeouts=Timeouts(readiness=5.0))
    client = await lab.connect()
    await client.send(get_request(HOST))
    await lab.until(lambda: bool(backend.throttler.waiting))
    await client.close()
    await lab.until(lambda: not backend.stats.active)
    assert backend.throttler.waiting == 0
    assert backend.policy is not None
    assert set(backend.policy.counts.by_kind) == {(b"GET", 499)}


async def test_a_cold_burst_is_spread_by_the_target_of_the_route(lab: Lab) -> None:
    app, rest = await held(lab)
    backend = routed(lab)
    backend.throttler.configure(0, 2)
    clients = [await lab.connect() for _ in range(3)]
    for client in clients:
        await client.send(get_request(HOST))
    await lab.until(lambda: backend.throttler.waiting == 3)
    lab.endpoints(backend, {app.port: State.READY})
    await lab.until(lambda: len(app.requests) == 2)
    assert backend.throttler.waiting == 1
    rest.set()
    for client in clients[:2]:
        assert (await client.response()).header("x-keda-http-cold-start") == "true"


async def test_a_static_route_counts_for_nothing_that_is_scaled(lab: Lab) -> None:
    statics = (StaticRoute((Rule(paths=("/healthz",)),), Response(200, "ok")),)
    app = await lab.app()
    backend = routed(lab, app, statics=statics)
    assert backend.policy is not None and backend.policy.uncounted is not None
    assert (await lab.get(HOST, "/healthz")).body == b"ok"
    uncounted = lab.plane.backends.resolve(backend.policy.uncounted)
    address = ("127.0.0.1", app.port)
    uncounted.update_endpoints({address: Endpoint(address, State.READY, "pod")})
    for path in ("/healthz", "//healthz/", "/%68ealthz?x"):
        assert (await lab.get(HOST, path)).body == b"hello"
    assert backend.stats.entered == 0
    counts = backend.policy.counts.by_kind
    # By how long each took; an answer is counted once it is sent.
    await lab.until(lambda: sum(counts[b"GET", 200][:-1]) == 4)
