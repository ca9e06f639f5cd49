"""Logs that move from one engine to another and back, with a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventing.engines.copying import Copy
from eventing.engines.local.engine import LocalEngine
from eventing.engines.nats.config import NatsLimits, NatsServer
from eventing.engines.nats.engine import NatsEngine
from eventing.engines.seam import Consumer, Engine, EventLog, Order, Standing, Start
from tests.component.eventing.engines.test_engines import (
    KafkaCase,
    an_event,
    append,
    ids,
    look,
    take,
)
from tests.component.keda import servers

COUNT = 1200
"""More than goes over at once."""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with servers.nats(tmp_path_factory.mktemp("nats")) as (port, _):
        yield port


@pytest.fixture(scope="module")
def kafka_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with servers.kafka(tmp_path_factory.mktemp("kafka")) as port:
        yield port


@pytest.fixture(params=[("local", "nats"), ("nats", "local"), ("local", "kafka")], ids=" to ".join)
def engines(
    request: pytest.FixtureRequest, tmp_path: Path, port: int, kafka_port: int
) -> tuple[Engine, Engine]:
    server = NatsServer((f"nats://127.0.0.1:{port}",), prefix=tmp_path.name, owner="us")
    makers: dict[str, Callable[[], Engine]] = {
        "local": lambda: LocalEngine(tmp_path),
        "nats": lambda: NatsEngine(server, NatsLimits(ack_seconds=0.5, refresh_seconds=0)),
        "kafka": KafkaCase(tmp_path, kafka_port).start,
    }
    here, there = (makers[each]() for each in request.param)
    return here, there


def is_ordered(engines: tuple[Engine, Engine]) -> bool:
    return all(each.capabilities.order is Order.TOTAL for each in engines)


async def filled(log: EventLog) -> tuple[Consumer, Consumer]:
    """Two consumers: one with holes, one that has seen nothing."""
    busy, idle = await log.consume("busy"), await log.consume("idle")
    for first in range(0, COUNT, 100):
        await append(
            log, *[an_event(first + n, after_ns=first + n, key=str(n % 7)) for n in range(100)]
        )
    for event in await take(busy, 900, max_bytes=100_000):
        number = int(event.attributes["id"])
        if number < 900 and number % 100 == 7:
            busy.park(event, f"held {number}")
        elif number == 850:
            busy.note(event, "twice")
        elif number < 900 and number % 50:
            busy.settle(event)
    await log.checkpoint()
    busy.close()
    idle.close()
    return busy, idle


async def test_all_goes_over_and_everybody_goes_on(engines: tuple[Engine, Engine]) -> None:
    here, there = engines
    source, target = await here.open("log"), await there.open("log")
    try:
        await filled(source)
        ordered = is_ordered(engines)
        copy = Copy(source, target, ordered=ordered)
        assert await copy.some()
        await append(source, an_event("late", after_ns=COUNT))
        again = Copy(source, target, ordered=ordered)  # as after a crash
        while await again.some():
            pass
        await again.cursors(besides="")
        assert again.copied == COUNT + 1
        names = [str(n) for n in range(COUNT)] + ["late"]
        kept = ids(await look(target, Start.EARLIEST))
        assert (kept if ordered else sorted(kept, key=names.index)) == names, "each once"
        busy, idle = await target.consume("busy"), await target.consume("idle")
        given = ids(await take(idle, COUNT + 1, max_bytes=100_000))
        assert (given if ordered else sorted(given, key=names.index)) == names
        unsettled = [str(n) for n in range(900) if n % 50 == 0 and n != 850] + ["850"]
        rest = [str(n) for n in range(900, COUNT)] + ["late"]
        found = await take(busy, len(unsettled) + len(rest), max_bytes=100_000)
        assert sorted(ids(found)) == sorted([*unsettled, *rest])
        notes = {each.attributes["id"]: busy.note_of(each) for each in found}
        assert {id for id, note in notes.items() if note} == {"850"}
        assert sorted(busy.parked().values()) == sorted(f"held {n}" for n in range(7, 900, 100))
        at = {each.attributes["id"]: each.position for each in await look(target, Start.EARLIEST)}
        assert set(busy.parked()) == {at[str(n)] for n in range(7, 900, 100)}
    finally:
        await asyncio.gather(here.close(), there.close())


async def test_a_consumer_that_the_source_has_no_more_is_none_of_the_target(
    engines: tuple[Engine, Engine],
) -> None:
    here, there = engines
    source, target = await here.open("log"), await there.open("log")
    try:
        (await source.consume("stays")).close()
        (await source.consume("goes")).close()
        await append(source, an_event(1))
        copy = Copy(source, target, ordered=is_ordered(engines))
        await copy.some()
        await copy.cursors(besides="mark")
        await source.forget("goes")
        await target.place("mark", Standing())
        await copy.cursors(besides="mark")
        assert set(await target.consumers()) == {"stays", "mark"}
        assert ids(await take(await target.consume("stays"), 1)) == ["1"]
    finally:
        await asyncio.gather(here.close(), there.close())
