"""A Service that is forecast: fed by its requests, woken before the third morning, kept."""

from __future__ import annotations

import asyncio
from typing import Any

from hearth.knative import resources as knative
from hearth.kube.clock import parse_rfc3339
from hearth.kube.errors import NotFound
from hearth.kube.meta import is_controlled_by
from hearth.kube.resources import CONFIGMAPS
from serving.api import keys
from serving.api.stats import Frame, Stat
from serving.forecasting import Forecasting
from tests.component.serving.test_autoscaling import (
    NAMESPACE,
    REVISION,
    Cluster,
    came_up,
    cluster,
    eventually,
    fell_asleep,
)

__all__ = ["cluster"]
DAY, EIGHT = 86_400, 8 * 3600
STEP = 20
KEY = (NAMESPACE, REVISION)
SERVICE = (NAMESPACE, "hello")


async def days(cluster: Cluster, count: int) -> None:
    """Days on which 5 pods are needed from 8:00 to 9:00, a tick every 20 s."""
    for second in range(0, count * DAY, STEP):
        cluster.now += STEP
        if EIGHT <= cluster.now % DAY < EIGHT + 3600:
            stat = Stat(*KEY, 350.0 * STEP, 1.0)
            cluster.plane.multiscaler.receive("a", Frame(0, (stat,)), cluster.now)
        cluster.plane.forecasting.tick(cluster.now)
        if second % 600 == 0:
            await asyncio.sleep(0)


async def kept(cluster: Cluster, since: float) -> bool:
    """Whether the history was kept after a moment; time goes on."""
    cluster.now += 60
    cluster.plane.forecasting.tick(cluster.now)
    try:
        found = await cluster.get(CONFIGMAPS, "hello-forecast")
    except NotFound:
        return False
    service = await cluster.get(knative.KSERVICES, "hello")
    assert is_controlled_by(found, service)
    assert found["data"]["season"] == "daily"
    return parse_rfc3339(found["data"]["saved"]) > since


def steps(cluster: Cluster) -> dict[str, Any]:
    told = cluster.plane.explaining.of(*KEY)
    assert told is not None
    return {step["rule"]: step for step in told["explanations"][0]["steps"]}


async def test_the_third_morning_is_foretold(cluster: Cluster) -> None:
    await came_up(cluster, **{keys.FORECAST: "daily"})
    await fell_asleep(cluster)
    cluster.now = (cluster.now // DAY + 1) * DAY
    # What was kept is read in the background; what is expected is told at the next look.
    cluster.plane.forecasting.tick(cluster.now)
    await eventually(lambda: follows(cluster), True)
    await days(cluster, 2)
    wave = cluster.now // DAY * DAY - DAY + EIGHT + 3600
    await eventually(lambda: kept(cluster, wave), True)
    await fell_asleep(cluster)
    morning = (cluster.now // DAY) * DAY + EIGHT
    cluster.now = morning - 121
    cluster.plane.forecasting.tick(cluster.now)
    assert steps(cluster)["forecast"]["pods"] == 0
    assert await cluster.replicas() == 0
    cluster.now = morning - 120
    cluster.plane.forecasting.tick(cluster.now)
    await eventually(cluster.replicas, 5)
    step = steps(cluster)["forecast"]
    assert step["decides"]
    assert step["text"] == ("wishes for 5; 08:00: 5 on average, seen 2 times, 100% sure")
    await read_again(cluster)


async def follows(cluster: Cluster) -> bool:
    """Whether it is known what was kept."""
    cluster.now += 180
    cluster.plane.forecasting.tick(cluster.now)
    return bool(cluster.plane.forecasting.shares(SERVICE, KEY, 100))


async def read_again(cluster: Cluster) -> None:
    """Whoever starts anew goes by what was kept."""
    plane = cluster.plane
    told: list[Any] = []
    other = Forecasting(
        plane.manager,
        plane.multiscaler,
        cluster.client,
        traffic=plane.wishing.traffic,
        leads=lambda key: True,
        tell=told.append,
        apply=plane.manager.apply,
        spawn=plane.manager.spawn,
        clock=lambda: cluster.now,
    )
    other.tick(cluster.now)

    async def foretold() -> int:
        cluster.now += 60
        other.tick(cluster.now)
        return sum(share.pods for share in other.shares(SERVICE, KEY, 100))

    await eventually(foretold, 5)
    assert KEY in told
    assert sum(share.pods for share in other.shares(SERVICE, KEY, 50)) == 3
    assert other.shares(SERVICE, KEY, 0) == ()
