"""Apply to Ready of one Service, again and again."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from hearth.knative.resources import KSERVICES
from hearth.kube.client import KubeClient
from hearth.kube.meta import Object
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, row

RUNS = 15


def a_service(name: str) -> Object:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "template": {
                "metadata": {"annotations": {"autoscaling.knative.dev/window": "6s"}},
                "spec": {"containers": [{"image": "hearth.dev/samples/hello"}]},
            }
        },
    }


async def apply_until_ready(client: KubeClient, name: str) -> float:
    """Seconds from the create request to Ready, seen by a watch."""
    _, version = await client.list(KSERVICES, "default")
    began = time.monotonic()
    await client.create(KSERVICES, a_service(name))
    async for event in client.watch(
        KSERVICES, "default", resource_version=version, timeout_seconds=30
    ):
        if event.object["metadata"]["name"] != name:
            continue
        conditions = (event.object.get("status") or {}).get("conditions") or ()
        if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
            return time.monotonic() - began
    raise RuntimeError(f"{name} was not ready within 30 s")


async def _measure(kubeconfig: Path) -> list[float]:
    async with KubeClient.from_kubeconfig(kubeconfig) as client:
        took = []
        for number in range(RUNS):
            name = f"ready-{number}"
            took.append(await apply_until_ready(client, name))
            await client.delete(KSERVICES, name, "default")
        return took


def rows() -> list[Row]:
    with RunningHearth() as hearth:
        took = asyncio.run(_measure(hearth.kubeconfig))
    milliseconds = [seconds * 1000 for seconds in took]
    return [row("apply to Ready, one Service", milliseconds, "ms", at_most=500)]
