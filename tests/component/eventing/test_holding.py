"""Events that nobody takes stay in the log: listed, redriven, tried again, kept over restarts."""

import asyncio
import base64
import dataclasses
from collections import Counter

from aiohttp import web

from eventing.api.deliveryoptions import DeliveryOptions
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.observer import Follows
from eventing.runtime.policy import Backoff, DeliveryPolicy
from eventing.runtime.undeliverable import NO_SINK, SINK_FAILS, SINK_REFUSES
from tests.component.eventing.test_broker import plane, sink
from tests.component.eventing.test_observer import Observer
from tests.waiting import until

ONCE = DeliveryPolicy()
HOLD = DeliveryOptions(hold=True)


class Switch:
    """A sink's answer that can be changed."""

    def __init__(self, status):
        self.status = status

    def __call__(self, request, number):
        text = None if self.status == 200 else f"said {self.status}"
        return web.Response(status=self.status, text=text)


async def test_a_refused_dead_letter_is_held_over_a_restart_and_redriven(tmp_path):
    answer, dead_answer = Switch(500), Switch(400)
    async with sink(answer) as target, sink(dead_answer) as dead:
        async with plane(tmp_path) as broker:
            await broker.subscribe("t", target, dead_letter=dead, policy=ONCE)
            await broker.send("e1", subject="s")
            await until(lambda: broker.runtime.subscription("t").held())
            await broker.idle("t")
        async with plane(tmp_path) as broker:
            await broker.subscribe("t", target, dead_letter=dead, policy=ONCE)
            [held] = broker.runtime.subscription("t").held()
            note = held.note
            assert (note.event_id, note.source, note.type) == ("e1", "/test", "t")
            assert (note.reason, note.status, note.again) == (SINK_REFUSES, 400, False)
            assert (note.failure.destination, note.failure.code) == (target.url, 500)
            await broker.send("e2")
            await until(lambda: len(broker.runtime.subscription("t").held()) == 2)
            answer.status = 200
            before = len(target.got)
            assert await broker.runtime.subscription("t").redrive([held.position]) == 1
            await target.until(lambda: len(target.got) > before)
            assert target.got[-1][0]["ce-id"] == "e1"
            assert target.got[-1][0]["ce-subject"] == "s"
            await broker.idle("t")
            assert len(broker.runtime.subscription("t").held()) == 1
        assert Counter(target.ids()) == {"e1": 2, "e2": 1}
        assert [each for each in dead.ids() if each == "e1"] == ["e1"]


async def test_a_sink_that_was_out_of_order_is_tried_again_by_itself(tmp_path):
    dead_answer, observer = Switch(503), Observer()
    limits = SubscriptionLimits(dead_letter_pause_seconds=0.05)
    async with sink(Switch(500)) as target, sink(dead_answer) as dead:
        async with plane(tmp_path, held=limits, observer=observer) as broker:
            await broker.subscribe("t", target, dead_letter=dead, policy=ONCE)
            await broker.send(1)
            await until(lambda: sum(Follows.HELD in each for each in observer.told) >= 2)
            await until(lambda: broker.runtime.subscription("t").held())  # between two tries
            [held] = broker.runtime.subscription("t").held()
            assert (held.note.reason, held.note.again) == (SINK_FAILS, True)
            assert ("t", "1", "settled") not in observer.told
        dead_answer.status = 200
        async with plane(tmp_path, held=limits, observer=observer) as broker:
            await broker.subscribe("t", target, dead_letter=dead, policy=ONCE)
            await until(lambda: ("t", "1", "settled") in observer.told)
            assert not broker.runtime.subscription("t").held()
        assert target.ids() == ["1"], "the subscriber was not asked again"
        letter = dead.got[-1][0]
        assert letter["ce-knativeerrorcode"] == "500"
        assert base64.b64decode(letter["ce-knativeerrordata"]) == b"said 500"


async def test_without_a_sink_events_are_held_on_request(tmp_path):
    async with sink(Switch(400)) as target, plane(tmp_path) as broker:
        await broker.subscribe("kept", target, options=HOLD)
        await broker.subscribe("lost", target)
        await broker.send(1)
        await until(lambda: broker.runtime.subscription("kept").held())
        [held] = broker.runtime.subscription("kept").held()
        assert (held.note.reason, held.note.status, held.note.again) == (NO_SINK, 400, False)
        await broker.idle("lost")
        assert not broker.runtime.subscription("lost").held()
        assert broker.runtime.subscription("kept").discard([held.position]) == 1
        assert not broker.runtime.subscription("kept").held()
        await broker.runtime.checkpoint()
        assert broker.log.stats().events == 0


async def test_what_there_is_no_room_to_hold_waits_in_its_queue(tmp_path):
    answer = Switch(400)
    limits = dataclasses.replace(
        SubscriptionLimits(), parked_events=2, dead_letter_pause_seconds=0.02
    )
    async with sink(answer) as target, plane(tmp_path, held=limits) as broker:
        await broker.subscribe("t", target, options=HOLD)
        for number in range(5):
            await broker.send(number)
        await until(lambda: len(broker.runtime.subscription("t").held()) == 2)
        await target.until(lambda: len(target.got) > 20)
        assert not broker.runtime.subscription("t").idle
        answer.status = 200
        held = broker.runtime.subscription("t").held()
        await broker.idle("t")
        assert await broker.runtime.subscription("t").redrive([h.position for h in held]) == 2
        await broker.idle("t")
        await target.until_ids(*range(5))


async def test_many_held_events_are_redriven_in_portions(tmp_path):
    answer = Switch(400)
    async with sink(answer) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, options=HOLD)
        await asyncio.gather(*(broker.send(number, data=b"x" * 3000) for number in range(250)))
        await until(lambda: len(broker.runtime.subscription("t").held()) == 250)
        answer.status = 200
        target.got.clear()
        held = [each.position for each in broker.runtime.subscription("t").held()]
        assert await broker.runtime.subscription("t").redrive(held) == 250
        await broker.idle("t")
        assert Counter(target.ids()) == {str(number): 1 for number in range(250)}


async def test_attempts_go_on_after_a_restart_where_they_were(tmp_path):
    """Neither at the first attempt, nor at once: when the next one is due."""
    observer, moment = Observer(), [1000.0]
    policy = DeliveryPolicy(retries=2, backoff=Backoff.EXPONENTIAL, delay_seconds=100)
    async with sink(Switch(500)) as target, sink() as dead:
        async with plane(tmp_path, observer=observer, clock=lambda: moment[0]) as broker:
            await broker.subscribe("t", target, dead_letter=dead, policy=policy)
            await broker.send(1)
            await until(lambda: observer.of("1")[-1][-1] is Follows.RETRY)
        moment[0] += 99.9  # of at least 100 seconds
        started = asyncio.get_running_loop().time()
        async with plane(tmp_path, observer=observer, clock=lambda: moment[0]) as broker:
            await broker.subscribe("t", target, dead_letter=dead, policy=policy)
            await until(lambda: len(target.got) == 2)
            assert asyncio.get_running_loop().time() - started >= 0.1
            await until(lambda: observer.of("1")[-1][3] == 2)
        moment[0] += 1000
        async with plane(tmp_path, observer=observer, clock=lambda: moment[0]) as broker:
            await broker.subscribe("t", target, dead_letter=dead, policy=policy)
            await dead.until_ids(1)
        assert len(target.got) == 3
        attempts = [each[3] for each in observer.of("1") if each[-1] is Follows.RETRY]
        assert attempts == [1, 2]
