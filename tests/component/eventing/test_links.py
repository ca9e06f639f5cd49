"""Triggers and Subscriptions of another namespace than their Broker or channel."""

import asyncio

import pytest

from eventing.api import keys
from eventing.api.checks import CROSS_NAMESPACE
from hearth.knative.resources import BROKERS, INMEMORYCHANNELS, SUBSCRIPTIONS, TRIGGERS
from hearth.kube.errors import ApiError
from hearth.kube.resources import CONFIGMAPS, NAMESPACES
from tests.component.eventing.cluster import cluster, condition, next_of, sink

OTHER = "other"


async def link(found, resource, name, **spec):
    """Create an object in the other namespace, and wait until it is ready."""
    metadata = {"name": name, "namespace": OTHER}
    obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    await found.client.create(resource, {**obj, "spec": spec})
    async with asyncio.timeout(60):
        while condition(await found.client.get(resource, name, OTHER))[0] != "True":
            await asyncio.sleep(0.01)


def ref(resource, name):
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "namespace": "default",
        "name": name,
    }


async def allow(found):
    """Switch links on, and wait until the webhook goes by that."""
    flag = {"data": {CROSS_NAMESPACE: "enabled"}}
    await found.client.patch(CONFIGMAPS, "config-features", keys.SYSTEM_NAMESPACE, flag)
    spec = {"brokerRef": ref(BROKERS, "any"), "subscriber": {"uri": "http://x/"}}
    async with asyncio.timeout(60):
        while True:
            try:
                await found.create(TRIGGERS, "allowed", **spec)
            except ApiError as error:
                assert "must not set the field(s): spec.namespace" in error.message
                await asyncio.sleep(0.01)
            else:
                break
    await found.client.delete(TRIGGERS, "allowed", "default")


async def make_namespace(found):
    await allow(found)
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OTHER}}
    await found.client.create(NAMESPACES, body)


async def until_nobody_gets(send, got):
    """Send until an event that was sent comes no more."""
    async with asyncio.timeout(60):
        while True:
            await send()
            try:
                await next_of(got, seconds=0.5)
            except TimeoutError:
                return


async def test_a_trigger_takes_events_of_a_broker_elsewhere(tmp_path):
    async with cluster(tmp_path) as found, sink() as (to, got), sink() as (here, own_got):
        await make_namespace(found)
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        await found.create_trigger("t", here)
        await found.until_ready(TRIGGERS, "t")
        await link(found, TRIGGERS, "t", brokerRef=ref(BROKERS, "default"), subscriber=to)
        assert await found.send(url) == 202
        assert (await next_of(got))["kn-namespace"] == OTHER
        assert (await next_of(own_got))["kn-namespace"] == "default"

        async def send():
            assert await found.send(url) == 202
            await next_of(own_got)

        # The one is deleted, the other of that name goes on.
        await found.client.delete(TRIGGERS, "t", OTHER)
        await until_nobody_gets(send, got)


@pytest.mark.parametrize("with_namespace", [True, False])
async def test_a_reference_to_a_broker_beside_it_is_as_good_as_its_name(tmp_path, with_namespace):
    async with cluster(tmp_path) as found, sink() as (to, got):
        await allow(found)
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        named = ref(BROKERS, "default")
        if not with_namespace:
            del named["namespace"]
        await found.create(TRIGGERS, "t", brokerRef=named, subscriber=to)
        await found.until_ready(TRIGGERS, "t")
        assert await found.send(url) == 202
        await next_of(got)


async def test_a_trigger_that_refers_to_another_broker_leaves_the_one_before(tmp_path):
    async with cluster(tmp_path) as found, sink() as (to, got):
        await allow(found)
        urls = []
        for name in ("one", "two"):
            await found.create(BROKERS, name)
            urls.append((await found.until_ready(BROKERS, name))["status"]["address"]["url"])
        await found.create(TRIGGERS, "t", brokerRef=ref(BROKERS, "one"), subscriber=to)
        await found.until_ready(TRIGGERS, "t")
        assert await found.send(urls[0]) == 202
        await next_of(got)
        change = {"spec": {"brokerRef": {"name": "two"}}}
        await found.client.patch(TRIGGERS, "t", "default", change)

        async def send():
            assert await found.send(urls[0]) == 202

        await until_nobody_gets(send, got)
        assert await found.send(urls[1], **{"ce-id": "2"}) == 202
        assert (await next_of(got))["ce-id"] == "2"


async def test_a_subscription_takes_events_of_a_channel_elsewhere(tmp_path):
    async with cluster(tmp_path) as found, sink() as (to, got):
        await make_namespace(found)
        await found.create(INMEMORYCHANNELS, "c")
        channel = await found.until_ready(INMEMORYCHANNELS, "c")
        await link(found, SUBSCRIPTIONS, "s", channel=ref(INMEMORYCHANNELS, "c"), subscriber=to)
        assert await found.send_to(channel) == 202
        await next_of(got)
        await found.client.delete(SUBSCRIPTIONS, "s", OTHER)
        await found.until(INMEMORYCHANNELS, "c", lambda obj: not obj["spec"].get("subscribers"))
