"""metrics.k8s.io and HorizontalPodAutoscalers: API server, controllers, node and busy processes."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hearth.cluster.controllers.main import ControllersConfig
from hearth.cluster.controllers.main import run as run_controllers
from hearth.kube.errors import ApiError, NotFound, Unavailable
from hearth.kube.resources import DEPLOYMENTS, EVENTS, HPAS

Cluster = Any
Look = Any
Object = dict[str, Any]
BUSY, IDLE = "while :; do :; done", "while :; do sleep 60; done"
POD_METRICS = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods"
NODE_METRICS = "/apis/metrics.k8s.io/v1beta1/nodes"
PATIENCE = 60.0


@pytest.fixture
async def controllers(cluster: Cluster) -> AsyncIterator[None]:
    config = ControllersConfig(cluster.server.kubeconfig, autoscaler_sync_seconds=0.5)
    running = asyncio.create_task(run_controllers(config, lambda: None))
    yield
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def a_deployment(name: str, script: str, replicas: int = 1) -> Object:
    resources = {"requests": {"cpu": "100m", "memory": "16Mi"}}
    container = {"name": "main", "image": "sh", "args": [script], "resources": resources}
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
            },
        },
    }


def an_hpa(name: str, *metrics: Object, most: int = 3, target: str = "") -> Object:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target or name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"scaleTargetRef": reference, "maxReplicas": most, "metrics": list(metrics)},
    }


def by_cpu(percent: int) -> Object:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


async def until(ask: Callable[[], Any], holds: Callable[[Any], Any]) -> Any:
    """Asks until what is answered holds; a refusal is no answer."""
    found: Any = None
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(NotFound, Unavailable):
                    found = await ask()
                    if holds(found):
                        return found
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"never came: {found}") from None


def condition(hpa: Object, kind: str) -> Object:
    found = (hpa.get("status") or {}).get("conditions") or ()
    return next((each for each in found if each["type"] == kind), {})


async def test_what_pods_and_nodes_use(cluster: Cluster, look: Look) -> None:
    for name, script in (("busy", BUSY), ("idle", IDLE)):
        await cluster.create(name, script, labels={"is": name})
        await cluster.until(name, lambda pod: look.phase(pod) == "Running")

    async def ask(**query: str) -> Any:
        found = await cluster.client.request("GET", POD_METRICS, query=query)
        return {each["metadata"]["name"]: each for each in found["items"]}

    found = await until(ask, lambda found: len(found) == 2)
    cpu = {name: each["containers"][0]["usage"]["cpu"] for name, each in found.items()}
    assert int(cpu["busy"].removesuffix("n")) > 100_000_000
    assert int(cpu["idle"].removesuffix("n")) < 100_000_000
    assert list(await ask(labelSelector="is=busy")) == ["busy"]
    assert list(await ask(fieldSelector="metadata.name=idle")) == ["idle"]
    one = await cluster.client.request("GET", f"{POD_METRICS}/busy")
    assert (one["kind"], one["containers"][0]["name"]) == ("PodMetrics", "main")
    [node] = (await cluster.client.request("GET", NODE_METRICS))["items"]
    assert node["metadata"]["name"] == "node"
    assert int(node["usage"]["memory"].removesuffix("Ki")) > 1024
    with pytest.raises(NotFound, match=r'podmetrics\.metrics\.k8s\.io "default/none" not found'):
        await cluster.client.request("GET", f"{POD_METRICS}/none")


async def test_without_a_node_usage_is_not_known(bare_cluster: Cluster) -> None:
    with pytest.raises(Unavailable, match=r"unable to handle the request \(list nodes.metrics"):
        await bare_cluster.client.request("GET", NODE_METRICS)
    with pytest.raises(ApiError, match="does not allow this method"):
        await bare_cluster.client.request("GET", NODE_METRICS, query={"watch": "1"})


async def test_a_busy_deployment_grows(cluster: Cluster, controllers: None) -> None:
    await cluster.client.create(DEPLOYMENTS, a_deployment("web", BUSY))
    await cluster.client.create(HPAS, an_hpa("web", by_cpu(50)))

    async def deployment() -> Any:
        return await cluster.client.get(DEPLOYMENTS, "web", "default")

    async def hpa() -> Any:
        return await cluster.client.get(HPAS, "web", "default")

    await until(deployment, lambda found: found["spec"]["replicas"] == 3)
    grown = await until(hpa, lambda found: found["status"]["desiredReplicas"] == 3)
    assert condition(grown, "ScalingActive")["reason"] == "ValidMetricFound"
    assert grown["status"]["lastScaleTime"]
    [measured] = grown["status"]["currentMetrics"]
    assert measured["resource"]["current"]["averageUtilization"] > 50

    async def told() -> Any:
        return {each["reason"] for each in (await cluster.client.list(EVENTS, "default"))[0]}

    await until(told, lambda found: "SuccessfulRescale" in found)


async def test_a_target_at_zero_is_left_until_it_has_a_pod(
    cluster: Cluster, controllers: None
) -> None:
    await cluster.client.create(DEPLOYMENTS, a_deployment("web", IDLE, replicas=0))
    hpa = an_hpa("web", by_cpu(50))
    hpa["spec"]["minReplicas"] = 2
    await cluster.client.create(HPAS, hpa)

    async def ask() -> Any:
        return await cluster.client.get(HPAS, "web", "default")

    off = await until(ask, lambda found: condition(found, "ScalingActive"))
    assert condition(off, "ScalingActive")["reason"] == "ScalingDisabled"
    scale = {"spec": {"replicas": 1}}
    await cluster.client.patch(DEPLOYMENTS, "web", "default", scale, subresource="scale")
    await until(ask, lambda found: found["status"]["desiredReplicas"] == 2)


async def test_a_target_that_is_not_there_and_one_of_two_masters(
    cluster: Cluster, controllers: None
) -> None:
    await cluster.client.create(DEPLOYMENTS, a_deployment("web", IDLE))
    for name, target in (("a", "web"), ("b", "web"), ("c", "none")):
        await cluster.client.create(HPAS, an_hpa(name, by_cpu(50), target=target))

    async def ask(name: str) -> Any:
        return await cluster.client.get(HPAS, name, "default")

    missing = await until(lambda: ask("c"), lambda found: condition(found, "AbleToScale"))
    assert condition(missing, "AbleToScale") | {"lastTransitionTime": ""} == {
        "type": "AbleToScale",
        "status": "False",
        "reason": "FailedGetScale",
        "message": "the HPA controller was unable to get the target's current scale: "
        'deployments.apps "none" not found',
        "lastTransitionTime": "",
    }

    def is_ambiguous(found: Object) -> bool:
        return bool(condition(found, "ScalingActive").get("reason") == "AmbiguousSelector")

    rival = await until(lambda: ask("a"), is_ambiguous)
    assert condition(rival, "ScalingActive")["message"] == (
        "pods by selector app=web are controlled by multiple HPAs: [{a default} {b default}]"
    )


@pytest.mark.kubectl
async def test_kubectl_top_prints_numbers(cluster: Cluster, look: Look) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("there is no kubectl here")
    await cluster.create("busy", BUSY)
    await cluster.until("busy", lambda pod: look.phase(pod) == "Running")

    async def top(what: str) -> str:
        arguments = ("--kubeconfig", str(cluster.server.kubeconfig), "top", what, "--no-headers")
        pipe = asyncio.subprocess.PIPE
        running = await asyncio.create_subprocess_exec(
            kubectl, *arguments, stdout=pipe, stderr=pipe
        )
        out, _ = await running.communicate()
        return out.decode()

    pod = await until(lambda: top("pod"), lambda text: text.startswith("busy"))
    _, cpu, memory = pod.split()
    assert int(cpu.removesuffix("m")) > 50 and memory.endswith("Mi")
    node = await top("node")
    assert node.split()[0] == "node" and "%" in node
