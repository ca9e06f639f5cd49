"""Brokers of class NatsJetStreamBroker, against a real server: control and broker processes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import Iterator

import nats
import pytest
from prometheus_client import CollectorRegistry

from eventing.api import keys
from eventing.api.natsjetstream import CONFIG_ANNOTATION
from eventing.engines.classes import EnginesConfig
from eventing.engines.nats.settings import of_cluster
from eventing.engines.seam import Unavailable
from eventing.runtime import main as broker
from hearth.knative.resources import BROKERS, REQUESTREPLIES, TRIGGERS
from hearth.kube.resources import CONFIGMAPS
from tests.component.eventing.cluster import HEADERS, cluster, condition, next_of, running, sink
from tests.component.eventing.test_requestreply import broker_ref, replier
from tests.component.keda import servers
from tests.ports import free_port


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with servers.nats(tmp_path_factory.mktemp("nats")) as (port, _):
        yield port


async def name_server(client, port):
    """Upstream's ConfigMap."""
    await client.create(
        CONFIGMAPS,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "config-nats-broker", "namespace": keys.SYSTEM_NAMESPACE},
            "data": {"eventing-nats": f"url: nats://127.0.0.1:{port}\n"},
        },
    )


def config(found):
    async def where():
        return await of_cluster(found.kubeconfig)

    engines = EnginesConfig(found.folder / "broker", nats=where)
    return dataclasses.replace(found.broker_config(), engines=engines)


@contextlib.asynccontextmanager
async def streams(port):
    client = await nats.connect(f"nats://127.0.0.1:{port}")
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def test_events_go_through_a_stream_that_goes_with_its_broker(tmp_path, port):
    async with cluster(tmp_path, make_config=config) as found, sink() as (target, got):
        await found.create_broker(of_class=keys.NATS_CLASS)
        said = await found.until(BROKERS, "default", lambda it: condition(it)[0] == "False")
        assert "make a ConfigMap config-nats-broker" in condition(said)[2]
        await name_server(found.client, port)
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        await found.create_trigger("t", target, filter={"attributes": {"type": "t"}})
        await found.until_ready(TRIGGERS, "t")
        assert await found.send(url, **{"ce-id": "other", "ce-type": "other"}) == 202
        assert await found.send(url, **{"ce-id": "7"}) == 202
        assert (await next_of(got))["ce-id"] == "7"
        assert await found.send(url, **{"ce-id": "7"}) == 202, "a duplicate is taken, and is none"
        assert await found.send(url, **{"ce-id": "8"}) == 202
        assert (await next_of(got))["ce-id"] == "8"
        async with asyncio.timeout(60):
            while not (traced := (await found.told("/trace", id="8"))["journeys"]):
                await asyncio.sleep(0.05)
        assert "default/t" in json.dumps(traced), "where it went is known"
        async with streams(port) as stream:
            [info, _] = sorted(await stream.streams_info(), key=lambda each: each.config.name)
            assert info.config.name.startswith("HEARTH_default_default_")
            message = await stream.get_msg(info.config.name, 2)
            assert (message.headers or {})["ce-type"] == "t"
            await found.client.delete(BROKERS, "default", "default")
            async with asyncio.timeout(60):
                while await stream.streams_info():
                    await asyncio.sleep(0.01)


async def test_a_secret_that_is_missing_is_named(tmp_path, port):
    async with cluster(tmp_path, with_broker=False) as found:
        more = "\nauth: {credentialFile: {secret: {name: user}}}"
        await name_server(found.client, f"{port}{more}")
        with pytest.raises(Unavailable, match=r"no nats.creds in Secret knative-eventing/user"):
            await of_cluster(found.kubeconfig)


async def test_a_broker_says_what_its_stream_is_to_be(tmp_path, port):
    asked = {"stream": {"maxMsgs": 1000, "duplicateWindow": "30s"}}
    async with cluster(tmp_path, make_config=config) as found:
        await name_server(found.client, port)
        made = await found.create_broker(of_class=keys.NATS_CLASS)
        marks = made["metadata"]["annotations"]
        await found.until_ready(BROKERS, "default")
        await found.client.delete(BROKERS, "default", "default")
        marks |= {CONFIG_ANNOTATION: json.dumps(asked)}
        made["metadata"] = {"name": "asking", "namespace": "default", "annotations": marks}
        made.pop("status", None)
        await found.client.create(BROKERS, made)
        await found.until_ready(BROKERS, "asking")
        async with streams(port) as stream:
            infos = [each.config for each in await stream.streams_info()]
            [named] = [each for each in infos if each.max_msgs == 1000]
            assert named.name is not None
            assert named.name.startswith("HEARTH_default_asking_")
            assert named.duplicate_window == 30
        marks[CONFIG_ANNOTATION] = '{"stream":{"storage":"Tape"}}'
        made["metadata"] = {"name": "odd", "namespace": "default", "annotations": marks}
        await found.client.create(BROKERS, made)
        said = await found.until(BROKERS, "odd", lambda it: condition(it)[0] == "False")
        assert condition(said)[2] == "storage: 'Tape' is none of File, Memory"


def part(found, run, admin=0):
    """One process of several."""
    made = config(found)
    made = dataclasses.replace(
        made, admin=dataclasses.replace(made.admin, port=admin) if admin else None
    )
    return running(lambda ready: run(made, ready, registry=CollectorRegistry()))


async def test_a_request_is_answered_by_a_reply_of_another_process(tmp_path, port):
    async with cluster(tmp_path, with_broker=False) as found, replier(answers=True) as (to, _):
        await name_server(found.client, port)
        async with (
            part(found, broker.run_ingress),
            part(found, broker.run_dispatcher, free_port()),
        ):
            await found.create_broker(of_class=keys.NATS_CLASS)
            await found.until_ready(BROKERS, "default")
            await found.create_trigger("t", to, filters=[{"not": {"exact": {"type": "reply"}}}])
            await found.until_ready(TRIGGERS, "t")
            await found.create(REQUESTREPLIES, "rr", **broker_ref("default"), timeout="PT5S")
            url = (await found.until_ready(REQUESTREPLIES, "rr"))["status"]["address"]["url"]
            for number in range(3):
                asked = HEADERS | {"ce-id": f"r{number}"}
                async with found.session.post(url, data=b"{}", headers=asked) as answer:
                    assert (answer.status, answer.headers.get("ce-type")) == (200, "reply")


async def test_ingress_and_dispatchers_are_processes_of_their_own(tmp_path, port):
    """Two dispatchers share a Trigger; one ends, and the other has all."""
    async with cluster(tmp_path, with_broker=False) as found, sink() as (target, got):
        await name_server(found.client, port)

        async with part(found, broker.run_ingress), part(found, broker.run_dispatcher, free_port()):
            async with part(found, broker.run_dispatcher, free_port()):
                await found.create_broker(of_class=keys.NATS_CLASS)
                url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
                await found.create_trigger("t", target)
                await found.until_ready(TRIGGERS, "t")
                for number in range(100):
                    assert await found.send(url, **{"ce-id": f"a{number}"}) == 202
                ids = {(await next_of(got))["ce-id"] for _ in range(100)}
                assert len(ids) == 100
            for number in range(20):
                assert await found.send(url, **{"ce-id": f"b{number}"}) == 202
            assert len({(await next_of(got))["ce-id"] for _ in range(20)}) == 20
            assert got.empty()
