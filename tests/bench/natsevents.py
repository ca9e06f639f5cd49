"""Events through NATS JetStream: rates, latency, many Triggers, kills of the broker and the server.

The server, the load and the sink share the cores with the broker. The peer is what the server gives
the same client by itself: ``publish_async``, then pull consumption with acknowledgements.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import uvloop

from hearth.cli.nats import program
from tests.bench import events
from tests.bench.memory import resident
from tests.bench.rows import Row, row
from tests.ports import free_port

SECONDS, RUNS, KILLS, SERVER_KILLS = 3.0, 3, 100, 20
MANY = 500
BODY = b"x" * 1024
BATCH = 256
MIB = 1024 * 1024


@contextlib.contextmanager
def server(folder: Path, port: int, sync: str = "2m") -> Iterator[subprocess.Popen[bytes]]:
    """A server; brokers of the benchmark use it meanwhile."""
    settings = folder / "server.conf"
    settings.write_text(
        f'listen: "127.0.0.1:{port}"\n'
        f'jetstream {{ store_dir: "{folder}/jetstream", sync_interval: {sync} }}\n'
    )
    process = subprocess.Popen(
        [program() or "nats-server", "-c", settings], stderr=subprocess.DEVNULL
    )
    os.environ["BENCH_NATS"] = f"nats://127.0.0.1:{port}"
    try:
        yield process
    finally:
        os.environ.pop("BENCH_NATS", None)
        process.terminate()
        process.wait()


async def peer(port: int, seconds: float) -> float:
    """Messages a second that one client publishes, and then consumes, by nats-py's own means."""
    client = await nats.connect(f"nats://127.0.0.1:{port}")
    stream = client.jetstream()
    await stream.add_stream(name="peer", subjects=["peer"])
    consumer = await stream.pull_subscribe("peer", durable="peer")
    started, count, got = time.perf_counter(), 0, 0
    while time.perf_counter() - started < seconds / 2:
        for _ in range(BATCH):
            await stream.publish_async("peer", BODY)
        count += BATCH
    await stream.publish_async_completed()
    while got < count:
        messages = await consumer.fetch(BATCH, timeout=5)
        for message in messages:
            await message.ack()
        got += len(messages)
    took = time.perf_counter() - started
    await stream.delete_stream("peer")
    await client.close()
    return count / took


@contextlib.contextmanager
def served(sync: str = "2m") -> Iterator[int]:
    """A server in a folder that goes; its port."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, server(Path(folder), port, sync):
        yield port


def of_rate(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    with served() as port:
        peers = [uvloop.run(peer(port, seconds)) for _ in range(runs)]
        rates = [uvloop.run(events.throughput(seconds)) for _ in range(runs)]
    found = [each["per_second"] for each in rates]
    peers_rate = statistics.median(peers)
    yield row(
        "NATS: events of 1 KB accepted and delivered, one trigger (sync_interval 2m)",
        found,
        "1/s",
        at_least=8000,
        peers={"nats-py publish_async + pull": peers_rate},
    )
    parts = [rate / peers_rate for rate in found]
    yield row("the same, by what the client gets alone", parts, "x", at_least=0.5)
    with served("always"):
        rates = [uvloop.run(events.throughput(seconds)) for _ in range(runs)]
    parts = [each["per_second"] / statistics.median(found) for each in rates]
    yield row("the same with sync_interval: always, by the rate above", parts, "x")


def of_latency(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    with served():
        steady = [uvloop.run(events.latency(seconds, 1000)) for _ in range(runs)]
    name = "NATS: event sent to delivered at 1,000/s"
    yield row(f"{name}, p50", [found["p50_ms"] for found in steady], "ms")
    yield row(f"{name}, p99", [found["p99_ms"] for found in steady], "ms", at_most=25)


async def fan_out(seconds: float) -> float:
    """Deliveries a second to 10 Triggers, from the first event sent to the last delivery."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        async with (
            events.sink() as (url, got),
            events.broker(Path(folder), url, "10", "10") as (_, port),
        ):
            started = time.perf_counter()
            load = events.Load(BODY, "e", started + seconds)
            transports = await events.generate(port, load, events.CONNECTIONS)
            await asyncio.sleep(seconds)
            async with asyncio.timeout(60):
                while sum(got.counts.values()) < 10 * len(load.acknowledged):
                    await asyncio.sleep(0.02)
            took = time.perf_counter() - started
            for transport in transports:
                transport.close()
            return 10 * len(load.acknowledged) / took


def of_fan_out(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    with served():
        found = [uvloop.run(fan_out(seconds)) for _ in range(runs)]
    local = [uvloop.run(fan_out(seconds)) for _ in range(runs)]
    yield row(
        "NATS: deliveries to 10 triggers, one copy stored",
        found,
        "1/s",
        at_least=20_000,
        peers={"local log": statistics.median(local)},
    )


def connections(pid: int, port: int) -> int:
    """How many a process has to a port."""
    sockets = subprocess.check_output(["ss", "-Htnp"], text=True).splitlines()
    ours = [each for each in sockets if f"pid={pid}," in each]
    return sum(each.split()[4].endswith(f":{port}") for each in ours)


async def many_triggers(port: int) -> tuple[float, int]:
    """Memory of a broker with many Triggers, and its connections to the server."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        async with (
            events.sink() as (url, _),
            events.broker(Path(folder), url, str(MANY), "1") as (process, _),
        ):
            await asyncio.sleep(2)
            to_server = await asyncio.to_thread(connections, process.pid, port)
            return resident(process.pid) / MIB, to_server


def of_many(runs: int = 1) -> Iterator[Row]:
    with served() as port:
        found = [uvloop.run(many_triggers(port)) for _ in range(runs)]
    name = f"NATS: a broker with {MANY} triggers"
    yield row(f"{name}, memory", [each[0] for each in found], "MiB", at_most=200)
    yield row(f"{name}, connections to the server", [each[1] for each in found], "", at_most=1)


async def server_kills(kills: int, port: int, folder: Path) -> dict[str, Any]:
    """kill -9 of the server under load: what was acknowledged must be delivered in the end."""
    acknowledged: set[str] = set()
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(server(folder, port))
        async with events.sink() as (url, got), events.broker(folder, url) as (_, at):
            for number in range(kills):
                load = events.Load(BODY, f"s{number}", time.perf_counter() + 3600)
                transports = await events.generate(at, load, 8)
                await asyncio.sleep(random.uniform(0.3, 1.0))
                process.send_signal(signal.SIGKILL)
                process.wait()
                load.until = 0
                for transport in transports:
                    transport.abort()
                acknowledged |= load.acknowledged
                process = stack.enter_context(server(folder, port))
                await asyncio.sleep(0.5)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(30):
                    while not acknowledged <= got.counts.keys():
                        await asyncio.sleep(0.05)
        lost = acknowledged - got.counts.keys()
        twice = sum(count - 1 for count in got.counts.values())
        return {"lost": len(lost), "acknowledged": len(acknowledged), "twice": twice}


def of_kills(kills: int = KILLS, servers: int = SERVER_KILLS) -> Iterator[Row]:
    with served():
        losses = uvloop.run(events.kill_under_load(kills))
    peers = {"acknowledged": losses.acknowledged, "delivered more than once": losses.duplicates}
    name = f"NATS: acknowledged events lost over {kills} kills of the broker"
    yield row(name, [losses.lost], "", at_most=0, peers=peers)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        found = uvloop.run(server_kills(servers, free_port(), Path(folder)))
    peers = {"acknowledged": found["acknowledged"], "delivered more than once": found["twice"]}
    name = f"NATS: acknowledged events lost over {servers} kills of the server"
    yield row(name, [found["lost"]], "", at_most=0, peers=peers)


PARTS: dict[str, Callable[..., Iterator[Row]]] = {
    "rate": of_rate,
    "latency": of_latency,
    "fanout": of_fan_out,
    "many": of_many,
    "kills": of_kills,
}


def rows() -> Iterator[Row]:
    """The benchmark's rows."""
    for part in PARTS.values():
        yield from part()
