"""Deliveries in batches, where a subscriber asks for them, on real sockets."""

import asyncio
import json
from collections import Counter

from aiohttp import web

from eventing.api.deliveryoptions import DeliveryOptions
from eventing.runtime.config import SubscriptionLimits
from tests.component.eventing.test_broker import headers, plane, sink

TEN = DeliveryOptions(batch_size=10, batch_wait_seconds=0.02)


def full(size):
    """Batches of so many, however slowly events come."""
    return DeliveryOptions(batch_size=size, batch_wait_seconds=60)


def batches(target):
    return [json.loads(body) for _, body in target.got]


def ids(target):
    return [event["id"] for batch in batches(target) for event in batch]


async def send_many(broker, count, **more):
    await asyncio.gather(*(broker.send(number, **more) for number in range(count)))


async def test_events_come_in_batches_no_larger_than_asked_for(tmp_path):
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, options=full(10))
        await send_many(broker, 40, ext="e")
        await broker.idle("t")
        assert [len(batch) for batch in batches(target)] == [10] * 4
        assert Counter(ids(target)) == {str(number): 1 for number in range(40)}
        got = target.got[0][0]
        assert got["content-type"] == "application/cloudevents-batch+json"
        assert got["prefer"] == "reply"
        event = batches(target)[0][0]
        assert (event["source"], event["type"], event["ext"], event["data"]) == (
            "/test",
            "t",
            "e",
            {},
        )


async def test_one_event_alone_is_a_batch_too_after_a_while(tmp_path):
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, options=TEN)
        await broker.send(1)
        await broker.idle("t")
        assert [len(batch) for batch in batches(target)] == [1]


async def test_a_batch_has_no_more_bytes_than_the_limit(tmp_path):
    limits = SubscriptionLimits(batch_bytes=10_000)
    async with sink() as target, plane(tmp_path, held=limits) as broker:
        await broker.subscribe("t", target, options=TEN)
        data = json.dumps("x" * 3000).encode()
        await asyncio.gather(*(broker.send(number, data=data) for number in range(9)))
        await broker.send("large", data=json.dumps("x" * 30_000).encode())
        await broker.idle("t")
        assert max(len(batch) for batch in batches(target)) <= 3
        assert len(ids(target)) == 10


async def test_a_batch_that_fails_is_tried_again(tmp_path):
    def answer(request, number):
        return web.Response(status=503 if number <= 2 else 200)

    async with sink(answer) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target, options=TEN)
        await send_many(broker, 8)
        await broker.idle("t")
        assert set(ids(target)) == {str(number) for number in range(8)}


async def test_of_a_refused_batch_each_event_is_tried_alone(tmp_path):
    async def refuse(request):
        body = await request.text()
        if "batch" not in request.headers["content-type"]:
            return web.Response(status=400 if request.headers["ce-id"] == "3" else 200)
        bad = any(event["id"] == "3" for event in json.loads(body))
        return web.Response(status=400 if bad else 200)

    async with (
        sink(lambda request, number: refuse(request)) as target,
        sink() as dead,
        plane(tmp_path) as broker,
    ):
        await broker.subscribe("t", target, options=TEN, dead_letter=dead)
        await send_many(broker, 10)
        await broker.idle("t")
    assert dead.ids() == ["3"]


async def test_replies_to_a_batch_are_a_batch(tmp_path):
    def answer(request, number):
        reply = {"specversion": "1.0", "source": "/r", "type": "reply"}
        body = json.dumps([reply | {"id": f"r{each}"} for each in range(3)])
        fields = {"content-type": "application/cloudevents-batch+json"}
        return web.Response(headers=fields, body=body)

    async with sink(answer) as target, sink() as other, plane(tmp_path) as broker:
        only = [{"exact": {"type": "t"}}]
        await broker.subscribe("t", target, filters=only, options=full(5))
        await broker.subscribe("other", other, filters=[{"exact": {"type": "reply"}}])
        await send_many(broker, 5)
        await broker.idle("t")
        await broker.idle("other")
        assert (len(target.got), sorted(other.ids())) == (1, ["r0", "r1", "r2"])


async def test_without_the_annotation_each_comes_by_itself_again(tmp_path):
    async with sink() as target, plane(tmp_path) as broker:
        slow = DeliveryOptions(batch_size=100, batch_wait_seconds=50)
        await broker.subscribe("t", target, options=slow)
        await send_many(broker, 5)
        assert not target.got
        await broker.subscribe("t", target)
        await broker.idle("t")
        assert sorted(target.ids()) == ["0", "1", "2", "3", "4"]


async def test_no_target_is_a_failure_of_each(tmp_path):
    async with sink() as dead, plane(tmp_path) as broker:
        await broker.subscribe("t", None, options=TEN, dead_letter=dead)
        await send_many(broker, 4)
        await dead.until_ids(0, 1, 2, 3)
        assert {letter["ce-knativeerrorcode"] for letter, _ in dead.got} == {"404"}


async def test_traces_are_in_batches_and_the_same_as_in_headers(tmp_path):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with sink() as target, sink() as alone, plane(tmp_path) as broker:
        await broker.subscribe("t", target, options=TEN)
        await broker.subscribe("alone", alone)
        event = headers("1") | {"traceparent": parent, "tracestate": "a=1"}
        async with broker.session.post(broker.url, data=b"{}", headers=event) as answer:
            assert answer.status == 202
        await broker.idle("t")
        await broker.idle("alone")
        [[got]] = batches(target)
        assert (got["traceparent"], got["tracestate"]) == (parent, "a=1")
        assert "traceparent" not in target.got[0][0]
        assert alone.got[0][0]["traceparent"] == parent
