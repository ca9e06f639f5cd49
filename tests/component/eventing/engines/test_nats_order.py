"""Order over NATS: one process at a time, and what it left is given to the next before all else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from eventing.engines.nats.config import NatsLimits, NatsServer
from eventing.engines.nats.engine import NatsEngine
from eventing.engines.nats.log import NatsLog
from eventing.engines.seam import Start
from tests.component.eventing.engines.test_engines import an_event, append, ids, take
from tests.component.keda import servers

LIMITS = NatsLimits(answer_seconds=2, ack_seconds=1, refresh_seconds=0)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with servers.nats(tmp_path_factory.mktemp("nats")) as (port, _):
        yield port


@contextlib.asynccontextmanager
async def a_process(
    port: int, *, limits: NatsLimits = LIMITS
) -> AsyncIterator[tuple[NatsEngine, NatsLog]]:
    engine = NatsEngine(NatsServer((f"nats://127.0.0.1:{port}",)), limits)
    try:
        yield engine, await engine.open("log")
    finally:
        await engine.close()


async def add(log: NatsLog, first: int, end: int) -> None:
    for number in range(first, end):
        await append(log, an_event(number))


def numbers(events) -> list[int]:
    return list(map(int, ids(events)))


async def test_a_killed_process_leaves_its_events_in_order(port: int) -> None:
    """Settled are some between those that are not: the next process gets these, sorted, first."""
    async with a_process(port) as (one, log), a_process(port) as (_, other_log):
        first = await log.consume("c", Start.EARLIEST, ordered=True)
        await add(log, 0, 30)
        got = await take(first, 30)
        assert numbers(got) == list(range(30))
        second = await other_log.consume("c", ordered=True)
        waiting = asyncio.create_task(take(second, 40))
        for event in got[5:25:2]:
            first.settle(event)
        await one.connection.flush()
        # It is not the second's turn, however long the first asks for nothing.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 1.5 * LIMITS.ack_seconds + 1.5)
        one.connection.abort()
        await add(other_log, 30, 50)
        left = [number for number in range(30) if number not in range(5, 25, 2)]
        async with asyncio.timeout(60):
            assert numbers(await waiting) == [*left, *range(30, 50)]
    async with a_process(port) as (engine, _):
        await engine.drop("log")


async def test_a_process_that_leaves_gives_its_turn_at_once(port: int) -> None:
    limits = replace(LIMITS, ack_seconds=20)
    async with (
        a_process(port, limits=limits) as (engine, log),
        a_process(port, limits=limits) as (_, other_log),
    ):
        first = await log.consume("c", Start.EARLIEST, ordered=True)
        await add(log, 0, 10)
        for event in (await take(first, 10))[3:6]:
            first.settle(event)
        second = await other_log.consume("c", ordered=True)
        began = asyncio.get_running_loop().time()
        first.close()
        assert numbers(await take(second, 7)) == [0, 1, 2, 6, 7, 8, 9]
        assert asyncio.get_running_loop().time() - began < limits.ack_seconds
        second.close()
        shared = await log.consume("c")
        assert sorted(numbers(await take(shared, 7))) == [0, 1, 2, 6, 7, 8, 9], "no order, as asked"
        await engine.drop("log")
