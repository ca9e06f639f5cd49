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

from eventing.broker.client import DeliveryClient
from eventing.broker.ingress import IngressServer
from eventing.broker.locallog import LocalEngine
from eventing.broker.metrics import BrokerMetrics
from eventing.broker.policy import Backoff, DeliveryPolicy
from eventing.broker.runtime import BrokerRuntime
from eventing.broker.subscription import Services, TriggerView
from eventing.broker.target import parse_target
from eventing.filters import compile_filters

KEY = ("ns", "default")
POLICY = DeliveryPolicy(retries=1000, backoff=Backoff.LINEAR, delay_seconds=0.01)


async def main(folder: Path, port: int, url: str) -> None:
    engine = LocalEngine(folder)
    client = DeliveryClient(max_body_bytes=1024 * 1024)
    log = await engine.open("broker")
    runtime = BrokerRuntime(KEY, log, services=Services(client), metrics=BrokerMetrics())
    runtime.subscribe(
        TriggerView(
            uid="t",
            namespace="ns",
            name="t",
            filter=compile_filters([{"exact": {"type": "bench"}}]),
            policy=POLICY,
            target=parse_target(url, None),
            dead_letter=None,
        )
    )
    server = IngressServer(lambda key: runtime if key == KEY else None, max_event_bytes=1024 * 1024)
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


async def save(runtime: BrokerRuntime) -> None:
    while True:
        await asyncio.sleep(0.1)
        runtime.save()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
