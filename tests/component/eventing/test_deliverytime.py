"""Events that are delivered at a time of their own, on real sockets."""

import dataclasses
import time

from eventing.api.deliveryoptions import NO_OPTIONS, DeliveryOptions
from eventing.engines.seam import Start
from eventing.runtime.admin.seeking import move_of
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.observer import Follows
from hearth.kube.clock import rfc3339, rfc3339_micro
from tests.component.eventing.test_broker import plane, sink
from tests.component.eventing.test_guard import counters
from tests.component.eventing.test_observer import Observer
from tests.waiting import until

TIMED = DeliveryOptions(time_attribute="deliverytime")


async def test_an_event_comes_at_its_time_and_others_do_not_wait_for_it(tmp_path):
    observer = Observer()
    async with sink() as target, plane(tmp_path, observer=observer) as broker:
        await broker.subscribe("t", target, options=TIMED)
        due = time.time() + 1.5
        await broker.send("timed", deliverytime=rfc3339_micro(due))
        for number in range(3):
            await broker.send(number)
        await target.until_ids(0, 1, 2)
        assert "timed" not in target.ids()
        assert counters(broker, "t").waiting == 1
        await target.until_ids("timed")
        assert time.time() >= due - 1e-6
        await broker.idle("t")
        assert counters(broker, "t").waiting == 0
    told = [each[-1] for each in observer.of("timed")]
    assert told[1:] == [Follows.WAITING, Follows.DONE, "settled"]


async def test_a_time_that_is_over_or_nearly_here_is_no_matter(tmp_path):
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, options=TIMED)
        due = time.time() + 0.3
        await broker.send("near", deliverytime=rfc3339_micro(due))
        await broker.send("past", deliverytime="2001-01-01T00:00:00Z")
        await target.until_ids("past", "near")
        assert target.ids() == ["past", "near"]
        assert time.time() >= due - 1e-6


async def test_what_is_no_time_is_said_and_delivered_at_once(tmp_path):
    observer = Observer()
    far = rfc3339(time.time() + 8 * 24 * 3600)
    async with sink() as target, plane(tmp_path, observer=observer) as broker:
        await broker.subscribe("t", target, options=TIMED)
        await broker.send("odd", deliverytime="soon")
        await broker.send("far", deliverytime=far)
        await broker.idle("t")
        await target.until_ids("odd", "far")
    for event_id in ("odd", "far"):
        follows = [each[-1] for each in observer.of(event_id)][1:]
        assert follows == [Follows.AT_ONCE, Follows.DONE, "settled"]


async def test_who_has_not_asked_for_it_gets_events_at_once(tmp_path):
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target)
        await broker.send("timed", deliverytime=rfc3339(time.time() + 3600))
        await target.until_ids("timed")


async def test_a_time_is_waited_for_over_restarts(tmp_path):
    moment = [time.time()]
    due = rfc3339(moment[0] + 3600)
    async with sink() as target:
        async with plane(tmp_path, clock=lambda: moment[0]) as broker:
            await broker.subscribe("t", target, options=TIMED)
            await broker.send("timed", deliverytime=due)
            await broker.send("other")
            await target.until_ids("other")
            await until(lambda: counters(broker, "t").waiting == 1)
        moment[0] += 1800
        async with plane(tmp_path, clock=lambda: moment[0]) as broker:
            await broker.subscribe("t", target, options=TIMED)
            await until(lambda: counters(broker, "t").waiting == 1)
            await broker.send("second")
            await target.until_ids("second")
            assert "timed" not in target.ids()
        moment[0] += 1800
        async with plane(tmp_path, clock=lambda: moment[0]) as broker:
            await broker.subscribe("t", target, options=TIMED)
            await broker.idle("t")
        assert target.ids() == ["other", "second", "timed"]


async def test_what_waits_comes_at_once_where_times_do_not_count_any_more(tmp_path):
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, options=TIMED)
        await broker.subscribe("u", target, options=TIMED)
        for number in range(3):
            await broker.send(number, deliverytime=rfc3339(time.time() + 3600))
        await until(lambda: counters(broker, "u").waiting == 3)
        await broker.subscribe("t", target, options=NO_OPTIONS)
        await broker.idle("t")
        assert sorted(target.ids()) == ["0", "1", "2"]
        other = dataclasses.replace(TIMED, time_attribute="another")
        await broker.subscribe("u", target, options=other)
        await broker.idle("u")
        assert len(target.got) == 6


async def test_more_than_may_wait_in_the_log_wait_in_memory(tmp_path):
    limits = SubscriptionLimits(waiting_events=2)
    async with sink() as target, plane(tmp_path, held=limits) as broker:
        await broker.subscribe("t", target, options=TIMED)
        due = time.time() + 1.5
        for number in range(5):
            await broker.send(number, deliverytime=rfc3339_micro(due))
        await until(lambda: counters(broker, "t").waiting == 2)
        await target.until_ids(*range(5))
        assert time.time() >= due - 1e-6
        await broker.idle("t")


async def test_events_that_wait_are_not_held_and_not_lost_when_the_trigger_is_moved(tmp_path):
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, options=TIMED)
        for number in range(4):
            await broker.send(number, deliverytime=rfc3339(time.time() + 3600))
        await until(lambda: counters(broker, "t").waiting == 4)
        subscription = broker.runtime.subscription("t")
        assert not subscription.held() and counters(broker, "t").held == 0
        move = await move_of(broker.log, subscription, "offset:2", clock=time.time)
        assert (move.again, move.ahead, move.skipped) == (0, 2, 0)
        await broker.runtime.seek("t", move.begin)
        await until(lambda: counters(broker, "t").waiting == 4)
        await broker.send("now")
        await target.until_ids("now")
        assert target.ids() == ["now"]


async def test_a_replay_waits_for_no_time(tmp_path):
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, options=TIMED)
        await broker.send("timed", deliverytime=rfc3339(time.time() + 3600))
        await until(lambda: counters(broker, "t").waiting == 1)
        replay = broker.runtime.replay("t", Start.EARLIEST, most=10, observing=None)
        await until(lambda: not replay.running)
        assert (target.ids(), replay.settled) == (["timed"], 1)
        assert counters(broker, "t").waiting == 1
