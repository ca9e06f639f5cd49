"""Events on disk and delivered, by what a bare log does that only appends and forwards.

In turns, in one run, with one generator and one sink. ``--prototype FILE`` measures another
program of the same usage (``FILE LISTEN_PORT SINK_PORT``) in place of ``bare_log.py``.

Usage: python -m tests.bench.yardstick [--seconds 4] [--runs 5] [--prototype FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import uvloop

from tests.bench.events import CONNECTIONS, Load, delivered, generate, sink, throughput
from tests.bench.rows import Row, row, show
from tests.bench.targets import cpu_seconds
from tests.ports import free_port

BARE = Path(__file__).with_name("bare_log.py")


async def until_listening(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def bare(program: Path, sink_url: str) -> AsyncIterator[tuple[int, int]]:
    """The program's process id and port."""
    port, sink_port = free_port(), sink_url.rstrip("/").rpartition(":")[2]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", str(program.resolve()), str(port), sink_port, cwd=folder
        )
        try:
            await until_listening(port)
            yield process.pid, port
        finally:
            process.kill()
            await process.wait()


async def bare_throughput(program: Path, seconds: float) -> dict[str, float]:
    """As ``events.throughput`` of a broker."""
    async with sink() as (url, got), bare(program, url) as (pid, port):
        before, started = cpu_seconds(pid), time.perf_counter()
        load = Load(b"x" * 1024, "e", started + seconds)
        transports = await generate(port, load, CONNECTIONS)
        await asyncio.sleep(seconds)
        await delivered(load, got, 60)
        took = time.perf_counter() - started
        for transport in transports:
            transport.close()
        events = len(load.acknowledged)
        return {
            "per_second": events / took,
            "cpu_us": 1e6 * (cpu_seconds(pid) - before) / events,
        }


def rows(*, seconds: float = 4.0, runs: int = 5, prototype: Path = BARE) -> list[Row]:
    """The benchmark's rows: the ratio, with both rates and both costs beside it."""
    ours, theirs = [], []
    for number in range(runs):
        for ours_now in (True, False) if number % 2 else (False, True):
            if ours_now:
                ours.append(uvloop.run(throughput(seconds)))
            else:
                theirs.append(uvloop.run(bare_throughput(prototype, seconds)))
    ratios = [
        one["per_second"] / other["per_second"] for one, other in zip(ours, theirs, strict=True)
    ]
    peers = {
        f"{what}, {unit}": statistics.median(each[key] for each in found)
        for what, found in (("broker", ours), ("bare log", theirs))
        for key, unit in (("per_second", "1/s"), ("cpu_us", "us of CPU an event"))
    }
    name = "events on disk and delivered, by a bare log that appends and forwards"
    return [row(name, ratios, "x", at_least=1.0, peers=peers)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--prototype", type=Path, default=BARE)
    given = parser.parse_args()
    show(rows(seconds=given.seconds, runs=given.runs, prototype=given.prototype))


if __name__ == "__main__":
    main()
