"""A broker's data plane as its own process, without Kubernetes, for benchmarks and fault tests.

Usage: broker_process.py FOLDER PORT SUBSCRIBER_URL

Serves ``/ns/default`` with one Trigger to the subscriber; prints the port once it listens.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from eventing.engines.local.engine import LocalEngine
from eventing.filters import compile_filters
from eventing.runtime.accounting import MemoryBudget
from eventing.runtime.addressable import Addressable
from eventing.runtime.client import DeliveryClient
from eventing.runtime.collector import tune_collector
from eventing.runtime.config import ClientLimits, IngressLimits, SubscriptionLimits
from eventing.runtime.dispatcher import Services
from eventing.runtime.ingress import Ingress
from eventing.runtime.metrics import BrokerMetrics
from eventing.runtime.policy import Backoff, DeliveryPolicy
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.target import parse_target

KEY = ("ns", "default")
POLICY = DeliveryPolicy(retries=1000, backoff=Backoff.LINEAR, delay_seconds=0.01)


async def main(folder: Path, port: int, url: str) -> None:
    tune_collector()
    engine = LocalEngine(folder)
    client = DeliveryClient(ClientLimits())
    services = Services(client, MemoryBudget(SubscriptionLimits()))
    log = await engine.open("broker")
    runtime = Addressable(KEY, log, services=services, metrics=BrokerMetrics())
    await runtime.subscribe(
        SubscriptionSpec(
            uid="t",
            namespace="ns",
            name="t",
            filter=compile_filters([{"exact": {"type": "bench"}}]),
            policy=POLICY,
            target=parse_target(url, None),
            dead_letter=None,
        )
    )
    server = Ingress(lambda key: runtime if key == KEY else None, limits=IngressLimits())
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(await server.start("127.0.0.1", port), flush=True)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.run()), group.create_task(save(runtime))]
        await stop.wait()
        for task in tasks:
            task.cancel()
    await server.stop(grace_seconds=5)
    runtime.close()
    await client.close()
    await engine.close()


async def save(runtime: Addressable) -> None:
    while True:
        await asyncio.sleep(0.1)
        await runtime.checkpoint()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
