"""APIServices in a running API server: another server behind one of its Services."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import json
import shutil
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.cluster.controllers.main import ControllersConfig
from hearth.cluster.controllers.main import run as run_controllers
from hearth.cluster.rest.handlers import sending
from hearth.kube import certificates
from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.errors import ApiError, NotFound, Unavailable
from hearth.kube.resources import (
    CONFIGMAPS,
    CRDS,
    DEPLOYMENTS,
    ENDPOINTSLICES,
    HPAS,
    SERVICES,
    Resource,
)

Object = dict[str, Any]
APISERVICES = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", False)
GROUP, CUSTOM = "external.metrics.k8s.io", "custom.metrics.k8s.io"
PATH = f"/apis/{GROUP}/v1beta1"
VALUE = {"metricName": "jobs", "value": "7", "timestamp": "2026-01-01T00:00:00Z"}
RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": f"{GROUP}/v1beta1",
    "resources": [
        {
            "name": "externalmetrics",
            "singularName": "",
            "namespaced": True,
            "kind": "ExternalMetricValueList",
            "verbs": ["get"],
        }
    ],
}


@dataclass
class Other:
    """The other server: what it was asked by clients, and where it listens."""

    port: int
    authorities: bytes
    asked: list[Any] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Until when slow answers take."""


async def _handle(other: Other, request: web.Request) -> web.StreamResponse:
    shown = request.transport.get_extra_info("peercert") if request.transport else None
    names = dict(each[0] for each in shown["subject"]) if shown else {}
    if names.get("commonName") != "front-proxy-client":
        return web.Response(status=401)
    user = request.headers["X-Remote-User"]
    if user != "system:kube-aggregator":  # who looks whether it is there
        other.asked.append((request.method, request.path_qs, await request.text()))
        other.users.append(user)
    if request.path in (PATH, f"/apis/{CUSTOM}/v1beta1"):
        return web.json_response(RESOURCES)
    if request.path == "/openapi/v3":
        url = f"/openapi/v3{PATH}?hash=1"
        return web.json_response({"paths": {PATH[1:]: {"serverRelativeURL": url}}})
    if request.path.endswith("/slow"):
        await other.over.wait()
    if request.path.endswith("/watched"):
        stream = web.StreamResponse(headers={"Content-Type": "application/json"})
        await stream.prepare(request)
        for number in range(3):
            await stream.write(json.dumps({"n": number}).encode() + b"\n")
        if "cut" in request.query and request.transport is not None:
            request.transport.abort()
        return stream
    return web.json_response({"items": [VALUE]}, headers={"X-Told": "yes"})


@contextlib.asynccontextmanager
async def another_server(pki: Path, folder: Path, name: str = "metrics") -> AsyncIterator[Other]:
    now = datetime.datetime.fromtimestamp(wall_clock(), tz=datetime.UTC)
    files = certificates.renewed({}, [f"{name}.keda.svc"], now)
    assert files is not None
    for file in (certificates.CERTIFICATE, certificates.KEY):
        (folder / file).write_bytes(files[file])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / certificates.CERTIFICATE, folder / certificates.KEY)
    context.load_verify_locations(pki / "front-proxy-ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    other = Other(0, files[certificates.AUTHORITIES])

    async def handle(request: web.Request) -> web.StreamResponse:
        return await _handle(other, request)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    other.port = runner.addresses[0][1]
    try:
        yield other
    finally:
        other.over.set()
        await runner.cleanup()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_apiserver(tmp_path / "data") as running:
        yield running


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[KubeClient]:
    async with KubeClient.from_kubeconfig(server.kubeconfig) as found:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keda"}}
        await found.request("POST", "/api/v1/namespaces", body=namespace)
        yield found


@pytest.fixture
async def other(server: RunningServer, client: KubeClient, tmp_path: Path) -> AsyncIterator[Other]:
    async with another_server(server.data_dir / "pki", tmp_path) as found:
        yield found


def a_service() -> Object:
    spec = {"ports": [{"name": "https", "port": 443, "protocol": "TCP"}]}
    metadata = {"name": "metrics", "namespace": "keda"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def endpoints(port: int) -> Object:
    labels = {"kubernetes.io/service-name": "metrics"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "metrics-1", "namespace": "keda", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }


def an_api_service(bundle: bytes = b"", **spec: Any) -> Object:
    trust = {"caBundle": base64.b64encode(bundle).decode()} if bundle else {}
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1beta1.{GROUP}"},
        "spec": {
            "service": {"namespace": "keda", "name": "metrics"},
            "group": GROUP,
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            **trust,
            **spec,
        },
    }


async def until_available(client: KubeClient, status: str, reason: str) -> Object:
    condition: Object = {}
    try:
        async with asyncio.timeout(60):
            while True:
                obj = await client.get(APISERVICES, f"v1beta1.{GROUP}")
                [condition] = (obj.get("status") or {}).get("conditions") or [{}]
                if (condition.get("status"), condition.get("reason")) == (status, reason):
                    return condition
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"never came: {condition}") from None


@pytest.fixture
async def registered(client: KubeClient, other: Other) -> Other:
    await client.create(SERVICES, a_service())
    await client.create(ENDPOINTSLICES, endpoints(other.port))
    await client.create(APISERVICES, an_api_service(other.authorities))
    condition = await until_available(client, "True", "Passed")
    assert condition["message"] == "all checks passed"
    return other


async def test_requests_are_sent_on_with_who_asks(client: KubeClient, registered: Other) -> None:
    path = f"{PATH}/namespaces/default/jobs"
    found = await client.request("GET", path, query={"labelSelector": "a in (b,c)"})
    assert found["items"] == [VALUE]
    assert registered.users == ["admin"]
    [(method, target, _)] = registered.asked
    assert method == "GET"
    assert target.startswith(f"{path}?labelSelector=a")
    await client.request("POST", path, body={"x": 1})
    assert registered.asked[-1] == ("POST", path, '{"x":1}')
    lines = [
        line
        async for line in client.stream_lines(
            f"{PATH}/watched", {"watch": "1"}, timeout=aiohttp.ClientTimeout(total=10)
        )
    ]
    assert [json.loads(line)["n"] for line in lines] == [0, 1, 2]


async def test_discovery_and_openapi_tell_of_it(client: KubeClient, registered: Other) -> None:
    groups = await client.request("GET", "/apis")
    assert groups["groups"][-1]["name"] == GROUP
    assert (await client.request("GET", f"/apis/{GROUP}"))["preferredVersion"]["version"]
    assert await client.request("GET", PATH) == RESOURCES
    aggregated = await client.request(
        "GET",
        "/apis",
        fields={"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"},
    )
    last = aggregated["items"][-1]
    assert last["metadata"]["name"] == GROUP
    assert last["versions"][0]["resources"][0]["resource"] == "externalmetrics"
    index = await client.request("GET", "/openapi/v3")
    assert index["paths"][PATH[1:]]["serverRelativeURL"] == f"/openapi/v3{PATH}?hash=1"
    await client.request("GET", f"/openapi/v3{PATH}", query={"hash": "1"})
    assert registered.asked[-1][1] == f"/openapi/v3{PATH}?hash=1"


async def test_without_a_token_nobody_is_sent_on(
    server: RunningServer, client: KubeClient, registered: Other
) -> None:
    context = ssl.create_default_context(cafile=str(server.ca_cert))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        async with session.get(f"{server.url}{PATH}/namespaces/default/jobs") as refused:
            assert refused.status == 403
        named = {"X-Remote-User": "admin"}
        async with session.get(f"{server.url}{PATH}", headers=named) as refused:
            assert refused.status == 403
    assert registered.asked == []


async def test_it_says_why_it_is_not_there(client: KubeClient, other: Other) -> None:
    await client.create(APISERVICES, an_api_service(other.authorities))
    condition = await until_available(client, "False", "ServiceNotFound")
    assert condition["message"] == 'service/metrics in "keda" is not present'
    with pytest.raises(Unavailable, match="service unavailable"):
        await client.request("GET", f"{PATH}/namespaces/default/jobs")
    await client.create(SERVICES, a_service())
    await until_available(client, "False", "MissingEndpoints")
    await client.create(ENDPOINTSLICES, endpoints(other.port))
    await until_available(client, "True", "Passed")
    await client.delete(ENDPOINTSLICES, "metrics-1", "keda")
    await until_available(client, "False", "MissingEndpoints")
    await client.delete(APISERVICES, f"v1beta1.{GROUP}")
    with pytest.raises(NotFound):
        await client.request("GET", f"{PATH}/namespaces/default/jobs")


async def test_a_server_of_another_authority_is_not_asked(
    server: RunningServer, client: KubeClient, other: Other
) -> None:
    await client.create(SERVICES, a_service())
    await client.create(ENDPOINTSLICES, endpoints(other.port))
    await client.create(APISERVICES, an_api_service(server.ca_cert.read_bytes()))
    condition = await until_available(client, "False", "FailedDiscoveryCheck")
    assert "certificate signed by unknown authority" in condition["message"]
    assert other.asked == []
    insecure = {"spec": {"caBundle": None, "insecureSkipTLSVerify": True}}
    await client.patch(APISERVICES, f"v1beta1.{GROUP}", None, insecure)
    await until_available(client, "True", "Passed")


async def test_a_server_that_went_away_is_told_of(
    server: RunningServer, client: KubeClient, tmp_path: Path
) -> None:
    await client.create(SERVICES, a_service())
    async with another_server(server.data_dir / "pki", tmp_path) as other:
        await client.create(ENDPOINTSLICES, endpoints(other.port))
        await client.create(APISERVICES, an_api_service(other.authorities))
        await until_available(client, "True", "Passed")
    with pytest.raises(Unavailable, match="error trying to reach service: "):
        await client.request("GET", f"{PATH}/namespaces/default/jobs")
    await client.patch(APISERVICES, f"v1beta1.{GROUP}", None, {"metadata": {"labels": {"a": "b"}}})
    await until_available(client, "False", "FailedDiscoveryCheck")
    groups = await client.request("GET", "/apis")
    assert groups["groups"][-1]["name"] == GROUP


async def test_a_server_that_takes_too_long_is_not_waited_for(
    client: KubeClient, registered: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "REQUEST_SECONDS", 0.2)
    with pytest.raises(Unavailable, match="reach service: context deadline exceeded"):
        await client.request("GET", f"{PATH}/namespaces/default/slow")


async def test_an_answer_that_breaks_off_is_no_whole_one(
    client: KubeClient, registered: Other
) -> None:
    lines = client.stream_lines(
        f"{PATH}/watched", {"watch": "1", "cut": "1"}, timeout=aiohttp.ClientTimeout(total=10)
    )
    with pytest.raises(Unavailable):
        async for line in lines:
            assert line


async def test_a_name_of_another_host_is_no_endpoint(client: KubeClient, other: Other) -> None:
    service = a_service()
    service["spec"] |= {"type": "ExternalName", "externalName": "localhost"}
    service["spec"]["ports"][0]["port"] = other.port
    await client.create(SERVICES, service)
    reference = {"namespace": "keda", "name": "metrics", "port": other.port}
    await client.create(APISERVICES, an_api_service(other.authorities, service=reference))
    await until_available(client, "False", "MissingEndpoints")
    assert other.asked == []


async def test_other_servers_can_know_this_one(server: RunningServer, client: KubeClient) -> None:
    found = await client.get(CONFIGMAPS, "extension-apiserver-authentication", "kube-system")
    assert json.loads(found["data"]["requestheader-allowed-names"]) == ["front-proxy-client"]
    authority = (server.data_dir / "pki" / "front-proxy-ca.crt").read_text()
    assert found["data"]["requestheader-client-ca-file"] == authority
    with pytest.raises(ApiError):
        await client.create(APISERVICES, an_api_service(version="v2"))


def a_workload(name: str, *metrics: Object) -> tuple[Object, Object]:
    """A Deployment, and its autoscaler for up to four pods."""
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": "none"}]},
    }
    metadata = {"name": name, "namespace": "default"}
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata} | {
        "spec": {"selector": {"matchLabels": labels}, "template": template}
    }
    hpa = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"} | {
        "metadata": metadata,
        "spec": {"scaleTargetRef": reference, "maxReplicas": 4, "metrics": list(metrics)},
    }
    return deployment, hpa


async def until_scaled(client: KubeClient, name: str, replicas: int) -> Object:
    found: Object = {}
    try:
        async with asyncio.timeout(60):
            while True:
                found = await client.get(HPAS, name, "default")
                if (found.get("status") or {}).get("desiredReplicas") == replicas:
                    return found
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"never came: {found.get('status')}") from None


@pytest.fixture
async def controllers(server: RunningServer) -> AsyncIterator[None]:
    config = ControllersConfig(server.kubeconfig, autoscaler_sync_seconds=0.1)
    running = asyncio.create_task(run_controllers(config, lambda: None))
    yield
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_autoscalers_go_by_what_other_servers_say(
    client: KubeClient, registered: Other, controllers: None
) -> None:
    older = an_api_service(registered.authorities, group=CUSTOM)
    await client.create(APISERVICES, older | {"metadata": {"name": f"v1beta1.{CUSTOM}"}})
    target = {"type": "AverageValue", "averageValue": "2"}
    metric = {"name": "jobs", "selector": {"matchLabels": {"queue": "blue"}}}
    external = {"type": "External", "external": {"metric": metric, "target": target}}
    described = {"apiVersion": "v1", "kind": "Service", "name": "front"}
    section = {"describedObject": described, "metric": {"name": "load"}, "target": target}
    for name, each in (("jobs", external), ("load", {"type": "Object", "object": section})):
        for resource, obj in zip((DEPLOYMENTS, HPAS), a_workload(name, each), strict=True):
            await client.create(resource, obj)
    scaled = await until_scaled(client, "jobs", 4)
    [measured] = scaled["status"]["currentMetrics"]
    assert measured["external"]["current"]["averageValue"]
    await until_scaled(client, "load", 4)
    asked = {target for _, target, _ in registered.asked}
    assert f"{PATH}/namespaces/default/jobs?labelSelector=queue%3Dblue" in asked
    assert f"/apis/{CUSTOM}/v1beta1/namespaces/default/services/front/load" in asked


WORKERS = Resource("example.com", "v1", "workers", "Worker")


def a_definition() -> Object:
    """Workers: a kind with a scale of its own."""
    replicas = {"type": "object", "properties": {"replicas": {"type": "integer"}}}
    status = {"type": "object", "properties": {"selector": {"type": "string"}}}
    properties = {"spec": replicas, "status": status}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
    }
    names = {"plural": "workers", "singular": "worker", "kind": "Worker"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "workers.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": names,
            "versions": [version],
        },
    }


async def test_whatever_has_a_scale_is_scaled(
    client: KubeClient, registered: Other, controllers: None
) -> None:
    target = {"type": "AverageValue", "averageValue": "2"}
    external = {"type": "External", "external": {"metric": {"name": "jobs"}, "target": target}}
    _, hpa = a_workload("crew", external)
    hpa["spec"]["scaleTargetRef"] |= {"apiVersion": "example.com/v1", "kind": "Worker"}
    await client.create(HPAS, hpa)
    unknown = await until_condition(client, "crew", "AbleToScale")
    assert unknown["message"].endswith('no matches for kind "Worker" in group "example.com"')
    await client.create(CRDS, a_definition())
    worker = {
        "apiVersion": "example.com/v1",
        "kind": "Worker",
        "metadata": {"name": "crew", "namespace": "default"},
        "spec": {"replicas": 1},
    }
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(NotFound):
                await client.create(WORKERS, worker)
                break
            await asyncio.sleep(0.01)
    status = {"status": {"selector": "crew=yes"}}
    await client.patch(WORKERS, "crew", "default", status, subresource="status")
    await until_scaled(client, "crew", 4)
    assert (await client.get(WORKERS, "crew", "default"))["spec"]["replicas"] == 4


async def until_condition(client: KubeClient, name: str, kind: str) -> Object:
    """The condition of an autoscaler, once it has it."""
    async with asyncio.timeout(60):
        while True:
            found = await client.get(HPAS, name, "default")
            for condition in (found.get("status") or {}).get("conditions") or ():
                if condition["type"] == kind:
                    return dict(condition)
            await asyncio.sleep(0.01)


async def test_an_autoscaler_keeps_its_pods_while_nobody_answers(
    client: KubeClient, controllers: None
) -> None:
    target = {"type": "AverageValue", "averageValue": "2"}
    external = {"type": "External", "external": {"metric": {"name": "jobs"}, "target": target}}
    deployment, hpa = a_workload("jobs", external)
    deployment["spec"]["replicas"] = 3
    await client.create(DEPLOYMENTS, deployment)
    await client.create(HPAS, hpa)
    condition = await until_condition(client, "jobs", "ScalingActive")
    assert condition["reason"] == "FailedGetExternalMetric"
    assert condition["message"] == (
        "the HPA was unable to compute the replica count: unable to get external metric "
        "default/jobs/nil: unable to fetch metrics from external metrics API: the server could "
        "not find the requested resource (get jobs.external.metrics.k8s.io)"
    )
    assert (await client.get(DEPLOYMENTS, "jobs", "default"))["spec"]["replicas"] == 3


@pytest.mark.kubectl
async def test_kubectl_lists_its_resources(
    server: RunningServer, client: KubeClient, registered: Other
) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("there is no kubectl here")

    async def run(*arguments: str) -> str:
        running = await asyncio.create_subprocess_exec(
            kubectl, "--kubeconfig", str(server.kubeconfig), *arguments, stdout=-1
        )
        out, _ = await running.communicate()
        return out.decode()

    assert "externalmetrics" in await run("api-resources", "--cached=false")
    table = await run("get", "apiservices")
    assert table.splitlines()[1].split()[:3] == [f"v1beta1.{GROUP}", "keda/metrics", "True"]
