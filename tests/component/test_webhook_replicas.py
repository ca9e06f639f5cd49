"""Webhooks of several replicas behind one Service, on an API server that asks them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.kube.admission import AdmissionRequest, AdmissionResponse
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, Forbidden
from hearth.kube.leadership import ALONE, Leadership
from hearth.kube.meta import Key
from hearth.kube.registration import Registration
from hearth.kube.resources import (
    CONFIGMAPS,
    ENDPOINTSLICES,
    SECRETS,
    SERVICES,
    VALIDATING_WEBHOOKS,
)
from hearth.kube.webhooks import Endpoint, Service, Webhook, writes_rule
from tests.ports import free_port

NAMESPACE, SECRET = "default", "certs"
WAIT_SECONDS = 60.0
HOOK = Webhook(
    "no.example.com",
    "/no",
    (writes_rule("", ["v1"], ["configmaps"]),),
    selectors={"objectSelector": {"matchLabels": {"asked": "yes"}}},
)


class Following(Leadership):
    """A replica that follows until it is told to lead."""

    def __init__(self) -> None:
        self._leads = False
        self._callbacks: list[Callable[[], None]] = []

    def lead(self) -> None:
        self._leads = True
        for callback in self._callbacks:
            callback()

    def leads(self, key: Key) -> bool:
        return self._leads

    def on_change(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    async def run(self) -> None:
        return

    async def release(self) -> None:
        return


@dataclass(frozen=True, slots=True)
class World:
    """An API server with a Service that leads to 127.0.0.1 and 127.0.0.2, and an empty Secret."""

    client: KubeClient
    port: int

    @contextlib.asynccontextmanager
    async def replica(self, number: int, leadership: Leadership) -> AsyncIterator[str]:
        """A replica that refuses everything in its own name; what it was asked is counted."""

        def refuse(_: AdmissionRequest) -> AdmissionResponse:
            return AdmissionResponse(allowed=False, message=f"by replica {number}")

        endpoint = Endpoint(
            host=f"127.0.0.{number}",
            port=self.port,
            service=Service(NAMESPACE, "hooks", SECRET),
        )
        registration = Registration(self.client, {"/no": refuse}, endpoint, leadership=leadership)
        async with asyncio.timeout(WAIT_SECONDS), registration.serving():
            await registration.register([HOOK])
            yield registration.url

    async def leads_to(self, number: int) -> None:
        """Have the Service lead to one replica, as when the other is gone."""
        await self.client.apply(ENDPOINTSLICES, a_slice(self.port, number), field_manager="test")

    async def ask(self) -> str:
        """What is said to a write."""
        try:
            await self.client.create(CONFIGMAPS, config_map(), dry_run=True)
        except ApiError as error:
            return error.message
        return "allowed"

    async def until_said(self, text: str) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while text not in await self.ask():
                await asyncio.sleep(0.02)

    async def secret(self) -> dict[str, Any]:
        return await self.client.get(SECRETS, SECRET, NAMESPACE)

    async def hook(self) -> dict[str, Any]:
        found = await self.client.get(VALIDATING_WEBHOOKS, HOOK.name)
        hook: dict[str, Any] = found["webhooks"][0]
        return hook


def config_map() -> dict[str, Any]:
    metadata = {"name": "a", "namespace": NAMESPACE, "labels": {"asked": "yes"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def a_slice(port: int, number: int) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": "hooks"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "hooks", "namespace": NAMESPACE, "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [f"127.0.0.{number}"], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    port = free_port()
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        metadata = {"namespace": NAMESPACE}
        ports = [{"name": "https", "port": 443, "targetPort": port}]
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata | {"name": SECRET}}
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata | {"name": "hooks"},
            "spec": {"ports": ports},
        }
        await client.create(SECRETS, secret)
        await client.create(SERVICES, service)
        found = World(client, port)
        await found.leads_to(1)
        yield found


async def test_any_replica_answers_by_the_certificate_they_share(world: World) -> None:
    follower = Following()
    async with world.replica(1, ALONE), world.replica(2, follower):
        await world.until_said("by replica 1")
        await world.leads_to(2)
        await world.until_said("by replica 2")
        hook, secret = await world.hook(), await world.secret()
    assert secret["data"].keys() == {
        "ca-cert.pem",
        "ca-key.pem",
        "server-cert.pem",
        "server-key.pem",
    }
    assert hook["clientConfig"]["caBundle"] == secret["data"]["ca-cert.pem"]
    assert hook["clientConfig"]["service"]["name"] == "hooks"


async def test_what_somebody_strips_is_put_back_and_nothing_else_written(world: World) -> None:
    async with world.replica(1, ALONE):
        await world.until_said("by replica 1")
        found = await world.client.get(VALIDATING_WEBHOOKS, HOOK.name)
        settled = found["metadata"]["resourceVersion"]
        del found["webhooks"][0]["clientConfig"]["caBundle"]
        found["webhooks"][0]["rules"] = []
        await world.client.update(VALIDATING_WEBHOOKS, found)
        async with asyncio.timeout(WAIT_SECONDS):
            while not (await world.hook())["clientConfig"].get("caBundle"):
                await asyncio.sleep(0.02)
        await world.until_said("by replica 1")
        again = await world.client.get(VALIDATING_WEBHOOKS, HOOK.name)
    assert int(again["metadata"]["resourceVersion"]) > int(settled)
    assert again["metadata"]["generation"] == found["metadata"]["generation"] + 2


async def test_nobody_is_fought_as_fast_as_possible(world: World) -> None:
    """A cluster's own policy may want a webhook otherwise, again and again."""
    strips, times = 10, list[float]()
    async with world.replica(1, ALONE), asyncio.timeout(WAIT_SECONDS):
        while len(times) < strips:
            found = await world.client.get(VALIDATING_WEBHOOKS, HOOK.name)
            if found["webhooks"][0]["failurePolicy"] == HOOK.failure_policy:
                found["webhooks"][0]["failurePolicy"] = "Ignore"
                await world.client.update(VALIDATING_WEBHOOKS, found)
                times.append(asyncio.get_running_loop().time())
            else:
                await asyncio.sleep(0.001)
    # 5 ms, doubling: nine pauses and more.
    assert times[-1] - times[0] > 0.005 * 2 ** (strips - 3)


async def test_certificates_that_are_deleted_are_made_anew_everywhere(world: World) -> None:
    async with world.replica(1, ALONE), world.replica(2, Following()):
        await world.until_said("by replica 1")
        before = await world.secret()
        await world.client.update(SECRETS, {**before, "data": {}})
        bundle = (await world.hook())["clientConfig"]["caBundle"]
        async with asyncio.timeout(WAIT_SECONDS):
            while (await world.hook())["clientConfig"]["caBundle"] == bundle:
                await asyncio.sleep(0.02)
        await world.until_said("by replica 1")
        await world.leads_to(2)
        await world.until_said("by replica 2")
        after = await world.secret()
    assert after["data"]["ca-key.pem"] != before["data"]["ca-key.pem"]


async def test_certificates_that_cannot_be_read_are_mended_by_who_leads(world: World) -> None:
    nonsense = {
        name: base64.b64encode(b"x").decode() for name in ("ca-cert.pem", "server-cert.pem")
    }
    follower = Following()
    await world.client.update(SECRETS, {**await world.secret(), "data": nonsense})
    serving = asyncio.Event()

    async def serve() -> None:
        async with world.replica(1, follower):
            serving.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(serve())
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):  # a time in which it would be done, did it not follow
                await serving.wait()
        assert (await world.secret())["data"] == nonsense
        follower.lead()
        await world.until_said("by replica 1")
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_who_comes_to_lead_registers(world: World) -> None:
    follower = Following()
    async with world.replica(1, follower):
        assert await world.ask() == "allowed"
        follower.lead()
        await world.until_said("by replica 1")


async def test_all_replicas_may_be_gone_and_come_back(world: World) -> None:
    """Nothing they need is asked about: not even their certificates have to be there."""
    async with world.replica(1, ALONE):
        await world.until_said("by replica 1")
    assert "failed calling webhook" in await world.ask()
    await world.client.update(SECRETS, {**await world.secret(), "data": {}})
    async with world.replica(1, ALONE):
        await world.until_said("by replica 1")


async def test_replicas_that_start_at_once_agree(world: World) -> None:
    async with contextlib.AsyncExitStack() as stack:
        replicas = (world.replica(1, ALONE), world.replica(2, Following()))
        await asyncio.gather(*(stack.enter_async_context(each) for each in replicas))
        await world.until_said("by replica 1")
        await world.leads_to(2)
        await world.until_said("by replica 2")


async def test_a_refusal_is_the_handlers(world: World) -> None:
    async with world.replica(1, ALONE):
        await world.until_said("by replica 1")
        with pytest.raises(Forbidden, match=r'webhook "no\.example\.com" denied the request'):
            await world.client.create(CONFIGMAPS, config_map())
