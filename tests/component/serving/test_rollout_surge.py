"""A rollout bounded in pods, by the real controllers: never more pods than the quota allows."""

import asyncio
from contextlib import suppress

from hearth.knative import resources as knative
from hearth.kube import resources as kinds
from hearth.kube.errors import Conflict, NotFound
from hearth.kube.meta import generation
from serving.api import keys
from tests.component.serving.test_autoscaling import (
    MOMENT,
    NAMESPACE,
    WAIT_SECONDS,
    Cluster,
    a_service,
    cluster,
    eventually,
)

__all__ = ["cluster"]
NEW = "hello-00002"


class Played:
    """Gateway and node: what is programmed is served, and pods are ready. Counts pods."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.most_pods = 0

    async def turn(self) -> None:
        self.cluster.now += 1
        with suppress(Conflict, NotFound):  # the next turn does it
            await self.cluster.make_ready()
        with suppress(Conflict, NotFound):
            await self._serve()
        pods, _ = await self.cluster.client.list(kinds.PODS, NAMESPACE)
        self.most_pods = max(self.most_pods, len(pods))

    async def _serve(self) -> None:
        ingress = await self.cluster.get(knative.KINGRESSES, "hello")
        ready = [
            {"type": kind, "status": "True", "lastTransitionTime": MOMENT}
            for kind in ("Ready", "NetworkConfigured", "LoadBalancerReady")
        ]
        status = {"observedGeneration": generation(ingress), "conditions": ready}
        if ingress.get("status") != status:
            await self.cluster.client.update_status(
                knative.KINGRESSES, {**ingress, "status": status}
            )

    async def traffic(self) -> dict[str, int]:
        await self.turn()
        service = await self.cluster.get(knative.KSERVICES, "hello")
        served = (service.get("status") or {}).get("traffic") or ()
        return {each["revisionName"]: each["percent"] for each in served}

    async def pods(self) -> dict[str, int]:
        await self.turn()
        counted: dict[str, int] = {}
        for pod in await self.cluster.pods():
            revision = pod["metadata"]["labels"][keys.REVISION]
            counted[revision] = counted.get(revision, 0) + 1
        return counted


async def test_a_rollout_keeps_to_its_quota_and_ends_with_all_pods_new(cluster: Cluster) -> None:
    played = Played(cluster)
    service = a_service(**{keys.MIN_SCALE.key: "3"})
    service["metadata"]["annotations"] = {keys.ROLLOUT_SURGE: "1"}
    await cluster.client.create(knative.KSERVICES, service)
    await eventually(played.traffic, {"hello-00001": 100})
    await eventually(played.pods, {"hello-00001": 3})
    played.most_pods = 0
    containers = [{"name": "user-container", "image": "app2"}]
    change = {"spec": {"template": {"spec": {"containers": containers}}}}
    await cluster.client.patch(knative.KSERVICES, "hello", NAMESPACE, change)
    seen: list[dict[str, int]] = []
    async with asyncio.timeout(2 * WAIT_SECONDS):
        while not seen or seen[-1] != {NEW: 100}:
            shares = await played.traffic()
            if not seen or shares != seen[-1]:
                seen.append(shares)
    await eventually(played.pods, {NEW: 3})
    assert played.most_pods == 4
