"""Annotations that say how events are delivered, from the API to what subscribers get."""

import asyncio

import pytest

from eventing.api.deliveryoptions import BATCH_SIZE, ENRICH
from hearth.knative.resources import (
    BROKERS,
    INMEMORYCHANNELS,
    SUBSCRIPTIONS,
    TRIGGERS,
)
from hearth.kube.errors import ApiError
from hearth.kube.resources import Resource
from tests.component.eventing.cluster import Cluster, cluster, next_of, sink

BATCH = "application/cloudevents-batch+json"
CHANNEL = {"apiVersion": "messaging.knative.dev/v1", "kind": "InMemoryChannel", "name": "c"}


async def annotate(found: Cluster, resource: Resource, name: str, value: str | None) -> None:
    change = {"metadata": {"annotations": {BATCH_SIZE: value}}}
    await found.client.patch(resource, name, "default", change)


async def test_a_trigger_asks_and_else_its_broker(tmp_path):
    async with cluster(tmp_path) as found, sink() as (target, got):
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        await found.create_trigger("t", target)
        await found.until_ready(TRIGGERS, "t")

        async def until_sent_as(kind):
            async with asyncio.timeout(60):
                while True:
                    assert await found.send(url) == 202
                    if (await next_of(got))["content-type"] == kind:
                        return

        await until_sent_as("application/json")
        await annotate(found, TRIGGERS, "t", "10")
        await until_sent_as(BATCH)
        await annotate(found, TRIGGERS, "t", None)
        await until_sent_as("application/json")
        await annotate(found, BROKERS, "default", "10")
        await until_sent_as(BATCH)


async def test_an_event_is_given_attributes_for_one_trigger(tmp_path):
    text = "stage = 'second'\nshort = LEFT(type, 1)\nmissing = nothere"
    async with cluster(tmp_path) as found, sink() as (target, got), sink() as (other, other_got):
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        filters = [{"cesql": "NOT EXISTS stage"}]  # filters see the event as it came
        await found.create_trigger("t", target, annotations={ENRICH: text}, filters=filters)
        await found.create_trigger("other", other)
        for name in ("t", "other"):
            await found.until_ready(TRIGGERS, name)
        assert await found.send(url, **{"ce-type": "order.created"}) == 202
        event = await next_of(got)
        assert (event["ce-stage"], event["ce-short"]) == ("second", "o")
        assert "ce-missing" not in event
        assert "ce-stage" not in await next_of(other_got)
        with pytest.raises(ApiError, match=r"line 1: .* at character 9"):
            await found.create_trigger("bad", target, annotations={ENRICH: "stage = "})


async def test_a_subscription_asks_by_its_channel(tmp_path):
    async with cluster(tmp_path) as found, sink() as (target, got):
        channel = await found.create(INMEMORYCHANNELS, "c")
        await found.create(SUBSCRIPTIONS, "s", channel=CHANNEL, subscriber=target)
        await annotate(found, SUBSCRIPTIONS, "s", "10")
        await found.until_ready(SUBSCRIPTIONS, "s")
        channel = await found.until_ready(INMEMORYCHANNELS, "c")
        async with asyncio.timeout(60):
            while True:
                assert await found.send_to(channel) == 202
                if (await next_of(got))["content-type"] == BATCH:
                    break
        await found.client.delete(SUBSCRIPTIONS, "s", "default")
        await found.until(INMEMORYCHANNELS, "c", lambda each: not each["spec"].get("subscribers"))
        left = await found.client.get(INMEMORYCHANNELS, "c", "default")
        assert BATCH_SIZE not in str(left["metadata"]["annotations"])


async def test_what_nobody_can_read_is_refused(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found, sink() as (target, _):
        await found.create_broker()
        await found.create_trigger("t", target)
        await found.create(INMEMORYCHANNELS, "c")
        await found.create(SUBSCRIPTIONS, "s", channel=CHANNEL, subscriber=target)
        kinds = (
            (BROKERS, "default"),
            (TRIGGERS, "t"),
            (INMEMORYCHANNELS, "c"),
            (SUBSCRIPTIONS, "s"),
        )
        for resource, name in kinds:
            with pytest.raises(ApiError, match=r"invalid value: many: metadata\.annotations\."):
                await annotate(found, resource, name, "many")
