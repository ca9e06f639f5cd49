"""The position of a subscription itself is moved: counted first, then done, on real sockets."""

import asyncio
import shutil
import time

import pytest
from aiohttp import web

from eventing.api.deliveryoptions import DeliveryOptions
from eventing.engines.local.config import LogLimits
from eventing.engines.seam import Refused, Start, StartAt
from eventing.runtime.admin.seeking import NotThere, move_of
from eventing.runtime.observer import Follows
from eventing.runtime.policy import Backoff, DeliveryPolicy
from hearth.kube.clock import rfc3339_micro
from tests.component.eventing.test_broker import plane, sink
from tests.component.eventing.test_holding import Switch
from tests.component.eventing.test_observer import Observer
from tests.waiting import until

SLOW = DeliveryPolicy(retries=10, backoff=Backoff.EXPONENTIAL, delay_seconds=1000)
EVEN = [{"suffix": {"id": "0"}}]


async def count(broker, text, name="t"):
    subscription = broker.runtime.subscription(name)
    return await move_of(broker.log, subscription, text, clock=time.time)


def counts(move):
    return move.again, move.ahead, move.skipped


async def test_back_repeats_and_on_skips(tmp_path):
    answer = Switch(200)
    async with sink(answer) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, policy=SLOW)
        for number in range(6):
            await broker.send(number)
        await broker.idle("t")
        answer.status = 500
        for number in range(6, 10):
            await broker.send(number)
        await target.until_ids(9)
        assert counts(await count(broker, "earliest")) == (6, 4, 0)
        assert counts(await count(broker, "offset:4")) == (2, 4, 0)
        assert counts(await count(broker, "id:8")) == (0, 2, 2)
        latest = await count(broker, "latest")
        assert (counts(latest), latest.first) == ((0, 0, 4), None)
        assert latest.text.startswith("time:")
        # Nothing has been moved yet.
        assert len(target.got) == 10
        answer.status = 200
        target.got.clear()
        move = await count(broker, "id:4")
        assert (counts(move), move.text) == ((2, 4, 0), "offset:4")
        await broker.runtime.seek("t", move.begin)
        await broker.idle("t")
        assert sorted(target.ids()) == ["4", "5", "6", "7", "8", "9"]
        await broker.send("new")
        await target.until_ids("new")


async def test_what_is_skipped_is_never_delivered_also_after_a_restart(tmp_path):
    answer = Switch(500)
    async with sink(answer) as target:
        async with plane(tmp_path) as broker:
            await broker.subscribe("t", target, policy=SLOW)
            for number in range(5):
                await broker.send(number)
            await target.until_ids(4)
            target.got.clear()
            answer.status = 200
            await broker.runtime.seek("t", (await count(broker, "offset:3")).begin)
            await target.until_ids(3, 4)
            await broker.idle("t")
        async with plane(tmp_path) as broker:
            await broker.subscribe("t", target, policy=SLOW)
            await broker.send("new")
            await broker.idle("t")
        assert sorted(target.ids()) == ["3", "4", "new"]


async def test_only_matching_events_are_counted(tmp_path):
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, filters=EVEN)
        for number in range(21):
            await broker.send(number)
        await broker.idle("t")
        move = await count(broker, "earliest")
        assert counts(move) == (3, 0, 0)
        assert move.first is not None and move.first.attributes["id"] == "0"


async def test_what_is_under_way_is_not_waited_for_and_its_answer_counts_no_more(tmp_path):
    observer, held = Observer(), asyncio.Event()

    async def hold(request):
        await held.wait()
        return web.Response(status=200)

    async with sink(hold) as target, plane(tmp_path, observer=observer) as broker:
        await broker.subscribe("t", target)
        await broker.send(1)
        await target.until_ids(1)
        await broker.runtime.seek("t", Start.EARLIEST)
        await target.until(lambda: target.ids() == ["1", "1"])
        held.set()
        await broker.idle("t")
        assert observer.told.count(("t", "1", "settled")) == 1


async def test_held_events_stay_where_they_are_and_are_delivered_where_they_are_passed(tmp_path):
    answer = Switch(400)
    hold = DeliveryOptions(hold=True)
    async with sink(answer) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, options=hold)
        for number in range(4):
            await broker.send(number)
        await until(lambda: len(broker.runtime.subscription("t").held()) == 4)
        answer.status = 200
        target.got.clear()
        await broker.runtime.seek("t", (await count(broker, "offset:2")).begin)
        await broker.idle("t")
        assert sorted(target.ids()) == ["2", "3"]
        held = [each.note.event_id for each in broker.runtime.subscription("t").held()]
        assert held == ["0", "1"]


async def test_an_event_that_is_repeated_is_no_duplicate_and_another_one_is(tmp_path):
    observer = Observer()
    once = DeliveryOptions(duplicate_window_seconds=60)
    async with sink() as target, plane(tmp_path, observer=observer) as broker:
        await broker.subscribe("t", target, options=once)
        for number in (1, 2):
            await broker.send(number)
        await broker.idle("t")
        await broker.runtime.seek("t", Start.EARLIEST)
        await broker.idle("t")
        assert sorted(target.ids()) == ["1", "1", "2", "2"]
        await broker.send(2)
        await until(lambda: any(each[-1] is Follows.DUPLICATE for each in observer.told))
        assert len(target.got) == 4


async def test_what_the_log_does_not_hold_is_refused_and_said_from_when_it_does(tmp_path):
    limits = LogLimits(segment_bytes=10_000, log_bytes=200_000, kept_bytes=30_000)
    began = time.time()
    async with sink() as target, plane(tmp_path, limits=limits) as broker:
        await broker.subscribe("t", target)
        with pytest.raises(NotThere, match="no event at offset 0: it holds none"):
            await count(broker, "offset:0")
        assert counts(await count(broker, "1h")) == (0, 0, 0), "nothing is missing"
        for number in range(100):
            await broker.send(number, b'"%b"' % (b"x" * 1000))
        await broker.idle("t")
        await broker.runtime.checkpoint()
        assert broker.log.has_released
        oldest = await count(broker, "earliest")
        assert oldest.first is not None and oldest.first.position > 0
        since = f"it holds those since {rfc3339_micro(oldest.first.arrival_ns // 1000 / 1e6)}"
        offset = rf"{since} \(offset {oldest.first.position}\)"
        for text, error in (("1h", Refused), (f"time:{rfc3339_micro(began)}", Refused)):
            with pytest.raises(error, match=f"are not all kept any more: {offset}"):
                await count(broker, text)
        for text in ("offset:0", "offset:100"):
            with pytest.raises(NotThere, match=f"there is no event at offset .*: {offset}"):
                await count(broker, text)
        with pytest.raises(NotThere, match=f"no event with the id 'x' is kept .*: {offset}"):
            await count(broker, "id:x")
        move = await count(broker, "earliest")
        assert move.again == 100 - oldest.first.position


async def test_a_log_that_cannot_write_leaves_the_subscription_where_it_was(tmp_path, monkeypatch):
    folder, copy = tmp_path / "lives", tmp_path / "killed"
    async with sink() as target, plane(folder) as broker:
        await broker.subscribe("t", target)
        for number in range(3):
            await broker.send(number)
        await broker.idle("t")

        def full(*_, **__):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("eventing.engines.local.cursorfile.write_all", full)
            with pytest.raises(OSError, match="No space"):
                await broker.runtime.seek("t", StartAt(0))
        await broker.runtime.checkpoint()
        await broker.subscribe("u", target)  # has the file written
        shutil.copytree(folder, copy)
        async with plane(copy) as other:
            await other.subscribe("t", target)
            await other.idle("t")
        await broker.send("new")
        await target.until_ids("new")
        await broker.idle("t")
        assert target.ids()[:4] == ["0", "1", "2", "new"]
