"""The adapter of a KafkaSource against a server that speaks Kafka's protocol; its controller."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from prometheus_client import REGISTRY

from eventing.api.kafkaadapter import KafkaAdapterConfig
from eventing.sources.kafka.main import run
from hearth.knative.resources import KAFKASOURCES
from hearth.kube.resources import DEPLOYMENTS
from tests.component.eventing.cluster import cluster, condition, next_of, running, sink
from tests.component.keda import servers
from tests.waiting import until

SOON = {
    "session.timeout.ms": "1000",
    "heartbeat.interval.ms": "300",
    "fetch.wait.max.ms": "20",
    "topic.metadata.refresh.interval.ms": "500",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.kafka(tmp_path_factory.mktemp("kafka")) as port:
        yield f"127.0.0.1:{port}"


class Kafka:
    """A topic, and who writes to it."""

    def __init__(self, server: str, topic: str, partitions: int) -> None:
        self.server, self.topic = server, topic
        admin = AdminClient({"bootstrap.servers": server})
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(60)
        # Tansu says of a batch of several records that the topic ends after the first.
        self._producer = Producer({"bootstrap.servers": server, "batch.num.messages": 1})

    def write(self, *values: str, **more):
        for value in values:
            self._producer.produce(self.topic, value, **more)
        assert self._producer.flush(60) == 0

    def committed(self, group):
        asking = Consumer({"bootstrap.servers": self.server, "group.id": group})
        try:
            [found] = asking.committed([TopicPartition(self.topic, 0)], timeout=60)
            return found.offset
        finally:
            asking.close()


@pytest.fixture
def topic(server, request):
    return Kafka(server, request.node.name.split("[")[0], 1)


def source(kafka, to, **more):
    config = KafkaAdapterConfig("ns", "k", [kafka.server], [kafka.topic], kafka.topic)
    config = dataclasses.replace(config, **more)
    environment = {"K_SINK": to["uri"], "K_SOURCE_CONFIG": config.to_json()}
    environment["K_CE_OVERRIDES"] = '{"extensions": {"team": "one"}}'
    return running(lambda ready: run(ready, environment, settings=SOON))


@contextlib.asynccontextmanager
async def answering(answers):
    """A sink that answers with statuses in turn, the last one for ever; the bodies it gets."""
    got: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    async def take(request):
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        got.put_nowait((await request.text(), request.headers.copy()))
        return web.Response(status=await status() if callable(status) else status)

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield {"uri": f"http://127.0.0.1:{runner.addresses[0][1]}/"}, got
    finally:
        await runner.cleanup()


async def test_records_come_as_events_and_are_committed(topic):
    topic.write("before it began")
    async with sink() as (to, got):
        async with source(topic, to):
            topic.write("hello", key="k", headers={"content-type": "text/plain", "A": "b"})
            first = await next_of(got)
            assert first["ce-type"] == "dev.knative.kafka.event"
            assert first["ce-source"] == f"/apis/v1/namespaces/ns/kafkasources/k#{topic.topic}"
            assert (first["ce-partitionkey"], first["ce-kafkaheadera"]) == ("k", "b")
            assert (first["ce-team"], first["content-type"]) == ("one", "text/plain")
            headers = {"ce_specversion": "1.0", "ce_id": "7", "ce_source": "/s", "ce_type": "t"}
            topic.write("{}", headers=headers)
            second = await next_of(got)
            assert (second["ce-id"], second["ce-type"]) == ("7", "t")
            assert int(second["ce-knativekafkaoffset"]) == int(first["ce-knativekafkaoffset"]) + 1
        assert topic.committed(topic.topic) == 3
        topic.write("while it is away")
        async with source(topic, to):
            assert (await next_of(got))["ce-id"] == "partition:0/offset:3"
            sample = {"namespace": "ns", "name": "k", "topic": topic.topic, "partition": "0"}
            await until(lambda: REGISTRY.get_sample_value("hearth_kafkasource_lag", sample) == 0)


async def test_what_the_sink_does_not_take_goes_to_the_dead_letter_sink(topic):
    policy = {"retry": 1, "backoffPolicy": "linear", "backoffDelay": "PT0S"}
    async with (
        answering([500, 400, 200]) as (to, got),
        answering([503, 503, 202]) as (dead, buried),
        source(topic, to, earliest=True, delivery=policy, dead_letter=dead["uri"]),
    ):
        topic.write("bad", "good")
        assert [(await next_of(got))[0] for _ in range(3)] == ["bad", "bad", "good"]
        letters = [await next_of(buried) for _ in range(3)]
        assert {text for text, _ in letters} == {"bad"}
        _, headers = letters[-1]
        assert (headers["ce-knativeerrorcode"], headers["ce-knativeerrordest"]) == (
            "400",
            to["uri"],
        )


async def test_one_after_the_other_or_side_by_side(topic, server):
    """While the first is on its way, the second is not, unless order is not asked for."""
    let = asyncio.Event()

    async def later():
        await let.wait()
        return 200

    async with answering([later, 200]) as (to, got), source(topic, to, earliest=True):
        topic.write("1", "2")
        assert (await next_of(got))[0] == "1"
        with pytest.raises(TimeoutError):
            await next_of(got, 0.3)
        let.set()
        assert (await next_of(got))[0] == "2"
    let.clear()
    other: dict[str, Any] = {"ordered": False, "group": "other"}
    async with answering([later, 200]) as (to, got), source(topic, to, earliest=True, **other):
        assert {(await next_of(got))[0] for _ in range(2)} == {"1", "2"}
        assert topic.committed("other") <= 0, "nothing past the one that is not done with"
        let.set()


async def test_consumers_share_the_partitions(server, request):
    kafka = Kafka(server, request.node.name, 4)
    async with (
        sink() as (to, got),
        source(kafka, to, earliest=True),
        source(kafka, to, earliest=True),
    ):
        for number in range(4):
            kafka.write(str(number), partition=number)
        found = {(await next_of(got, 20))["ce-knativekafkapartition"] for _ in range(4)}
        assert found == set("0123")


PROGRAM = """
import asyncio, json, sys
from eventing.sources.kafka.main import run
asyncio.run(run(lambda: print("ready", flush=True), settings=json.loads(sys.argv[1])))
"""


async def test_what_is_killed_repeats_some_and_loses_none(topic):
    config = KafkaAdapterConfig(
        "ns", "k", [topic.server], [topic.topic], topic.topic, earliest=True, ordered=False
    )
    topic.write(*(str(number) for number in range(100)))
    seen: collections.Counter[str] = collections.Counter()
    async with sink() as (to, got):
        environment = {**os.environ, "K_SINK": to["uri"], "K_SOURCE_CONFIG": config.to_json()}
        for wanted in (50, 100):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", PROGRAM, json.dumps(SOON), env=environment
            )
            try:
                while len(seen) < wanted:
                    seen[(await next_of(got, 30))["ce-id"]] += 1
            finally:
                process.kill()
                await process.wait()
    assert len(seen) == 100


async def test_what_is_to_be_mended_ends_it(server):
    config = KafkaAdapterConfig("ns", "k", [server], ["missing"], "g")
    environment = {"K_SINK": "http://sink", "K_SOURCE_CONFIG": config.to_json()}
    with pytest.raises(ValueError, match="failed to get partitions for topic missing: "):
        await run(lambda: None, environment)


async def test_a_source_has_a_deployment_that_is_scaled_by_the_subresource(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        spec = {"topics": ["t"], "bootstrapServers": ["k:9092"]}
        await found.create(KAFKASOURCES, "k", sink={"uri": "http://sink.example.com"}, **spec)
        made = await found.until(KAFKASOURCES, "k", lambda it: "status" in it)
        title = f"kafkasource-k-{made['metadata']['uid']}"
        deployment = await found.until(DEPLOYMENTS, title, lambda it: True)
        assert deployment["spec"]["replicas"] == 1
        path = "/apis/sources.knative.dev/v1beta1/namespaces/default/kafkasources/k/scale"
        scale = await found.client.request("GET", path)
        assert scale["status"]["selector"].endswith("/sourceName=k")
        scale["spec"]["replicas"] = 3
        await found.client.request("PUT", path, body=scale)
        await found.until(DEPLOYMENTS, title, lambda it: it["spec"]["replicas"] == 3)
        told = await found.until(KAFKASOURCES, "k", lambda it: it["spec"]["consumers"] == 3)
        assert condition(told, "SinkProvided")[0] == "True"
        assert condition(told, "ConsumerGroup")[:2] == ("Unknown", "DeploymentUnavailable")
