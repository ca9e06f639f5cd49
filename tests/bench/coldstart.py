"""Cold start: a request for a service at zero, against the bare start of the same process.

The figure is what Hearth adds: time to answer minus what the application's own process needs from
its start until it listens, both measured in this run.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import aiohttp

from hearth.keda.api.keys import INTERCEPTORROUTES, SCALEDOBJECTS
from hearth.knative.resources import KSERVICES
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object, name
from hearth.kube.resources import DEPLOYMENTS, PODS, Resource
from hearth.kube.resources import SERVICES as KUBE_SERVICES
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, percentile, row
from tests.bench.services import a_service
from tests.ports import free_port

SERVICES = 30
_SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "hello" / "server.py"


def routed_app(app: str) -> list[tuple[Resource, Object]]:
    """A Deployment at zero with its Service, its route and its ScaledObject."""
    metadata, labels = {"name": app, "namespace": "default"}, {"app": app}
    container = {
        "name": "app",
        "image": "hearth.dev/samples/hello",
        "ports": [{"containerPort": 8080}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    trigger = {"scalerAddress": "keda-add-ons-http-external-scaler.keda:9090"}
    specs: list[tuple[Resource, Object]] = [
        (
            DEPLOYMENTS,
            {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
        ),
        (KUBE_SERVICES, {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]}),
        (
            INTERCEPTORROUTES,
            {
                "target": {"service": app, "port": 80},
                "rules": [{"hosts": [f"{app}.test"]}],
                "scalingMetric": {"concurrency": {"targetValue": 100}},
            },
        ),
        (
            SCALEDOBJECTS,
            {
                "scaleTargetRef": {"name": app},
                "triggers": [
                    {"type": "external-push", "metadata": trigger | {"interceptorRoute": app}}
                ],
            },
        ),
    ]
    return [
        (
            resource,
            {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "metadata": metadata,
                "spec": spec,
            },
        )
        for resource, spec in specs
    ]


def start_to_listen() -> float:
    """Seconds from spawning the sample's process until it accepts a connection."""
    port = free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", str(_SAMPLE)],
        env={"PORT": str(port), "PATH": os.defpath},
        stdout=subprocess.DEVNULL,
    )
    try:
        while True:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    return time.perf_counter() - began
            time.sleep(0.0005)
    finally:
        process.kill()
        process.wait()


async def _asleep(pods: WatchCache) -> None:
    quiet = asyncio.Event()

    def changed(_old: object, _new: object) -> None:
        if not len(pods):
            quiet.set()

    pods.on_change(changed)
    async with asyncio.timeout(120):
        if len(pods):
            await quiet.wait()


async def _measure(kubeconfig: Path, port: int) -> list[float]:
    async with KubeClient.from_kubeconfig(kubeconfig) as client, aiohttp.ClientSession() as http:
        pods = WatchCache(client, PODS)
        watching = asyncio.create_task(pods.run())
        await pods.synced()
        for number in range(SERVICES):
            await client.create(KSERVICES, a_service(f"cold-{number}"))
        while len(pods) < SERVICES:
            await asyncio.sleep(0.05)
        await _asleep(pods)
        took = []
        for number in range(SERVICES):
            host = {"Host": f"cold-{number}.default.localhost:{port}"}
            began = time.perf_counter()
            async with http.get(f"http://127.0.0.1:{port}/", headers=host) as answer:
                await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"cold request answered {answer.status}")
            took.append(time.perf_counter() - began)
            await asyncio.sleep(0.1)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return took


async def _measure_routes(kubeconfig: Path, port: int) -> tuple[list[float], list[float]]:
    """By routes of KEDA's HTTP add-on: seconds to the answer, and until a pod is asked for."""
    async with KubeClient.from_kubeconfig(kubeconfig) as client, aiohttp.ClientSession() as http:
        deployments = WatchCache(client, DEPLOYMENTS, namespace="default")
        wanted: dict[str, float] = {}

        def changed(_old: Object | None, new: Object | None) -> None:
            if new is not None and new["spec"].get("replicas"):
                wanted.setdefault(name(new), time.perf_counter())

        deployments.on_change(changed)
        watching = asyncio.create_task(deployments.run())
        await deployments.synced()
        names = [f"route-{number}" for number in range(SERVICES)]
        for each in names:
            for resource, obj in routed_app(each):
                await client.create(resource, obj)
        await _all_ready(client, names)
        took, asked = [], []
        for each in names:
            began = time.perf_counter()
            async with http.get(
                f"http://127.0.0.1:{port}/", headers={"Host": f"{each}.test"}
            ) as answer:
                await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"cold request answered {answer.status}")
            took.append(time.perf_counter() - began)
            while each not in wanted:
                await asyncio.sleep(0.001)
            asked.append(wanted[each] - began)
            await asyncio.sleep(0.1)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return took, asked


async def _all_ready(client: KubeClient, names: list[str]) -> None:
    async with asyncio.timeout(60):
        for each in names:
            while not Conditions.of(await client.get(SCALEDOBJECTS, each, "default")).is_true(
                "Ready"
            ):
                await asyncio.sleep(0.05)


def rows() -> list[Row]:
    bare = [start_to_listen() * 1000 for _ in range(SERVICES)]
    with RunningHearth() as hearth:
        cold = [s * 1000 for s in asyncio.run(_measure(hearth.kubeconfig, hearth.port))]
        took, asked = asyncio.run(_measure_routes(hearth.kubeconfig, hearth.port))
    own = statistics.median(bare)
    return [
        row("cold start beyond the process's own start", [c - own for c in cold], "ms", at_most=30),
        row("cold start, whole", cold, "ms", peers={"process start to listen": own}),
        row("cold start, whole, p95 of 30", [percentile(cold, 0.95)], "ms"),
        row(
            "HTTP add-on: cold start beyond the process's own start",
            [seconds * 1000 - own for seconds in took],
            "ms",
            at_most=20,
        ),
        row(
            "HTTP add-on: from a request to a pod wanted",
            [seconds * 1000 for seconds in asked],
            "ms",
            at_most=50,
        ),
    ]
