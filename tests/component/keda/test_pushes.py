"""Triggers that tell by themselves, and targets that Knative's autoscaler scales."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from hearth.keda.api import keys
from hearth.knative.resources import KSERVICES
from hearth.kube.crdgen import crd_object
from hearth.kube.install import install
from serving.api.crds import SERVICE
from serving.api.stats import StatsReader, WishList
from serving.api.wishes import Wish
from tests.component.keda.externalscaler import ExternalScaler, serving
from tests.component.keda.operator import NS, Keda, cluster
from tests.waiting import until


def pushed(server: ExternalScaler) -> dict[str, Any]:
    return {
        "type": "external-push",
        "metadata": {"scalerAddress": f"127.0.0.1:{server.port}", "about": "jobs"},
    }


async def test_what_is_told_is_acted_on_at_once_and_up_past_one(tmp_path: Path) -> None:
    async with serving(ExternalScaler(value=0, active=False)) as server, cluster(tmp_path) as keda:
        await keda.deployment()
        async with keda.operator():
            await keda.scaledobject(triggers=[pushed(server)], pollingInterval=3600)
            await keda.said("Active", "False")
            await until(lambda: server.streams)
            server.value = 12
            server.streams[-1].put_nowait(True)
            await keda.replicas(3)
            server.value = 40
            server.streams[-1].put_nowait(True)
            await keda.replicas(8)
            server.value, asked = 5, len(server.asked)  # fewer are the HPA's to decide
            server.streams[-1].put_nowait(True)
            await until(lambda: len(server.asked) > asked)
            server.value = 60
            server.streams[-1].put_nowait(True)
            found = await keda.replicas(12)
            assert found["metadata"]["generation"] == 4  # made, 3, 8 and 12: nothing in between


@contextlib.asynccontextmanager
async def autoscaler() -> AsyncIterator[tuple[int, list[Wish]]]:
    """Knative's autoscaler as the wire knows it: its port, and the wishes that came."""
    came: list[Wish] = []
    peers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.add(writer)
        stats = StatsReader(lambda token: token == b"secret")
        while data := await reader.read(65536):
            for event in stats.receive(data):
                came.extend(event.wishes if isinstance(event, WishList) else ())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], came
    finally:
        server.close()
        for each in peers:
            each.close()
        await server.wait_closed()


async def a_service(keda: Keda) -> None:
    await install(keda.client, definitions=[crd_object(SERVICE)], objects=(), manager="test")
    container = {"image": "true"}
    await keda.create(KSERVICES, "web", spec={"template": {"spec": {"containers": [container]}}})


async def test_a_service_of_knative_is_wished_for_and_gets_no_hpa(tmp_path: Path) -> None:
    target = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "web"}
    async with autoscaler() as (port, came), cluster(tmp_path) as keda:
        await a_service(keda)
        await keda.work("work-0", "work-1", "work-2")
        async with keda.operator(autoscaler=("127.0.0.1", port), stats_token="secret"):
            await keda.scaledobject(scaleTargetRef=target, cooldownPeriod=0)
            found = await keda.said("Active", "True")
            assert "hpaName" not in found["status"]
            await until(lambda: came)
            assert (came[-1].kind, came[-1].name, came[-1].source) == (
                "Service",
                "web",
                f"{NS}/web",
            )
            assert all(each.replicas == 2 for each in came), "never before it is known"
            (trigger,) = came[-1].triggers
            assert (trigger.name, trigger.value, trigger.wish) == ("s0-workload-default", 3, 2)
            await keda.done("work-0", "work-1", "work-2")
            await until(lambda: came[-1].replicas == 0)
            await keda.client.delete(keys.SCALEDOBJECTS, "web", NS)
            await until(lambda: came[-1].replicas is None)
            await keda.gone(keys.SCALEDOBJECTS, "web")
