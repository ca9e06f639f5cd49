"""The activator as it runs: against a real API server, from objects to answers to status."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from activator.main import ActivatorConfig, run
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.knative.resources import KINGRESSES, REVISIONS
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.resources import CONFIGMAPS, CRDS, ENDPOINTSLICES, NAMESPACES, SERVICES
from hearth.observability.metrics import REGISTRY
from tests.component.activator.http2 import an_app, echo
from tests.otlp import collecting
from tests.ports import free_port, free_ports

CRD_FILES = (
    "networking.internal.knative.dev_ingresses.yaml",
    "serving.knative.dev_revisions.yaml",
)
CRD_DIR = Path(__file__).resolve().parents[3] / "crds"
CLASS = {"networking.knative.dev/ingress.class": "hearth.ingress.networking.knative.dev"}


def a_service(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "default", "name": name},
        "spec": {
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
            "selector": {"serving.knative.dev/revision": name},
        },
    }


def a_revision(name: str, **spec: Any) -> dict[str, Any]:
    container = {"image": "test", "readinessProbe": {"tcpSocket": {"port": 0}}}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {
            "namespace": "default",
            "name": name,
            "labels": {
                "serving.knative.dev/service": "hello",
                "serving.knative.dev/configuration": "hello",
            },
        },
        "spec": {"containers": [container], "timeoutSeconds": 30, **spec},
    }


def an_ingress(name: str, host: str, weights: dict[str, int]) -> dict[str, Any]:
    splits = [
        {
            "serviceNamespace": "default",
            "serviceName": revision,
            "servicePort": 80,
            "percent": percent,
            "appendHeaders": {
                "Knative-Serving-Namespace": "default",
                "Knative-Serving-Revision": revision,
            },
        }
        for revision, percent in weights.items()
    ]
    return {
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": "Ingress",
        "metadata": {"namespace": "default", "name": name, "annotations": CLASS},
        "spec": {
            "httpOption": "Enabled",
            "rules": [
                {
                    "hosts": [host],
                    "visibility": "ExternalIP",
                    "http": {"paths": [{"splits": splits}]},
                }
            ],
        },
    }


def a_slice(service: str, pods: dict[int, bool]) -> dict[str, Any]:
    [port] = {*pods} or {1}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": "default",
            "name": f"{service}-{port}",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [
            {
                "addresses": ["127.0.0.1"],
                "conditions": {"ready": ready},
                "targetRef": {"kind": "Pod", "namespace": "default", "name": f"pod-{port}"},
            }
            for ready in pods.values()
        ],
    }


@dataclass
class Whole:
    client: KubeClient
    port: int
    tls_port: int

    async def get(self, host: str, path: str = "/") -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
            )
            data = await asyncio.wait_for(reader.read(), 60)
        finally:
            writer.close()
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), body

    async def until_status(self, host: str, status: int) -> None:
        async with asyncio.timeout(60):
            while (await self.get(host))[0] != status:
                await asyncio.sleep(0.01)

    async def ingress_when(self, name: str, condition: str, status: str) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while True:
                ingress = await self.client.get(KINGRESSES, name, "default")
                found = {c["type"]: c for c in (ingress.get("status") or {}).get("conditions", ())}
                if found.get(condition, {}).get("status") == status:
                    return dict(ingress)
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running_whole(
    folder: Path,
    prepare: Callable[[KubeClient], Awaitable[None]] | None = None,
    **more: Any,
) -> AsyncIterator[Whole]:
    """An activator over an API server; ``prepare`` makes what is there before it starts."""
    async with (
        running_apiserver(folder) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        for file in CRD_FILES:
            await client.create(CRDS, yaml.safe_load((CRD_DIR / file).read_text()))
        for resource in (KINGRESSES, REVISIONS):
            await _served(client, resource)
        if prepare is not None:
            await prepare(client)
        (port, tls_port), serves = free_ports(2), asyncio.Event()
        config = ActivatorConfig(
            kubeconfig=server.kubeconfig,
            port=port,
            internal_port=free_port(),
            tls_port=tls_port,
            internal_tls_port=free_port(),
            drain_seconds=1,
            **more,
        )
        task = asyncio.create_task(run(config, serves.set))
        try:
            await asyncio.wait_for(serves.wait(), 60)
            yield Whole(client, port, tls_port)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _served(client: KubeClient, resource: Any) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await client.list(resource)
                return
            except ApiError:
                await asyncio.sleep(0.02)


async def test_from_objects_to_answers_to_status(tmp_path: Path, lab: Any) -> None:
    app = await lab.app()
    async with running_whole(tmp_path) as whole:
        client = whole.client
        await client.create(SERVICES, a_service("hello-00001"))
        await client.create(REVISIONS, a_revision("hello-00001"))
        await client.create(ENDPOINTSLICES, a_slice("hello-00001", {app.port: True}))
        await client.create(KINGRESSES, an_ingress("hello", "hello.test", {"hello-00001": 100}))
        ingress = await whole.ingress_when("hello", "Ready", "True")
        # Ready means routed: the very next request is answered.
        assert await whole.get("hello.test") == (200, b"hello")
        status = ingress["status"]
        assert status["observedGeneration"] == ingress["metadata"]["generation"]
        assert [c["type"] for c in status["conditions"]] == [
            "LoadBalancerReady",
            "NetworkConfigured",
            "Ready",
        ]
        assert status["publicLoadBalancer"]["ingress"][0]["domainInternal"]
        assert status["privateLoadBalancer"]["ingress"][0]["domainInternal"]
        metrics = generate_latest(REGISTRY).decode()
        assert "kn_serving_invocation_duration_seconds_count{" in metrics
        assert 'kn_revision_name="hello-00001"' in metrics
        await client.delete(KINGRESSES, "hello", "default")
        await whole.until_status("hello.test", 404)
    assert "kn_serving_invocation_duration" not in generate_latest(REGISTRY).decode()


async def test_http2_is_found_out_where_config_features_asks_for_it(
    tmp_path: Path, lab: Any
) -> None:
    app = await an_app(lab, echo)
    name = {"namespace": "knative-serving", "name": "config-features"}
    flags = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name}
    async with running_whole(tmp_path) as whole:
        client = whole.client
        await client.create(SERVICES, a_service("hello-00001"))
        await client.create(REVISIONS, a_revision("hello-00001"))
        await client.create(ENDPOINTSLICES, a_slice("hello-00001", {app.port: True}))
        await client.create(KINGRESSES, an_ingress("hello", "hello.test", {"hello-00001": 100}))
        await whole.ingress_when("hello", "Ready", "True")
        assert (await whole.get("hello.test"))[0] == 502
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "knative-serving"}}
        await client.create(NAMESPACES, space)
        await client.create(CONFIGMAPS, flags | {"data": {"autodetect-http2": "enabled"}})
        await whole.until_status("hello.test", 200)
        assert dict(app.received[-1].fields)[b":authority"] == b"hello.test"


async def test_request_logs_and_traces_begin_when_config_observability_asks_for_them(
    tmp_path: Path, lab: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    app = await lab.app()
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "knative-serving"}}
    name = {"namespace": "knative-serving", "name": "config-observability"}
    async with collecting() as collector, running_whole(tmp_path) as whole:
        client = whole.client
        await client.create(SERVICES, a_service("hello-00001"))
        await client.create(REVISIONS, a_revision("hello-00001"))
        await client.create(ENDPOINTSLICES, a_slice("hello-00001", {app.port: True}))
        await client.create(KINGRESSES, an_ingress("hello", "hello.test", {"hello-00001": 100}))
        await whole.ingress_when("hello", "Ready", "True")
        await whole.until_status("hello.test", 200)
        assert app.requests[-1].header("traceparent") is None
        await client.create(NAMESPACES, space)
        asked = {
            "logging.enable-request-log": "true",
            "logging.request-log-template": "{{.Revision.Service}} answered {{.Response.Code}}",
            "tracing-protocol": "http/protobuf",
            "tracing-endpoint": collector.url,
            "tracing-sampling-rate": "1",
        }
        flags = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": asked}
        await client.create(CONFIGMAPS, flags)
        async with asyncio.timeout(60):
            while not collector.spans:  # as many as go out at once, or those of five seconds
                await whole.get("hello.test")
        assert app.requests[-1].header("traceparent") is not None
    assert {span.attributes["kn.service.name"] for span in collector.named("handle")} == {"hello"}
    assert "hello answered 200\n" in capfd.readouterr().out


async def test_a_request_waits_for_a_pod_that_the_cluster_starts(tmp_path: Path, lab: Any) -> None:
    app = await lab.app()
    async with running_whole(tmp_path) as whole:
        client = whole.client
        await client.create(SERVICES, a_service("zero"))
        await client.create(REVISIONS, a_revision("zero"))
        await client.create(KINGRESSES, an_ingress("zero", "zero.test", {"zero": 100}))
        await whole.ingress_when("zero", "Ready", "True")
        asking = asyncio.create_task(whole.get("zero.test"))
        await client.create(ENDPOINTSLICES, a_slice("zero", {app.port: False}))
        assert await asking == (200, b"hello")


async def test_who_waits_for_a_deleted_revision_is_told_so(tmp_path: Path) -> None:
    async with running_whole(tmp_path) as whole:
        client = whole.client
        await client.create(SERVICES, a_service("zero"))
        await client.create(REVISIONS, a_revision("zero"))
        await client.create(KINGRESSES, an_ingress("zero", "zero.test", {"zero": 100}))
        await whole.ingress_when("zero", "Ready", "True")
        waiting = [asyncio.create_task(whole.get("zero.test")) for _ in range(10)]
        await client.delete(REVISIONS, "zero", "default")
        gone = (503, b"the revision has been deleted")
        assert await asyncio.gather(*waiting) == [gone] * 10
        assert await whole.get("zero.test") == gone


async def test_pods_that_go_get_nothing_more(tmp_path: Path, lab: Any) -> None:
    old, new = await lab.app(lambda r: lab.text("old")), await lab.app(lambda r: lab.text("new"))
    async with running_whole(tmp_path) as whole:
        client = whole.client
        await client.create(SERVICES, a_service("hello"))
        await client.create(REVISIONS, a_revision("hello"))
        await client.create(ENDPOINTSLICES, a_slice("hello", {old.port: True}))
        await client.create(KINGRESSES, an_ingress("hello", "hello.test", {"hello": 100}))
        await whole.ingress_when("hello", "Ready", "True")
        assert (await whole.get("hello.test"))[1] == b"old"
        await client.create(ENDPOINTSLICES, a_slice("hello", {new.port: True}))
        await client.delete(ENDPOINTSLICES, f"hello-{old.port}", "default")
        async with asyncio.timeout(60):
            while (await whole.get("hello.test"))[1] != b"new":
                await asyncio.sleep(0.01)
        before = len(old.requests)
        for _ in range(20):
            assert (await whole.get("hello.test"))[1] == b"new"
        assert len(old.requests) == before


async def test_an_ingress_that_cannot_be_routed_says_why(tmp_path: Path, lab: Any) -> None:
    async with running_whole(tmp_path) as whole:
        await whole.client.create(KINGRESSES, an_ingress("bad", "bad.test", {"a": 50, "b": 40}))
        ingress = await whole.ingress_when("bad", "Ready", "False")
        condition = {c["type"]: c for c in ingress["status"]["conditions"]}["NetworkConfigured"]
        assert condition["message"] == "split percentages must add up to 100, not 90"
        ingress["spec"] = an_ingress("bad", "bad.test", {"a": 50, "b": 50})["spec"]
        await whole.client.update(KINGRESSES, ingress)
        await whole.ingress_when("bad", "Ready", "True")


async def test_an_ingress_of_another_class_is_left_alone(tmp_path: Path, lab: Any) -> None:
    other = an_ingress("other", "other.test", {"a": 100})
    other["metadata"]["annotations"] = {
        "networking.knative.dev/ingress.class": "kourier.ingress.networking.knative.dev"
    }
    async with running_whole(tmp_path) as whole:
        await whole.client.create(KINGRESSES, other)
        await whole.client.create(KINGRESSES, an_ingress("ours", "ours.test", {"a": 100}))
        await whole.ingress_when("ours", "Ready", "True")
        assert (await whole.get("other.test"))[0] == 404
        assert "status" not in await whole.client.get(KINGRESSES, "other", "default")
