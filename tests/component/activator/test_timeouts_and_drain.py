"""A revision's timeouts, and an end of the process that nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import Any

import pytest

from hearth.listening import bind


async def test_the_whole_request_has_a_limit(lab: Any) -> None:
    app = await lab.raw_app(lambda reader, writer: asyncio.Event().wait())
    backend = lab.revision("slow", app, timeout_seconds=0.1)
    response = await lab.get("slow.test")
    assert (response.status, response.error) == (504, "request-timeout")
    assert response.body == b"request timeout"
    assert backend.stats.active == 0


async def test_waiting_for_a_pod_has_the_same_limit(lab: Any) -> None:
    backend = lab.revision("zero", timeout_seconds=0.1)
    response = await lab.get("zero.test")
    assert (response.status, response.error) == (504, "queue-timeout")
    assert response.body == b"activator request timeout"
    assert backend.throttler.waiting == 0


async def test_the_response_has_to_start_in_time(lab: Any) -> None:
    app = await lab.raw_app(lambda reader, writer: asyncio.Event().wait())
    lab.revision("slow", app, response_start_timeout_seconds=0.1)
    response = await lab.get("slow.test")
    assert (response.status, response.error) == (504, "response-start-timeout")


async def test_waiting_does_not_count_against_the_response_start(lab: Any) -> None:
    async def answer(_: Any) -> bytes:
        return bytes(lab.text("in time"))

    backend = lab.revision("zero", response_start_timeout_seconds=20.0)
    client = await lab.connect()
    await client.send(lab.get_bytes("zero.test"))
    await lab.until(lambda: backend.throttler.waiting == 1)
    await lab.pass_time(30.0)
    lab.endpoints(backend, {(await lab.app(answer)).port: lab.State.READY})
    assert (await client.response()).body == b"in time"


async def test_a_silent_application_is_given_up(lab: Any) -> None:
    app = await lab.raw_app(lambda reader, writer: asyncio.Event().wait())
    lab.revision("silent", app, idle_timeout_seconds=0.1)
    response = await lab.get("silent.test")
    assert (response.status, response.error) == (504, "idle-timeout")


async def test_each_byte_begins_the_idle_time_anew(lab: Any) -> None:
    go_on = asyncio.Queue[None]()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        for _ in range(4):
            await go_on.get()
            writer.write(b"x")

    lab.revision("drip", await lab.raw_app(handler), idle_timeout_seconds=30.0)
    client = await lab.connect()
    await client.send(lab.get_bytes("drip.test"))
    await client.head()
    for _ in range(4):
        await lab.pass_time(20.0)
        go_on.put_nowait(None)
        assert await client.reader.readexactly(1) == b"x"


async def test_a_timeout_within_the_response_cuts_it(lab: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
        await asyncio.Event().wait()

    lab.revision("slow", await lab.raw_app(handler), timeout_seconds=0.1)
    client = await lab.connect()
    await client.send(lab.get_bytes("slow.test"))
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.response()


async def test_drain_finishes_what_is_in_flight_and_takes_nothing_new(lab: Any) -> None:
    go_on = asyncio.Event()

    async def answer(_: Any) -> bytes:
        await go_on.wait()
        return bytes(lab.text("finished"))

    app = await lab.app(answer)
    lab.revision("hello", app)
    idle, busy, streaming = [await lab.connect() for _ in range(3)]
    await idle.get("nobody.test")
    await busy.send(lab.get_bytes("hello.test"))
    await lab.until(lambda: len(app.requests) == 1)
    draining = asyncio.create_task(lab.plane.drain(delay_seconds=0, drain_seconds=5))
    assert await idle.rest() == b""
    await lab.until(lambda: lab.plane.clients.is_draining)
    with pytest.raises(OSError):
        await lab.connect()
    go_on.set()
    response = await busy.response()
    assert response.body == b"finished"
    assert response.header("connection") == "close"
    assert await busy.rest() == b""
    await asyncio.wait_for(draining, 60)
    assert lab.clients == []
    await streaming.close()


@pytest.mark.parametrize("late_seconds", [0.0, 0.2])
async def test_who_has_come_and_was_not_accepted_yet_is_answered_at_the_end(
    lab: Any, late_seconds: float
) -> None:
    lab.revision("hello", await lab.app(lambda _: lab.text("still")))
    clients = [socket.create_connection(("127.0.0.1", lab.port)) for _ in range(20)]
    for client in clients:
        client.sendall(lab.get_bytes("hello.test"))
    asyncio.get_running_loop().call_soon(time.sleep, late_seconds)
    # The loop has had no turn since: all of them are in the queue of the listener.
    assert await lab.plane.drain(delay_seconds=0, drain_seconds=5) == 0
    for client in clients:
        with client, client.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"


async def test_who_connected_last_is_answered_too(lab: Any) -> None:
    lab.revision("hello", await lab.app(lambda _: lab.text("here")))
    client = await lab.connect()
    await lab.until(lambda: len(lab.clients) == 1)
    draining = asyncio.create_task(lab.plane.drain(delay_seconds=0.001, drain_seconds=5))
    await lab.until(lambda: not lab.plane.server.sockets())
    response = await client.get("hello.test")
    assert (response.body, response.header("connection")) == (b"here", "close")
    assert await draining == 0
    await client.close()


async def test_a_listener_that_others_have_open_too_is_left_as_it_is(lab: Any) -> None:
    lab.revision("hello", await lab.app(lambda _: lab.text("here")))
    with bind("127.0.0.1", 0) as held:
        await lab.plane.listen("ignored", 1, internal=False, held=held.dup())
        with socket.create_connection(held.getsockname()) as early:
            early.sendall(lab.get_bytes("hello.test"))
            assert (await asyncio.to_thread(early.recv, 1024)).startswith(b"HTTP/1.1 200 ")
        await lab.plane.drain(delay_seconds=0, drain_seconds=5)
        with socket.create_connection(held.getsockname()) as late:
            late.sendall(b"for the next")
            accepted, _ = held.accept()
            with accepted:
                assert accepted.recv(64) == b"for the next"


async def test_slots_are_in_use_while_a_limited_request_is_under_way_or_may_come(lab: Any) -> None:
    assert not lab.plane.uses_slots()  # nothing is limited
    go_on = asyncio.Event()

    async def answer(_: Any) -> bytes:
        await go_on.wait()
        return bytes(lab.text("finished"))

    app = await lab.app(answer)
    lab.revision("hello", app, container_concurrency=1)
    assert lab.plane.uses_slots()
    client = await lab.connect()
    await client.send(lab.get_bytes("hello.test"))
    await lab.until(lambda: len(app.requests) == 1)
    draining = asyncio.create_task(lab.plane.drain(delay_seconds=0, drain_seconds=5))
    await lab.until(lambda: not lab.plane.server.takes_requests)
    assert lab.plane.uses_slots()
    go_on.set()
    await client.response()
    await lab.until(lambda: not lab.plane.uses_slots())
    await draining


async def test_before_listeners_close_answers_send_clients_elsewhere(lab: Any) -> None:
    app = await lab.app(lambda _: lab.text("here"))
    lab.revision("hello", app)
    kept = await lab.connect()
    assert (await kept.get("hello.test")).header("connection") is None
    draining = asyncio.create_task(lab.plane.drain(delay_seconds=600, drain_seconds=0))
    await lab.until(lambda: lab.plane.clients.is_draining)
    for client in (kept, await lab.connect()):
        response = await client.get("hello.test")
        assert (response.body, response.header("connection")) == (b"here", "close")
        assert await client.rest() == b""
    draining.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await draining


async def test_drain_ends_in_time_whatever_clients_do(lab: Any, caplog: Any) -> None:
    app = await lab.raw_app(lambda reader, writer: asyncio.Event().wait())
    backend = lab.revision("stuck", app)
    client = await lab.connect()
    await client.send(lab.get_bytes("stuck.test"))
    await lab.until(lambda: app.connections == 1)
    await asyncio.wait_for(lab.plane.drain(delay_seconds=0, drain_seconds=0.1), 60)
    assert lab.clients == []
    assert backend.stats.active == 0
