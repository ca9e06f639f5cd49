"""A schedule on a Service: its revision sleeps, wakes when a window starts, and sleeps again."""

from __future__ import annotations

import json
from typing import Any

from hearth.knative import resources as knative
from serving.api import keys
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


def at(moment: float) -> str:
    """The cron expression of a minute, by UTC."""
    return f"{int(moment // 60 % 60)} {int(moment // 3600 % 24)} * * *"


async def annotate(cluster: Cluster, windows: list[dict[str, Any]]) -> None:
    service = await cluster.get(knative.KSERVICES, "hello")
    service["metadata"].setdefault("annotations", {})[keys.SCHEDULE] = json.dumps(windows)
    await cluster.client.update(knative.KSERVICES, service)


async def test_it_wakes_at_the_start_of_a_window_and_sleeps_after_its_end(cluster: Cluster) -> None:
    await came_up(cluster)
    await fell_asleep(cluster)
    # The clock that decides is simulated; it stands half a second before the window.
    start = (cluster.now // 60 + 5) * 60
    cluster.now = start - 0.5
    await annotate(cluster, [{"start": at(start), "end": at(start + 600), "minScale": 3}])
    await eventually(lambda: looks_again(cluster), True)
    assert await cluster.replicas() == 0
    cluster.now = start  # while the timer runs; what looks then finds the window open
    await eventually(cluster.replicas, 3)
    told = cluster.plane.explaining.of(NAMESPACE, REVISION)
    assert told is not None
    (explanation,) = told["explanations"]
    assert explanation["decidedBy"] == "bounds"
    await eventually(lambda: is_up(cluster), True)
    cluster.now = start + 599
    cluster.plane.multiscaler.tick(cluster.now)
    assert await cluster.replicas() == 3
    cluster.now = start + 600
    await fell_asleep(cluster)


async def is_up(cluster: Cluster) -> bool:
    await cluster.make_ready()
    return await cluster.active() == "True"


async def looks_again(cluster: Cluster) -> bool:
    told = cluster.plane.explaining.of(NAMESPACE, REVISION)
    return told is not None and " for its bounds" in told["explanations"][0]["looksAgain"]
