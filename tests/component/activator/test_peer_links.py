"""Links between activators: one that hangs, one that starts anew, one that is refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator

import pytest

from activator.endpoints import Endpoint, State
from activator.members import HAUNTED_SECONDS, UNKNOWN_SECONDS
from activator.peers import Peers, PeersConfig
from activator.places import pod_id
from activator.throttler import Throttler
from hearth.kube.tokens import Tokens
from tests.ports import free_port
from tests.waiting import until

SECONDS = 60.0
TARGET = "default/hello/80"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Target:
    """Pods with a limit of one: so many that everybody owns some."""

    def __init__(self, peers: Peers) -> None:
        self.throttler: Throttler[Target] = Throttler(random.Random(1).random)
        self.throttler.configure(1, 1)
        addresses = [(f"10.0.0.{number}", 8080) for number in range(30)]
        self.throttler.update({a: Endpoint(a, State.READY, f"pod-{a[0]}") for a in addresses}, 0.0)
        peers.sharing.look(TARGET, self, 0.0)

    def admit(self) -> None:
        assert self.throttler.admit(0.0) == []

    def wake(self) -> None:
        """Its pods are ready."""


@contextlib.asynccontextmanager
async def running(clock: Clock, port: int = 0) -> AsyncIterator[Peers]:
    peers = Peers(PeersConfig("127.0.0.1", port or free_port()), Tokens("token"), clock)
    await peers.start()
    try:
        yield peers
    finally:
        await peers.close()


@contextlib.asynccontextmanager
async def deaf() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """One that takes connections and says nothing: its name, and whether it was greeted."""
    greeted = asyncio.Event()
    over: list[asyncio.StreamWriter] = []

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over.append(writer)
        await reader.readline()
        greeted.set()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", greeted
        for writer in over:
            await closed(writer)


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_one_that_takes_the_connection_and_says_nothing_does_not_keep_pods_for_ever() -> None:
    clock = Clock()
    async with deaf() as (name, greeted), running(clock) as peers:
        peers.listed(frozenset({name}))
        target = Target(peers)
        await asyncio.wait_for(greeted.wait(), SECONDS)
        assert target.throttler.own == []
        clock.now += UNKNOWN_SECONDS + 1.0
        await asyncio.wait_for(peers.settled(), SECONDS)
        # Until requests of it are sure to be over.
        clock.now = peers.sharing.next_at() or 0.0
        await until(lambda: peers.sharing.next_at() is None)
        assert target.throttler.own == target.throttler.ready
        assert not any(pod.in_flight for pod in target.throttler.own)


async def test_one_that_ends_is_noticed_and_known_again_when_it_starts_anew() -> None:
    clock = Clock()
    port = free_port()
    async with running(clock) as peers:
        for _ in range(2):
            async with running(clock, port) as other:
                peers.listed(frozenset({other.me}))
                other.listed(frozenset({peers.me}))
                await until(lambda: peers.count == 1)
            await until(lambda: not (peers.count or peers.sharing.members.unknown))
            assert peers.sharing.members.haunted_until(clock.now) > clock.now


async def test_what_another_process_under_the_same_name_says_is_not_taken_for_the_first() -> None:
    """It greets before anybody has noticed that the first is gone."""
    clock = Clock()
    async with deaf() as (name, _), running(clock) as peers:
        target = Target(peers)
        peers.listed(frozenset({name}))
        first = await greet(peers, name, "first")
        await until(lambda: peers.count == 1)
        held = {pod_id(pod): [1, False] for pod in target.throttler.pods.values()}
        first.write(json.dumps(["held", TARGET, 1_000, held]).encode() + b"\n")
        await until(lambda: any(pod.lent for pod in target.throttler.pods.values()))
        second = await greet(peers, name, "second")
        await until(lambda: peers.sharing.next_at() is not None)
        # What was under way counts on, as of one that is gone.
        assert any(pod.in_flight for pod in target.throttler.pods.values())
        for writer in (first, second):
            await closed(writer)


async def greet(peers: Peers, name: str, incarnation: str) -> asyncio.StreamWriter:
    host, _, port = peers.me.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(json.dumps(["hello", "token", name, incarnation, []]).encode() + b"\n")
    await writer.drain()
    return writer


async def test_one_that_starts_is_not_ready_before_what_its_last_process_left_is_over() -> None:
    clock = Clock()
    async with running(clock) as peers:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(HAUNTED_SECONDS / 4):
                await peers.settled()
        clock.now += HAUNTED_SECONDS
        async with asyncio.timeout(SECONDS):
            await peers.settled()
        assert peers.count == 0
