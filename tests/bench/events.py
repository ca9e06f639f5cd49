"""Events: accepted on disk and delivered to one Trigger; nothing acknowledged is lost to kill -9.

Generator and sink are one process beside the broker's, so both share the machine's cores with it.

Usage: python -m tests.bench.events [--seconds 5] [--runs 5] [--kills 5]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httptools
import uvloop

from tests.bench.rows import Row, row, show
from tests.bench.targets import cpu_seconds

HERE = Path(__file__).parent
GOAL_PER_SECOND = 5000
SECONDS, RUNS, KILLS = 5.0, 5, 5
CONNECTIONS = 32
PIPELINED = 4
MANY_TRIGGERS = 5000
_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def request(event_id: str, data: bytes) -> bytes:
    head = (
        "POST /ns/default HTTP/1.1\r\nhost: broker\r\nce-specversion: 1.0\r\n"
        f"ce-id: {event_id}\r\nce-source: /bench\r\nce-type: bench\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


@dataclass
class Got:
    """What the sink got: how often each event, and when first."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, float] = field(default_factory=dict)

    def note(self, event_id: str) -> None:
        self.counts[event_id] += 1
        self.first.setdefault(event_id, time.perf_counter())


class SinkConnection(asyncio.Protocol):
    """Answers 200 to everything and notes ids."""

    def __init__(self, got: Got) -> None:
        self._got = got
        self._parser = httptools.HttpRequestParser(self)
        self._id = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name == b"ce-id":
            self._id = value.decode()

    def on_message_complete(self) -> None:
        self._got.note(self._id)
        self._transport.write(_OK)  # type: ignore[attr-defined]


class Producer(asyncio.Protocol):
    """Keeps some requests under way on one connection; notes which were acknowledged."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._parser = httptools.HttpResponseParser(self)
        self._sent: list[tuple[str, float]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        for _ in range(self._load.pipelined):
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost_connection()

    def _send(self) -> None:
        event_id = self._load.next_id()
        if event_id is None:
            return
        self._sent.append((event_id, time.perf_counter()))
        self._transport.write(request(event_id, self._load.data))  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        event_id, started = self._sent.pop(0)
        if status == 202:
            self._load.acknowledged.add(event_id)
            self._load.waits.append(time.perf_counter() - started)
        self._send()


@dataclass
class Load:
    """One generator: what was sent, what was acknowledged."""

    data: bytes
    prefix: str
    until: float
    pipelined: int = PIPELINED
    serial: int = 0
    acknowledged: set[str] = field(default_factory=set)
    waits: list[float] = field(default_factory=list)
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    def next_id(self) -> str | None:
        if time.perf_counter() >= self.until:
            return None
        self.serial += 1
        return f"{self.prefix}-{self.serial}"

    def lost_connection(self) -> None:
        self.lost.set()


@contextlib.asynccontextmanager
async def sink() -> AsyncIterator[tuple[str, Got]]:
    got = Got()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SinkConnection(got), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", got
    finally:
        server.close()


@contextlib.asynccontextmanager
async def broker(
    folder: Path,
    url: str,
    *triggers: str,
    program: str = "broker_process.py",
    stderr: int | None = None,
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """``triggers``: how many, how many match, their filters' dialect; journeys on or off."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # this folder holds a module named hearth
        str(HERE / program),
        str(folder),
        "0",
        url,
        *triggers,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 120)
        yield process, int(line)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def generate(port: int, load: Load, connections: int) -> list[asyncio.Transport]:
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Producer(load), "127.0.0.1", port)
        for _ in range(connections)
    ]
    return [transport for transport, _ in made]


async def delivered(load: Load, got: Got, seconds: float) -> None:
    """Waits until every acknowledged event was delivered."""
    async with asyncio.timeout(seconds):
        while not load.acknowledged <= got.counts.keys():
            await asyncio.sleep(0.02)


async def throughput(seconds: float, *triggers: str) -> dict[str, float]:
    """Events per second from the first sent to the last delivered, and the wait for the 202."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        async with sink() as (url, got), broker(Path(folder), url, *triggers) as (process, port):
            before = cpu_seconds(process.pid)
            started = time.perf_counter()
            load = Load(b"x" * 1024, "e", started + seconds)
            transports = await generate(port, load, CONNECTIONS)
            await asyncio.sleep(seconds)
            await delivered(load, got, 60)
            took = time.perf_counter() - started
            for transport in transports:
                transport.close()
            waits = sorted(load.waits)
            spent = cpu_seconds(process.pid) - before
            return {
                "per_second": len(load.acknowledged) / took,
                "cpu_us": 1e6 * spent / len(load.acknowledged),
                "p50_ms": 1000 * statistics.median(waits),
                "p99_ms": 1000 * waits[int(len(waits) * 0.99)],
                "duplicates": sum(count - 1 for count in got.counts.values()),
            }


async def of_many_triggers(seconds: float, runs: int, dialect: str) -> tuple[list[float], float]:
    """Rates with 5,000 Triggers of which 3 match, as parts of the rate with these 3 alone.

    Taken in turns; the second value is the same ratio of CPU per event, by medians.
    """
    many, few = (str(MANY_TRIGGERS), "3", dialect), ("3", "3", dialect)
    found = [
        (await throughput(seconds, *many), await throughput(seconds, *few)) for _ in range(runs)
    ]
    cpu = [statistics.median(each[side]["cpu_us"] for each in found) for side in (0, 1)]
    return [one["per_second"] / other["per_second"] for one, other in found], cpu[0] / cpu[1]


async def in_turns(
    seconds: float, runs: int, on: tuple[str, ...], off: tuple[str, ...]
) -> tuple[list[float], float]:
    """Rates of a broker that was told one thing, as parts of the rate of one told another.

    Taken in turns, now this one first and now that; the second value is the same ratio of CPU per
    event, by medians.
    """
    found: dict[tuple[str, ...], list[dict[str, float]]] = {on: [], off: []}
    for number in range(runs):
        for told in (on, off) if number % 2 else (off, on):
            found[told].append(await throughput(seconds, "1", "1", "exact", *told))
    rates = [
        one["per_second"] / other["per_second"]
        for one, other in zip(found[on], found[off], strict=True)
    ]
    cpu = [statistics.median(each["cpu_us"] for each in found[told]) for told in (on, off)]
    return rates, cpu[0] / cpu[1]


async def with_traces(seconds: float, runs: int) -> tuple[list[float], float]:
    """While one event in a hundred is traced, against none."""
    async with sink() as (collector, _):
        return await in_turns(seconds, runs, ("on", "0.01", f"{collector}v1/traces"), ("on",))


async def latency(seconds: float, rate: int) -> dict[str, float]:
    """From sending to delivery at a steady rate."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        async with sink() as (url, got), broker(Path(folder), url) as (_, port):
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
            sent: dict[str, float] = {}
            start = time.perf_counter()
            for number in range(int(seconds * rate)):
                delay = start + number / rate - time.perf_counter()
                if delay > 0:
                    await asyncio.sleep(delay)
                sent[f"l-{number}"] = time.perf_counter()
                transport.write(request(f"l-{number}", b"x" * 1024))
            async with asyncio.timeout(20):
                while len(got.first) < len(sent):
                    await asyncio.sleep(0.01)
            transport.close()
            waits = sorted(got.first[event_id] - at for event_id, at in sent.items())
            return {
                "p50_ms": 1000 * statistics.median(waits),
                "p99_ms": 1000 * waits[int(len(waits) * 0.99)],
            }


@dataclass
class Losses:
    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    duplicates: int = 0


async def kill_under_load(kills: int, *, seconds: float = 1.0) -> Losses:
    """kill -9 under load, again and again on one log; at the end all acknowledged must be there."""
    found = Losses()
    acknowledged: set[str] = set()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        async with sink() as (url, got):
            for number in range(kills):
                async with broker(Path(folder), url) as (process, port):
                    load = Load(b"x" * 1024, f"k{number}", time.perf_counter() + 3600)
                    transports = await generate(port, load, 8)
                    await asyncio.sleep(seconds * random.uniform(0.3, 1.0))
                    process.kill()
                    await process.wait()
                    await load.lost.wait()
                    for transport in transports:
                        transport.abort()
                acknowledged |= load.acknowledged
                found.kills += 1
            async with broker(Path(folder), url):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(30):
                        while not acknowledged <= got.counts.keys():
                            await asyncio.sleep(0.05)
    found.acknowledged = len(acknowledged)
    found.lost = len(acknowledged - got.counts.keys())
    found.duplicates = sum(count - 1 for count in got.counts.values())
    return found


def of_throughput(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    rates = [uvloop.run(throughput(seconds)) for _ in range(runs)]
    yield row(
        "events of 1 KB on disk and delivered",
        [found["per_second"] for found in rates],
        "1/s",
        at_least=GOAL_PER_SECOND,
        peers={
            "broker's CPU for one, us": statistics.median(each["cpu_us"] for each in rates),
            "Knative, in memory": 1910,
        },
    )


def of_latency(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    steady = [uvloop.run(latency(seconds, 1000)) for _ in range(runs)]
    name = "event sent to delivered at 1,000/s"
    yield row(f"{name}, p50", [found["p50_ms"] for found in steady], "ms")
    yield row(f"{name}, p99", [found["p99_ms"] for found in steady], "ms", at_most=25)


def of_kills(kills: int = KILLS) -> Iterator[Row]:
    losses = uvloop.run(kill_under_load(kills))
    yield row(
        f"acknowledged events lost over {losses.kills} kills of a broker under full load",
        [losses.lost],
        "",
        at_most=0,
    )
    yield row("acknowledged events over these kills", [losses.acknowledged], "")
    yield row("of them delivered more than once, broker", [losses.duplicates], "")


def of_triggers(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    exact, exact_cpu = uvloop.run(of_many_triggers(seconds, runs, "exact"))
    yield row(
        f"rate with {MANY_TRIGGERS} triggers of which 3 match, by the rate with 3",
        exact,
        "x",
        at_least=0.8,
        peers={"CPU per event": exact_cpu},
    )
    cesql, cesql_cpu = uvloop.run(of_many_triggers(seconds, runs, "cesql"))
    yield row(
        f"the same with CESQL, {MANY_TRIGGERS} expressions",
        cesql,
        "x",
        at_least=0.5,
        peers={"CPU per event": cesql_cpu},
    )


def of_journeys(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    rates, cpu = uvloop.run(in_turns(seconds, 2 * runs, ("on",), ("off",)))
    name = "rate with journeys kept, by the rate without"
    yield row(name, rates, "x", at_least=0.9, peers={"CPU per event": cpu})


def of_traces(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    rates, cpu = uvloop.run(with_traces(seconds, 2 * runs))
    name = "rate with 1 % of events traced, by the rate without traces"
    yield row(name, rates, "x", at_least=0.98, peers={"CPU per event": cpu})


PARTS = {
    "throughput": of_throughput,
    "latency": of_latency,
    "kills": of_kills,
    "triggers": of_triggers,
    "journeys": of_journeys,
    "traces": of_traces,
}


def rows(*, seconds: float = SECONDS, runs: int = RUNS, kills: int = KILLS) -> Iterator[Row]:
    """The benchmark's rows: throughput, end-to-end latency, losses, what options cost."""
    yield from of_throughput(seconds, runs)
    yield from of_latency(seconds, runs)
    yield from of_kills(kills)
    yield from of_triggers(seconds, runs)
    yield from of_journeys(seconds, runs)
    yield from of_traces(seconds, runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--kills", type=int, default=KILLS)
    given = parser.parse_args()
    show(rows(seconds=given.seconds, runs=given.runs, kills=given.kills))


if __name__ == "__main__":
    main()
