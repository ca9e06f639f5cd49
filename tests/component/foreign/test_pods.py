"""Pods of a cluster that is not ours: found, woken, chosen and ended by their own word."""

from __future__ import annotations

import asyncio
from typing import Any

from hearth.kube import meta
from hearth.kube.meta import is_deleting, name
from hearth.kube.resources import ENDPOINTSLICES
from hearth.kube.views import DELETION_COST


async def test_a_cold_request_is_answered_before_any_kubelet_says_ready(foreign: Any) -> None:
    await foreign.deploy("cold", initial_scale="0")
    assert await foreign.pods() == []
    status, body = await foreign.get("cold")
    [pod] = await foreign.pods()
    assert (status, body) == (200, name(pod))
    assert not foreign.kubelet.ready.is_set()
    # Nothing that only our own node or our own controllers would say was there to go by.
    assert not [mark for mark in meta.annotations(pod) if "hearth.dev" in mark]
    assert (await foreign.client.list(ENDPOINTSLICES, "default"))[0] == []


async def test_a_service_is_ready_by_the_kubelets_word(foreign: Any) -> None:
    deploying = asyncio.create_task(foreign.deploy("warm"))

    async def has_a_pod() -> bool:
        return len(foreign.kubelet.running) == 1

    await foreign.until(has_a_pod)
    assert not deploying.done()
    foreign.kubelet.ready.set()
    await deploying
    [pod] = foreign.kubelet.running.values()
    assert await foreign.get("warm") == (200, pod.title)


async def test_of_two_pods_the_idle_one_goes_and_nobody_notices(foreign: Any) -> None:
    foreign.kubelet.ready.set()
    # Two pods at first; one of them is too many once a window has been seen.
    await foreign.deploy("two", initial_scale="2", window="6s")
    pods = foreign.kubelet.running
    held = [asyncio.create_task(foreign.get("two", "/held"))]

    async def one_is_busy() -> bool:
        return any(pod.in_flight for pod in pods.values())

    await foreign.until(one_is_busy)
    busy = next(pod for pod in pods.values() if pod.in_flight)
    idle = next(pod for pod in pods.values() if not pod.in_flight)

    async def idle_is_ending() -> bool:
        return any(is_deleting(pod) and name(pod) == idle.title for pod in await foreign.pods())

    await foreign.until(idle_is_ending)
    [ending] = [pod for pod in await foreign.pods() if is_deleting(pod)]
    assert meta.annotations(ending)[DELETION_COST] == "-1"
    # The pod still listens, for as long as its hook sleeps; nothing new is sent there.
    before = len(idle.asked)
    answers = await asyncio.gather(*(foreign.get("two") for _ in range(20)))
    assert answers == [(200, busy.title)] * 20
    assert len(idle.asked) == before
    busy.hold.set()
    assert await asyncio.gather(*held) == [(200, busy.title)]


async def test_requests_go_on_while_the_api_is_away_and_the_world_after_it(foreign: Any) -> None:
    foreign.kubelet.ready.set()
    await foreign.deploy("before", min_scale="1")
    [pod] = foreign.kubelet.running.values()
    await foreign.api.stop()
    answers = await asyncio.gather(*(foreign.get("before") for _ in range(20)))
    assert answers == [(200, pod.title)] * 20
    await foreign.api.start()
    await foreign.deploy("after")
    status, body = await foreign.get("after")
    assert status == 200 and body.startswith("after-00001-deployment-")
