"""Pods are killed at random under load: requests, the limit of a pod, events."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from hearth.knative.resources import BROKERS, KSERVICES, TRIGGERS
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object
from hearth.kube.resources import PODS, SERVICES, Resource
from hearth.kube.views import Pod
from tests.bench.cluster.clients import Outcome, load
from tests.bench.cluster.installation import NAMESPACES, Installation
from tests.bench.cluster.served import NAMESPACE
from tests.bench.rows import Row, row

RATE, SECONDS, LIMIT, WORK_MS = 500, 60, 5, 10
PODS_AT_LEAST, PODS_AT_MOST = 4, 8
"""More than enough; past that a small cluster would only be busy with starting pods."""
EVENTS_A_SECOND = 200
_PROGRAM = Path(__file__).with_name("pod_program.py").read_text()
_REQUESTS, _EVENTS = "kills", "kills-events"


async def of_requests(
    client: KubeClient,
    installation: Installation,
    gateway: str,
    *,
    every_seconds: float,
    attempt_seconds: float,
) -> list[Row]:
    """Activators, controls and users' pods are killed while requests come at a rate."""
    scale = "autoscaling.knative.dev"
    annotations = {
        f"{scale}/min-scale": str(PODS_AT_LEAST),
        f"{scale}/max-scale": str(PODS_AT_MOST),
    }
    spec = {"containerConcurrency": LIMIT}
    service = _service(_REQUESTS, await installation.image(), annotations, spec, work_ms=WORK_MS)
    ready = await _made(client, KSERVICES, service)
    host = ready["status"]["url"].removeprefix("http://")
    kills = Counter[str]()
    killing = asyncio.create_task(_kill(client, installation, kills, every_seconds))
    outcome = await load(gateway, host, rate=RATE, seconds=SECONDS, attempt_seconds=attempt_seconds)
    killing.cancel()
    await asyncio.gather(killing, return_exceptions=True)
    print(f"kills: {kills}; {outcome}", file=sys.stderr)
    return _rows(outcome, kills.total())


async def _kill(
    client: KubeClient, installation: Installation, kills: Counter[str], every_seconds: float
) -> None:
    for kind in itertools.cycle(("activator", "user", "control")):
        await asyncio.sleep(every_seconds)
        if kind == "user":
            selector = f"serving.knative.dev/service={_REQUESTS}"
            pods, _ = await client.list(PODS, NAMESPACE, label_selector=selector)
        else:
            pods = await installation.pods(kind)
        kills[kind] += await installation.kill_one_of(pods)


def _rows(outcome: Outcome, kills: int) -> list[Row]:
    title = f"{kills} kills in {SECONDS} s, {RATE} requests/s"
    return [
        row(f"{title}: idempotent requests lost", [outcome.lost], "", at_most=0),
        row(f"{title}: answered", [outcome.answered], ""),
        row(f"{title}: repeated by clients", [outcome.repeated.total()], ""),
        row(f"{title}: most requests in a pod", [outcome.most_in_a_pod], "", at_most=LIMIT),
        row(f"{title}: slowest request", [outcome.slowest_seconds], "s"),
    ]


# -- events ----------------------------------------------------------------------------------------


async def of_events(client: KubeClient, installation: Installation) -> list[Row]:
    """The broker is killed, again and again, while events come; those it took must arrive."""
    annotations = {"autoscaling.knative.dev/min-scale": "1"}
    service = _service(_EVENTS, await installation.image(), annotations, {}, work_ms=0)
    await _made(client, KSERVICES, service)
    broker = await _made(client, BROKERS, _eventing("Broker", {}))
    subscriber = {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}}
    subscriber["ref"]["name"] = _EVENTS
    trigger = _eventing("Trigger", {"broker": "default", "subscriber": subscriber})
    await _made(client, TRIGGERS, trigger)
    ingress = await client.get(SERVICES, "broker-ingress", NAMESPACES[1])
    path = broker["status"]["address"]["url"].split("/", 3)[3]
    url = f"http://{ingress['spec']['clusterIP']}/{path}"
    sent, kills = set[str](), 0
    async with _sending(url, sent):
        for _ in range(3):
            await asyncio.sleep(10)
            kills += await installation.kill_one_of(await installation.pods("broker"))
        await asyncio.sleep(20)
    missing, received = await _missing(client, sent)
    title = f"broker killed {kills} times, {EVENTS_A_SECOND} events/s"
    return [
        row(f"{title}: acknowledged events lost", [len(missing)], "", at_most=0),
        row(f"{title}: acknowledged", [len(sent)], ""),
        row(f"{title}: delivered more than once", [len(received) - len(set(received))], ""),
    ]


@contextlib.asynccontextmanager
async def _sending(url: str, sent: set[str]) -> AsyncIterator[None]:
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session:

        async def send(worker: int) -> None:
            number = 0
            while True:
                number += 1
                headers = {f"ce-{key}": "bench" for key in ("source", "type")}
                headers |= {"ce-specversion": "1.0", "ce-id": f"{worker}-{number}"}
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.post(url, data=b"x" * 200, headers=headers) as answer:
                        if answer.status == 202:
                            sent.add(headers["ce-id"])
                await asyncio.sleep(10 / EVENTS_A_SECOND)

        tasks = [asyncio.create_task(send(worker)) for worker in range(10)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _missing(client: KubeClient, sent: set[str]) -> tuple[set[str], list[str]]:
    """What was acknowledged and did not arrive within two minutes, and all that arrived."""
    pods, _ = await client.list(
        PODS, NAMESPACE, label_selector=f"serving.knative.dev/service={_EVENTS}"
    )
    [url] = [f"http://{Pod(pod).ip}:8080/events" for pod in pods if Pod(pod).is_ready]
    loop = asyncio.get_running_loop()
    deadline, received = loop.time() + 120, list[str]()
    async with aiohttp.ClientSession() as session:
        while (missing := sent - set(received)) and loop.time() < deadline:
            async with session.get(url) as answer:
                received = await answer.json()
            await asyncio.sleep(0.5)
    return missing, received


# -- objects ---------------------------------------------------------------------------------------


def _service(
    name: str, image: str, annotations: dict[str, str], spec: Object, *, work_ms: int
) -> Object:
    container = {
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", _PROGRAM],
        "env": [{"name": "WORK_MS", "value": str(work_ms)}],
    }
    template = {
        "metadata": {"annotations": annotations},
        "spec": {"containers": [container], "timeoutSeconds": 10, **spec},
    }
    return {
        "apiVersion": KSERVICES.api_version,
        "kind": KSERVICES.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"template": template},
    }


def _eventing(kind: str, spec: Object) -> Object:
    return {
        "apiVersion": BROKERS.api_version,
        "kind": kind,
        "metadata": {"name": "default", "namespace": NAMESPACE},
        "spec": spec,
    }


async def _made(client: KubeClient, resource: Resource, obj: Object) -> Object:
    """Create an object and return it once it is Ready."""
    await client.create(resource, obj)
    async with asyncio.timeout(120):
        while True:
            found = await client.get(resource, obj["metadata"]["name"], NAMESPACE)
            if Conditions.of(found).is_true("Ready"):
                return found
            await asyncio.sleep(0.1)
