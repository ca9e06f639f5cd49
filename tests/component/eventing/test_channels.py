"""Channels and Subscriptions against a real API server: from YAML to a delivered event."""

import asyncio

from eventing.api import keys
from eventing.api.deliveryoptions import BATCH_SIZE, BATCH_WAIT, given_options
from hearth.knative.resources import (
    BROKERS,
    CHANNELS,
    INMEMORYCHANNELS,
    SUBSCRIPTIONS,
)
from hearth.kube.errors import NotFound
from hearth.kube.resources import ENDPOINTSLICES, SERVICES
from tests.component.eventing.cluster import HEADERS, cluster, condition, next_of, sink

C = {"apiVersion": "messaging.knative.dev/v1", "kind": "Channel", "name": "c"}
REPLY = HEADERS | {"ce-id": "answer", "ce-type": "reply"}


async def until_gone(found, resource, name):
    async with asyncio.timeout(60):
        while True:
            try:
                await found.client.get(resource, name, "default")
            except NotFound:
                return
            await asyncio.sleep(0.01)


async def test_events_go_to_all_subscribers_and_replies_where_they_are_sent(tmp_path):
    async with (
        cluster(tmp_path) as found,
        sink(answer=REPLY) as (asked, asked_got),
        sink() as (replied, replied_got),
        sink() as (other, other_got),
    ):
        await found.create(CHANNELS, "c")
        await found.create(SUBSCRIPTIONS, "asks", channel=C, subscriber=asked, reply=replied)
        await found.create(SUBSCRIPTIONS, "other", channel=C, subscriber=other)
        for name in ("asks", "other"):
            await found.until_ready(SUBSCRIPTIONS, name)
        channel = await found.until_ready(CHANNELS, "c")
        assert await found.send_to(channel) == 202
        for got in (asked_got, other_got):
            event = await next_of(got)
            assert event["ce-id"] == "1"
            assert "ce-knativearrivaltime" not in event
        assert (await next_of(replied_got))["ce-id"] == "answer"
        assert other_got.empty()


async def test_a_channel_is_made_of_its_template_and_found_by_a_service(tmp_path):
    async with cluster(tmp_path) as found:
        await found.create(CHANNELS, "c", delivery={"retry": 2})
        channel = await found.until_ready(CHANNELS, "c")
        backing = await found.client.get(INMEMORYCHANNELS, "c", "default")
        assert backing["spec"]["delivery"] == {"retry": 2}
        url = "http://c-kn-channel.default.svc.cluster.local"
        assert channel["status"]["address"] == {"name": "http", "url": url}
        service = await found.client.get(SERVICES, "c-kn-channel", "default")
        slice_ = await found.client.get(ENDPOINTSLICES, "c-kn-channel", "default")
        assert service["spec"]["ports"][0]["port"] == 80
        assert slice_["endpoints"][0]["addresses"] == ["127.0.0.1"]
        assert slice_["ports"][0]["port"] == found.port
        await found.client.patch(
            ENDPOINTSLICES, "c-kn-channel", "default", {"ports": [{"name": "http", "port": 1}]}
        )
        await found.until(
            ENDPOINTSLICES, "c-kn-channel", lambda obj: obj["ports"][0]["port"] == found.port
        )


async def test_a_channel_with_the_longest_name_is_reached_by_its_host(tmp_path):
    title = "c" * 63
    async with cluster(tmp_path) as found, sink() as (subscriber, got):
        await found.create(CHANNELS, title)
        channel = await found.until_ready(CHANNELS, title)
        host = channel["status"]["address"]["url"].removeprefix("http://").partition(".")[0]
        assert len(host) == 63
        assert await found.client.get(SERVICES, host, "default")
        of = C | {"name": title}
        await found.create(SUBSCRIPTIONS, "s", channel=of, subscriber=subscriber)
        await found.until_ready(SUBSCRIPTIONS, "s")
        assert await found.send_to(channel) == 202
        assert (await next_of(got))["ce-id"] == "1"
        await found.client.delete(CHANNELS, title, "default")
        await until_gone(found, INMEMORYCHANNELS, title)
        async with asyncio.timeout(60):
            while await found.send_to(channel) != 404:
                await asyncio.sleep(0.01)


async def test_what_cannot_be_delivered_goes_to_the_dead_letter_sink(tmp_path):
    async with cluster(tmp_path) as found, sink() as (dead, dead_got):
        nobody = {"uri": "http://127.0.0.1:1/"}
        await found.create(CHANNELS, "c", delivery={"deadLetterSink": dead})
        await found.create(SUBSCRIPTIONS, "s", channel=C, subscriber=nobody)
        subscription = await found.until_ready(SUBSCRIPTIONS, "s")
        physical = subscription["status"]["physicalSubscription"]
        assert physical == {"subscriberUri": nobody["uri"], "deadLetterSinkUri": dead["uri"]}
        assert await found.send_to(await found.until_ready(CHANNELS, "c")) == 202
        event = await next_of(dead_got)
        assert event["ce-id"] == "1"
        assert event["ce-knativeerrordest"] == nobody["uri"]


async def test_a_subscription_leaves_its_channel_and_one_without_a_channel_waits(tmp_path):
    async with cluster(tmp_path) as found, sink() as (subscriber, got):
        await found.create(SUBSCRIPTIONS, "s", channel=C, subscriber=subscriber)
        missing = await found.until(SUBSCRIPTIONS, "s", lambda obj: condition(obj)[1])
        assert condition(missing)[1] == "ChannelReferenceFailed"
        await found.create(CHANNELS, "c")
        await found.until_ready(SUBSCRIPTIONS, "s")
        channel = await found.until_ready(CHANNELS, "c")
        assert await found.send_to(channel) == 202
        assert (await next_of(got))["ce-id"] == "1"
        await found.client.delete(SUBSCRIPTIONS, "s", "default")
        await until_gone(found, SUBSCRIPTIONS, "s")
        backing = await found.until(
            INMEMORYCHANNELS, "c", lambda obj: not obj["status"].get("subscribers")
        )
        assert not backing["spec"].get("subscribers")
        assert await found.send_to(channel) == 202
        # Somebody who subscribes now gets what is sent now, and is the only one to get it.
        await found.create(SUBSCRIPTIONS, "t", channel=C, subscriber=subscriber)
        await found.until_ready(SUBSCRIPTIONS, "t")
        assert await found.send_to(channel, **{"ce-id": "2"}) == 202
        assert (await next_of(got))["ce-id"] == "2"


async def test_a_channel_keeps_events_while_nobody_runs(tmp_path):
    """Subscribed and acknowledged is delivered, whichever process does it."""
    from eventing.runtime import main as broker
    from tests.component.eventing.cluster import running

    async with cluster(tmp_path, with_broker=False) as found:
        late = {"uri": "http://127.0.0.1:1/"}
        delivery = {"retry": 1000, "backoffPolicy": "linear", "backoffDelay": "PT0.05S"}
        config = found.broker_config()
        async with running(lambda ready: broker.run(config, ready)):
            await found.create(INMEMORYCHANNELS, "c")
            channel_ref = C | {"kind": "InMemoryChannel"}
            await found.create(
                SUBSCRIPTIONS, "s", channel=channel_ref, subscriber=late, delivery=delivery
            )
            await found.until_ready(SUBSCRIPTIONS, "s")
            channel = await found.until_ready(INMEMORYCHANNELS, "c")
            assert await found.send_to(channel) == 202
        async with sink() as (subscriber, got):
            change = {"spec": {"subscriber": subscriber}}
            await found.client.patch(SUBSCRIPTIONS, "s", "default", change)
            async with running(lambda ready: broker.run(config, ready)):
                assert (await next_of(got))["ce-id"] == "1"


async def test_a_subscription_may_start_with_what_its_channel_has_kept(tmp_path):
    start = {keys.START_ANNOTATION: "earliest"}
    async with cluster(tmp_path) as found, sink() as (first, first_got), sink() as (late, late_got):
        await found.create(CHANNELS, "c")
        await found.create(SUBSCRIPTIONS, "first", channel=C, subscriber=first)
        await found.until_ready(SUBSCRIPTIONS, "first")
        channel = await found.until_ready(CHANNELS, "c")
        assert await found.send_to(channel) == 202
        await next_of(first_got)
        await found.create(SUBSCRIPTIONS, "late", annotations=start, channel=C, subscriber=late)
        assert (await next_of(late_got))["ce-id"] == "1"


async def test_what_a_channel_asks_of_deliveries_reaches_the_one_that_does_its_work(tmp_path):
    batches = {BATCH_SIZE: "2", BATCH_WAIT: "PT0.05S"}
    async with cluster(tmp_path) as found, sink() as (subscriber, got):
        await found.create(CHANNELS, "c", annotations=batches)
        await found.create(SUBSCRIPTIONS, "s", channel=C, subscriber=subscriber)
        await found.until_ready(SUBSCRIPTIONS, "s")
        channel = await found.until_ready(CHANNELS, "c")
        assert await found.send_to(channel) == 202
        assert (await next_of(got))["content-type"] == "application/cloudevents-batch+json"
        change = {"metadata": {"annotations": dict.fromkeys(batches)}}
        await found.client.patch(CHANNELS, "c", "default", change)
        await found.until(
            INMEMORYCHANNELS, "c", lambda obj: not given_options(obj["metadata"]["annotations"])
        )

        async def next_is_alone():
            assert await found.send_to(channel) == 202
            return (await next_of(got))["content-type"] != "application/cloudevents-batch+json"

        async with asyncio.timeout(60):
            while not await next_is_alone():
                pass


async def test_a_deleted_channel_goes_with_its_log(tmp_path):
    async with cluster(tmp_path) as found:
        await found.create(CHANNELS, "c")
        channel = await found.until_ready(CHANNELS, "c")
        logs = tmp_path / "broker" / "events"
        assert [path.name for path in logs.glob("channel_default_c_*")]
        await found.client.delete(CHANNELS, "c", "default")
        await until_gone(found, INMEMORYCHANNELS, "c")
        async with asyncio.timeout(60):
            while await found.send_to(channel) != 404:
                await asyncio.sleep(0.01)
            while list(logs.glob("channel_default_c_*")):
                await asyncio.sleep(0.01)


async def test_the_longest_names_of_kubernetes_get_a_log(tmp_path):
    title = "c" * 253
    async with cluster(tmp_path) as found, sink() as (subscriber, got):
        await found.create(BROKERS, title)
        url = (await found.until_ready(BROKERS, title))["status"]["address"]["url"]
        assert await found.send(url) == 202
        await found.create(INMEMORYCHANNELS, title)
        channel = await found.until_ready(INMEMORYCHANNELS, title)
        of = C | {"kind": "InMemoryChannel", "name": title}
        await found.create(SUBSCRIPTIONS, "s", channel=of, subscriber=subscriber)
        await found.until_ready(SUBSCRIPTIONS, "s")
        assert await found.send_to(channel) == 202
        assert (await next_of(got))["ce-id"] == "1"
