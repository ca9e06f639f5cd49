"""Pods that hold Leases: who is surely no more, and when to look."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hearth.kube.errors import Unavailable
from hearth.kube.holders import Holders
from hearth.kube.resources import PODS
from hearth.kube.testing import FakeClient, an_object
from tests.waiting import until


def some_pods(**phases: str) -> FakeClient:
    client = FakeClient()
    for pod, phase in phases.items():
        client.put(PODS, an_object(pod, status={"phase": phase}))
    return client


@pytest.mark.parametrize(
    ("pod", "is_gone"),
    [("alive", False), ("pending", False), ("evicted", True), ("done", True), ("deleted", True)],
)
async def test_a_pod_is_gone_when_it_has_ended_or_is_not_there(pod: str, is_gone: bool) -> None:
    client = some_pods(
        own="Running", alive="Running", pending="Pending", evicted="Failed", done="Succeeded"
    )
    assert await Holders(client, "ns", "own").is_gone(pod) is is_gone


async def test_nothing_is_known_where_candidates_are_no_pods() -> None:
    client = some_pods(other="Running")
    assert not await Holders(client, "ns", "own").is_gone("deleted")


async def test_nothing_is_known_while_nobody_can_be_asked() -> None:
    class Away(FakeClient):
        async def list(self, *args: Any, **options: Any) -> Any:
            raise Unavailable({"message": "the API server is away"})

    assert not await Holders(Away(), "ns", "own").is_gone("deleted")


async def test_it_tells_of_pods_that_end_or_go() -> None:
    client, ended = some_pods(a="Running", b="Running", c="Pending"), list[str]()
    holders = Holders(client, "ns", "a")
    holders.on_end(ended.append)
    task = asyncio.create_task(holders.run())
    await until(lambda: bool(client._watchers))
    client.put(PODS, an_object("c", status={"phase": "Running"}))
    client.put(PODS, an_object("b", status={"phase": "Failed"}))
    client.remove(PODS, "ns", "a")
    await until(lambda: ended == ["b", "a"])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
