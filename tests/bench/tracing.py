"""What traces of one event in a hundred cost the broker, in CPU time for each event.

One process switches traces on and off in short phases, a hundred times and more, in an order that
chance chooses (``tracing_process``). The event loop's cost is the difference of neighbouring
phases; the thread that exports works for phases that are over, so it counts by the span.

Usage: python -m tests.bench.tracing [--seconds 120]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict

import uvloop

from tests.bench.events import CONNECTIONS, Load, broker, generate, sink
from tests.bench.rows import Row, markdown, row
from tests.bench.tracing_process import KINDS

RATE = 0.01
_SPANS = 3
"""Of an event that is sampled: taken in, its way to the subscriber, the attempt."""


Clock = Literal["loop", "process"]


class Phase(TypedDict):
    """As ``tracing_process`` tells it."""

    kind: str
    events: int
    loop: float
    process: float
    exporting: float
    spans: float


async def phases(seconds: float) -> list[Phase]:
    """The phases of one process under full load."""
    read, write = os.pipe()
    async with sink() as (collector, _), sink() as (url, _):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, os.fdopen(read) as told:
            asked = "1", "1", "exact", "on", str(RATE), f"{collector}v1/traces"
            started = broker(Path(folder), url, *asked, program="tracing_process.py", stderr=write)
            async with started as (_, port):
                os.close(write)
                lines = asyncio.create_task(asyncio.to_thread(told.readlines))
                load = Load(b"x" * 1024, "e", time.perf_counter() + seconds)
                transports = await generate(port, load, CONNECTIONS)
                await asyncio.sleep(seconds)
                for transport in transports:
                    transport.close()
            found = []
            for line in await lines:
                with contextlib.suppress(json.JSONDecodeError):
                    found.append(json.loads(line))
            return found


def blocks(found: Sequence[Phase]) -> list[dict[str, Phase]]:
    """The whole blocks, each with a phase of every kind."""
    size = len(KINDS)
    cut = [found[at : at + size] for at in range(0, len(found) - size + 1, size)]
    return [{each["kind"]: each for each in block} for block in cut]


def excess(found: Sequence[dict[str, Phase]], kind: str, clock: Clock) -> list[float]:
    """By how much of it a phase costs more than the ``off`` of its block, for each event."""
    costs = [
        {name: each[clock] / each["events"] for name, each in block.items()} for block in found
    ]
    return [each[kind] / each["off"] - 1 for each in costs]


def trimmed(values: Sequence[float]) -> tuple[float, float]:
    """The mean without the outer tenths, and half of its 95 % confidence interval.

    By the winsorized variance (Yuen): another program that comes in between spoils no mean.
    """
    ordered, count = sorted(values), len(values)
    cut = count // 10
    kept = ordered[cut : count - cut]
    held = [kept[0]] * cut + kept + [kept[-1]] * cut
    error = statistics.stdev(held) / ((1 - 2 * cut / count) * math.sqrt(count))
    return statistics.fmean(kept), 1.96 * error


def rows(*, seconds: float = 120.0) -> list[Row]:
    """The benchmark's rows: what is more, in per cent of the broker's CPU time for an event."""
    found = blocks(uvloop.run(phases(seconds)))
    # What the exporter's imports took came before the first phase.
    first, last = next(iter(found[0].values())), list(found[-1].values())[-1]
    spans = last["spans"] - first["spans"]
    span_seconds = (last["exporting"] - first["exporting"]) / spans
    exporting = span_seconds * _SPANS * RATE
    plain = statistics.median(each["off"]["process"] / each["off"]["events"] for each in found)
    exported, told = 100 * exporting / plain, []
    for kind, more in (("control", 0.0), ("nothing sampled", 0.0), ("sampled", exported)):
        mean, half = trimmed([100 * each for each in excess(found, kind, "process")])
        loop, loop_half = trimmed([100 * each for each in excess(found, kind, "loop")])
        peers = {
            "+-": half,
            "event loop alone": loop,
            "its +-": loop_half,
            "of the thread that exports": more,
            "blocks": len(found),
        }
        name = f"CPU of the broker by traces, {kind}"
        goal = 2.0 if kind == "sampled" else None
        told.append(row(name, [mean + more], "%", at_most=goal, peers=peers))
    peers = {
        "us a span": 1e6 * span_seconds,
        "spans": spans,
        "events/s": statistics.median(each["off"]["events"] / 0.2 for each in found),
    }
    told.append(row("CPU of the broker for an event, no traces", [1e6 * plain], "us", peers=peers))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    print(markdown(rows(seconds=parser.parse_args().seconds)))


if __name__ == "__main__":
    main()
