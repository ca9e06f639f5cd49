"""Measures the volumes of a pod that may not grow for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from hearth.cluster.node.pod.sizes import SizeLimit, pause
from hearth.cluster.node.volumes.usage import disk_usage
from hearth.cluster.node.worker.folder import PodFolder


async def until_outgrown(
    folder: PodFolder, limits: Sequence[SizeLimit], *, period: float, is_over: Callable[[], bool]
) -> SizeLimit | None:
    """The first limit that a volume does not keep any more; None once the pod is over."""
    took = 0.0
    while True:
        await asyncio.sleep(pause(period, took))
        if is_over():
            return None
        began = time.monotonic()
        for limit in limits:
            path = folder.volume(limit.volume)
            if await asyncio.to_thread(disk_usage, path, limit.most) > limit.most:
                return None if is_over() else limit
        took = time.monotonic() - began
