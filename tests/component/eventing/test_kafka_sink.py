"""KafkaSinks against a server that speaks Kafka's protocol: control and broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from hearth.knative.resources import EVENTPOLICIES, KAFKASINKS
from hearth.kube.errors import NotFound
from hearth.kube.resources import SECRETS
from tests.component.eventing.cluster import cluster, condition
from tests.component.eventing.test_access import (
    create_policy,
    has_audience,
    switch,
    token,
    until_answered,
)
from tests.component.keda import servers
from tests.waiting import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.kafka(tmp_path_factory.mktemp("kafka")) as port:
        yield f"127.0.0.1:{port}"


def read(server, topic, count):
    """The first records of a topic of one partition."""
    reading = {"bootstrap.servers": server, "group.id": "none", "auto.offset.reset": "earliest"}
    consumer = Consumer(reading)
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[Any] = []
        while len(found) < count:
            found += consumer.consume(count - len(found), 5)
        return [(each.key(), each.value(), dict(each.headers() or [])) for each in found]
    finally:
        consumer.close()


def topics(admin):
    return admin.list_topics(timeout=60).topics


async def test_events_become_records_and_the_topic_goes_with_its_sink(tmp_path, server):
    admin = AdminClient({"bootstrap.servers": server})
    ours = {"topic": "ours", "numPartitions": 1, "replicationFactor": 1}
    async with cluster(tmp_path) as found:
        await found.create(KAFKASINKS, "s", bootstrapServers=[server], **ours)
        sink = await found.until_ready(KAFKASINKS, "s")
        assert condition(sink, "TopicReady")[1] == "Topic ours (owner kafkasink-controller)"
        url = sink["status"]["address"]["url"]
        more = {"ce-id": "\u00e4 1".encode().hex(), "ce-partitionkey": "k", "ce-number": "5"}
        assert await found.send(url, **more) == 202
        await found.client.patch(
            KAFKASINKS, "s", "default", {"spec": {"contentMode": "structured"}}
        )
        sent, headers = 1, dict[str, Any]()
        async with asyncio.timeout(60):
            while not headers.get("content-type", b"").startswith(b"application/cloudevents+json"):
                assert await found.send(url, **{"ce-id": "2"}) == 202
                sent += 1
                records = await asyncio.to_thread(read, server, "ours", sent)
                headers = records[-1][2]
        assert json.loads(records[-1][1])["id"] == "2"
        key, value, headers = records[0]
        assert (key, value) == (b"k", b"{}")
        assert headers == {
            "ce_specversion": b"1.0",
            "ce_id": more["ce-id"].encode(),
            "ce_source": b"/s",
            "ce_type": b"t",
            "ce_partitionkey": b"k",
            "ce_number": b"5",
            "content-type": b"application/json",
        }
        await found.client.delete(KAFKASINKS, "s", "default")
        await until(lambda: "ours" not in topics(admin))
        await gone(found, "s")
        assert await found.send(url) == 404


async def gone(found, name):
    with contextlib.suppress(NotFound):
        async with asyncio.timeout(60):
            while True:
                await found.client.get(KAFKASINKS, name, "default")
                await asyncio.sleep(0.02)


async def test_a_topic_of_somebody_else_has_to_be_there_and_stays(tmp_path, server):
    admin = AdminClient({"bootstrap.servers": server})
    async with cluster(tmp_path) as found:
        await found.create(KAFKASINKS, "s", bootstrapServers=[server], topic="theirs")
        told = await found.until(KAFKASINKS, "s", lambda it: condition(it)[0] == "False")
        _, reason, message = condition(told, "TopicReady")
        assert reason == "Topic is not present or invalid"
        assert message.startswith("topics [theirs]: invalid topic theirs")
        url = f"http://127.0.0.1:{found.port}/kafkasinks/default/s"
        assert await found.send(url) == 503
        admin.create_topics([NewTopic("theirs", 1, 1)])["theirs"].result(60)
        await found.until_ready(KAFKASINKS, "s")
        assert await found.send(url, **{"ce-id": "9"}) == 202
        assert (await asyncio.to_thread(read, server, "theirs", 1))[0][2]["ce_id"] == b"9"
        await found.client.delete(KAFKASINKS, "s", "default")
        await gone(found, "s")
        assert "theirs" in topics(admin)


async def test_what_is_missing_or_wrong_is_named(tmp_path, server):
    secret = {"metadata": {"name": "user", "namespace": "default"}, "kind": "Secret"}
    auth = {"secret": {"ref": {"name": "user"}}}
    async with cluster(tmp_path) as found:
        await found.create(KAFKASINKS, "s", bootstrapServers=[server], topic="t", auth=auth)
        told = await found.until(KAFKASINKS, "s", lambda it: condition(it)[0] == "False")
        reason, message = condition(told, "TopicReady")[1:]
        assert (reason, message.partition(": ")[0]) == (
            "Failed to get secret",
            "failed to get secret default/user",
        )
        data = {"protocol": "SASL_PLAINTEXT", "sasl.mechanism": "X"}
        await found.client.create(SECRETS, {**secret, "apiVersion": "v1", "stringData": data})
        told = await found.until(
            KAFKASINKS, "s", lambda it: "cluster admin" in (condition(it, "TopicReady")[1] or "")
        )
        assert "SASL user required (key: user)" in condition(told, "TopicReady")[2]


async def test_policies_say_who_may_send(tmp_path, server):
    ours = {"topic": "guarded", "numPartitions": 1, "replicationFactor": 1}
    sub = "system:serviceaccount:default:default"
    ref = {"apiVersion": "eventing.knative.dev/v1alpha1", "kind": "KafkaSink", "name": "s"}
    async with cluster(tmp_path) as found:
        await found.create(KAFKASINKS, "s", bootstrapServers=[server], **ours)
        await switch(found, authentication_oidc="enabled")
        await create_policy(found, "p", to=[{"ref": ref}], **{"from": [{"sub": sub}]})
        told = await found.until(
            KAFKASINKS, "s", lambda it: has_audience(it) and "policies" in it["status"]
        )
        address = told["status"]["address"]
        assert address["audience"] == "eventing.knative.dev/kafkasink/default/s"
        shown = await token(found, audience=address["audience"])
        await until_answered(202, lambda: found.send(address["url"], **shown))
        await until_answered(401, lambda: found.send(address["url"]))
        other = {"from": [{"sub": f"{sub}2"}]}
        await found.client.patch(EVENTPOLICIES, "p", "default", {"spec": other})
        await until_answered(403, lambda: found.send(address["url"], **shown))
