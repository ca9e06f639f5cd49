"""Delay, expiry and duplicates, on real sockets."""

import asyncio
import json
import time

from eventing.api.deliveryoptions import DeliveryOptions
from eventing.runtime.observer import Follows
from eventing.runtime.policy import Backoff, DeliveryPolicy
from hearth.kube.clock import rfc3339
from tests.component.eventing.test_broker import plane, sink
from tests.component.eventing.test_guard import counters
from tests.component.eventing.test_holding import Switch
from tests.component.eventing.test_observer import Observer
from tests.waiting import until

PAST, FUTURE = "2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
ONCE_ONLY = DeliveryOptions(duplicate_window_seconds=60)


async def test_an_event_is_delivered_when_its_delay_is_over(tmp_path):
    delay = DeliveryOptions(delay_seconds=0.2)
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, options=delay)
        started = asyncio.get_running_loop().time()
        for number in range(5):
            await broker.send(number)
        await target.until_ids(0)
        assert asyncio.get_running_loop().time() - started >= 0.19
        await broker.idle("t")
        assert sorted(target.ids()) == ["0", "1", "2", "3", "4"]


async def test_a_delay_goes_on_through_a_restart_and_keeps_the_order_of_keys(tmp_path):
    moment = [time.time()]
    options = DeliveryOptions(delay_seconds=1000, ordered=True)
    async with sink() as target:
        async with plane(tmp_path, clock=lambda: moment[0]) as broker:
            await broker.subscribe("t", target, options=options)
            for number in range(3):
                await broker.send(number, partitionkey="k")
        moment[0] += 1001
        async with plane(tmp_path, clock=lambda: moment[0]) as broker:
            await broker.subscribe("t", target, options=options)
            await broker.idle("t")
        assert target.ids() == ["0", "1", "2"]


async def test_what_is_expired_is_not_sent(tmp_path):
    observer = Observer()
    async with (
        sink() as target,
        sink() as batched,
        plane(tmp_path, observer=observer) as broker,
    ):
        await broker.subscribe("t", target)
        await broker.subscribe("b", batched, options=DeliveryOptions(batch_size=5))
        await broker.send("old", expirytime=PAST)
        await broker.send("new", expirytime=FUTURE)
        await broker.send("odd", expirytime="soon")
        for name in ("t", "b"):
            await broker.idle(name)
            assert counters(broker, name).expired == 1
        assert target.ids() == ["new", "odd"]
        [(_, body)] = batched.got
        assert [each["id"] for each in json.loads(body)] == ["new", "odd"]
        [told] = [each for each in observer.of("old") if each[0] == "t" and each[-1] != "settled"]
        assert told[-1] is Follows.EXPIRED
        assert ("t", "old", "settled") in observer.told


async def test_retries_end_when_an_event_expires(tmp_path):
    policy = DeliveryPolicy(retries=1000, backoff=Backoff.LINEAR, delay_seconds=0.05)
    async with sink(Switch(500)) as target, sink() as dead, plane(tmp_path) as broker:
        await broker.subscribe("t", target, policy=policy, dead_letter=dead)
        await broker.send("soon", expirytime=rfc3339(time.time() + 2))
        await target.until_ids("soon")
        await broker.idle("t")
        assert counters(broker, "t").expired == 1
        assert not dead.got


async def test_duplicates_are_delivered_once_also_over_a_restart(tmp_path):
    observer = Observer()
    async with sink() as target, sink() as other:
        async with plane(tmp_path, observer=observer) as broker:
            await broker.subscribe("t", target, options=ONCE_ONLY)
            await broker.subscribe("other", other)
            for number in (1, 2, 1, 1):
                await broker.send(number)
            await broker.idle("t")
            await broker.idle("other")
            assert counters(broker, "t").duplicates == 2
            await until(lambda: any(each[-1] is Follows.DUPLICATE for each in observer.told))
        async with plane(tmp_path) as broker:
            await broker.subscribe("t", target, options=ONCE_ONLY)
            await until(lambda: broker.runtime.subscription("t").live)
            for number in (2, 3, 1):
                await broker.send(number)
            await broker.idle("t")
            assert counters(broker, "t").duplicates == 2
        assert sorted(target.ids()) == ["1", "2", "3"]
        assert sorted(other.ids()) == ["1", "1", "1", "2"]


async def test_what_was_under_way_at_a_restart_is_no_duplicate(tmp_path):
    slow = DeliveryPolicy(retries=9, backoff=Backoff.EXPONENTIAL, delay_seconds=0.01)
    answer = Switch(500)
    async with sink(answer) as target:
        async with plane(tmp_path) as broker:
            await broker.subscribe("t", target, policy=slow, options=ONCE_ONLY)
            await broker.send(1)
            await target.until_ids(1)
        answer.status = 200
        async with plane(tmp_path) as broker:
            await broker.subscribe("t", target, policy=slow, options=ONCE_ONLY)
            await broker.idle("t")
            assert counters(broker, "t").duplicates == 0
        assert len(target.got) >= 2


async def test_a_new_subscription_gets_what_others_had(tmp_path):
    async with sink() as first, sink() as second, plane(tmp_path) as broker:
        await broker.subscribe("first", first, options=ONCE_ONLY)
        await broker.send(1)
        await broker.idle("first")
        await broker.subscribe("second", second, options=ONCE_ONLY)
        await broker.send(1)
        await broker.idle("second")
        assert (first.ids(), second.ids()) == (["1"], ["1"])
