"""WebhookSources against a real API server: secrets, restarts, what is told, the receiver's pod."""

import asyncio
import base64
import contextlib
import os
import signal
import sys

from eventing.kinds.adapters import Adapters
from eventing.sources.webhook.signing import headers_of
from hearth.knative.resources import WEBHOOKSOURCES
from hearth.kube.clock import wall_clock
from hearth.kube.errors import NotFound
from hearth.kube.resources import DEPLOYMENTS, SECRETS
from tests.component.eventing.cluster import cluster, condition, next_of, sink
from tests.ports import free_ports
from tests.waiting import is_ready

HERE = {"adapters": Adapters(in_cluster=False)}
BODY = b'{"repository": {"html_url": "https://github.com/o/r"}}'


def secret(value):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "default"},
        "data": {"token": base64.b64encode(value).decode()},
    }


class Receiver:
    """``hearth run webhooksource`` as a process, which may be killed."""

    def __init__(self, found):
        self._found = found
        self.port, self._metrics, self._health = free_ports(3)

    async def start(self):
        environment = {
            **os.environ,
            "KUBECONFIG": str(self._found.kubeconfig),
            "POD_NAME": "w",
            "POD_IP": "127.0.0.1",
            "HEARTH_DATA_DIR": str(self._found.folder / "receiver"),
            "HEARTH_WEBHOOKS_PORT": str(self.port),
            "HEARTH_METRICS_PORT": str(self._metrics),
            "HEARTH_HEALTH_PORT": str(self._health),
            "HEARTH_DRAIN_DELAY_SECONDS": "0",
        }
        command = [sys.executable, "-m", "hearth.cli", "run", "webhooksource"]
        self.process = await asyncio.create_subprocess_exec(*command, env=environment)
        async with asyncio.timeout(30):
            while not await is_ready(self._health):
                await asyncio.sleep(0.02)

    async def end(self, how):
        self.process.send_signal(how)
        await self.process.wait()

    async def deliver(self, told, key=b"one", body=BODY):
        headers = headers_of("github", key, "push", body, now=wall_clock(), told=told)
        url = f"http://127.0.0.1:{self.port}/default/w"
        async with self._found.session.post(url, data=body, headers=headers) as answer:
            return answer.status


@contextlib.asynccontextmanager
async def receiver(found):
    running = Receiver(found)
    await running.start()
    try:
        yield running
    finally:
        await running.end(signal.SIGTERM)


def spec(to, **more):
    reference = {"secretKeyRef": {"name": "s", "key": "token"}}
    return {"sender": "github", "secrets": [reference], "sink": to, **more}


async def test_secrets_count_at_once_and_a_kill_forgets_nothing(tmp_path):
    async with (
        cluster(tmp_path, with_broker=False, **HERE) as found,
        sink() as (to, got),
        receiver(found) as running,
    ):
        await found.create(WEBHOOKSOURCES, "w", **spec(to))

        def lacks(obj):
            return condition(obj, "ReceiverReady")[0] == "False"

        told = await found.until(WEBHOOKSOURCES, "w", lacks)
        assert condition(told, "ReceiverReady") == (
            "False",
            "CannotServe",
            'there is no Secret "s" in default',
        )
        await found.client.create(SECRETS, secret(b"one\n"))
        source = await found.until_ready(WEBHOOKSOURCES, "w")
        inside = "http://webhooksource-receiver.knative-eventing.svc.cluster.local/default/w"
        assert source["status"]["url"] == source["status"]["address"]["url"] == inside
        assert await running.deliver("1") == 202
        assert (await next_of(got))["ce-id"] == "1"
        # Another secret.
        await found.client.patch(SECRETS, "s", "default", {"data": secret(b"two")["data"]})
        async with asyncio.timeout(60):
            while await running.deliver("2", b"two", b"{}") != 202:
                await asyncio.sleep(0.01)
        assert await running.deliver("3", b"one", b'{"n": 3}') == 401
        assert (await next_of(got))["ce-id"] == "2"
        # The process is killed, and knows what it has taken.
        await running.end(signal.SIGKILL)
        await running.start()
        assert await running.deliver("2", b"two", b"{}") == 202
        assert await running.deliver("4", b"two", b"{}") == 409
        assert await running.deliver("5", b"two", b'{"n": 5}') == 202
        assert (await next_of(got))["ce-id"] == "5"
        # A source that goes is not served any more, and what was remembered of it goes.
        await found.client.delete(WEBHOOKSOURCES, "w", "default")
        async with asyncio.timeout(60):
            while list((found.folder / "receiver" / "webhooks").iterdir()):
                await asyncio.sleep(0.01)
        assert await running.deliver("6", b"two", b'{"n": 6}') == 404


async def test_in_a_cluster_the_receiver_is_there_while_a_source_is(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        for name in ("w", "x"):
            await found.create(WEBHOOKSOURCES, name, **spec({"uri": "http://h"}))
        where = "webhooksource-receiver", "knative-eventing"
        made = await found.until_there(DEPLOYMENTS, *where)
        [container] = made["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["run", "webhooksource"]
        assert {"name": "HEARTH_DATA_DIR", "value": "/tmp/hearth"} in container["env"]
        told = await found.until(
            WEBHOOKSOURCES, "x", lambda obj: condition(obj, "ReceiverReady")[1] is not None
        )
        assert condition(told, "ReceiverReady")[1] == "DeploymentUnavailable"
        for name, left in (("w", 1), ("x", 0)):
            await found.client.delete(WEBHOOKSOURCES, name, "default")
            async with asyncio.timeout(60):
                while await _is_there(found, name):
                    await asyncio.sleep(0.01)
            made = await found.client.get(DEPLOYMENTS, *where)
            assert made["spec"]["replicas"] == left


async def _is_there(found, name):
    try:
        return bool(await found.client.get(WEBHOOKSOURCES, name, "default"))
    except NotFound:
        return False
