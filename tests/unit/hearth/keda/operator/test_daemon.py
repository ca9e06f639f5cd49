"""The life of an object's daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any, cast

from hearth.keda.api import keys
from hearth.keda.operator.daemon import ObjectDaemon
from hearth.kube import meta
from hearth.kube.meta import Object
from tests.waiting import until


class Following(ObjectDaemon):
    """Tells what it was made ready for."""

    resource = keys.SCALEDOBJECTS

    def __init__(self, obj: Object) -> None:
        super().__init__(cast("Any", SimpleNamespace(client=None)), obj)
        self.taken: list[Object] = []

    async def prepare(self) -> bool:
        self.taken.append(meta.annotations(self.take()))
        return False

    async def look(self, pushed: Collection[int] = ()) -> float:
        raise AssertionError(pushed)

    async def say_failed(self, about: str, text: str) -> None:
        raise AssertionError(about, text)

    async def finish(self) -> None:
        raise AssertionError


def a_scaledobject(version: int, **told: str) -> Object:
    metadata = {"name": "web", "namespace": "ns", "generation": 1, "annotations": told}
    return {"metadata": metadata | {"resourceVersion": str(version)}}


async def test_a_change_that_a_write_tells_of_before_the_watch_does_is_not_missed() -> None:
    daemon = Following(a_scaledobject(1))
    running = asyncio.create_task(daemon.run())
    await until(lambda: daemon.taken == [{}])
    paused = {"autoscaling.keda.sh/paused": "true"}
    daemon.status.note(a_scaledobject(3, **paused))  # the answer to a write of status
    daemon.note(a_scaledobject(2, **paused))
    await until(lambda: daemon.taken == [{}, paused])
    daemon.note(a_scaledobject(3, **paused))
    await asyncio.sleep(0)
    assert len(daemon.taken) == 2
    running.cancel()
    await asyncio.wait({running})
