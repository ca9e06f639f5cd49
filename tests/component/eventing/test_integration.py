"""IntegrationSource: the ContainerSource that is made of it, and its adapter on real sockets."""

import asyncio
import json

import pytest

from eventing.sources.integration.main import run
from hearth.knative.resources import CONTAINERSOURCES, INTEGRATIONSOURCES
from hearth.kube.resources import PODS
from tests.component.eventing.cluster import cluster, condition, next_of, sink


async def test_a_timer_sends_to_its_sink():
    given = {"period": 10, "message": "hi", "repeatCount": 2}
    async with sink() as (to, got):
        environment = {
            "K_SINK": to["uri"],
            "K_SOURCE_CONFIG": json.dumps({"timer": given}),
            "K_CE_OVERRIDES": '{"extensions": {"team": "one"}}',
        }
        is_ready = asyncio.Event()
        task = asyncio.create_task(run(is_ready.set, environment))
        try:
            events = [await next_of(got), await next_of(got)]
            assert is_ready.is_set()
            assert {each["ce-type"] for each in events} == {"dev.knative.eventing.timer"}
            assert events[0]["ce-id"] != events[1]["ce-id"]
            assert events[0]["ce-team"] == "one"
            # That was all, and the process goes on: it would be started anew.
            with pytest.raises(TimeoutError):
                await next_of(got, 0.1)
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.wait({task})


async def test_a_sink_that_is_down_does_not_end_it():
    async with sink() as (to, got):
        down = {"K_SINK": to["uri"], "K_SOURCE_CONFIG": '{"timer": {"period": 10}}'}
        refusing = {**down, "K_SINK": "http://127.0.0.1:9/"}
        for environment in (refusing, down):
            task = asyncio.create_task(run(lambda: None, environment))
            try:
                if environment is down:
                    await next_of(got)
                else:
                    await asyncio.wait({task}, timeout=0.2)
                assert not task.done()
            finally:
                task.cancel()
                await asyncio.wait({task})


@pytest.mark.parametrize("environment", [{}, {"K_SOURCE_CONFIG": '{"timer": {}}'}])
async def test_without_a_timer_or_a_sink_it_says_so(environment):
    with pytest.raises(ValueError):
        await run(lambda: None, environment)


async def test_what_is_made_of_an_integration_source(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        to = {"uri": "http://sink.example.com"}
        await found.create(INTEGRATIONSOURCES, "i", sink=to, timer={"message": "hi"})
        child = await found.until(CONTAINERSOURCES, "i-containersource", lambda obj: True)
        [container] = child["spec"]["template"]["spec"]["containers"]
        env = {each["name"]: each.get("value") for each in container["env"]}
        config = json.loads(env["K_SOURCE_CONFIG"])
        assert config == {"timer": {"contentType": "text/plain", "message": "hi", "period": 1000}}
        told = await found.until(
            INTEGRATIONSOURCES, "i", lambda obj: bool((obj.get("status") or {}).get("sinkUri"))
        )
        assert told["status"]["sinkUri"] == "http://sink.example.com"
        assert condition(told, "ContainerSourceReady")[0] != "True", "no node runs its pod here"


async def test_why_an_adapter_does_not_run_is_told(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        to = {"uri": "http://sink.example.com"}
        auth = {"secret": {"ref": {"name": "keys"}}}
        queue = {"arn": "orders", "region": "eu-west-1"}
        await found.create(INTEGRATIONSOURCES, "i", sink=to, aws={"sqs": queue, "auth": auth})
        child = await found.until(CONTAINERSOURCES, "i-containersource", lambda obj: True)
        template = child["spec"]["template"]
        [container] = template["spec"]["containers"]
        env = {each["name"]: each.get("value") for each in container["env"]}
        sqs = json.loads(env["K_SOURCE_CONFIG"])["aws"]["sqs"]
        assert sqs["maxMessagesPerPoll"] == 1 and sqs["deleteAfterRead"] is True
        # No node runs it here: what one would write.
        labels = {
            **template["metadata"]["labels"],
            "sources.knative.dev/containerSource": "i-containersource",
        }
        metadata = {"name": "p", "namespace": "default", "labels": labels}
        spec = {"containers": [{"name": "c", "image": "i"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        made = await found.client.create(PODS, pod)
        words = "there is no queue orders in eu-west-1"
        ended = {"terminated": {"exitCode": 78, "message": json.dumps({"message": words})}}
        container = {"name": "c", "ready": False, "restartCount": 1, "image": "i", "imageID": "i"}
        status = {"containerStatuses": [{**container, "state": {}, "lastState": ended}]}
        await found.client.update_status(PODS, {**made, "status": {**made["status"], **status}})
        told = await found.until(
            INTEGRATIONSOURCES, "i", lambda obj: condition(obj)[1] == "AdapterFailed"
        )
        assert condition(told) == ("False", "AdapterFailed", words)
