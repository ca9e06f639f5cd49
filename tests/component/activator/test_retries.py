"""What is tried again, what is not, and pods that come back after a refused connection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from activator.routes import BackendRef
from tests.ports import free_port


class Closing:
    """Answers the first request of its first connections, and closes at the second."""

    def __init__(self, lab: Any, *, forgetful: int = 1) -> None:
        self._lab = lab
        self._forgetful = forgetful
        self.connections = 0
        self.seen: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        is_forgetful = self.connections <= self._forgetful
        while True:
            request = await self._lab.read_request(reader)
            self.seen.append(f"{request.method} {request.target}")
            if is_forgetful and request.target == "/2":
                return
            writer.write(self._lab.text(request.target))
            await writer.drain()


async def test_a_request_whose_connection_ended_goes_once_more(lab: Any) -> None:
    closing = Closing(lab)
    backend = lab.revision("hello", await lab.raw_app(closing))
    assert (await lab.get("hello.test", "/1")).body == b"/1"
    response = await lab.get("hello.test", "/2")
    assert (response.status, response.body) == (200, b"/2")
    assert closing.seen == ["GET /1", "GET /2", "GET /2"]
    assert (backend.retries.spent, backend.retries.wanting) == (1, 0)
    assert backend.throttler.ready[0].in_flight == 0


@pytest.mark.parametrize("is_limited", [False, True])
async def test_it_goes_where_another_pod_is_when_its_own_is_gone(
    lab: Any, is_limited: bool
) -> None:
    dying = Closing(lab)
    first, second = await lab.raw_app(dying), await lab.app(lambda r: lab.text("second"))
    backend = lab.revision("hello", first, container_concurrency=1 if is_limited else 0)
    assert (await lab.get("hello.test", "/1")).body == b"/1"
    assert first.server is not None
    first.server.close()
    lab.endpoints(backend, {first.port: lab.State.READY, second.port: lab.State.READY})
    for _ in range(8):
        response = await lab.get("hello.test", "/2")
        assert (response.status, response.body) == (200, b"second")
    assert all(pod.in_flight == 0 for pod in backend.throttler.pods.values())


@pytest.mark.parametrize(
    ("lines", "status"),
    [((), 502), (("Idempotency-Key: 7",), 200)],
    ids=["not repeatable", "said to be repeatable"],
)
async def test_other_methods_go_again_only_where_the_client_says_so(
    lab: Any, lines: tuple[str, ...], status: int
) -> None:
    closing = Closing(lab)
    lab.revision("hello", await lab.raw_app(closing))
    assert (await lab.get("hello.test", "/1")).body == b"/1"
    client = await lab.connect()
    head = ["POST /2 HTTP/1.1", "Host: hello.test", "Content-Length: 2", *lines, "", "ok"]
    await client.send("\r\n".join(head).encode())
    assert (await client.response()).status == status
    assert closing.seen.count("POST /2") == (2 if status == 200 else 1)


async def test_a_request_is_repeated_twice_and_not_for_ever(lab: Any) -> None:
    """An application may die of it."""

    class Dying(Closing):
        async def __call__(
            self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            self.seen.append((await lab.read_request(reader)).target)

    dying = Dying(lab)
    lab.revision("hello", await lab.raw_app(dying))
    response = await lab.get("hello.test")
    assert (response.status, response.error) == (502, "upstream-reset")
    assert dying.seen == ["/", "/", "/"]


async def test_a_connection_that_a_dying_process_has_not_taken_is_lost_as_well(lab: Any) -> None:
    """Its kernel closes connections before the socket that listens."""
    dying = Closing(lab, forgetful=2)
    backend = lab.revision("hello", await lab.raw_app(dying))
    response = await lab.get("hello.test", "/2")
    assert response.status == 200
    assert backend.retries.spent == 2


async def test_without_budget_nothing_is_repeated(lab: Any) -> None:
    closing = Closing(lab, forgetful=2)
    backend = lab.revision("hello", await lab.raw_app(closing))
    while backend.may_retry(lab.gateway.clock()):
        pass
    assert (await lab.get("hello.test", "/1")).body == b"/1"
    response = await lab.get("hello.test", "/2")
    assert (response.status, response.error) == (502, "upstream-reset")
    assert closing.seen == ["GET /1", "GET /2"]


async def test_a_plain_service_is_back_once_its_pod_listens_again(lab: Any) -> None:
    """Nobody can wait for it, so nobody would have it looked for."""
    app = await lab.app(port=free_port())
    lab.ingress("plain", lab.rule("plain.test", {"plain": 100}))
    backend = lab.plane.backends.resolve(BackendRef("default", "plain", 80))
    backend.can_wake = False
    lab.endpoints(backend, {app.port: lab.State.READY})
    assert (await lab.get("plain.test")).status == 200
    await app.stop()
    await lab.until(lambda: lab.plane.pools.idle(backend.throttler.ready[0]) == 0)
    refused = await lab.get("plain.test")
    assert (refused.status, refused.error) == (502, "connect-failed")
    [pod] = backend.throttler.pods.values()
    assert pod.is_left_out
    await lab.app(port=app.port)
    await lab.until(lambda: pod.ready)
    assert (await lab.get("plain.test")).status == 200


async def test_a_pod_that_refused_is_used_again_though_nobody_waits_for_it(lab: Any) -> None:
    one, other = await lab.app(port=free_port()), await lab.app()
    backend = lab.revision("hello", one, other)
    await one.stop()
    for _ in range(20):
        assert (await lab.get("hello.test")).status == 200
    [pod] = [pod for pod in backend.throttler.pods.values() if not pod.ready]
    assert pod.is_left_out and backend.throttler.demand == 0
    await lab.app(port=one.port)
    await lab.until(lambda: pod.ready)
