"""What Kafka alone can do to us: not there, silent, topics of others, records of others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from eventing.engines.kafka.config import KafkaLimits, KafkaServer
from eventing.engines.kafka.engine import KafkaEngine
from eventing.engines.kafka.log import KafkaLog
from eventing.engines.seam import Refused, Start, Unavailable
from hearth.timeouts import time_limit
from tests.component.eventing.engines.kafkaproxy import proxied
from tests.component.eventing.engines.test_engines import (
    an_event,
    append,
    at_once,
    ids,
    saved,
    take,
)
from tests.component.keda import servers
from tests.ports import free_port
from tests.waiting import until

LIMITS = KafkaLimits(answer_seconds=10, session_seconds=1, refresh_seconds=0.2, save_seconds=0)

SHORT = replace(LIMITS, answer_seconds=2)


def at(port: int, prefix: str = "hearth") -> KafkaServer:
    """Tansu says of a batch of several records that the topic ends after the first."""
    one = {"batch.num.messages": "1"}
    soon = {"fetch.wait.max.ms": "20"}
    address = f"127.0.0.1:{port}"
    return KafkaServer(
        address, prefix=prefix, producer=one, consumer=soon, partitions=3, replicas=1
    )


@contextlib.asynccontextmanager
async def opened(
    server: KafkaServer, *, limits: KafkaLimits = LIMITS, **options: object
) -> AsyncIterator[tuple[KafkaEngine, KafkaLog]]:
    engine = KafkaEngine(server, limits)
    try:
        yield engine, await engine.open("log", options)
    finally:
        await engine.close()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with servers.kafka(tmp_path_factory.mktemp("kafka")) as port:
        yield port


async def test_no_server_is_named() -> None:
    port = free_port()
    with pytest.raises(Unavailable, match=f"Kafka at 127.0.0.1:{port}: .*(refused|down|transport)"):
        async with opened(at(port), limits=SHORT):
            raise AssertionError("there is no server")


async def test_a_server_that_stands_still_refuses_in_time_and_is_used_again(
    tmp_path: Path,
) -> None:
    port = free_port()
    with servers.kafka_process(tmp_path, port) as pid:
        async with opened(at(port), limits=SHORT) as (_, log):
            consumer = await log.consume("c")
            await append(log, an_event(1))
            assert ids(await take(consumer, 1)) == ["1"]
            os.kill(pid, signal.SIGSTOP)
            stat = Path(f"/proc/{pid}/stat")
            await until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
            try:
                with pytest.raises(Refused, match="cannot be stored in topic hearth-log") as told:
                    await append(log, an_event(2))
            finally:
                os.kill(pid, signal.SIGCONT)
            assert told.value.status == 503
            async with asyncio.timeout(60):
                while True:
                    try:
                        await append(log, an_event(3))
                        break
                    except Refused:
                        continue
            found = await take(consumer, 1)
            while ids(found)[-1] != "3":
                found += await take(consumer, 1)
            assert ids(found) in (["2", "3"], ["3"])


async def test_a_topic_of_others_is_read_and_neither_made_nor_removed(
    port: int, tmp_path: Path
) -> None:
    server, theirs = at(port, tmp_path.name), f"{tmp_path.name}-theirs"
    with pytest.raises(Unavailable, match=r"invalid topic \S+: .*[Uu]nknown topic"):
        async with opened(server, topic=theirs, external=True):
            raise AssertionError("there is no topic")
    admin = AdminClient({**server.common()})
    admin.create_topics([NewTopic(theirs, 1, 1)])[theirs].result(60)
    async with opened(server, topic=theirs, external=True) as (engine, log):
        consumer = await log.consume("c", Start.EARLIEST)
        producer = Producer({**server.common(), "batch.num.messages": 1})
        headers = {"ce_specversion": "1.0", "ce_id": "ä 1", "ce_source": "/s", "ce_type": "t"}
        producer.produce(theirs, b"{}", key=b"k", headers=[*headers.items()])
        producer.produce(theirs, b"no event at all")
        body = b'{"specversion":"1.0","id":"2","source":"/s","type":"t","data":{"a":1}}'
        producer.produce(theirs, body, headers={"content-type": "application/cloudevents+json"})
        assert producer.flush(60) == 0
        found = await take(consumer, 2, max_bytes=1)
        assert ids(found) == ["ä 1", "2"]
        assert [event.data for event in found] == [b"{}", b'{"a":1}']
        assert found[0].attributes["partitionkey"] == "k"
        assert found[0].arrival_ns > 0
        for event in found:
            consumer.settle(event)
        await saved(log, lambda: log.stats().events == 0)
        assert list(await engine.keys()) == ["log"]
        await engine.drop("log")
        assert list(await engine.keys()) == []
    assert theirs in admin.list_topics(timeout=60).topics


async def test_events_without_a_key_are_spread_and_all_come(port: int, tmp_path: Path) -> None:
    async with opened(at(port, tmp_path.name)) as (_, log):
        consumer = await log.consume("c")
        made = [an_event(number) for number in range(60)]
        for event in made:
            event.head = event.head.replace(b"ce-partitionkey: k\r\n", b"")
            await append(log, event)
        found = await take(consumer, 60)
        assert sorted(ids(found), key=int) == [str(number) for number in range(60)]


async def test_it_ends_while_something_is_read(port: int, tmp_path: Path) -> None:
    """librdkafka forgives nobody who closes a consumer that another thread asks something."""
    for _ in range(3):
        async with opened(at(port, tmp_path.name)) as (_, log):
            await append(log, an_event(1))
            looks = [await log.look(Start.EARLIEST) for _ in range(3)]
            reading = [asyncio.create_task(look.fetch(1)) for look in looks]
            await asyncio.sleep(0)
            for task in reading:
                task.cancel()
            await asyncio.wait(reading)
    async with opened(at(port, tmp_path.name)) as (_, log):
        assert len(await (await log.look(Start.EARLIEST)).fetch(10_000)) == 3


async def test_processes_that_make_a_consumer_at_once_agree_where_it_begins(
    port: int, tmp_path: Path
) -> None:
    server = at(port, tmp_path.name)
    async with opened(server) as (_, log), opened(server) as (_, other):
        await append(log, an_event("before"))
        pair = await asyncio.gather(log.consume("c"), other.consume("c"))
        sent = [f"{number}" for number in range(20)]
        for number in sent:
            await append(log, an_event(number, key=number))
        got: list[str] = []
        async with asyncio.timeout(60):
            while len(got) < len(sent):
                for consumer in pair:
                    for event in await at_once(consumer):
                        got.append(event.attributes["id"])
                        consumer.settle(event)
        assert sorted(got) == sorted(sent)


async def test_a_consumer_that_another_process_moves_begins_anew(port: int, tmp_path: Path) -> None:
    server = at(port, tmp_path.name)
    async with opened(server) as (_, log), opened(server) as (_, other):
        consumer = await log.consume("c")
        for number in range(3):
            await append(log, an_event(number))
        for event in await take(consumer, 3):
            consumer.settle(event)
        await log.checkpoint()
        await other.seek("c", Start.EARLIEST)
        again = await take(consumer, 3)
        assert ids(again) == ["0", "1", "2"]
        for event in again:
            consumer.settle(event)
        await saved(log, lambda: log.stats().events == 0)
        assert (await other.consumers(), other.stats().events) == (["c"], 0)


async def test_what_is_set_aside_is_recalled_where_its_partition_is(
    port: int, tmp_path: Path
) -> None:
    server = at(port, tmp_path.name)
    async with opened(server) as (_, log), opened(server) as (_, other):
        pair = [await each.consume("c") for each in (log, other)]
        await until(lambda: sorted(len(each.tails) for each in (log, other)) == [1, 2])
        for number in range(30):
            await append(log, an_event(number, key=str(number)))
        parked: list[set[str]] = [set(), set()]
        async with time_limit(20):
            while len(parked[0] | parked[1]) < 30:
                for consumer, of in zip(pair, parked, strict=True):
                    for event in await at_once(consumer):
                        consumer.park(event, "held")
                        of.add(event.attributes["id"])
        assert all(parked)
        for each in (log, other):
            await each.checkpoint()
        await until(lambda: len(pair[0].parked()) == 30)
        again = await pair[0].recall(list(pair[0].parked()))
        assert set(ids(again)) == parked[0]
        there = await take(pair[1], len(parked[1]))
        assert set(ids(there)) == parked[1]
        pair[1].park(there[0], "held")
        await other.checkpoint()
        await until(lambda: len(pair[0].parked()) == 1)
        assert pair[0].discard(list(pair[0].parked())) == 1
        reading = asyncio.create_task(pair[1].fetch(1))
        await until(lambda: there[0].position not in pair[1].parked())
        reading.cancel()
        await asyncio.wait([reading])


async def test_in_a_topic_that_was_made_anew_all_is_new(port: int, tmp_path: Path) -> None:
    server, topic = at(port, tmp_path.name), f"{tmp_path.name}-log"
    async with opened(server) as (_, log):
        consumer = await log.consume("c")
        await append(log, an_event(1))
        for event in await take(consumer, 1):
            consumer.settle(event)
        await log.checkpoint()
    admin = AdminClient({**server.common()})
    admin.delete_topics([topic])[topic].result(60)
    async with opened(server) as (_, log):
        await append(log, an_event(2))
        consumer = await log.consume("c")
        assert ids(await take(consumer, 1)) == ["2"]


async def test_a_topic_that_others_remove_is_told_of_and_read_again_when_it_is_back(
    tmp_path: Path,
) -> None:
    behind, port = free_port(), free_port()
    with servers.kafka_process(tmp_path, behind, told=port) as pid:
        async with proxied(port, behind):
            server = at(port)
            admin = AdminClient({**server.common()})
            made = NewTopic("theirs", 1, 1)
            await asyncio.wrap_future(admin.create_topics([made])["theirs"])
            async with opened(server, topic="theirs", external=True) as (engine, log):
                other = await engine.open("other")
                consumer, beside = await log.consume("c"), await other.consume("c")
                for number in range(3):
                    await append(log, an_event(number))
                for event in await take(consumer, 3):
                    consumer.settle(event)
                await log.checkpoint()
                await asyncio.wrap_future(admin.delete_topics(["theirs"])["theirs"])
                await until(lambda: "theirs" in log.stats().problem)
                await append(other, an_event("beside"))
                assert ids(await take(beside, 1)) == ["beside"]
                await asyncio.wrap_future(admin.create_topics([made])["theirs"])
                await until(lambda: not log.stats().problem)
                await append(log, an_event("new"))
                assert ids(await take(consumer, 1)) == ["new"]
            os.kill(pid, signal.SIGKILL)


async def test_an_engine_ends_without_its_server(tmp_path: Path) -> None:
    port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        with servers.kafka_process(tmp_path, port) as pid:
            _, log = await stack.enter_async_context(opened(at(port), limits=SHORT))
            consumer = await log.consume("c")
            await append(log, an_event(1))
            [event] = await take(consumer, 1)
            consumer.note(event, "tried")
            os.kill(pid, signal.SIGKILL)
        await log.checkpoint()
        with pytest.raises(Refused, match="cannot be stored") as told:
            await append(log, an_event(2))
        assert told.value.status == 503
        async with asyncio.timeout(60):
            await stack.aclose()
