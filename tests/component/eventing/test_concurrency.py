"""How many deliveries are under way at once: as many as asked for, and as the gateway tells."""

import asyncio

from aiohttp import web

from eventing.api.deliveryoptions import DeliveryOptions
from tests.component.eventing.test_broker import plane, sink


class Counting:
    """A subscriber that notes how many requests it has at once; a gateway may tell its capacity."""

    def __init__(self, capacity=None):
        self.capacity = capacity
        self.now = 0
        self.seen = []

    async def __call__(self, request, number):
        self.now += 1
        self.seen.append(self.now)
        crowded = self.capacity is not None and self.now > self.capacity
        await asyncio.sleep(0.002)
        self.now -= 1
        return web.Response(headers={"x-hearth-capacity": str(self.capacity)} if crowded else {})


async def test_no_more_than_asked_for(tmp_path):
    answer = Counting()
    async with sink(answer) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, options=DeliveryOptions(concurrency=3))
        await asyncio.gather(*(broker.send(number) for number in range(100)))
        await broker.idle("t")
        assert max(answer.seen) == 3
        await broker.subscribe("t", target)
        await asyncio.gather(*(broker.send(number) for number in range(100)))
        await broker.idle("t")
        assert max(answer.seen) > 3


async def test_what_the_gateway_tells_is_kept_to(tmp_path):
    answer = Counting(capacity=2)
    async with sink(answer) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target)
        await asyncio.gather(*(broker.send(number) for number in range(200)))
        await broker.idle("t")
        assert max(answer.seen) > 4, "it began with more"
        assert max(answer.seen[-100:]) <= 4
