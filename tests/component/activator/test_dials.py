"""Opening connections: a burst that a silent pod takes, turns, and what one machine is short of."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from activator.dataplane import Limits


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that answers no attempt to connect: its queue is full, and nobody takes from it."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for sock in (first, second):
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_a_burst_for_a_silent_pod_leaves_turns_for_others(
    running_lab: Any, silent: int
) -> None:
    async with running_lab(Limits(dials=4, connect_seconds=30.0)) as lab:
        backend = lab.revision("silent")
        lab.endpoints(backend, {silent: lab.State.READY})
        for _ in range(20):
            client = await lab.connect()
            await client.send(lab.get_bytes("silent.test"))
        await lab.until(lambda: backend.stats.active == 20)
        lab.revision("hello", await lab.app())
        for _ in range(3):
            assert (await lab.get("hello.test")).status == 200
        assert backend.stats.active == 20


async def test_all_who_wait_for_a_silent_pod_hear_that_it_is_one(
    running_lab: Any, silent: int
) -> None:
    async with running_lab(Limits(dials=2, connect_seconds=0.2)) as lab:
        backend = lab.revision("hello")
        lab.endpoints(backend, {silent: lab.State.READY})
        clients = [await lab.connect() for _ in range(10)]
        for client in clients:
            await client.send(lab.get_bytes("hello.test"))
        await lab.until(lambda: backend.stats.active == 10)
        app = await lab.app()
        lab.endpoints(backend, {silent: lab.State.READY, app.port: lab.State.READY})
        for client in clients:
            assert (await client.response()).status == 200


async def test_who_waits_for_a_turn_gets_a_connection_that_becomes_idle(running_lab: Any) -> None:
    async with running_lab(Limits(dials=1)) as lab:
        app = await lab.app(lambda request: lab.text(request.target))
        backend = lab.revision("hello", app)
        clients = [await lab.connect() for _ in range(50)]
        for number, client in enumerate(clients):
            await client.send(lab.get_bytes("hello.test", f"/{number}"))
        for number, client in enumerate(clients):
            assert (await client.response()).body == b"/%d" % number
        assert app.connections < len(clients)
        assert all(pod.in_flight == 0 for pod in backend.throttler.pods.values())


async def test_want_of_descriptors_is_waited_out_and_no_pod_is_blamed(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = lab.revision("hello", await lab.app())
    connect, failures = lab.plane.pools._connect, 3

    async def short(pod: object, seconds: float) -> object:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError(errno.EMFILE, "too many open files")
        return await connect(pod, seconds)

    monkeypatch.setattr(lab.plane.pools, "_connect", short)
    assert (await lab.get("hello.test")).status == 200
    assert (failures, lab.plane.pools.connect_errors) == (0, 3)
    assert not any(pod.suspect for pod in backend.throttler.pods.values())


async def test_a_client_that_goes_while_it_waits_for_a_turn_costs_no_connection(
    running_lab: Any, silent: int
) -> None:
    async with running_lab(Limits(dials=1, connect_seconds=30.0)) as lab:
        backend = lab.revision("hello")
        lab.endpoints(backend, {silent: lab.State.READY})
        first, second = await lab.connect(), await lab.connect()
        for client in (first, second):
            await client.send(lab.get_bytes("hello.test"))
        await lab.until(lambda: backend.stats.active == 2)
        for client in (first, second):
            client.writer.transport.abort()
        await lab.until(lambda: backend.stats.active == 0)
        assert all(pod.in_flight == 0 for pod in backend.throttler.pods.values())
