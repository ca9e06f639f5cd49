"""How many deliveries are under way at once: as many as asked for, and as the gateway tells."""

import asyncio

from aiohttp import web

from eventing.api.deliveryoptions import DeliveryOptions
from eventing.runtime.config import SlotLimits
from tests.component.eventing.test_broker import plane, sink
from tests.waiting import until


class Counting:
    """A subscriber that notes how many requests it has at once; a gateway may tell its capacity.

    It answers nothing while ``answers`` is not set.
    """

    def __init__(self, capacity=None):
        self.capacity = capacity
        self.now = 0
        self.seen = []
        self.answers = asyncio.Event()

    async def __call__(self, request, number):
        self.now += 1
        self.seen.append(self.now)
        crowded = self.capacity is not None and self.now > self.capacity
        await self.answers.wait()
        await asyncio.sleep(0.002)
        self.now -= 1
        return web.Response(headers={"x-hearth-capacity": str(self.capacity)} if crowded else {})

    async def held(self, at_once, sending):
        """Send, and answer only once so many requests are here at once."""
        self.answers.clear()
        self.seen.clear()
        await sending
        await until(lambda: self.now == at_once)
        self.answers.set()


def many(broker, count):
    return asyncio.gather(*(broker.send(number) for number in range(count)))


async def test_no_more_than_asked_for(tmp_path):
    answer = Counting()
    async with sink(answer) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, options=DeliveryOptions(concurrency=3))
        await answer.held(3, many(broker, 100))
        await broker.idle("t")
        assert max(answer.seen) == 3
        await broker.subscribe("t", target)
        await answer.held(SlotLimits().initial, many(broker, 100))
        await broker.idle("t")


async def test_what_the_gateway_tells_is_kept_to(tmp_path):
    answer = Counting(capacity=2)
    async with sink(answer) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target)
        await answer.held(SlotLimits().initial, many(broker, 200))
        await broker.idle("t")
        assert max(answer.seen[-100:]) <= 4
