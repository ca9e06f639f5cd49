"""From zero: requests wait, pods come, everybody is answered once, and the phases are told."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest

from activator.dataplane import Limits
from activator.http.context import ServerLimits
from activator.probing import ProbeKind, ProbeSpec
from activator.reporter import Reporter
from hearth.knative.autoscalers import OneAutoscaler
from hearth.kube.tokens import Tokens
from serving.api import keys
from serving.api.config.gateway import BacklogLimits
from serving.api.stats import Event, Frame, Hello, StatsReader


async def test_a_waiting_request_is_sent_as_soon_as_the_pod_listens(lab: Any) -> None:
    backend = lab.revision("zero")
    client = await lab.connect()
    await client.send(lab.get_bytes("zero.test"))
    await lab.until(lambda: backend.throttler.waiting == 1)
    # The pod has an address and nobody listens yet: the activator looks again and again.
    port = await _free_port()
    lab.endpoints(backend, {port: lab.State.NOT_READY})
    await lab.until(lambda: bool(backend.probing))
    app = await lab.app(port=port)
    response = await client.response()
    assert (response.status, response.body) == (200, b"hello")
    # The connection that the TCP probe opened carried the request.
    assert app.connections == 1
    assert backend.throttler.waiting == 0


async def test_cold_responses_tell_their_phases_and_warm_ones_do_not(lab: Any) -> None:
    backend = lab.revision("zero")
    client = await lab.connect()
    await client.send(lab.get_bytes("zero.test"))
    await lab.until(lambda: backend.throttler.waiting == 1)
    lab.endpoints(backend, {(await lab.app()).port: lab.State.NOT_READY})
    response = await client.response()
    timing = response.header("server-timing") or ""
    assert re.findall(r"(\w+);dur=[\d.]+", timing) == ["scale", "start", "queue", "connect", "app"]
    assert backend.cold_starts == 1
    assert (await client.get("zero.test")).header("server-timing") is None


async def test_an_http_probe_decides_readiness(lab: Any) -> None:
    asked = 0

    def answer(request: Any) -> bytes:
        nonlocal asked
        if request.target != "/ready":
            return bytes(lab.text("served"))
        asked += 1
        assert request.header("x-probe") == "yes"
        status = "200 OK" if asked >= 3 else "503 Service Unavailable"
        return bytes(lab.text("", status=status))

    app = await lab.app(answer)
    probe = ProbeSpec(ProbeKind.HTTP, path="/ready", headers=(("X-Probe", "yes"),))
    backend = lab.revision("zero", probe=probe)
    client = await lab.connect()
    await client.send(lab.get_bytes("zero.test"))
    await lab.until(lambda: backend.throttler.waiting == 1)
    lab.endpoints(backend, {app.port: lab.State.NOT_READY})
    assert (await client.response()).body == b"served"
    assert asked == 3


async def test_a_probe_that_only_the_kubelet_can_run_is_waited_for(lab: Any) -> None:
    app = await lab.app()
    backend = lab.revision("zero", probe=ProbeSpec(ProbeKind.WAIT))
    client = await lab.connect()
    await client.send(lab.get_bytes("zero.test"))
    await lab.until(lambda: backend.throttler.waiting == 1)
    lab.endpoints(backend, {app.port: lab.State.NOT_READY})
    assert not backend.probing
    lab.endpoints(backend, {app.port: lab.State.READY})
    assert (await client.response()).status == 200


@pytest.mark.parametrize("container_concurrency", [0, 1, 10])
async def test_a_burst_of_a_thousand_at_zero_loses_nobody(
    lab: Any, container_concurrency: int
) -> None:
    most, now = 0, 0

    async def answer(request: Any) -> bytes:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1
        return bytes(lab.text(request.target))

    apps = [await lab.app(answer) for _ in range(3)]
    backend = lab.revision("burst", container_concurrency=container_concurrency, spread_target=20)
    backend.throttler.configure(container_concurrency, 20)
    count = 1000
    clients = [await lab.connect() for _ in range(count)]
    for number, client in enumerate(clients):
        await client.send(lab.get_bytes("burst.test", f"/{number}"))
    await lab.until(lambda: backend.throttler.waiting == count)
    # Pods come one after the other.
    for ready in range(1, len(apps) + 1):
        lab.endpoints(backend, {app.port: lab.State.NOT_READY for app in apps[:ready]})
        await lab.until(lambda ready=ready: len(backend.throttler.ready) == ready)
    responses = await asyncio.gather(*(client.response() for client in clients))
    assert [r.body for r in responses] == [b"/%d" % number for number in range(count)]
    assert {r.status for r in responses} == {200}
    limit = container_concurrency or 20
    assert most <= limit * len(apps)
    assert backend.stats.active == 0
    assert sum(pod.in_flight for pod in backend.throttler.pods.values()) == 0


async def test_who_delivers_events_is_told_what_the_pods_take_while_others_wait(lab: Any) -> None:
    go_on = asyncio.Event()

    async def answer(request: Any) -> Any:
        await go_on.wait()
        return lab.text("done")

    app = await lab.app(answer)
    backend = lab.revision("events", app, container_concurrency=2)
    clients = [await lab.connect() for _ in range(5)]
    for client in clients[:4]:
        await client.send(lab.get_bytes("events.test", "/", "Kn-Namespace: ns\r\n"))
    await clients[4].send(lab.get_bytes("events.test"))
    await lab.until(lambda: backend.throttler.waiting == 3)
    go_on.set()
    told = [(await client.response()).header("x-hearth-capacity") for client in clients]
    assert told[0] == "2"
    assert told[4] is None, "who does not deliver events"
    await clients[0].send(lab.get_bytes("events.test", "/", "kn-namespace: ns\r\n"))
    assert (await clients[0].response()).header("x-hearth-capacity") is None, "nobody waits"


async def test_a_deleted_revision_serves_until_its_last_pod_is_gone(lab: Any) -> None:
    backend = lab.revision("zero", await lab.app())
    backend.retire()
    assert (await lab.get("zero.test")).status == 200
    lab.endpoints(backend, {})
    response = await lab.get("zero.test")
    assert (response.status, response.error) == (503, "revision-gone")


async def test_the_backlog_of_a_deleted_revision_is_sent_home(lab: Any) -> None:
    backend = lab.revision("zero")
    waiting = [await lab.connect() for _ in range(20)]
    for client in waiting:
        await client.send(lab.get_bytes("zero.test"))
    await lab.until(lambda: backend.throttler.waiting == 20)
    backend.retire()
    for client in waiting:
        response = await client.response()
        assert (response.status, response.error) == (503, "revision-gone")
    assert (backend.throttler.waiting, backend.stats.active) == (0, 0)


async def test_a_full_backlog_is_503_with_a_reason(running_lab: Any) -> None:
    async with running_lab(Limits(backlog=BacklogLimits(requests=2))) as lab:
        backend = lab.revision("zero")
        waiting = [await lab.connect() for _ in range(2)]
        for client in waiting:
            await client.send(lab.get_bytes("zero.test"))
        await lab.until(lambda: backend.throttler.waiting == 2)
        response = await lab.get("zero.test")
        assert (response.status, response.error) == (503, "queue-full")
        assert response.body == b"pending request queue full"
        assert response.header("retry-after") == "1"


async def test_who_leaves_the_backlog_is_forgotten(running_lab: Any) -> None:
    async with running_lab(Limits(server=ServerLimits(half_closed_seconds=0.1))) as lab:
        await _leave_the_backlog(lab)


async def _leave_the_backlog(lab: Any) -> None:
    backend = lab.revision("zero")
    first, second = await lab.connect(), await lab.connect()
    for client, path in ((first, "/1"), (second, "/2")):
        await client.send(lab.get_bytes("zero.test", path))
    await lab.until(lambda: backend.throttler.waiting == 2)
    await first.close()
    await lab.until(lambda: backend.throttler.waiting == 1)
    app = await lab.app(lambda request: lab.text(request.target))
    lab.endpoints(backend, {app.port: lab.State.READY})
    assert (await second.response()).body == b"/2"
    assert len(app.requests) == 1


async def test_a_large_body_waits_with_the_client(lab: Any) -> None:
    """What is held for a waiting request is bounded; the rest stays in the client's socket."""
    backend = lab.revision("zero")
    client = await lab.connect()
    size = 48 * 1024 * 1024
    sent = 0

    async def send() -> None:
        nonlocal sent
        await client.send(
            b"POST / HTTP/1.1\r\nHost: zero.test\r\nContent-Length: %d\r\n\r\n" % size
        )
        while sent < size:
            await client.send(bytes(65536))
            sent += 65536

    sending = asyncio.create_task(send())
    await lab.until(lambda: backend.throttler.backlog.octets > lab.limits.gateway.held_octets)
    app = await lab.app(lambda request: lab.text(str(len(request.body))))
    assert backend.throttler.backlog.octets < 1024 * 1024
    lab.endpoints(backend, {app.port: lab.State.READY})
    assert (await client.response()).body == str(size).encode()
    await sending


async def test_a_pod_that_vanished_costs_nobody_a_request(lab: Any) -> None:
    """Refused connections: nothing was sent, so another pod gets the request."""
    alive = await lab.app(lambda request: lab.text(request.target))
    dead = await lab.app()
    backend = lab.revision("hello", alive, dead)
    await dead.stop()
    for number in range(30):
        response = await lab.get("hello.test", f"/{number}")
        assert (response.status, response.body) == (200, b"/%d" % number)
    assert [pod.address[1] for pod in backend.throttler.ready] == [alive.port]


async def test_the_last_pod_vanished_so_the_request_waits_for_the_next(lab: Any) -> None:
    dead = await lab.app()
    backend = lab.revision("hello", dead)
    await dead.stop()
    client = await lab.connect()
    await client.send(lab.get_bytes("hello.test"))
    await lab.until(lambda: backend.throttler.waiting == 1)
    app = await lab.app()
    lab.endpoints(backend, {app.port: lab.State.READY})
    assert (await client.response()).status == 200


async def test_a_pod_that_listens_again_is_found_again(lab: Any) -> None:
    app = await lab.app()
    backend = lab.revision("hello", app)
    await app.stop()
    client = await lab.connect()
    await client.send(lab.get_bytes("hello.test"))
    await lab.until(lambda: backend.throttler.waiting == 1)
    await lab.app(port=app.port)
    assert (await client.response()).status == 200


async def test_a_terminating_pod_gets_nothing_new_and_finishes(lab: Any) -> None:
    go_on = asyncio.Event()

    async def slow(request: Any) -> bytes:
        await go_on.wait()
        return bytes(lab.text("finished"))

    old, new = await lab.app(slow), await lab.app()
    backend = lab.revision("hello", old)
    client = await lab.connect()
    await client.send(lab.get_bytes("hello.test"))
    await lab.until(lambda: len(old.requests) == 1)
    lab.endpoints(backend, {old.port: lab.State.TERMINATING, new.port: lab.State.READY})
    for _ in range(5):
        assert (await lab.get("hello.test")).body == b"hello"
    go_on.set()
    assert (await client.response()).body == b"finished"
    assert len(old.requests) == 1


async def test_the_limit_per_pod_holds(lab: Any) -> None:
    most, now = 0, 0

    async def answer(request: Any) -> bytes:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.002)
        now -= 1
        return bytes(lab.text("x"))

    app = await lab.app(answer)
    backend = lab.revision("one", app, container_concurrency=1)
    responses = await asyncio.gather(*(lab.get("one.test") for _ in range(40)))
    assert {response.status for response in responses} == {200}
    assert most == 1
    assert backend.throttler.waiting == 0


class Autoscaler:
    """The other side of the stats connection: starts a pod when it hears of a request."""

    def __init__(self, token: str) -> None:
        self.reader = StatsReader(Tokens(token).accepts)
        self.events: list[Event] = []
        self.wake: Any = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            for event in self.reader.receive(data):
                self.events.append(event)
                if isinstance(event, Frame) and any(stat.queued for stat in event.stats):
                    await self.wake()
        writer.close()

    def frames(self) -> list[Frame]:
        return [event for event in self.events if isinstance(event, Frame)]


async def test_the_autoscaler_hears_of_a_waiting_request_at_once(running_lab: Any) -> None:
    autoscaler = Autoscaler("secret")
    server = await asyncio.start_server(autoscaler.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reporter = Reporter(
        OneAutoscaler(("127.0.0.1", port)),
        tokens=Tokens("secret"),
        name="activator-1",
        clock=time.monotonic,
        judged=lambda *service: service == ("default", "shop"),
    )
    async with running_lab(wakers=[reporter]) as lab:
        await _asks_through(lab, autoscaler, reporter)
    server.close()
    await server.wait_closed()


async def _asks_through(lab: Any, autoscaler: Autoscaler, reporter: Reporter) -> None:
    running = asyncio.create_task(reporter.run(lab.plane.backends.all))
    backend = lab.revision("zero", service="shop")

    async def wake() -> None:
        if not backend.throttler.pods:
            app = await lab.app()
            lab.endpoints(backend, {app.port: lab.State.NOT_READY})

    autoscaler.wake = wake
    try:
        await lab.until(lambda: reporter.is_reachable)
        response = await lab.get("zero.test")
        assert response.status == 200
        assert autoscaler.events[0] == Hello("activator-1")
        # Not the frame of that second.
        assert autoscaler.frames()[0].is_poke
        stat = autoscaler.frames()[0].stats[0]
        assert (stat.namespace, stat.revision, stat.queued) == ("default", "zero", 1)
        assert stat.concurrency == 1.0
        # The request itself is counted once, by the frame of its second.
        await lab.until(lambda: len(autoscaler.frames()) >= 2)
        told = [stat for frame in autoscaler.frames() for stat in frame.stats]
        assert sum(stat.requests for stat in told) == 1
        # And how it ended, since its Service is judged by that.
        assert sum(sum(stat.answered.values()) for stat in told) == 1
        await _asks_by_a_page(lab, autoscaler)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _asks_by_a_page(lab: Any, autoscaler: Autoscaler) -> None:
    """Who got a page waits as well, although the request is over."""
    before = len(autoscaler.frames())
    lab.revision("paged")
    marks, labels = {keys.WAITING_PAGE: "true"}, {keys.SERVICE: "paged"}
    rule = lab.rule("paged.test", {"paged": 100})
    lab.ingress("paged", rule, annotations=marks, labels=labels)
    assert (await lab.get("paged.test", "/", "Accept: text/html")).status == 503

    def asked() -> list[int]:
        frames = autoscaler.frames()[before:]
        stats = [stat for frame in frames if frame.is_poke for stat in frame.stats]
        return [stat.queued for stat in stats if stat.revision == "paged"]

    await lab.until(lambda: asked() == [1])


async def _free_port() -> int:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    return port
