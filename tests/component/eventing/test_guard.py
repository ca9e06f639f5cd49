"""The circuit breaker of a subscription, on real sockets."""

import dataclasses

from aiohttp import web

from eventing.api.deliveryoptions import DeliveryOptions
from eventing.runtime.breaker import BreakerLimits
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.observer import Follows
from eventing.runtime.policy import Backoff, DeliveryPolicy
from tests.component.eventing.test_broker import plane, sink
from tests.component.eventing.test_holding import Switch
from tests.component.eventing.test_observer import Observer
from tests.waiting import until

GUARDED = DeliveryOptions(breaker=True)
LIMITS = dataclasses.replace(
    SubscriptionLimits(),
    breaker=BreakerLimits(failures=5, open_seconds=0.05, longest_open_seconds=0.1),
)
POLICY = DeliveryPolicy(retries=3, backoff=Backoff.EXPONENTIAL, delay_seconds=0.001)


def counters(broker, name):
    found = broker.metrics._deliveries
    return next(each for labels, each in found.items() if labels[-1] == f"trigger:{name}.ns")


async def test_while_it_is_open_no_retries_are_burnt(tmp_path):
    answer, observer = Switch(500), Observer()
    async with (
        sink(answer) as target,
        sink() as dead,
        plane(tmp_path, held=LIMITS, observer=observer) as broker,
    ):
        await broker.subscribe("t", target, policy=POLICY, options=GUARDED, dead_letter=dead)
        for number in range(40):
            await broker.send(number)
        await until(lambda: counters(broker, "t").breaker_open)
        # What is probed burns its retries: one event after the other becomes a dead letter.
        await dead.until(lambda: len(dead.got) >= 1)
        assert len(dead.got) < 20
        answer.status = 200
        await broker.idle("t")
        assert not counters(broker, "t").breaker_open
        delivered = {each[1] for each in observer.told if each[-1] is Follows.DONE}
        assert {str(number) for number in range(40)} == delivered
        assert len(dead.got) < 20


async def test_a_target_that_is_waking_keeps_it_closed(tmp_path):
    def answer(request, number):
        if number > 30:
            return web.Response()
        fields = {"retry-after": "0", "x-hearth-error": "queue-full"}
        return web.Response(status=503, headers=fields)

    policy = dataclasses.replace(POLICY, retries=100, delay_seconds=0, backoff=Backoff.NONE)
    async with sink(answer) as target, plane(tmp_path, held=LIMITS) as broker:
        await broker.subscribe("t", target, policy=policy, options=GUARDED)
        for number in range(5):
            await broker.send(number)
        await broker.idle("t")
        assert len(target.got) == 35
        assert not counters(broker, "t").breaker_open


async def test_others_are_not_delayed(tmp_path):
    async with sink(Switch(500)) as bad, sink() as good, plane(tmp_path, held=LIMITS) as broker:
        await broker.subscribe("bad", bad, policy=POLICY, options=GUARDED)
        await broker.subscribe("good", good, policy=POLICY, options=GUARDED)
        for number in range(30):
            await broker.send(number)
        await good.until_ids(*range(30))
        await until(lambda: counters(broker, "bad").breaker_open)
        assert not counters(broker, "good").breaker_open


async def test_another_subscriber_begins_with_a_closed_one(tmp_path):
    async with sink(Switch(500)) as bad, sink() as good:
        limits = dataclasses.replace(LIMITS, breaker=BreakerLimits(failures=5, open_seconds=1000))
        async with plane(tmp_path, held=limits) as broker:
            await broker.subscribe("t", bad, policy=POLICY, options=GUARDED)
            for number in range(10):
                await broker.send(number)
            await until(lambda: counters(broker, "t").breaker_open)
            await broker.subscribe("t", good, policy=POLICY, options=GUARDED)
            await broker.idle("t")
            assert not counters(broker, "t").breaker_open
            assert good.got


async def test_without_the_annotation_there_is_none(tmp_path):
    async with (
        sink(Switch(500)) as target,
        sink() as dead,
        plane(tmp_path, held=LIMITS) as broker,
    ):
        await broker.subscribe("t", target, policy=POLICY, dead_letter=dead)
        for number in range(20):
            await broker.send(number)
        await dead.until_ids(*range(20))
        assert not counters(broker, "t").breaker_open
