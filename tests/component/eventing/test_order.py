"""Order per key, on real sockets: keys go side by side, a retry holds back its own key only."""

import asyncio
import random
from collections import Counter, defaultdict

from aiohttp import web

from eventing.api.deliveryoptions import DeliveryOptions
from eventing.runtime.policy import Backoff, DeliveryPolicy
from tests.component.eventing.test_broker import plane, sink

ORDERED = DeliveryOptions(ordered=True)
POLICY = DeliveryPolicy(retries=10, backoff=Backoff.EXPONENTIAL, delay_seconds=0.001)


async def test_each_key_keeps_its_order_through_failures_and_a_restart(tmp_path):
    chance = random.Random(7)
    under_way: Counter[str] = Counter()
    taken = defaultdict(list)
    most = [0]

    async def answer(request, number):
        key = request.headers["ce-partitionkey"]
        under_way[key] += 1
        assert under_way[key] == 1, "one at a time of a key"
        most[0] = max(most[0], sum(under_way.values()))
        await asyncio.sleep(chance.random() / 500)
        under_way[key] -= 1
        if chance.random() < 0.3:
            return web.Response(status=500)
        taken[key].append(int(request.headers["ce-id"]))
        return web.Response()

    async with sink(answer) as target:
        for first in (0, 150):
            async with plane(tmp_path) as broker:
                await broker.subscribe("t", target, policy=POLICY, options=ORDERED)
                for number in range(first, first + 150):
                    assert await broker.send(number, partitionkey=f"k{number % 7}") == 202
                if first:
                    await broker.idle("t")
    assert most[0] > 1, "keys go side by side"
    for key, numbers in taken.items():
        firsts = list(dict.fromkeys(numbers))  # a restart may repeat what was under way
        assert firsts == sorted(firsts), key
    assert {n for numbers in taken.values() for n in numbers} == set(range(300))


async def test_a_key_that_fails_holds_back_no_other(tmp_path):
    policy = DeliveryPolicy(retries=10, backoff=Backoff.EXPONENTIAL, delay_seconds=1000)
    options = DeliveryOptions(ordered=True, order_key="subject")

    def answer(request, number):
        return web.Response(status=500 if request.headers.get("ce-subject") == "bad" else 200)

    async with sink(answer) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, policy=policy, options=options)
        for number in range(20):
            await broker.send(number, subject="bad" if number % 2 else "good")
        await broker.send("free")
        await target.until_ids("free", *range(0, 20, 2))
        assert [each for each in target.ids() if each.isdigit() and int(each) % 2] == ["1"]


async def test_an_event_that_is_dead_lets_the_next_go(tmp_path):
    def answer(request, number):
        return web.Response(status=400 if request.headers["ce-id"] == "0" else 200)

    options = DeliveryOptions(ordered=True, hold=True)
    async with sink(answer) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, options=options)
        for number in range(3):
            await broker.send(number, partitionkey="k")
        await broker.idle("t")
        assert target.ids() == ["0", "1", "2"]
        assert len(broker.runtime.subscription("t").held()) == 1


async def test_the_next_goes_when_the_reply_is_durable(tmp_path):
    def answer(request, number):
        reply = {"ce-specversion": "1.0", "ce-id": f"r{number}", "ce-source": "/r", "ce-type": "r"}
        return web.Response(headers=reply)

    async with sink(answer) as target, plane(tmp_path) as broker:
        only = [{"exact": {"type": "t"}}]
        await broker.subscribe("t", target, filters=only, options=ORDERED)
        for number in range(5):
            await broker.send(number, partitionkey="k")
        await broker.idle("t")
        assert target.ids() == ["0", "1", "2", "3", "4"]


async def test_order_that_is_asked_for_no_more_holds_nobody_back(tmp_path):
    policy = DeliveryPolicy(retries=10, backoff=Backoff.EXPONENTIAL, delay_seconds=1000)

    def answer(request, number):
        return web.Response(status=500 if request.headers["ce-id"] == "0" else 200)

    async with sink(answer) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, policy=policy, options=ORDERED)
        for number in range(3):
            await broker.send(number, partitionkey="k")
        await target.until_ids(0)
        await broker.subscribe("t", target, policy=policy)
        await target.until_ids(1, 2)
        assert target.ids()[0] == "0"
        assert target.ids().count("0") == 1, "its retry is far away"
