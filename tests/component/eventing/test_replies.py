"""Several replies at once, and replies that go round in a loop, on real sockets."""

import json
import logging

from aiohttp import web

from eventing.runtime.target import parse_target
from tests.component.eventing.test_broker import headers, plane, sink
from tests.component.eventing.test_guard import counters
from tests.component.eventing.test_observer import Observer
from tests.waiting import until

BATCH = {"content-type": "application/cloudevents-batch+json"}
ONLY_T = [{"exact": {"type": "t"}}]


def batch(*ids, **more):
    event = {"specversion": "1.0", "source": "/r", "type": "reply"} | more
    return json.dumps([event | {"id": each} for each in ids])


def answering(body):
    return lambda request, number: web.Response(headers=BATCH, body=body)


async def test_all_replies_of_a_batch_enter_the_broker(tmp_path):
    observer = Observer()
    async with (
        sink(answering(batch("r1", "r2", "r3"))) as target,
        sink() as other,
        plane(tmp_path, observer=observer) as broker,
    ):
        await broker.subscribe("t", target, filters=ONLY_T)
        await broker.subscribe("other", other, filters=[{"exact": {"type": "reply"}}])
        await broker.send(1)
        await other.until_ids("r1", "r2", "r3")
        await broker.idle("t")
    told = [each for each in observer.of("1") if each[2] == "replied"]
    assert [each[3] for each in told] == ["r1", "r2", "r3"]


async def test_an_empty_batch_is_no_reply(tmp_path):
    async with sink(answering("[]")) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, filters=ONLY_T)
        await broker.send(1)
        await broker.idle("t")
        assert target.ids() == ["1"]


async def test_a_batch_of_which_one_is_no_event_is_a_failure(tmp_path):
    body = batch("r1")[:-1] + ', {"id": "r2"}]'
    async with sink(answering(body)) as target, sink() as dead, plane(tmp_path) as broker:
        await broker.subscribe("t", target, filters=ONLY_T, dead_letter=dead)
        await broker.send(1)
        await dead.until_ids(1)
        assert dead.got[0][0]["ce-knativeerrorcode"] == "502"


async def test_replies_that_go_elsewhere_are_sent_one_after_the_other(tmp_path):
    refused: list[int] = []

    def answer(request, number):
        if request.headers["ce-id"] == "r2" and not refused:
            refused.append(number)
            return web.Response(status=503)
        return web.Response()

    async with (
        sink(answering(batch("r1", "r2", "r3"))) as target,
        sink(answer) as place,
        plane(tmp_path) as broker,
    ):
        await broker.subscribe("t", target, reply=parse_target(place.url, None))
        await broker.send(1)
        await broker.idle("t")
    assert place.ids() == ["r1", "r2", "r2", "r3"]
    assert target.ids() == ["1"]


async def test_an_event_one_of_whose_replies_nobody_takes_is_a_dead_letter(tmp_path):
    def answer(request, number):
        return web.Response(status=400 if request.headers["ce-id"] == "r2" else 200)

    async with (
        sink(answering(batch("r1", "r2", "r3"))) as target,
        sink(answer) as place,
        sink() as dead,
        plane(tmp_path) as broker,
    ):
        reply = parse_target(place.url, None)
        await broker.subscribe("t", target, reply=reply, dead_letter=dead)
        await broker.send(1)
        await dead.until_ids(1)
        await broker.idle("t")
        assert dead.got[0][0]["ce-knativeerrordest"] == place.url
    assert place.ids() == ["r1", "r2"]


async def test_a_loop_names_itself_and_goes_on_until_its_end(tmp_path, caplog):
    def ping(request, number):
        return web.Response(headers=headers(f"a{number}") | {"ce-type": "pong"})

    def pong(request, number):
        return web.Response(headers=headers(f"b{number}") | {"ce-type": "ping"})

    caplog.set_level(logging.WARNING)
    async with sink(ping) as first, sink(pong) as second, plane(tmp_path) as broker:
        await broker.subscribe("ping", first, filters=[{"exact": {"type": "ping"}}])
        await broker.subscribe("pong", second, filters=[{"exact": {"type": "pong"}}])
        await broker.send(0, type="ping", knativebrokerttl="10")
        await until(lambda: len(first.got) + len(second.got) == 9)
        await broker.idle("ping")
        await broker.idle("pong")
        assert counters(broker, "ping").looped == 3
        assert counters(broker, "pong").looped == 2
    named = {each.__dict__["loop"] for each in caplog.records if "loop" in each.__dict__}
    assert "ping -> pong -> ping" in named


async def test_a_few_passes_are_no_loop(tmp_path):
    def pages(request, number):
        return web.Response(headers=headers(f"p{number}") if number < 3 else {})

    async with sink(pages) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target)
        await broker.send(0)
        await until(lambda: len(target.got) == 3)
        await broker.idle("t")
        assert counters(broker, "t").looped == 0
