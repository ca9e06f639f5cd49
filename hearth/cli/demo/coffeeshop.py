"""``hearth demo coffeeshop``: samples/coffeeshop, a hundred orders, and kills on the way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp

from eventing.api.natsjetstream import CONFIG_ANNOTATION
from hearth.cli.demo.board import PAGE, Board, watched
from hearth.cli.demo.kills import Kill, holds, kills
from hearth.cli.demo.stage import NAMESPACE, Failed, Stage
from hearth.cli.demo.steps import Step, check, milliseconds, ready
from hearth.keda.api.keys import SCALEDOBJECTS
from hearth.knative.resources import BROKERS, DOMAINMAPPINGS, KSERVICES, TRIGGERS
from hearth.kube import meta
from hearth.kube.resources import DEPLOYMENTS

ORDERS = 100
_MOVED = 50
"""Orders while events move to another engine."""
_BY_HTTP = 10
"""Each so many-th order is made while its guest waits; the others go through the queue."""
_GUESTS = 8
"""Orders that are placed at a time."""
_SERVICES = ("counter", "barista", "barista-http")
_BROKER = "coffeeshop"
_ON_NATS = {CONFIG_ANNOTATION: json.dumps({"consumer": {"ackWait": "2s"}})}
"""Events that a killed dispatcher had come again after this time; 10 s where nothing is said."""
_DRINKS = ("espresso", "cappuccino", "latte", "flat white", "filter", "cocoa")
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
    """A hundred orders, while a barista, the broker, the server of events and the board die."""
    ids = _ids("order", ORDERS)
    began = time.monotonic()
    async with watched(stage) as board, _seen(stage) as seen:
        placing = asyncio.create_task(_place(stage, ids), name="demo-guests")
        try:
            killed = [await _kill_when_made(board, ids, kill) for kill in kills(stage)]
            await placing
        finally:
            placing.cancel()
        await board.until_made(ids, ORDERS)
    took = time.monotonic() - began
    check(max(seen.baristas) > 1, f"baristas over time: {seen.baristas}")
    by = "the queue and requests" if seen.is_queue_active else "requests (no extra `keda`)"
    return (
        f"{ORDERS} made in {took:.1f} s; killed: {', '.join(killed)}; "
        f"baristas over time, by {by}: {' '.join(map(str, seen.baristas))}"
    )


def _ids(name: str, count: int) -> list[str]:
    return [f"{name}-{number:03}" for number in range(count)]


async def moving(stage: Stage) -> str:
    """The Broker's events move to NATS JetStream while orders come in and are made."""
    ids = _ids("moved", _MOVED)
    began = time.monotonic()
    copy = partial(stage.hearth, "event", "copy", _BROKER, "--to", "nats")
    async with watched(stage) as board:
        await asyncio.gather(_place(stage, ids), asyncio.to_thread(copy))
        took = time.monotonic() - began
        await board.until_made(ids, _MOVED)
    return f"from the local log in {took:.1f} s, while {_MOVED} orders came in: all are made"


async def _kill_when_made(board: Board, ids: Sequence[str], kill: Kill) -> str:
    await board.until_made(ids, kill.made)
    kill.act()
    return f"{kill.what} at {len(board.made(ids))}"


@dataclass(slots=True)
class _Seen:
    """What was seen of the baristas of the queue."""

    baristas: list[int]
    """How many there were, each time that their number changed."""
    is_queue_active: bool = False
    """Whether their ScaledObject was active at any time."""


@contextlib.asynccontextmanager
async def _seen(stage: Stage) -> AsyncIterator[_Seen]:
    seen = _Seen([len(stage.pods("barista"))])

    async def look() -> None:
        while True:
            await stage.change()
            if (now := len(stage.pods("barista"))) != seen.baristas[-1]:
                seen.baristas.append(now)
            seen.is_queue_active |= any(
                holds(each, "Active") for each in stage.objects(SCALEDOBJECTS)
            )

    looking = asyncio.create_task(look(), name="demo-baristas")
    try:
        yield seen
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _place(stage: Stage, ids: Sequence[str]) -> None:
    """Places orders, a few at a time."""
    rest = iter(enumerate(ids))

    async def guest() -> None:
        for number, key in rest:
            way = "/coffees" if number % _BY_HTTP == 0 else "/orders"
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
    counts, expected = board.counts, ["first", "waited-for", *_ids("order", ORDERS)]
    expected += _ids("moved", _MOVED) if stage.events == "nats" else []
    lost = len(expected) - len(board.made(expected))
    text = (
        f"{counts['ordered']} ordered, {counts['made']} made, {lost} lost; "
        f"{counts['twice']} made twice, {counts['again']} delivered again"
    )
    check(lost == 0 and counts["ordered"] == counts["made"] == len(expected), text)
    return text


def coffeeshop(events: str) -> Sequence[Step]:
    """The steps of the shop, on ``local`` or ``nats``."""
    moved = [Step("Move to NATS JetStream", moving)] if events == "nats" else []
    return [
        Step("Hearth starts", ready),
        Step("The shop opens", opening),
        Step("All but the board sleep", asleep),
        Step("First coffee from zero", first_coffee),
        Step("A coffee by HTTP", coffee_by_http),
        *moved,
        Step("100 orders, and kills", rush),
        Step("Every coffee arrived", nothing_lost),
    ]
