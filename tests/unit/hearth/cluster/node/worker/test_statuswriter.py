"""What is written of a pod, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from hearth.cluster.node.pod.lifecycle import Observed
from hearth.cluster.node.pod.spec import parse_pod
from hearth.cluster.node.worker.context import NodeContext
from hearth.cluster.node.worker.statuswriter import StatusWriter
from hearth.kube.meta import Object
from tests.waiting import until


class Client:
    """Takes patches when it is let, and deletions."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.lets = asyncio.Event()

    async def patch(self, *_: Any, subresource: str, **__: Any) -> None:
        self.asked.append(subresource)
        await self.lets.wait()

    async def delete(self, *_: Any, **__: Any) -> None:
        self.asked.append("deletion")


async def test_the_last_status_is_written_once_though_it_is_under_way(
    a_pod: Callable[..., Object],
) -> None:
    pod, client = a_pod(), Client()
    context = NodeContext(
        client=cast(Any, client),
        clock=lambda: 0.0,
        data_dir=Path("/nowhere"),
        node_name="node",
        runtime=cast(Any, SimpleNamespace()),
        events=cast(Any, SimpleNamespace()),
        sources=cast(Any, SimpleNamespace()),
        reach=cast(Any, SimpleNamespace()),
    )
    writer = StatusWriter(context, parse_pod(pod), lambda: pod, is_bound=True)
    running = asyncio.create_task(writer.run())
    writer.offer(Observed({}), now=0.0)
    await until(lambda: client.asked == ["status"])
    ending = asyncio.create_task(writer.finish(Observed({})))
    await asyncio.sleep(0)  # it has asked for its turn by then
    client.lets.set()
    await ending
    assert client.asked == ["status", "deletion"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
