"""KafkaChannels against a server that speaks Kafka's protocol: alone, behind Channels, in flows."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource

from eventing.api import kafka, keys
from eventing.engines.classes import EnginesConfig
from eventing.engines.kafka.settings import of_cluster
from hearth.knative.resources import CHANNELS, KAFKACHANNELS, SEQUENCES, SUBSCRIPTIONS
from hearth.kube.resources import CONFIGMAPS, SERVICES
from tests.component.eventing.cluster import HEADERS, cluster, condition, next_of, sink
from tests.component.keda import servers
from tests.waiting import until

OF_KAFKA = {"apiVersion": "messaging.knative.dev/v1beta1", "kind": "KafkaChannel"}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with servers.kafka(tmp_path_factory.mktemp("kafka")) as port:
        yield port


def config(found):
    """A broker that finds in-cluster hosts at its own ingress, as through a gateway."""

    async def where(*name):
        server = await of_cluster(found.kubeconfig, *name)
        # Tansu says of a batch of several records that the topic ends after the first.
        one, soon = {"batch.num.messages": "1"}, {"session.timeout.ms": "1000"}
        return dataclasses.replace(server, producer=one, consumer=soon)

    engines = EnginesConfig(found.folder / "broker", kafka=where)
    made = dataclasses.replace(found.broker_config(), engines=engines)
    return dataclasses.replace(made, gateway_address=("127.0.0.1", found.port))


async def name_server(client, port):
    """Upstream's ConfigMap, with no more than it has there."""
    metadata = {"name": kafka.CHANNEL_CONFIG_MAP, "namespace": keys.SYSTEM_NAMESPACE}
    data = {kafka.BOOTSTRAP: f"127.0.0.1:{port}"}
    await client.create(
        CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    )


async def test_a_channel_is_a_topic(tmp_path, port):
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"})
    topic = "knative-messaging-kafka.default.c"
    async with cluster(tmp_path, make_config=config) as found, sink() as (target, got):
        spec = {"numPartitions": 2, "retentionDuration": "PT1H"}
        await found.create(KAFKACHANNELS, "c", **spec)
        said = await found.until(KAFKACHANNELS, "c", lambda it: condition(it)[0] == "False")
        reason, text = condition(said, "TopicReady")[1:]
        assert reason == "Failed to obtain Kafka cluster admin"
        assert "make a ConfigMap kafka-channel-config" in text
        await name_server(found.client, port)
        channel = await found.until_ready(KAFKACHANNELS, "c")
        shown = {each["type"]: each["status"] for each in channel["status"]["conditions"]}
        depends = {"Subscribers", "TopicReady", "ConfigMapUpdated", "ConfigParsed"}
        assert {shown[each] for each in (*depends, "ProbeSucceeded", "Addressable")} == {"True"}
        url = "http://c-kn-channel.default.svc.cluster.local"
        assert channel["status"]["address"]["url"] == url
        service = await found.client.get(SERVICES, "c-kn-channel", "default")
        assert service["metadata"]["labels"]["messaging.knative.dev/role"] == "kafka-channel"
        assert len(admin.list_topics(timeout=60).topics[topic].partitions) == 2
        asked = ConfigResource(ConfigResource.Type.TOPIC, topic)
        settings = admin.describe_configs([asked])[asked].result(60)
        assert settings["retention.ms"].value == "3600000"
        await found.create(SUBSCRIPTIONS, "s", channel={**OF_KAFKA, "name": "c"}, subscriber=target)
        await found.until_ready(SUBSCRIPTIONS, "s")
        for number in range(10):
            sent = {"ce-id": str(number), "ce-partitionkey": "k"}
            assert await found.send_to(channel, **sent) == 202
        assert [(await next_of(got))["ce-id"] for _ in range(10)] == [str(n) for n in range(10)]
        by_path = f"http://127.0.0.1:{found.port}/kafkachannels/default/c"
        assert await found.send(by_path, **{"ce-id": "by-path"}) == 202
        assert (await next_of(got))["ce-id"] == "by-path"
        await found.client.delete(KAFKACHANNELS, "c", "default")
        await until(lambda: topic not in admin.list_topics(timeout=60).topics)


async def test_channels_and_flows_go_over_them(tmp_path, port):
    reply = HEADERS | {"ce-id": "of-first", "ce-type": "first"}
    async with (
        cluster(tmp_path, make_config=config) as found,
        sink(answer=reply) as (first, _),
        sink() as (end, end_got),
    ):
        await name_server(found.client, port)
        template = {**OF_KAFKA, "spec": {"numPartitions": 3}}
        await found.create(SEQUENCES, "q", steps=[first], channelTemplate=template, reply=end)
        await found.create(CHANNELS, "c", channelTemplate=template)
        named = {"apiVersion": CHANNELS.api_version, "kind": "Channel", "name": "c"}
        await found.create(SUBSCRIPTIONS, "s", channel=named, subscriber=end)
        sequence = await found.until_ready(SEQUENCES, "q")
        assert await found.send_to(sequence) == 202
        assert (await next_of(end_got))["ce-type"] == "first"
        channel = await found.until_ready(CHANNELS, "c")
        await found.until_ready(SUBSCRIPTIONS, "s")
        assert await found.send_to(channel, **{"ce-id": "7"}) == 202
        assert (await next_of(end_got))["ce-id"] == "7"
        made = await found.client.get(KAFKACHANNELS, "c", "default")
        assert made["spec"]["replicationFactor"] == 1, "defaults, though admission is not asked"
        async with asyncio.timeout(60):
            while not (traced := (await found.told("/trace", id="7"))["journeys"]):
                await asyncio.sleep(0.05)
        assert traced[0]["place"].endswith("default/c"), traced
