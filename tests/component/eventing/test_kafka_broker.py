"""Brokers of class Kafka, against a server that speaks its protocol: control and broker."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import os
import signal
import ssl
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient
from prometheus_client import CollectorRegistry

from eventing.api import kafka, keys
from eventing.engines.classes import EnginesConfig
from eventing.engines.kafka.settings import of_cluster
from eventing.engines.seam import Unavailable
from eventing.runtime import main as broker
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.kube.certificates import issued, new_authority
from hearth.kube.resources import CONFIGMAPS, SECRETS
from tests.component.eventing.cluster import cluster, condition, next_of, running, sink
from tests.component.eventing.engines.kafkaproxy import proxied
from tests.component.keda import servers
from tests.ports import free_port
from tests.waiting import until


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with servers.kafka(tmp_path_factory.mktemp("kafka")) as port:
        yield port


async def name_server(client, port, *, namespace=keys.SYSTEM_NAMESPACE, **more):
    """A ConfigMap as upstream's."""
    data = {
        kafka.BOOTSTRAP: f"127.0.0.1:{port}",
        "default.topic.partitions": "3",
        "default.topic.replication.factor": "1",
    }
    metadata = {"name": kafka.CONFIG_MAP, "namespace": namespace}
    await client.create(
        CONFIGMAPS,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data | more},
    )


def config(found):
    async def where(*config):
        server = await of_cluster(found.kubeconfig, *config)
        # Tansu says of a batch of several records that the topic ends after the first.
        one, soon = {"batch.num.messages": "1"}, {"session.timeout.ms": "1000"}
        return dataclasses.replace(server, producer=one, consumer=soon)

    engines = EnginesConfig(found.folder / "broker", kafka=where)
    return dataclasses.replace(found.broker_config(), engines=engines)


async def test_events_go_through_a_topic_that_goes_with_its_broker(tmp_path, port):
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"})
    async with cluster(tmp_path, make_config=config) as found, sink() as (target, got):
        await found.create_broker(of_class=keys.KAFKA_CLASS)
        said = await found.until(BROKERS, "default", lambda it: condition(it)[0] == "False")
        assert "make a ConfigMap kafka-broker-config" in condition(said)[2]
        await name_server(found.client, port)
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        marks = {"kafka.eventing.knative.dev/delivery.order": "ordered"}
        of_type = {"attributes": {"type": "t"}}
        await found.create_trigger("t", target, annotations=marks, filter=of_type)
        await found.until_ready(TRIGGERS, "t")
        assert await found.send(url, **{"ce-id": "other", "ce-type": "other"}) == 202
        for number in range(10):
            assert await found.send(url, **{"ce-id": str(number), "ce-partitionkey": "k"}) == 202
        assert [(await next_of(got))["ce-id"] for _ in range(10)] == [str(n) for n in range(10)]
        topics = admin.list_topics(timeout=60).topics
        assert len(topics["knative-broker-default-default"].partitions) == 3
        await found.client.delete(BROKERS, "default", "default")
        await until(
            lambda: "knative-broker-default-default" not in admin.list_topics(timeout=60).topics
        )


async def test_a_namespace_may_have_a_kafka_of_its_own_with_tls(tmp_path):
    """``KafkaNamespaced``: ConfigMap and Secret are those of the Broker's namespace."""
    now, secure, behind = datetime.datetime.now(datetime.UTC), free_port(), free_port()
    authority = new_authority("kafka", ["kafka"], now)
    pair = issued(authority, ["127.0.0.1"], now)
    (tmp_path / "pair").write_bytes(pair.chain + pair.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "pair")
    with servers.kafka_process(tmp_path, behind, told=secure) as pid:
        async with (
            proxied(secure, behind, tls),
            cluster(tmp_path, make_config=config) as found,
            sink() as (target, got),
        ):
            named = {"default.topic.config.retention.ms": "600000", kafka.SECRET_NAME: "user"}
            await name_server(found.client, secure, namespace="default", **named)
            texts = {"protocol": "SSL", "ca.crt": authority.chain.decode(), "user.skip": "true"}
            await found.client.create(
                SECRETS,
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": "user", "namespace": "default"},
                    "stringData": texts,
                },
            )
            await found.create_broker(of_class=keys.KAFKA_NAMESPACED_CLASS)
            url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
            await found.create_trigger("t", target)
            await found.until_ready(TRIGGERS, "t")
            assert await found.send(url, **{"ce-id": "1"}) == 202
            assert (await next_of(got))["ce-id"] == "1"
        os.kill(pid, signal.SIGKILL)


async def test_what_is_missing_or_wrong_is_named(tmp_path, port):
    async with cluster(tmp_path, with_broker=False) as found:
        await name_server(found.client, port, **{kafka.SECRET_NAME: "user"})
        with pytest.raises(Unavailable, match=r"failed to get secret knative-eventing/user"):
            await of_cluster(found.kubeconfig)
        secret = {"metadata": {"name": "user", "namespace": keys.SYSTEM_NAMESPACE}}
        await found.client.create(
            SECRETS,
            secret | {"apiVersion": "v1", "kind": "Secret", "stringData": {"protocol": "X"}},
        )
        with pytest.raises(Unavailable, match=r"kafka-broker-config: protocol X unsupported"):
            await of_cluster(found.kubeconfig)


async def test_ingress_and_dispatchers_are_processes_of_their_own(tmp_path, port):
    """Two dispatchers share the partitions; one ends, and the other has all."""
    async with cluster(tmp_path, with_broker=False) as found, sink() as (target, got):
        await name_server(found.client, port)

        def part(run, admin):
            made = config(found)
            made = dataclasses.replace(
                made, admin=dataclasses.replace(made.admin, port=admin) if admin else None
            )
            return running(lambda ready: run(made, ready, registry=CollectorRegistry()))

        async def accepted(name):
            """Sent again while the ingress, a process of its own, says that it cannot yet."""
            async with asyncio.timeout(60):
                while (status := await found.send(url, **{"ce-id": name})) == 503:
                    await asyncio.sleep(0.05)
            assert status == 202

        async def send(name, count):
            sent = [f"{name}{number}" for number in range(count)]
            for each in sent:
                await accepted(each)
            assert sorted([(await next_of(got))["ce-id"] for _ in sent]) == sorted(sent)

        async with part(broker.run_ingress, 0), part(broker.run_dispatcher, free_port()):
            async with part(broker.run_dispatcher, free_port()):
                await found.create_broker(of_class=keys.KAFKA_CLASS)
                url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
                await found.create_trigger("t", target)
                await found.until_ready(TRIGGERS, "t")
                await send("a", 100)
            await send("b", 20)
            assert got.empty()
