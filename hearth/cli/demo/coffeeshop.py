"""``hearth demo coffeeshop``: samples/coffeeshop, a hundred orders, and incidents on the way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp

from eventing.api.natsjetstream import CONFIG_ANNOTATION
from hearth.cli.demo.board import PAGE, Board, watched
from hearth.cli.demo.kills import kill_component, kill_pod
from hearth.cli.demo.stage import NAMESPACE, Failed, Stage
from hearth.cli.demo.steps import Step, check, milliseconds, ready
from hearth.knative.resources import BROKERS, DOMAINMAPPINGS, KSERVICES, TRIGGERS
from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.resources import DEPLOYMENTS, PODS

ORDERS = 100
_WHILE_WAITING = 10
"""How many of them are made while their guest waits; the others go through the queue."""
_GUESTS = 8
"""Orders that are placed at a time."""
_SERVICES = ("counter", "barista", "barista-http")
_BROKER = "coffeeshop"
_ON_NATS = {CONFIG_ANNOTATION: json.dumps({"consumer": {"ackWait": "2s"}})}
"""Events that a killed dispatcher had come again after this time; 10 s where nothing is said."""
_DRINKS = ("espresso", "cappuccino", "latte", "flat white", "filter", "cocoa")
_APART = 8
"""Coffees from one incident to the next."""
_RETRY_SECONDS = 0.2
_PATIENCE_SECONDS = 30


async def opening(stage: Stage) -> str:
    """All of the sample becomes Ready."""
    began = time.monotonic()
    await stage.apply("coffeeshop/coffeeshop.yaml")
    await stage.apply("coffeeshop/scaling.yaml")
    annotations = {"metadata": {"annotations": _ON_NATS}}
    await stage.client.patch(BROKERS, _BROKER, NAMESPACE, annotations)
    wanted = [(KSERVICES, name) for name in _SERVICES]
    wanted += [(TRIGGERS, "barista"), (TRIGGERS, "board"), (BROKERS, _BROKER)]
    wanted.append((DOMAINMAPPINGS, f"{PAGE}.localhost"))
    await stage.until(
        lambda: all(stage.is_ready(*each) for each in wanted) and _board_is_open(stage),
        "samples/coffeeshop ready",
    )
    took = milliseconds(time.monotonic() - began)
    return f"3 services, a board, a broker and 2 triggers are Ready in {took}"


def _board_is_open(stage: Stage) -> bool:
    boards = (each for each in stage.objects(DEPLOYMENTS) if meta.name(each) == "board")
    return any(each.get("status", {}).get("readyReplicas") for each in boards)


async def asleep(stage: Stage) -> str:
    """Without orders there are no baristas, and nobody at the counter."""
    began = time.monotonic()
    await stage.until(
        lambda: not any(stage.pods(name) for name in _SERVICES), "all but the board asleep"
    )
    return f"only the board is there after {time.monotonic() - began:.1f} s"


async def first_coffee(stage: Stage) -> str:
    """One order wakes counter and barista."""
    began = time.monotonic()
    async with watched(stage) as board:
        await _order(stage, "first", "/orders")
        answered = time.monotonic() - began
        await board.until_made(["first"], 1)
        coffee = time.monotonic() - began
    return (
        f"ordered: answered after {milliseconds(answered)}, from zero; "
        f"coffee after {milliseconds(coffee)}, 300 ms of it in the making"
    )


async def coffee_by_http(stage: Stage) -> str:
    """A barista that is called by HTTP answers with the coffee."""
    began = time.monotonic()
    coffee = await _order(stage, "waited-for", "/coffees")
    check("made" in coffee, f"no coffee, but {dict(coffee)}")
    return f"{coffee['drink']}, answered with the order in {milliseconds(time.monotonic() - began)}"


async def rush(stage: Stage) -> str:
    """A hundred orders. Meanwhile events move to NATS, where it runs, and processes are killed."""
    ids = _ids()
    began = time.monotonic()
    async with watched(stage) as board, _counted(stage) as pods:
        placing = asyncio.create_task(_place(stage, ids), name="demo-guests")
        try:
            told = await _happened(board, ids, _incidents(stage))
            await placing
        finally:
            placing.cancel()
        await board.until_made(ids, ORDERS)
    took = time.monotonic() - began
    check(max(pods) > 1, f"baristas over time: {pods}")
    return (
        f"{ORDERS} made in {took:.1f} s; {', '.join(told)}; "
        f"baristas over time: {' '.join(map(str, pods))}"
    )


def _ids() -> list[str]:
    return [f"order-{number:03}" for number in range(ORDERS)]


@dataclass(frozen=True, slots=True)
class _Incident:
    """What happens once so many coffees are made."""

    what: str
    made: int
    act: Callable[[], None]
    """Called in a thread of its own."""


def _incidents(stage: Stage) -> list[_Incident]:
    moved, killed = "moved to NATS JetStream", partial(kill_component, stage.data_dir)
    of_nats = [
        _Incident(moved, 10, lambda: stage.hearth("event", "copy", _BROKER, "--to", "nats")),
        _Incident("NATS killed", 50, lambda: killed("nats")),
    ]
    incidents = [
        _Incident("a barista killed", 20, lambda: kill_pod(_one_of(stage.pods("barista")))),
        _Incident("the broker killed", 35, lambda: killed("broker")),
        _Incident("the board killed", 60, lambda: kill_pod(_one_of(_boards(stage)))),
        *(of_nats if stage.events == "nats" else ()),
    ]
    return sorted(incidents, key=lambda incident: incident.made)


def _boards(stage: Stage) -> list[Object]:
    return [pod for pod in stage.objects(PODS) if meta.labels(pod).get("app") == "board"]


def _one_of(pods: Sequence[Object]) -> str:
    """The name of one that is ready."""
    ready = {"type": "Ready", "status": "True"}
    for pod in pods:
        if any(ready.items() <= each.items() for each in pod["status"].get("conditions", ())):
            return meta.name(pod)
    raise Failed("no pod is there to be killed")


async def _happened(board: Board, ids: Sequence[str], incidents: Sequence[_Incident]) -> list[str]:
    """Lets incidents happen, some coffees apart while there are so many left."""
    told, made = [], 0
    for incident in incidents:
        wanted = max(incident.made, min(made + _APART, ORDERS - _APART))
        await board.until_made(ids, wanted)
        await asyncio.to_thread(incident.act)
        made = len(board.made(ids))
        told.append(f"{incident.what} at {made}")
    return told


@contextlib.asynccontextmanager
async def _counted(stage: Stage) -> AsyncIterator[list[int]]:
    """How many baristas of the queue there are, each time that their number changes."""
    seen = [len(stage.pods("barista"))]

    async def count() -> None:
        while True:
            await stage.change()
            if (now := len(stage.pods("barista"))) != seen[-1]:
                seen.append(now)

    counting = asyncio.create_task(count(), name="demo-baristas")
    try:
        yield seen
    finally:
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)


async def _place(stage: Stage, ids: Sequence[str]) -> None:
    """Places orders, a few at a time."""
    rest = iter(enumerate(ids))

    async def guest() -> None:
        for number, key in rest:
            way = "/coffees" if number % (ORDERS // _WHILE_WAITING) == 0 else "/orders"
            await _order(stage, key, way)

    await asyncio.gather(*(guest() for _ in range(_GUESTS)))


async def _order(stage: Stage, key: str, path: str) -> Mapping[str, Any]:
    """Orders as a guest does who asks again, with the same id, until somebody answers."""
    drink = _DRINKS[sum(key.encode()) % len(_DRINKS)]
    said, patience = "nothing", time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < patience:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            asked = {"id": key, "drink": drink, "name": "Ada"}
            status, answer = await stage.post(f"counter.{NAMESPACE}", path, asked)
            if status < 300:
                return dict(answer)
            said = f"{status} {answer}"
        await asyncio.sleep(_RETRY_SECONDS)
    raise Failed(f"order {key} was not taken within {_PATIENCE_SECONDS} s; the answer was {said}")


async def nothing_lost(stage: Stage) -> str:
    """The board, asked anew, knows each order, and each is made."""
    async with watched(stage) as board:
        await board.until(lambda: bool(board.counts), "an answer of the board")
    counts, expected = board.counts, ["first", "waited-for", *_ids()]
    lost = len(expected) - len(board.made(expected))
    text = (
        f"{counts['ordered']} ordered, {counts['made']} made, {lost} lost; "
        f"{counts['twice']} made twice, {counts['again']} delivered again"
    )
    check(lost == 0 and counts["ordered"] == counts["made"] == len(expected), text)
    return text


COFFEESHOP = (
    Step("Hearth starts", ready),
    Step("The shop opens", opening),
    Step("All but the board sleep", asleep),
    Step("First coffee from zero", first_coffee),
    Step("A coffee by HTTP", coffee_by_http),
    Step("100 orders, incidents", rush),
    Step("Every coffee arrived", nothing_lost),
)
