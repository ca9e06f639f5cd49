"""Control plane and broker against a real API server: from YAML to a delivered event."""

import asyncio

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

from eventing.api import keys
from eventing.engines.classes import ENGINES, EnginesConfig
from eventing.runtime import main as broker
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.kube.errors import ApiError
from hearth.kube.resources import CONFIGMAPS, NAMESPACES, SERVICES
from tests.component.eventing.cluster import (
    cluster,
    condition,
    next_of,
    running,
    sink,
)
from tests.component.eventing.engines.memory import MemoryServer, factory
from tests.ports import free_port
from tests.waiting import until


async def test_from_yaml_to_a_delivered_event(tmp_path):
    async with cluster(tmp_path) as found, sink() as (target, got):
        made = await found.create_broker()
        assert made["spec"]["delivery"]["retry"] == 10
        ready = await found.until_ready(BROKERS, "default")
        url = ready["status"]["address"]["url"]
        await found.create_trigger("t", target, filter={"attributes": {"type": "t"}})
        trigger = await found.until_ready(TRIGGERS, "t")
        assert trigger["status"]["subscriberUri"] == target["uri"]
        assert await found.send(url, **{"ce-type": "other"}) == 202
        assert await found.send(url, **{"ce-id": "2"}) == 202
        assert (await next_of(got))["ce-id"] == "2"
        metrics = generate_latest(REGISTRY).decode()
        assert "kn_eventing_dispatch_duration_seconds_bucket" in metrics
        assert 'messaging_destination_name="trigger:t.default"' in metrics


async def test_a_trigger_follows_its_changes(tmp_path):
    async with cluster(tmp_path) as found, sink() as (target, got):
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        await found.create_trigger("t", target, filter={"attributes": {"type": "none"}})
        await found.until_ready(TRIGGERS, "t")
        patch = {"spec": {"filter": {"attributes": {"type": "t"}}}}
        changed = await found.client.patch(TRIGGERS, "t", "default", patch)
        generation = changed["metadata"]["generation"]
        await found.until(
            TRIGGERS,
            "t",
            lambda obj: (
                condition(obj)[0] == "True" and obj["status"]["observedGeneration"] == generation
            ),
        )
        await found.send(url)
        assert (await next_of(got))["ce-id"] == "1"
        await found.client.delete(TRIGGERS, "t", "default")


async def test_what_is_not_there_is_said_and_seen_when_it_comes(tmp_path):
    subscriber = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "later"}}
    async with cluster(tmp_path) as found:
        await found.create_trigger("t", subscriber)
        missing = await found.until(TRIGGERS, "t", lambda obj: condition(obj)[0] == "False")
        assert condition(missing)[1] == "BrokerDoesNotExist"
        await found.create_broker()
        unresolved = await found.until(
            TRIGGERS, "t", lambda obj: condition(obj, "SubscriberResolved")[0] == "False"
        )
        assert condition(unresolved)[2] == (
            'failed to get object default/later: services "later" not found'
        )
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "later", "namespace": "default"},
            "spec": {"ports": [{"port": 80}]},
        }
        await found.client.create(SERVICES, service)
        ready = await found.until_ready(TRIGGERS, "t")
        assert ready["status"]["subscriberUri"] == "http://later.default.svc.cluster.local"


async def test_a_new_trigger_starts_where_it_says(tmp_path):
    async with cluster(tmp_path) as found, sink() as (early, got_early), sink() as (late, got_late):
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        assert await found.send(url, **{"ce-id": "before"}) == 202
        await found.create_trigger("early", early, annotations={keys.START_ANNOTATION: "earliest"})
        await found.create_trigger("late", late)
        await found.until_ready(TRIGGERS, "early")
        await found.until_ready(TRIGGERS, "late")
        assert await found.send(url, **{"ce-id": "after"}) == 202
        assert [(await next_of(got_early))["ce-id"] for _ in range(2)] == ["before", "after"]
        assert (await next_of(got_late))["ce-id"] == "after"


async def test_a_filter_that_cannot_be_served_is_said(tmp_path):
    async with cluster(tmp_path) as found:
        await found.create_broker()
        await found.create_trigger("t", {"uri": "http://a"}, filters=[{"exact": {"type": ""}}])
        refused = await found.until(TRIGGERS, "t", lambda obj: condition(obj)[0] == "False")
        assert condition(refused)[1:] == (
            "FilterNotSupported",
            "filters[0].exact[type]: the value must be a string that is not empty",
        )


async def test_the_webhooks_refuse(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        with pytest.raises(ApiError, match=r"invalid value: -1: spec\.delivery\.retry"):
            await found.create_broker(delivery={"retry": -1})


async def test_a_broker_is_not_ready_before_its_log_is_open(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        await found.create_broker()
        waiting = await found.until(BROKERS, "default", lambda obj: condition(obj)[0] == "Unknown")
        assert condition(waiting)[1] == "LogNotOpen"
        async with running(lambda ready: broker.run(found.broker_config(), ready)):
            await found.until_ready(BROKERS, "default")


async def test_events_wait_for_a_broker_process_that_comes_back(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        nobody = {"uri": f"http://127.0.0.1:{free_port()}/"}
        async with running(lambda ready: broker.run(found.broker_config(), ready)):
            await found.create_broker()
            url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
            await found.create_trigger("t", nobody)
            await found.until_ready(TRIGGERS, "t")
            assert await found.send(url) == 202
        async with sink() as (target, got):
            await found.client.patch(TRIGGERS, "t", "default", {"spec": {"subscriber": target}})
            async with running(lambda ready: broker.run(found.broker_config(), ready)):
                assert (await next_of(got))["ce-id"] == "1"


async def test_a_deleted_broker_is_gone_with_its_events(tmp_path):
    async with cluster(tmp_path) as found:
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        assert len(list((tmp_path / "broker" / "events").glob("default_default_*"))) == 1
        await found.client.delete(BROKERS, "default", "default")
        async with asyncio.timeout(60):
            while list((tmp_path / "broker" / "events").glob("default_default_*")):
                await asyncio.sleep(0.01)
        assert await found.send(url) == 404


async def test_what_becomes_of_events_is_kept_as_long_as_their_broker(tmp_path):
    async with cluster(tmp_path) as found, sink() as (target, got):
        await found.create_broker()
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        await found.create_trigger("t", target)
        await found.until_ready(TRIGGERS, "t")
        assert await found.send(url) == 202
        await next_of(got)
        kept = tmp_path / "broker" / "journeys"
        await until(lambda: sum(path.stat().st_size for path in kept.glob("*/*")) > 0)
        await found.client.delete(BROKERS, "default", "default")
        await until(lambda: not list(kept.iterdir()))


async def test_settings_change_what_brokers_get(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        text = "clusterDefault: {brokerClass: Mine, delivery: {retry: 3}}"
        patch = {"data": {"default-br-config": text}}
        await found.client.patch(CONFIGMAPS, "config-br-defaults", "knative-eventing", patch)
        async with asyncio.timeout(60):
            while True:
                obj = {
                    "apiVersion": "eventing.knative.dev/v1",
                    "kind": "Broker",
                    "metadata": {"name": "x", "namespace": "default"},
                }
                made = await found.client.create(BROKERS, obj, dry_run=True)
                if made["spec"].get("delivery") == {"retry": 3}:
                    break
                await asyncio.sleep(0.01)
        marks = made["metadata"]["annotations"]
        assert marks["eventing.knative.dev/broker.class"] == "Mine"


async def test_the_system_namespace_is_made(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        await found.client.get(NAMESPACES, "knative-eventing")
        service = await found.client.get(SERVICES, "broker-ingress", "knative-eventing")
        assert service["spec"]["ports"][0]["targetPort"] == found.port


# -- engines and processes ---------------------------------------------------------------------


async def test_another_engine_serves_the_brokers_of_its_class(tmp_path):
    server = MemoryServer()
    factories = {**ENGINES, "Memory": factory(server)}
    async with cluster(tmp_path, factories=factories) as found, sink() as (target, got):
        await found.create_broker(of_class="Memory")
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        await found.create_trigger("t", target, filter={"attributes": {"type": "t"}})
        await found.until_ready(TRIGGERS, "t")
        assert await found.send(url, **{"ce-type": "other"}) == 202
        assert await found.send(url, **{"ce-id": "2"}) == 202
        assert (await next_of(got))["ce-id"] == "2"
        [topic] = server.topics.values()
        async with asyncio.timeout(60):
            while topic.size:  # what is settled is let go of
                await asyncio.sleep(0.01)
        await found.client.delete(BROKERS, "default", "default")
        async with asyncio.timeout(60):
            while server.topics:
                await asyncio.sleep(0.01)


async def test_ingress_and_dispatcher_can_be_processes_of_their_own(tmp_path):
    server = MemoryServer()
    shared = {"factories": {"Memory": factory(server)}}
    async with (
        cluster(tmp_path, with_broker=False, **shared) as found,
        sink() as (target, got),
        running(
            lambda ready: broker.run_ingress(
                found.broker_config(), ready, registry=CollectorRegistry(), **shared
            )
        ),
    ):

        def dispatcher():
            return running(
                lambda ready: broker.run_dispatcher(
                    found.broker_config(), ready, registry=CollectorRegistry(), **shared
                )
            )

        async with dispatcher():
            await found.create_broker(of_class="Memory")
            url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
            await found.create_trigger("t", target)
            await found.until_ready(TRIGGERS, "t")
            assert await found.send(url, **{"ce-id": "1"}) == 202
            assert (await next_of(got))["ce-id"] == "1"
        assert await found.send(url, **{"ce-id": "2"}) == 202, "producers need no dispatcher"
        async with dispatcher():
            assert (await next_of(got))["ce-id"] == "2"


@pytest.mark.parametrize("run", [broker.run_ingress, broker.run_dispatcher])
async def test_the_local_log_needs_one_process(tmp_path, run):
    config = broker.BrokerConfig(tmp_path / "kubeconfig", EnginesConfig(tmp_path))
    with pytest.raises(broker.NeedsOneProcess, match="MTChannelBasedBroker"):
        await run(config, lambda: None)
