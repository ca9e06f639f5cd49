"""A broker's data plane as its own process, without Kubernetes, for benchmarks and fault tests.

Usage: broker_process.py FOLDER PORT SUBSCRIBER_URLS
           [TRIGGERS MATCHING DIALECT [JOURNEYS [RATE COLLECTOR]]]

Serves ``/ns/default`` with Triggers to the subscribers in turn (their URLs, separated by commas),
one if not told otherwise, of which some match the events of the benchmark; prints the port once it
listens. The log may take 4 GiB, for backlogs. RATE is the share of events that are traced.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

import uvloop

from eventing.engines.local.config import MIB, LogLimits
from eventing.engines.local.engine import LocalEngine
from eventing.engines.seam import Engine, EventLog
from eventing.filters import Filter, compile_filters
from eventing.runtime.accounting import MemoryBudget
from eventing.runtime.addressable import Addressable
from eventing.runtime.client import DeliveryClient
from eventing.runtime.config import ClientLimits, IngressLimits, SubscriptionLimits
from eventing.runtime.ingress import Ingress
from eventing.runtime.journeys.keeper import Journeys, LogJourneys
from eventing.runtime.metrics import BrokerMetrics
from eventing.runtime.places import BROKER, Place
from eventing.runtime.policy import Backoff, DeliveryPolicy
from eventing.runtime.services import Services
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.target import parse_target
from eventing.runtime.tuning import tune_interpreter
from hearth.observability.traces.config import HTTP, TracingConfig
from hearth.observability.traces.tracer import Tracer

KEY = Place(BROKER, "ns", "default")
POLICY = DeliveryPolicy(retries=1000, backoff=Backoff.LINEAR, delay_seconds=0.01)


Beside = Callable[[Addressable, Tracer], Coroutine[None, None, None]]
"""What goes on beside the broker, in its event loop, until it is stopped."""


async def nothing_beside(runtime: Addressable, tracer: Tracer) -> None:
    """Only the broker."""


def filter_of(dialect: str, wanted: str) -> Filter:
    written = {"exact": {"type": wanted}, "cesql": f"type = '{wanted}' AND EXISTS source"}
    return compile_filters([{dialect: written[dialect]}])


def spec(number: int, matching: int, dialect: str, url: str) -> SubscriptionSpec:
    name = f"t{number}"
    return SubscriptionSpec(
        uid=name,
        namespace="ns",
        name=name,
        filter=filter_of(dialect, "bench" if number < matching else name),
        policy=POLICY,
        target=parse_target(url, None),
        dead_letter=None,
        place=KEY,
    )


def engine_in(folder: Path) -> Engine:
    """The local log, or NATS or Kafka where BENCH_NATS or BENCH_KAFKA says where that is."""
    if bootstrap := os.environ.get("BENCH_KAFKA"):
        from eventing.engines.kafka.config import KafkaLimits, KafkaServer
        from eventing.engines.kafka.engine import KafkaEngine

        single = {"batch.num.messages": "1"} if os.environ.get("BENCH_KAFKA_SINGLE") else {}
        # Tansu answers when the time is over, also where events come before; Kafka does not wait.
        soon = {"fetch.wait.max.ms": "5"}
        kafka = KafkaServer(
            bootstrap, producer=single, consumer=soon, prefix=folder.name, replicas=1
        )
        return KafkaEngine(kafka, KafkaLimits(log_bytes=4096 * MIB, session_seconds=1))
    if url := os.environ.get("BENCH_NATS"):
        from eventing.engines.nats.config import NatsLimits, NatsServer
        from eventing.engines.nats.engine import NatsEngine

        server = NatsServer((url,), prefix=f"BENCH{folder.name.replace('.', '')}")
        return NatsEngine(server, NatsLimits(log_bytes=4096 * MIB))
    return LocalEngine(folder, LogLimits(log_bytes=4096 * MIB))


async def main(
    folder: Path,
    port: int,
    urls: list[str],
    triggers: int,
    matching: int,
    dialect: str,
    journeys: str,
    tracing: TracingConfig,
    beside: Beside = nothing_beside,
) -> None:
    tune_interpreter()
    keeper = Journeys(folder / "journeys")
    engine = engine_in(folder)
    client = DeliveryClient(ClientLimits())
    tracer = Tracer("broker", "ns")
    tracer.configure(tracing)
    services = Services(client, MemoryBudget(SubscriptionLimits()), tracer=tracer)
    log = await engine.open("broker")
    kept = keeper.of("broker", log.position_text) if journeys == "on" else None
    runtime = Addressable(
        KEY,
        log,
        services=services,
        metrics=BrokerMetrics(),
        observer=kept.recorder if kept else None,
    )
    for number in range(triggers):
        await runtime.subscribe(spec(number, matching, dialect, urls[number % len(urls)]))
    await joined(log)
    server = Ingress(
        lambda key: runtime if key == KEY else None, limits=IngressLimits(), tracer=tracer
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(await server.start("127.0.0.1", port), flush=True)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.run()), group.create_task(save(runtime, kept))]
        tasks.append(group.create_task(beside(runtime, tracer)))
        await stop.wait()
        for task in tasks:
            task.cancel()
    await server.stop(grace_seconds=5)
    runtime.close()
    await client.close()
    await engine.close()
    if kept is not None:
        kept.close()
    await keeper.close()
    await asyncio.to_thread(tracer.close)


async def joined(log: EventLog) -> None:
    """Wait until Kafka has given this process its partitions: what is measured comes after."""
    if member := getattr(log, "member", None):
        await asyncio.to_thread(member.joined.wait, 30)


async def save(runtime: Addressable, journeys: LogJourneys | None) -> None:
    while True:
        await asyncio.sleep(0.1)
        await runtime.checkpoint()
        if journeys is not None:
            journeys.flush()


def run(
    folder: str,
    port: str,
    urls: str,
    triggers: str = "1",
    matching: str = "1",
    dialect: str = "exact",
    journeys: str = "on",
    rate: str = "0",
    collector: str = "",
    *,
    beside: Beside = nothing_beside,
) -> None:
    numbers = int(port), urls.split(","), int(triggers), int(matching)
    tracing = TracingConfig(HTTP, collector, float(rate)) if collector else TracingConfig()
    uvloop.run(main(Path(folder), *numbers, dialect, journeys, tracing, beside))


if __name__ == "__main__":
    run(*sys.argv[1:])
