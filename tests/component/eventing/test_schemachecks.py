"""Events are checked by the schemas of EventTypes, where a Broker asks for it."""

import asyncio
import json
from dataclasses import replace

import pytest

from eventing.api.schemachecks import SCHEMA_CHECK
from hearth.knative.resources import BROKERS, EVENTTYPES, TRIGGERS
from hearth.kube.errors import ApiError
from tests.component.eventing.cluster import HEADERS, cluster, next_of, sink

SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}


async def create_type(found, name, schema=SCHEMA, *, source="", **more):
    attributes = [
        {"name": "type", "value": "order"},
        {"name": "source", "value": source},
        {"name": "schemadata", "value": json.dumps(schema)},
    ]
    return await found.create(EVENTTYPES, name, attributes=attributes, **more)


async def ask(found, mode):
    change = {"metadata": {"annotations": {SCHEMA_CHECK: mode}}}
    await found.client.patch(BROKERS, "default", "default", change)


async def send(found, url, data, **more):
    headers = HEADERS | {"ce-type": "order"} | more
    async with found.session.post(url, data=data, headers=headers) as answer:
        return answer.status, (await answer.text()).strip()


async def until(found, url, data, wanted, **more):
    async with asyncio.timeout(60):
        while (got := await send(found, url, data, **more)) != wanted:
            await asyncio.sleep(0.01)
    return got


BAD = b'{"id": "x"}'
NAMED = 'EventType orders: data.id: "x" is not of type "integer"'


@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
async def test_event_types_are_written_in_older_versions_too(tmp_path, version):
    older = replace(EVENTTYPES, version=version)
    async with cluster(tmp_path) as found, sink() as (target, _):
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        await ask(found, "enforce")
        await found.create_trigger("t", target)
        await found.until_ready(TRIGGERS, "t")
        spec = {"type": "order", "schemaData": json.dumps(SCHEMA), "broker": "default"}
        await found.create(older, "orders", **spec)
        await until(found, url, BAD, (400, NAMED))
        newest = await found.until_ready(EVENTTYPES, "orders")
        told = {each["name"]: each.get("value", "") for each in newest["spec"]["attributes"]}
        assert told["type"] == "order" and json.loads(told["schemadata"]) == SCHEMA
        assert newest["spec"]["reference"]["name"] == "default"
        again = await found.client.get(older, "orders", "default")
        assert again["apiVersion"] == f"eventing.knative.dev/{version}"
        assert again["spec"]["type"] == "order"
        with pytest.raises(ApiError, match=r"missing field.*spec.type"):
            await found.create(older, "nothing", source="/s")


async def test_what_does_not_satisfy_its_schema_is_refused_with_the_place(tmp_path):
    async with cluster(tmp_path) as found, sink() as (target, got):
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        await found.create_trigger("t", target)
        await found.until_ready(TRIGGERS, "t")
        await create_type(found, "orders")
        assert (await send(found, url, BAD))[0] == 202  # nobody asked
        await next_of(got)
        await ask(found, "enforce")
        await until(found, url, BAD, (400, NAMED))
        while not got.empty():
            got.get_nowait()
        assert await send(found, url, b'{"id": 7}') == (202, "")
        assert await send(found, url, b"no json", **{"ce-type": "other"}) == (202, "")
        assert [(await next_of(got))["ce-type"] for _ in range(2)] == ["order", "other"]
        # All of a batch or nothing.
        one = {"specversion": "1.0", "id": "1", "source": "/s", "type": "order"}
        batch = json.dumps([{**one, "data": {"id": 1}}, {**one, "data": {}}]).encode()
        kind = {"content-type": "application/cloudevents-batch+json"}
        missing = 'EventType orders: data: "id" is a required property'
        assert await send(found, url, batch, **kind) == (400, missing)
        # What EventTypes say counts at once.
        await found.client.delete(EVENTTYPES, "orders", "default")
        await until(found, url, BAD, (202, ""))
        await create_type(found, "elsewhere", source="/elsewhere")
        reference = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "b"}
        await create_type(found, "another", reference=reference)
        await create_type(found, "orders", source="/s")
        await until(found, url, BAD, (400, NAMED))
        elsewhere = (400, NAMED.replace("orders", "elsewhere"))
        assert await send(found, url, BAD, **{"ce-source": "/elsewhere"}) == elsewhere
        assert await send(found, url, BAD, **{"ce-source": "/third"}) == (202, "")


async def test_a_warning_is_counted_and_the_event_delivered(tmp_path):
    async with cluster(tmp_path) as found, sink() as (target, got):
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        await found.create_trigger("t", target)
        await found.until_ready(TRIGGERS, "t")
        await create_type(found, "orders")
        await ask(found, "enforce")
        await until(found, url, BAD, (400, NAMED))
        await ask(found, "warn")
        await until(found, url, BAD, (202, ""), **{"ce-id": "bad"})
        assert (await next_of(got))["ce-type"] == "order"
        assert await send(found, url, b'{"id": 1}', **{"ce-id": "good"}) == (202, "")
        # Its journey tells of it.
        for event, schema in (("bad", NAMED), ("good", None)):
            async with asyncio.timeout(60):
                while not (told := (await found.told("/trace", id=event))["journeys"]):
                    await asyncio.sleep(0.01)
            assert told[0].get("schema") == schema


async def test_a_reply_that_does_not_satisfy_its_schema_is_no_reply(tmp_path):
    answer = HEADERS | {"ce-id": "r", "ce-type": "order"}
    async with (
        cluster(tmp_path) as found,
        sink(answer=answer) as (target, got),
        sink() as (dead, dead_got),
    ):
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        filters = [{"exact": {"type": "ask"}}]
        delivery = {"deadLetterSink": dead}
        await found.create_trigger("t", target, filters=filters, delivery=delivery)
        await found.until_ready(TRIGGERS, "t")
        await create_type(found, "orders")
        await ask(found, "enforce")
        await until(found, url, BAD, (400, NAMED))
        assert (await send(found, url, b"{}", **{"ce-type": "ask"}))[0] == 202
        await next_of(got)
        assert (await next_of(dead_got))["ce-knativeerrorcode"] == "502"


async def test_what_nobody_can_check_by_is_refused(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        await found.create_broker()
        with pytest.raises(ApiError, match="schema-check"):
            await ask(found, "sometimes")
        with pytest.raises(ApiError, match=r"invalid JSON Schema: .*spec.attributes\[schemadata\]"):
            await create_type(found, "bad", {"type": "nothing"})
        with pytest.raises(ApiError, match="only parts of the schema itself"):
            await create_type(found, "bad", {"$ref": "http://127.0.0.1:1/"})
