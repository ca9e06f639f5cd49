"""IntegrationSinks against a real API server: what is made, who may send, and what is lost."""

import asyncio
import contextlib
import json
import os
import signal
import ssl
import sys
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import ClientError

from activator.tunnels import Tunnels
from eventing.sinks.main import SinkConfig, run
from hearth.knative.resources import INTEGRATIONSINKS, TRIGGERS
from hearth.kube.certificates import renewed
from hearth.kube.resources import DEPLOYMENTS, PODS, SECRETS, SERVICES
from tests.component.eventing.aws.awsserver import at, client
from tests.component.eventing.cluster import (
    HEADERS,
    cluster,
    condition,
    running,
)
from tests.component.eventing.test_access import (
    create_policy,
    has_audience,
    switch,
    token,
    until_answered,
)
from tests.ports import free_port

LOG = {"loggerName": "mine", "level": "INFO"}


def with_gateway(port):
    return lambda found: replace(found.broker_config(), gateway_address=("127.0.0.1", port))


@contextlib.asynccontextmanager
async def tunnelling(port):
    """The in-cluster listener of one machine: in-cluster names with TLS lead to this port."""
    tunnels = Tunnels(lambda authority, asking: ("127.0.0.1", port))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: tunnels.door(asyncio.Protocol()), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await tunnels.close()


async def environment_of(found, name="s"):
    made = await found.until(DEPLOYMENTS, f"{name}-deployment", lambda obj: True)
    [container] = made["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    return {"K_SINK_CONFIG": env["K_SINK_CONFIG"]}


async def available(found, name="s"):
    """No node runs the pod here: what the cluster would say of it."""
    made = await found.until(DEPLOYMENTS, f"{name}-deployment", lambda obj: True)
    ready = {"type": "Available", "status": "True", "reason": "R", "message": "m"}
    await found.client.update_status(DEPLOYMENTS, {**made, "status": {"conditions": [ready]}})
    return await found.until_ready(INTEGRATIONSINKS, name)


async def test_a_pod_and_an_address(tmp_path):
    port = free_port()
    async with cluster(tmp_path, make_config=with_gateway(port)) as found:
        await found.create(INTEGRATIONSINKS, "s", log=LOG)
        service = await found.until(SERVICES, "s-deployment", lambda obj: True)
        deployment = await found.until(DEPLOYMENTS, "s-deployment", lambda obj: True)
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
        assert deployment["metadata"]["ownerReferences"][0]["name"] == "s"
        config = json.loads((await environment_of(found))["K_SINK_CONFIG"])
        assert config["log"]["level"] == "INFO" and config["log"]["showBody"] is True
        assert "sender" not in config
        waiting = await found.client.get(INTEGRATIONSINKS, "s", "default")
        assert condition(waiting)[0] != "True"
        sink = await available(found)
        url = sink["status"]["address"]["url"]
        assert url.endswith("/integrationsinks/default/s")
        assert await found.send(url) == 503, "nobody is there yet"
        adapter = SinkConfig(found.kubeconfig, "127.0.0.1", port)
        environment = await environment_of(found)
        async with running(lambda ready: run(adapter, ready, environment)):
            assert await found.send(url) == 204
            assert await found.send(url, **{"ce-type": ""}) == 400
            assert await found.send(url.replace("/s", "/other")) == 404
        changed = await found.client.get(INTEGRATIONSINKS, "s", "default")
        changed["spec"]["log"]["level"] = "WARN"
        await found.client.update(INTEGRATIONSINKS, changed)

        def is_told(obj):
            return '"level":"WARN"' in json.dumps(obj["spec"]).replace("\\", "")

        await found.until(DEPLOYMENTS, "s-deployment", is_told)


async def test_who_may_send_and_that_nobody_gets_past_the_broker(tmp_path):
    port = free_port()
    audience = "sinks.knative.dev/integrationsink/default/s"
    async with cluster(tmp_path, make_config=with_gateway(port)) as found:
        await found.create(INTEGRATIONSINKS, "s", log=LOG)
        await available(found)
        await switch(found, authentication_oidc="enabled")
        sink = await found.until(INTEGRATIONSINKS, "s", has_audience)
        assert sink["status"]["address"]["audience"] == audience
        url = sink["status"]["address"]["url"]
        await found.until(DEPLOYMENTS, "s-deployment", lambda obj: "sender" in json.dumps(obj))
        adapter = SinkConfig(found.kubeconfig, "127.0.0.1", port)
        environment = await environment_of(found)
        async with running(lambda ready: run(adapter, ready, environment)):
            shown = await token(found, audience=audience)

            async def answered():
                status = await found.send(url, **shown)
                return 202 if status == 204 else status

            await until_answered(202, answered)
            assert await found.send(url) == 401
            # The pod itself lets in the broker alone, whoever else a token is good for.
            past = f"http://127.0.0.1:{port}/integrationsinks/default/s"
            assert await found.send(past) == 401
            assert await found.send(past, **shown) == 403
            nobody = {"from": [{"sub": "system:serviceaccount:default:other"}]}
            await create_policy(found, "p", **nobody)
            await until_answered(403, answered)


async def test_the_pod_is_reached_by_tls_where_addresses_are_encrypted(tmp_path):
    port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(tunnelling(port))
        config = with_gateway(gateway)
        found = await stack.enter_async_context(cluster(tmp_path, make_config=config))
        await switch(found, transport_encryption="strict")
        await found.create(INTEGRATIONSINKS, "s", log=LOG)
        sink = await available(found)
        marks = sink["status"]["annotations"]
        assert marks["eventing.hearth.dev/pod-address"].startswith("https://s-deployment.")
        title = marks["eventing.hearth.dev/pod-certificate"]
        secret = await found.until_there(SECRETS, title, "default")
        assert secret["type"] == "kubernetes.io/tls"
        assert secret["metadata"]["ownerReferences"][0]["name"] == "s"
        folder = tmp_path / "certificate"
        folder.mkdir()
        for name, value in secret["data"].items():
            (folder / name).write_bytes(b64decode(value))
        url = sink["status"]["address"]["url"]
        assert url.startswith("https://")
        trusted = ssl.create_default_context(cadata=sink["status"]["address"]["CACerts"])

        async def send():
            post = found.session.post(url, data=b"{}", headers=HEADERS, ssl=trusted)
            async with post as answer:
                return answer.status

        adapter = SinkConfig(found.kubeconfig, "127.0.0.1", port)
        environment = await environment_of(found)
        environment["HEARTH_VOLUME_CERTIFICATE"] = str(folder)
        assert json.loads(environment["K_SINK_CONFIG"])["tls"] is True
        async with running(lambda ready: run(adapter, ready, environment)):
            assert await send() == 204
            # Nobody gets past that: in plain there is nothing.
            with pytest.raises(ClientError):
                await found.send(f"http://127.0.0.1:{port}/integrationsinks/default/s")
        # A pod that shows what somebody else vouches for gets nothing.
        other = renewed({}, ["s-deployment.default.svc.cluster.local"], datetime.now(UTC))
        assert other is not None
        (folder / "tls.crt").write_bytes(other["server-cert.pem"])
        (folder / "tls.key").write_bytes(other["server-key.pem"])
        async with running(lambda ready: run(adapter, ready, environment)):
            assert await send() == 503


async def test_a_certificate_that_cannot_be_used_is_told(tmp_path):
    environment = {"K_SINK_CONFIG": json.dumps({"log": LOG, "tls": True})}
    environment["HEARTH_VOLUME_CERTIFICATE"] = str(tmp_path)
    async with cluster(tmp_path / "c", with_broker=False) as found:
        adapter = SinkConfig(found.kubeconfig, "127.0.0.1", free_port())
        with pytest.raises(ValueError, match=r"the certificate in .* cannot be used"):
            await run(adapter, lambda: None, environment)


async def test_why_its_pod_does_not_run_is_told(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        auth = {"secret": {"ref": {"name": "keys"}}}
        queue = {"arn": "orders", "region": "eu-west-1"}
        await found.create(INTEGRATIONSINKS, "s", aws={"sqs": queue, "auth": auth})
        deployment = await found.until(DEPLOYMENTS, "s-deployment", lambda obj: True)
        template = deployment["spec"]["template"]
        metadata = {"name": "p", "namespace": "default", **template["metadata"]}
        spec = {"containers": [{"name": "c", "image": "i"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        made = await found.client.create(PODS, pod)
        words = "there is no queue orders in eu-west-1"
        ended = {"terminated": {"exitCode": 78, "message": json.dumps({"message": words})}}
        container = {"name": "c", "ready": False, "restartCount": 1, "image": "i", "imageID": "i"}
        status = {"containerStatuses": [{**container, "state": {}, "lastState": ended}]}
        status = {**made["status"], **status}
        await found.client.update_status(PODS, {**made, "status": status})
        told = await found.until(
            INTEGRATIONSINKS, "s", lambda obj: condition(obj, "DeploymentReady")[0] == "False"
        )
        assert condition(told, "DeploymentReady") == ("False", "AdapterFailed", words)


PROGRAM = """
import asyncio, sys
from pathlib import Path
from eventing.sinks.main import SinkConfig, run
config = SinkConfig(Path(sys.argv[1]), "127.0.0.1", int(sys.argv[2]))
asyncio.run(run(config, lambda: print("ready", flush=True)))
"""


@contextlib.asynccontextmanager
async def process(found, port, environment):
    """The adapter as a process, which is killed at the end."""
    made = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", PROGRAM, str(found.kubeconfig), str(port)),
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[3],
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert made.stdout is not None
        assert await asyncio.wait_for(made.stdout.readline(), 60) == b"ready\n"
        yield
    finally:
        made.send_signal(signal.SIGKILL)
        await made.wait()


async def test_no_event_of_a_broker_is_lost_when_the_pod_is_killed(tmp_path, aws):
    port, count = free_port(), 60
    async with (
        cluster(tmp_path, make_config=with_gateway(port)) as found,
        client(aws, "sqs") as sqs,
    ):
        url = (await sqs.create_queue(QueueName="q"))["QueueUrl"]
        spec = {"sqs": at(aws, arn="q"), "auth": {"serviceAccountName": "me"}}
        await found.create(INTEGRATIONSINKS, "s", aws=spec)
        await available(found)
        await found.create_broker(delivery={"retry": 20, "backoffDelay": "PT0.1S"})
        ref = {"apiVersion": INTEGRATIONSINKS.api_version, "kind": "IntegrationSink", "name": "s"}
        await found.create_trigger("t", {"ref": ref})
        await found.until_ready(TRIGGERS, "t")
        environment = await environment_of(found)
        broker = f"http://127.0.0.1:{found.port}/default/default"
        bodies: set[str] = set()

        async def publish(numbers):
            for number in numbers:
                headers = HEADERS | {"ce-id": f"{number}"}
                async with found.session.post(broker, data=f"{number}", headers=headers) as answer:
                    assert answer.status == 202

        async def read(wanted):
            async with asyncio.timeout(30):
                while len(bodies) < wanted:
                    told = await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
                    bodies.update(each["Body"] for each in told.get("Messages") or ())

        async with process(found, port, environment):
            await publish(range(count // 2))
            await read(count // 4)
        await publish(range(count // 2, count))
        async with process(found, port, environment):
            await read(count)
        assert bodies == {f"{number}" for number in range(count)}
