"""Events under other loads: taken in alone, many receivers, bad neighbours, a long backlog.

Usage: python -m tests.bench.eventloads [--seconds 5] [--runs 3] [--backlog 1000000]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.bench.events import (
    Got,
    Load,
    SinkConnection,
    broker,
    generate,
    request,
    sink,
)
from tests.bench.rows import Row, percentile, row, show
from tests.bench.targets import cpu_seconds

BACKLOG = 1_000_000
SECONDS, RUNS = 5.0, 3
RECEIVERS = 10
STEADY_RATE = 1000
SHARED_RATE = 300
_SLOW_SECONDS = 2.0


class SlowConnection(SinkConnection):
    """Answers after two seconds."""

    _is_open = True

    def on_message_complete(self) -> None:
        asyncio.get_running_loop().call_later(_SLOW_SECONDS, self._answer)

    def _answer(self) -> None:
        if self._is_open:
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_open = False


@contextlib.asynccontextmanager
async def slow_sink() -> AsyncIterator[str]:
    server = await asyncio.get_running_loop().create_server(
        lambda: SlowConnection(Got()), "127.0.0.1", 0
    )
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


@contextlib.contextmanager
def nobody() -> Iterator[int]:
    """A port on which nobody listens, held so that nobody else gets it."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def taken_in(seconds: float) -> tuple[float, float]:
    """Where nobody wants any, 64 connections: events a second, the broker's us of CPU for one."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        quiet = ("http://127.0.0.1:9/", "1", "0", "exact")
        async with broker(Path(folder), *quiet) as (process, port):
            before = cpu_seconds(process.pid)
            load = Load(b"x" * 1024, "i", time.perf_counter() + seconds)
            transports = await generate(port, load, 64)
            await asyncio.sleep(seconds)
            for transport in transports:
                transport.close()
            spent, events = cpu_seconds(process.pid) - before, len(load.acknowledged)
            return events / seconds, 1e6 * spent / events


async def fanned_out(seconds: float) -> tuple[float, float]:
    """With ten Triggers that match: deliveries a second, the broker's us of CPU for one."""
    triggers = (str(RECEIVERS), str(RECEIVERS), "exact")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        async with sink() as (url, got), broker(Path(folder), url, *triggers) as (process, port):
            before, started = cpu_seconds(process.pid), time.perf_counter()
            load = Load(b"x" * 1024, "f", started + seconds)
            transports = await generate(port, load, 16)
            await asyncio.sleep(seconds)
            async with asyncio.timeout(120):
                while got.counts.total() < RECEIVERS * len(load.acknowledged):
                    await asyncio.sleep(0.02)
            took = time.perf_counter() - started
            spent = cpu_seconds(process.pid) - before
            for transport in transports:
                transport.close()
            return got.counts.total() / took, 1e6 * spent / got.counts.total()


class SteadyProducer(asyncio.Protocol):
    """Sends at the times it is told to; answers come in the order of the requests."""

    def __init__(self) -> None:
        self.sent: dict[str, float] = {}
        self.acknowledged: list[float] = []
        self._order: list[float] = []
        self._answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self, event_id: str) -> None:
        now = time.perf_counter()
        self.sent[event_id] = now
        self._order.append(now)
        self._transport.write(request(event_id, b"x" * 1024))  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        for _ in range(data.count(b"HTTP/1.1 202 ")):
            self.acknowledged.append(now - self._order[self._answered])
            self._answered += 1


async def at_a_rate(port: int, seconds: float, rate: int) -> SteadyProducer:
    producer = SteadyProducer()
    await asyncio.get_running_loop().create_connection(lambda: producer, "127.0.0.1", port)
    start = time.perf_counter()
    for number in range(int(seconds * rate)):
        delay = start + number / rate - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        producer.send(f"s-{number}")
    return producer


async def all_delivered(producer: SteadyProducer, got: Got, times: int = 1) -> list[float]:
    """Seconds from sending to the first delivery, of each event."""
    async with asyncio.timeout(60):
        while got.counts.total() < times * len(producer.sent):
            await asyncio.sleep(0.01)
    return [got.first[event_id] - at for event_id, at in producer.sent.items()]


async def steady(seconds: float) -> tuple[list[float], list[float]]:
    """Milliseconds to the 202, and to the delivery, at 1,000 events a second."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        async with sink() as (url, got), broker(Path(folder), url) as (_, port):
            producer = await at_a_rate(port, seconds, STEADY_RATE)
            waits = await all_delivered(producer, got)
            return [1000 * s for s in producer.acknowledged], [1000 * s for s in waits]


async def neighbours(seconds: float, *, bad: bool) -> float:
    """99th percentile, in milliseconds, of the wait for eight good subscribers of ten.

    The two others are good as well, or one is not there and one takes two seconds a call.
    """
    triggers = (str(RECEIVERS), str(RECEIVERS), "exact")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, nobody() as closed:
        async with sink() as (url, got), sink() as (other, _), slow_sink() as slow:
            pair = [f"http://127.0.0.1:{closed}/", slow] if bad else [other, other]
            urls = ",".join([*pair, *[url] * (RECEIVERS - 2)])
            async with broker(Path(folder), urls, *triggers) as (_, port):
                producer = await at_a_rate(port, seconds, SHARED_RATE)
                waits = await all_delivered(producer, got, RECEIVERS - 2)
                return 1000 * percentile(waits, 0.99)


@dataclass
class Backlog:
    """What a backlog costs."""

    resident_mib: float
    restart_seconds: float
    per_second: float


def resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no VmRSS")


async def backlog(events: int) -> Backlog:
    """Fill the log of a subscriber that is away, kill the broker, start it, let the other come."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        with nobody() as closed:
            url = f"http://127.0.0.1:{closed}/"
            async with broker(Path(folder), url) as (process, port):
                load = Load(b"x" * 1024, "b", float("inf"))
                transports = await generate(port, load, 32)
                while len(load.acknowledged) < events:
                    await asyncio.sleep(0.05)
                load.until = 0.0
                memory = resident_mib(process.pid)
                for transport in transports:
                    transport.close()
                process.kill()
                await process.wait()
        got = Got()
        began = time.perf_counter()
        async with broker(Path(folder), url) as (process, _):
            restarted = time.perf_counter() - began
            server = await asyncio.get_running_loop().create_server(
                lambda: SinkConnection(got), "127.0.0.1", closed
            )
            began = time.perf_counter()
            async with asyncio.timeout(600):
                while not load.acknowledged <= got.counts.keys():
                    memory = max(memory, resident_mib(process.pid))
                    await asyncio.sleep(0.2)
            took = time.perf_counter() - began
            server.close()
            return Backlog(memory, restarted, len(load.acknowledged) / took)


def of_intake(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    found = [uvloop.run(taken_in(seconds)) for _ in range(runs)]
    yield _rate("events taken in, on disk, 64 connections", found, at_least=40_000)


def of_fan_out(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    found = [uvloop.run(fanned_out(seconds)) for _ in range(runs)]
    name = f"deliveries in all with {RECEIVERS} triggers that match"
    yield _rate(name, found, at_least=60_000)


def _rate(name: str, found: list[tuple[float, float]], *, at_least: float) -> Row:
    """A rate with the broker's CPU for one beside it."""
    cost = percentile([us for _, us in found], 0.5)
    peers = {"broker's CPU for one, us": cost}
    return row(name, [rate for rate, _ in found], "1/s", at_least=at_least, peers=peers)


def of_steady(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    waits = [uvloop.run(steady(2 * seconds)) for _ in range(runs)]
    answered = [percentile(taken, 0.99) for taken, _ in waits]
    yield row("202 at 1,000 events/s, p99", answered, "ms", at_most=3)
    for share, at_most in ((0.99, 5), (0.9999, 50)):
        found = [percentile(whole, share) for _, whole in waits]
        name = f"delivery at 1,000 events/s, p{100 * share:g}"
        yield row(name, found, "ms", at_most=at_most)


def of_neighbours(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    pairs = [
        (
            uvloop.run(neighbours(seconds, bad=True)),
            uvloop.run(neighbours(seconds, bad=False)),
        )
        for _ in range(runs)
    ]
    yield row(
        "p99 of eight subscribers beside one that is down and one at 2 s, by beside good ones",
        [bad / good for bad, good in pairs],
        "x",
        at_most=1.1,
        peers={"beside good ones, ms": percentile([good for _, good in pairs], 0.5)},
    )


def of_backlog(events: int = BACKLOG) -> Iterator[Row]:
    long = uvloop.run(backlog(events))
    name = f"memory with a backlog of {events:,} events"
    yield row(name, [long.resident_mib], "MiB", at_most=150)
    yield row("the same: killed, until it listens", [long.restart_seconds], "s", at_most=3)
    yield row("the same: caught up at", [long.per_second], "1/s", at_least=15_000)


PARTS = {
    "intake": of_intake,
    "fanout": of_fan_out,
    "steady": of_steady,
    "neighbours": of_neighbours,
    "backlog": of_backlog,
}


def rows(*, seconds: float = SECONDS, runs: int = RUNS, events: int = BACKLOG) -> Iterator[Row]:
    """The benchmark's rows."""
    for part in (of_intake, of_fan_out, of_steady, of_neighbours):
        yield from part(seconds, runs)
    yield from of_backlog(events)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--backlog", type=int, default=BACKLOG)
    given = parser.parse_args()
    show(rows(seconds=given.seconds, runs=given.runs, events=given.backlog))


if __name__ == "__main__":
    main()
