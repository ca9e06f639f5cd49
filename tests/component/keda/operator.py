"""KEDA's operator against a real API server, for tests: objects, and waiting for what becomes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.keda.api import keys
from hearth.keda.install import install
from hearth.keda.operator.main import OperatorConfig, run
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import DEPLOYMENTS, EVENTS, PODS, Resource

NS = "default"
TRIGGER = {
    "type": "kubernetes-workload",
    "name": "work",
    "metadata": {"podSelector": "app=work", "value": "2"},
}


@dataclass
class Keda:
    """A cluster without controllers: pods are what the test makes of them."""

    client: KubeClient
    server: RunningServer

    @contextlib.asynccontextmanager
    async def operator(self, **config: Any) -> AsyncIterator[None]:
        """The operator as a task, entered once it is ready."""
        ready = asyncio.Event()
        task = asyncio.create_task(run(OperatorConfig(self.server.kubeconfig, **config), ready.set))
        waiting = asyncio.create_task(ready.wait())
        try:
            async with asyncio.timeout(30):
                await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            yield
        finally:
            for each in (task, waiting):
                each.cancel()
            await asyncio.wait({task, waiting})

    async def create(self, resource: Resource, name: str, **members: Any) -> Object:
        """Create an object of the namespace, or of none."""
        metadata = {"name": name} | ({"namespace": NS} if resource.namespaced else {})
        metadata |= members.pop("metadata", {})
        return await self.client.create(
            resource,
            {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
            | members,
        )

    async def deployment(self, name: str = "web", replicas: int = 0) -> Object:
        """A target."""
        labels = {"app": name}
        container = {"name": "app", "image": "true"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        return await self.create(DEPLOYMENTS, name, spec=spec)

    async def scaledobject(self, name: str = "web", **members: Any) -> Object:
        """Scale ``web`` by the pods that are labelled ``app: work``, unless told otherwise."""
        metadata = members.pop("metadata", {})
        spec = {"scaleTargetRef": {"name": "web"}, "triggers": [TRIGGER], "pollingInterval": 1}
        return await self.create(keys.SCALEDOBJECTS, name, metadata=metadata, spec=spec | members)

    async def work(self, *names: str) -> None:
        """Pods that the trigger counts."""
        spec = {"containers": [{"name": "a", "image": "true"}]}
        for name in names:
            await self.create(PODS, name, metadata={"labels": {"app": "work"}}, spec=spec)

    async def done(self, *names: str) -> None:
        """Pods that are no more."""
        for name in names:
            await self.client.delete(PODS, name, NS, grace_period_seconds=0)

    async def until(
        self,
        resource: Resource,
        name: str,
        holds: Callable[[Object], object],
        *,
        seconds: float = 60,
    ) -> Object:
        """Wait for a condition of an object; tells its state when it does not come."""
        found: Object = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    with contextlib.suppress(NotFound, KeyError):
                        found = await self.client.get(resource, name, NS)
                        if holds(found):
                            return found
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pytest.fail(f"{resource.kind} {name} did not get there: {found}")

    async def replicas(self, number: int, name: str = "web", **more: Any) -> Object:
        """Wait until a Deployment is asked to have so many."""
        return await self.until(
            DEPLOYMENTS, name, lambda found: found["spec"]["replicas"] == number, **more
        )

    async def said(self, kind: str, status: str, reason: str = "", name: str = "web") -> Object:
        """Wait for a condition of a ScaledObject."""

        def holds(found: Object) -> bool:
            each = condition(found, kind)
            return each["status"] == status and reason in ("", each.get("reason"))

        return await self.until(keys.SCALEDOBJECTS, name, holds)

    async def gone(self, resource: Resource, name: str) -> None:
        """Wait until an object is no more."""
        async with asyncio.timeout(60):
            while True:
                try:
                    await self.client.get(resource, name, NS)
                except NotFound:
                    return
                await asyncio.sleep(0.01)

    async def event(self, reason: str, message: str = "") -> Object:
        """Wait for an Event, with a message that begins so."""
        async with asyncio.timeout(60):
            while True:
                for each in (await self.client.list(EVENTS, NS))[0]:
                    if each["reason"] == reason and each["message"].startswith(message):
                        return each
                await asyncio.sleep(0.02)


def condition(obj: Object, kind: str) -> Object:
    """A condition of an object; KeyError where it has none."""
    for each in obj["status"]["conditions"]:
        if each["type"] == kind:
            return dict(each)
    raise KeyError(kind)


@contextlib.asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[Keda]:
    """An API server with KEDA's kinds."""
    async with (
        running_apiserver(folder) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        await install(client)
        yield Keda(client, server)
