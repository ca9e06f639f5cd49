"""From a request at the gateway to what a trigger reads: in process, and by KEDA's gRPC service."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from activator.main import ActivatorConfig
from activator.main import run as run_activator
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.keda.api.keys import HTTPSCALEDOBJECTS, INTERCEPTORROUTES, SCALEDOBJECTS
from hearth.keda.external.hub import RouteHub
from hearth.keda.external.main import ExternalScalerConfig
from hearth.keda.external.main import run as run_external_scaler
from hearth.keda.external.scaler import RouteScaler
from hearth.keda.external.server import ExternalScalerServer
from hearth.keda.scalers import externalmessages as messages
from hearth.keda.scalers.externalmessages import Amount, ScaledObjectRef
from hearth.keda.scalers.seam import ConfigError, PushScaler, ScalerError, TriggerConfig
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.resources import CRDS
from hearth.kube.tokens import Tokens
from tests.ports import free_ports

CRD_DIR = Path(__file__).resolve().parents[3] / "crds"
CRD_FILES = (
    "networking.internal.knative.dev_ingresses.yaml",
    "serving.knative.dev_revisions.yaml",
    "keda/http.keda.sh_interceptorroutes.yaml",
    "keda/http.keda.sh_httpscaledobjects.yaml",
    "keda/keda.sh_scaledobjects.yaml",
)
ADDRESS = "keda-add-ons-http-external-scaler.keda:9090"
PUSHED_SECONDS = 10.0
"""Far less than any poll: what comes within it has been pushed."""


def a_route(name: str, **metric: Any) -> dict[str, Any]:
    return {
        "apiVersion": INTERCEPTORROUTES.api_version,
        "kind": INTERCEPTORROUTES.kind,
        "metadata": {"namespace": "default", "name": name},
        "spec": {
            "target": {"service": name, "port": 80},
            "rules": [{"hosts": [f"{name}.test"]}],
            "scalingMetric": metric or {"concurrency": {"targetValue": 2}},
        },
    }


def a_trigger(name: str, kind: str = "interceptorRoute") -> TriggerConfig:
    metadata = {"scalerAddress": ADDRESS, kind: name}
    return TriggerConfig("external-push", metadata, namespace="default", index=1)


@dataclass
class World:
    client: KubeClient
    kubeconfig: Path
    hub: RouteHub
    port: int
    restart: Callable[[], Awaitable[None]]

    async def request(self, host: str) -> asyncio.StreamWriter:
        """Somebody who waits."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return writer

    async def scaler(self, name: str, kind: str = "interceptorRoute") -> RouteScaler:
        """A scaler of a route, once the hub and the gateway know that."""
        async with asyncio.timeout(60):
            while True:
                try:
                    made = self.hub.scaler(a_trigger(name, kind))
                except ConfigError:
                    await asyncio.sleep(0.005)
                else:
                    break
            while not self.hub.is_known():
                await asyncio.sleep(0.005)
            while await self.status(f"{name}.test") == 404:
                await asyncio.sleep(0.005)
        return made

    async def status(self, host: str) -> int:
        """Of a request that the gateway answers by itself."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(
                f"GET / HTTP/1.1\r\nHost: {host}\r\nK-Network-Probe: probe\r\n"
                f"K-Network-Hash: override\r\n\r\n".encode()
            )
            return int((await asyncio.wait_for(reader.readline(), 60)).split()[1])
        finally:
            writer.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        for file in CRD_FILES:
            await client.create(CRDS, yaml.safe_load((CRD_DIR / file).read_text()))
        for resource in (INTERCEPTORROUTES, HTTPSCALEDOBJECTS, SCALEDOBJECTS):
            await _served(client, resource)
        port, internal, tls, internal_tls, stats = free_ports(5)
        config = ActivatorConfig(
            kubeconfig=server.kubeconfig,
            port=port,
            internal_port=internal,
            tls_port=tls,
            internal_tls_port=internal_tls,
            stats_token="secret",
            routes_address=f"127.0.0.1:{stats}",
            drain_seconds=0,
        )
        running: list[asyncio.Task[None]] = []

        async def restart() -> None:
            await _stop(running)
            serves = asyncio.Event()
            running.append(asyncio.create_task(run_activator(config, serves.set)))
            await asyncio.wait_for(serves.wait(), 60)

        async with RouteHub(client, Tokens("secret"), "127.0.0.1", stats) as hub:
            await restart()
            try:
                yield World(client, server.kubeconfig, hub, port, restart)
            finally:
                await _stop(running)


async def _stop(running: list[asyncio.Task[None]]) -> None:
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    running.clear()


async def _served(client: KubeClient, resource: Any) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await client.list(resource)
                return
            except ApiError:
                await asyncio.sleep(0.01)


async def test_who_waits_is_told_at_once_and_all_of_them(world: World) -> None:
    await world.client.create(INTERCEPTORROUTES, a_route("app"))
    scaler = await world.scaler("app")
    assert isinstance(scaler, PushScaler)
    assert (scaler.spec.name, scaler.spec.target) == ("s1-http_app_concurrency", 2.0)
    assert not (await scaler.read()).is_active
    activity = scaler.activity()
    assert await anext(activity) is False
    waiting = asyncio.ensure_future(anext(activity))
    await asyncio.sleep(0)
    clients = [await world.request("app.test")]
    assert await asyncio.wait_for(waiting, PUSHED_SECONDS) is True
    # While the backlog grows it is told again, so all of them are known without a poll.
    clients += [await world.request("app.test") for _ in range(4)]
    async with asyncio.timeout(PUSHED_SECONDS):
        while (await scaler.read()).value < 5:
            assert await anext(activity) is True
    for client in clients:
        client.close()
    async with asyncio.timeout(60):
        while await anext(activity):
            pass
    assert (await scaler.read()).value == 0
    # Who listens hears the end of a scaler that is closed.
    listening = asyncio.ensure_future(anext(activity))
    await asyncio.sleep(0)
    await scaler.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(listening, PUSHED_SECONDS)


async def test_of_two_metrics_the_one_that_asks_for_more_counts(world: World) -> None:
    route = a_route(
        "app", concurrency={"targetValue": 10}, requestRate={"targetValue": 1, "window": "10s"}
    )
    await world.client.create(INTERCEPTORROUTES, route)
    scaler = await world.scaler("app")
    clients = [await world.request("app.test") for _ in range(5)]
    async with asyncio.timeout(60):
        # Five a second for a target of one, told in the measure of ten at a time.
        while (reading := await scaler.read()).value <= 10:
            await asyncio.sleep(0.01)
    assert reading.is_active
    for client in clients:
        client.close()


async def test_a_placeholder_wakes_as_well(world: World) -> None:
    route = a_route("app")
    route["spec"]["coldStart"] = {"placeholder": {"response": {"statusCode": 418}}}
    await world.client.create(INTERCEPTORROUTES, route)
    scaler = await world.scaler("app")
    activity = scaler.activity()
    assert await anext(activity) is False
    client = await world.request("app.test")
    assert await asyncio.wait_for(anext(activity), PUSHED_SECONDS) is True
    assert (await scaler.read()).is_active
    client.close()
    await activity.aclose()


async def test_targets_follow_the_route(world: World) -> None:
    await world.client.create(INTERCEPTORROUTES, a_route("app"))
    scaler = await world.scaler("app")
    metric = {"concurrency": None, "requestRate": {"targetValue": 7}}
    changed = {"spec": {"scalingMetric": metric}}
    await world.client.patch(INTERCEPTORROUTES, "app", "default", changed)
    async with asyncio.timeout(60):
        while scaler.spec.target != 7.0:
            await asyncio.sleep(0.005)
    assert scaler.spec.name == "s1-http_app_rate"
    await world.client.delete(INTERCEPTORROUTES, "app", "default")
    text = 'interceptorroutes.http.keda.sh "app" not found'
    async with asyncio.timeout(60):
        while True:
            try:
                await scaler.read()
            except ScalerError as error:
                assert str(error) == text
                break
            await asyncio.sleep(0.005)
    with pytest.raises(ConfigError, match=text):
        world.hub.scaler(a_trigger("app"))


async def test_a_restarted_gateway_reports_again(world: World) -> None:
    await world.client.create(INTERCEPTORROUTES, a_route("app"))
    scaler = await world.scaler("app")
    await world.restart()
    client = await world.request("app.test")
    async with asyncio.timeout(60):
        while not (await scaler.read()).is_active:
            await asyncio.sleep(0.01)
    client.close()


def test_only_triggers_that_name_a_route_are_answered() -> None:
    hub = RouteHub.__new__(RouteHub)
    assert hub.answers(a_trigger("app"))
    assert hub.answers(a_trigger("app", "httpScaledObject"))
    assert not hub.answers(TriggerConfig("external-push", {"scalerAddress": "x:1"}))
    assert not hub.answers(TriggerConfig("cron", {"interceptorRoute": "app"}))


def an_http(**spec: Any) -> dict[str, Any]:
    target = {"name": "app", "kind": "Deployment", "apiVersion": "apps/v1", "service": "app"}
    return {
        "apiVersion": HTTPSCALEDOBJECTS.api_version,
        "kind": HTTPSCALEDOBJECTS.kind,
        "metadata": {"namespace": "default", "name": "app"},
        "spec": {"hosts": ["app.test"], "scaleTargetRef": target | {"port": 80}, **spec},
    }


async def test_an_http_scaled_object_has_a_scaled_object_and_is_read(world: World) -> None:
    http = an_http(replicas={"min": 0, "max": 3}, scalingMetric={"concurrency": {"targetValue": 5}})
    await world.client.create(HTTPSCALEDOBJECTS, http)
    scaler = await world.scaler("app", "httpScaledObject")
    assert (scaler.spec.name, scaler.spec.target) == ("s1-http-default_002Fapp", 5.0)
    async with asyncio.timeout(60):
        while True:
            found = await world.client.get(HTTPSCALEDOBJECTS, "app", "default")
            if (found.get("status") or {}).get("conditions"):
                break
            await asyncio.sleep(0.005)
    assert found["status"]["conditions"][0]["message"] == "ScaledObject created and configured"
    scaled = await world.client.get(SCALEDOBJECTS, "app", "default")
    assert scaled["spec"]["maxReplicaCount"] == 3
    assert scaled["metadata"]["ownerReferences"][0]["uid"] == found["metadata"]["uid"]
    # Who changes it finds it as it was.
    changed = {"spec": {"pollingInterval": 99}}
    await world.client.patch(SCALEDOBJECTS, "app", "default", changed)
    async with asyncio.timeout(60):
        while True:
            scaled = await world.client.get(SCALEDOBJECTS, "app", "default")
            if scaled["spec"]["pollingInterval"] == 15:
                break
            await asyncio.sleep(0.005)


# -- for a real KEDA ------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def keda(world: World) -> AsyncIterator[grpc.aio.Channel]:
    server = ExternalScalerServer(world.hub)
    port = await server.start("127.0.0.1", 0)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(0)


def reference(name: str, kind: str = "interceptorRoute") -> ScaledObjectRef:
    return ScaledObjectRef("so", "default", {"scalerAddress": ADDRESS, kind: name})


async def test_keda_asks_and_is_told(world: World) -> None:
    route = a_route("app", concurrency={"targetValue": 2}, requestRate={"targetValue": 9})
    await world.client.create(INTERCEPTORROUTES, route)
    await world.scaler("app")
    sent = reference("app").encode()
    async with keda(world) as channel:
        spec = await channel.unary_unary(messages.GET_METRIC_SPEC)(sent)
        assert messages.decode_amounts(spec) == [
            Amount("http_app_concurrency", fraction=2.0),
            Amount("http_app_rate", fraction=9.0),
        ]
        is_active = channel.unary_unary(messages.IS_ACTIVE)
        assert messages.decode_active(await is_active(sent)) is False
        stream = channel.unary_stream(messages.STREAM_IS_ACTIVE)(sent)
        assert messages.decode_active(await stream.read()) is False
        clients = [await world.request("app.test") for _ in range(3)]
        told = await asyncio.wait_for(stream.read(), PUSHED_SECONDS)
        assert messages.decode_active(told) is True
        asked = messages.encode_request(reference("app"), "http_app_concurrency")
        async with asyncio.timeout(PUSHED_SECONDS):
            while True:
                answer = await channel.unary_unary(messages.GET_METRICS)(asked)
                [amount] = messages.decode_amounts(answer)
                if amount.number == 3.0:
                    break
                await asyncio.sleep(0.005)
        assert messages.decode_active(await is_active(sent)) is True
        stream.cancel()
        for client in clients:
            client.close()


async def test_an_http_scaled_object_is_told_of_in_whole_numbers(world: World) -> None:
    await world.client.create(HTTPSCALEDOBJECTS, an_http(targetPendingRequests=7))
    await world.scaler("app", "httpScaledObject")
    async with keda(world) as channel:
        sent = reference("app", "httpScaledObject").encode()
        spec = await channel.unary_unary(messages.GET_METRIC_SPEC)(sent)
        assert messages.decode_amounts(spec) == [Amount("http-default_002Fapp", whole=7)]


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("gone", "interceptorRoute", grpc.StatusCode.NOT_FOUND),
        ("gone", "other", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_a_route_that_is_not_there_is_an_error(
    world: World, name: str, kind: str, code: grpc.StatusCode
) -> None:
    async with keda(world) as channel:
        for method in (messages.GET_METRIC_SPEC, messages.IS_ACTIVE):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await channel.unary_unary(method)(reference(name, kind).encode())
            assert raised.value.code() == code
        stream = channel.unary_stream(messages.STREAM_IS_ACTIVE)(reference(name, kind).encode())
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stream.read()
        assert raised.value.code() == code


async def test_without_a_gateway_nothing_is_claimed(world: World) -> None:
    """Activators report once there is a route; none of this one, which nobody has read."""
    async with RouteHub(world.client, Tokens("other"), "127.0.0.1", 0) as hub:
        await world.client.create(INTERCEPTORROUTES, a_route("app"))
        async with asyncio.timeout(60):
            while True:
                try:
                    scaler = hub.scaler(a_trigger("app"))
                    break
                except ConfigError:
                    await asyncio.sleep(0.005)
        with pytest.raises(ScalerError, match="no activator reports on requests"):
            await scaler.read()


async def test_the_component_answers_and_ends(world: World) -> None:
    await world.client.create(INTERCEPTORROUTES, a_route("app"))
    [port] = free_ports(1)
    config = ExternalScalerConfig(world.kubeconfig, port=port, stats_token="secret")
    ready = asyncio.Event()
    running = asyncio.create_task(run_external_scaler(config, ready.set))
    try:
        await asyncio.wait_for(ready.wait(), 60)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            sent = reference("app").encode()
            spec = await channel.unary_unary(messages.GET_METRIC_SPEC)(sent)
            assert messages.decode_amounts(spec) == [Amount("http_app_concurrency", fraction=2.0)]
            # Nobody reports here, and no zero is made up of that.
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await channel.unary_unary(messages.IS_ACTIVE)(sent)
            assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
