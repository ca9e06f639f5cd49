"""Live events and producers beside subscribers that catch up with backlogs.

Usage: python -m tests.bench.backlogs [--runs 2] [--events 30000]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.bench.eventloads import nobody
from tests.bench.events import Got, Load, SinkConnection, broker, generate, request, sink
from tests.bench.rows import Row, percentile, row, show

BEHIND = (1, 10, 100)
EVENTS = 30_000
"""To be caught up with, by all together, though no fewer than this by each:"""
_LEAST = 1000
_PAUSE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Beside:
    """Milliseconds of live events, and how fast the others caught up."""

    delivered: list[float]
    accepted: list[float]
    per_second: float


class LiveProducer(asyncio.Protocol):
    """Sends events that only the live subscriber wants, one after the other."""

    def __init__(self, wanted: str) -> None:
        self._type = wanted.encode()
        self._asked: list[float] = []
        self.sent: dict[str, float] = {}
        self.waits: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        for _ in range(data.count(b"HTTP/1.1 202")):
            self.waits.append(time.perf_counter() - self._asked.pop(0))

    def send(self) -> None:
        event_id = f"live-{len(self.sent)}"
        self.sent[event_id] = time.perf_counter()
        self._asked.append(self.sent[event_id])
        wire = request(event_id, b"x" * 1024).replace(b"ce-type: bench", b"ce-type: " + self._type)
        self._transport.write(wire)  # type: ignore[attr-defined]


async def beside(behind: int, events: int, *, restarted: bool = False) -> Beside:
    """Let subscribers be away while events come, and come back; one of others gets live events.

    Of the broker's triggers one wants these, which have a type that it is named after. Where the
    broker is ``restarted`` meanwhile, all of them begin by reading.
    """
    got, loop = Got(), asyncio.get_running_loop()
    with nobody() as closed:
        pass
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd())))
        live, live_got = await stack.enter_async_context(sink())
        urls = [f"http://127.0.0.1:{closed}/"] * behind + [live]
        asked = ",".join(urls), str(behind + 1), str(behind), "exact", "off"
        running = contextlib.AsyncExitStack()
        await stack.enter_async_context(running)
        _, port = await running.enter_async_context(broker(folder, *asked))
        waiting = len(await backlog(port, max(events // behind, _LEAST)))
        if restarted:
            await running.aclose()
            _, port = await running.enter_async_context(broker(folder, *asked))
        server = await loop.create_server(lambda: SinkConnection(got), "127.0.0.1", closed)
        began = time.perf_counter()
        _, producer = await loop.create_connection(
            lambda: LiveProducer(f"t{behind}"), "127.0.0.1", port
        )
        async with asyncio.timeout(120):
            while sum(got.counts.values()) < behind * waiting:
                producer.send()
                await asyncio.sleep(_PAUSE_SECONDS)
            took = time.perf_counter() - began
            while not producer.sent.keys() <= live_got.first.keys():
                await asyncio.sleep(0.01)
        server.close()
    waits = [live_got.first[event_id] - sent for event_id, sent in producer.sent.items()]
    return Beside(
        [1000 * each for each in waits],
        [1000 * each for each in producer.waits],
        behind * waiting / took,
    )


async def backlog(port: int, events: int) -> set[str]:
    """Send so many events that nobody takes yet; return what was acknowledged."""
    load = Load(b"x" * 1024, "b", float("inf"))
    transports = await generate(port, load, 8)
    while len(load.acknowledged) < events:
        await asyncio.sleep(0.01)
    load.until = 0.0
    for transport in transports:
        transport.close()
    return load.acknowledged


def rows(*, runs: int = 2, events: int = EVENTS) -> list[Row]:
    """The benchmark's rows."""
    found = []
    cases = [(behind, False) for behind in BEHIND] + [(BEHIND[-1], True)]
    for behind, restarted in cases:
        measured = [uvloop.run(beside(behind, events, restarted=restarted)) for _ in range(runs)]
        when = " after a restart" if restarted else ""
        peers = {
            "p99": statistics.median(percentile(each.delivered, 0.99) for each in measured),
            "202, p50": statistics.median(percentile(each.accepted, 0.5) for each in measured),
            "caught up at, 1/s": statistics.median(each.per_second for each in measured),
        }
        found.append(
            row(
                f"a live event while {behind} with backlogs catch up{when}, p50",
                [percentile(each.delivered, 0.5) for each in measured],
                "ms",
                peers=peers,
            )
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--events", type=int, default=EVENTS)
    given = parser.parse_args()
    show(rows(runs=given.runs, events=given.events))


if __name__ == "__main__":
    main()
