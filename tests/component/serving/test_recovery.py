"""What is wrong goes away by itself once its cause does; nobody touches the object that failed.

One cluster with a real node, a table of what can be in the way: all of it goes wrong side by side,
is put right at the same moment, and all have to come back.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.cluster.controllers.main import ControllersConfig
from hearth.cluster.controllers.main import run as run_controllers
from hearth.cluster.node.images.store import ImageSpec, ImageStore
from hearth.cluster.node.main import NodeConfig
from hearth.cluster.node.main import run as run_node
from hearth.knative import resources as knative
from hearth.kube import resources as kinds
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.errors import NotFound
from hearth.kube.resources import Resource
from serving.controlplane import ControlPlane
from serving.install import install

SERVER = Path(__file__).resolve().parents[3] / "samples" / "hello" / "server.py"
HELLO = ImageSpec(entrypoint=(sys.executable, "-S", "-E", str(SERVER)))
PATIENCE = 60.0


@dataclass(slots=True)
class Cluster:
    client: KubeClient
    images: ImageStore

    async def make(self, resource: Resource, name: str, space: str, **body: Any) -> None:
        metadata = {"name": name, "namespace": space, **body.pop("metadata", {})}
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        await self.client.create(resource, {**head, "metadata": metadata, **body})

    async def configuration(self, space: str, *, image: str = "hello", **spec: Any) -> None:
        """A Configuration ``app``; ``container`` adds to its container, ``own`` are annotations."""
        container = {"name": "user", "image": image, **spec.pop("container", {})}
        metadata = {"annotations": spec.pop("own", {})}
        template = {"metadata": metadata, "spec": {"containers": [container], **spec}}
        await self.make(knative.CONFIGURATIONS, "app", space, spec={"template": template})

    async def drop(self, resource: Resource, name: str, space: str) -> None:
        await self.client.delete(resource, name, space)


Act = Callable[[Cluster, str], Awaitable[None]]
Failure = tuple[Resource, str, str, str]
"""Kind and name of the object, the type of the condition and its reason."""
REVISION = (knative.REVISIONS, "app-00001")
ROUTE = (knative.ROUTES, "app")


@dataclass(frozen=True, slots=True)
class Case:
    """What goes wrong in a namespace of its own, how it shows, and what puts it right."""

    name: str
    breaks: Act
    failure: Failure
    repairs: Act
    becomes: str = "True"


def stranger(spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"is": "stranger"}}, "spec": spec}


PORTS = {"ports": [{"port": 80}]}
PODS = {
    "selector": {"matchLabels": {"is": "stranger"}},
    "replicas": 0,
    "template": stranger({"containers": [{"name": "c", "image": "hello"}]}),
}


async def _no_image(cluster: Cluster, space: str) -> None:
    await cluster.configuration(space, image=f"{space}-late")


async def _image_comes(cluster: Cluster, space: str) -> None:
    cluster.images.add(f"{space}-late", HELLO)


async def _never_pulled(cluster: Cluster, space: str) -> None:
    never = {"imagePullPolicy": "Never"}
    await cluster.configuration(space, image=f"{space}-late", container=never)


def _reads(kind: str) -> Act:
    async def breaks(cluster: Cluster, space: str) -> None:
        source = [{kind: {"name": "late"}}]
        own = {"serving.knative.dev/progress-deadline": "2s"}
        await cluster.configuration(space, container={"envFrom": source}, own=own)

    return breaks


def _made(resource: Resource, name: str = "late", **body: Any) -> Act:
    async def repairs(cluster: Cluster, space: str) -> None:
        await cluster.make(resource, name, space, **body)

    return repairs


def _dropped(resource: Resource, name: str) -> Act:
    async def repairs(cluster: Cluster, space: str) -> None:
        await cluster.drop(resource, name, space)

    return repairs


def _quota(**hard: str) -> Act:
    async def breaks(cluster: Cluster, space: str) -> None:
        await cluster.make(kinds.RESOURCEQUOTAS, "small", space, spec={"hard": hard})
        await cluster.configuration(space)

    return breaks


async def _no_account(cluster: Cluster, space: str) -> None:
    await cluster.configuration(space, serviceAccountName="late")


def _taken(resource: Resource, name: str, **body: Any) -> Act:
    """Somebody else has a name that a revision needs."""

    async def breaks(cluster: Cluster, space: str) -> None:
        await cluster.make(resource, name, space, **body)
        await cluster.configuration(space)

    return breaks


async def _full(cluster: Cluster, space: str) -> None:
    """Somebody has all processors of the one node."""
    ((node, *_), _) = await cluster.client.list(kinds.NODES)
    all_of_it = {"resources": {"requests": {"cpu": node["status"]["allocatable"]["cpu"]}}}
    container = {"name": "c", "image": "hello", **all_of_it}
    await cluster.make(kinds.PODS, "filler", space, spec={"containers": [container]})
    async with asyncio.timeout(PATIENCE):
        while "nodeName" not in (await cluster.client.get(kinds.PODS, "filler", space))["spec"]:
            await asyncio.sleep(0.01)
    some = {"resources": {"requests": {"cpu": "100m"}}}
    await cluster.configuration(space, container=some)


async def _crashes(cluster: Cluster, space: str) -> None:
    script = 'test -n "$GOOD" && exec "$@"; echo boom; exit 3'
    command = ["/bin/sh", "-c", script, "sh", *HELLO.entrypoint]
    source = [{"configMapRef": {"name": "late", "optional": True}}]
    await cluster.configuration(space, container={"command": command, "envFrom": source})


async def _retried(cluster: Cluster, space: str) -> None:
    """Its pods wait longer from crash to crash; somebody asks for new ones."""
    await cluster.make(kinds.CONFIGMAPS, "late", space, data={"GOOD": "1"})
    again = {"metadata": {"annotations": {"serving.hearth.dev/retry": "once more"}}}
    await cluster.client.patch(knative.REVISIONS, "app-00001", space, again)


def _routed(**target: Any) -> Act:
    async def breaks(cluster: Cluster, space: str) -> None:
        traffic = [{**target, "percent": 100}]
        await cluster.make(knative.ROUTES, "app", space, spec={"traffic": traffic})

    return breaks


async def _configuration(cluster: Cluster, space: str) -> None:
    await cluster.configuration(space)


async def _placeholder(cluster: Cluster, space: str) -> None:
    await cluster.make(kinds.SERVICES, "app", space, **stranger(PORTS))
    await cluster.configuration(space)
    await _routed(configurationName="app")(cluster, space)


def _domain(space: str) -> str:
    return f"{space}.example.org"


async def _claimed(cluster: Cluster, space: str) -> None:
    claim = {"spec": {"namespace": "another"}}
    head = {"apiVersion": knative.CLUSTERDOMAINCLAIMS.api_version, "kind": "ClusterDomainClaim"}
    await cluster.client.create(
        knative.CLUSTERDOMAINCLAIMS, {**head, "metadata": {"name": _domain(space)}, **claim}
    )
    reference = {"apiVersion": "v1", "kind": "Service", "name": "some"}
    await cluster.make(kinds.SERVICES, "some", space, spec=PORTS)
    await cluster.make(knative.DOMAINMAPPINGS, _domain(space), space, spec={"ref": reference})


async def _claim_freed(cluster: Cluster, space: str) -> None:
    await cluster.client.delete(knative.CLUSTERDOMAINCLAIMS, _domain(space))
    head = {"apiVersion": knative.CLUSTERDOMAINCLAIMS.api_version, "kind": "ClusterDomainClaim"}
    body = {"metadata": {"name": _domain(space)}, "spec": {"namespace": space}}
    await cluster.client.create(knative.CLUSTERDOMAINCLAIMS, {**head, **body})


async def _unreferred(cluster: Cluster, space: str) -> None:
    reference = {"apiVersion": "v1", "kind": "Service", "name": "late"}
    head = {"apiVersion": knative.CLUSTERDOMAINCLAIMS.api_version, "kind": "ClusterDomainClaim"}
    body = {"metadata": {"name": _domain(space)}, "spec": {"namespace": space}}
    await cluster.client.create(knative.CLUSTERDOMAINCLAIMS, {**head, **body})
    await cluster.make(knative.DOMAINMAPPINGS, _domain(space), space, spec={"ref": reference})


RESOURCES, HEALTHY = "ResourcesAvailable", "ContainerHealthy"
CASES = (
    Case("image", _no_image, (*REVISION, RESOURCES, "ImagePullBackOff"), _image_comes),
    Case("never", _never_pulled, (*REVISION, RESOURCES, "ErrImageNeverPull"), _image_comes),
    Case(
        "config-map",
        _reads("configMapRef"),
        (*REVISION, RESOURCES, "CreateContainerConfigError"),
        _made(kinds.CONFIGMAPS, data={"a": "b"}),
    ),
    Case(
        "secret",
        _reads("secretRef"),
        (*REVISION, RESOURCES, "CreateContainerConfigError"),
        _made(kinds.SECRETS),
    ),
    Case(
        "quota",
        _quota(pods="0"),
        (*REVISION, RESOURCES, "FailedCreate"),
        _dropped(kinds.RESOURCEQUOTAS, "small"),
    ),
    Case(
        "deployments",
        _quota(**{"count/deployments.apps": "0"}),
        (*REVISION, RESOURCES, "FailedCreate"),
        _dropped(kinds.RESOURCEQUOTAS, "small"),
    ),
    Case(
        "account",
        _no_account,
        (*REVISION, RESOURCES, "FailedCreate"),
        _made(kinds.SERVICEACCOUNTS),
    ),
    Case(
        "deployment",
        _taken(kinds.DEPLOYMENTS, "app-00001-deployment", spec=PODS),
        (*REVISION, RESOURCES, "NotOwned"),
        _dropped(kinds.DEPLOYMENTS, "app-00001-deployment"),
    ),
    Case(
        "service",
        _taken(kinds.SERVICES, "app-00001", spec=PORTS),
        (knative.PODAUTOSCALERS, "app-00001", "Active", "NotOwned"),
        _dropped(kinds.SERVICES, "app-00001"),
    ),
    Case(
        "room",
        _full,
        (*REVISION, RESOURCES, "Unschedulable"),
        _dropped(kinds.PODS, "filler"),
    ),
    Case(
        "crash",
        _crashes,
        (*REVISION, HEALTHY, "ExitCode3"),
        _retried,
    ),
    Case(
        "target",
        _routed(configurationName="app"),
        (*ROUTE, "AllTrafficAssigned", "ConfigurationMissing"),
        _configuration,
    ),
    Case(
        "revision",
        _routed(revisionName="app-00001"),
        (*ROUTE, "AllTrafficAssigned", "RevisionMissing"),
        _configuration,
    ),
    Case(
        "placeholder",
        _placeholder,
        (*ROUTE, "IngressReady", "NotOwned"),
        _dropped(kinds.SERVICES, "app"),
        becomes="Unknown",  # there is no gateway here
    ),
    Case(
        "claim",
        _claimed,
        (knative.DOMAINMAPPINGS, "", "DomainClaimed", "DomainAlreadyClaimed"),
        _claim_freed,
    ),
    Case(
        "reference",
        _unreferred,
        (knative.DOMAINMAPPINGS, "", "ReferenceResolved", "ResolveFailed"),
        _made(kinds.SERVICES, spec=PORTS),
    ),
)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        await install(client)
        images = ImageStore(tmp_path)
        images.add("hello", HELLO)
        plane, synced = ControlPlane(client), asyncio.Event()
        node = NodeConfig(
            server.kubeconfig, tmp_path, stop_grace_seconds=0.5, termination_delay=0.01
        )
        ready = asyncio.Event()
        tasks = [
            asyncio.create_task(plane.run(synced.set)),
            asyncio.create_task(run_controllers(ControllersConfig(server.kubeconfig), _nothing)),
            asyncio.create_task(run_node(node, ready.set)),
        ]
        await synced.wait()
        await ready.wait()
        try:
            yield Cluster(client, images)
            assert not any(task.done() for task in tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _nothing() -> None:
    return None


async def _condition(cluster: Cluster, case: Case) -> Any:
    resource, name, kind, _ = case.failure
    with contextlib.suppress(NotFound):
        found = await cluster.client.get(resource, name or _domain(case.name), case.name)
        return Conditions.of(found).get(kind)
    return None


async def _until(
    cluster: Cluster, cases: tuple[Case, ...], holds: Callable[[Case, Any], bool]
) -> None:
    """Wait until it holds, or did once, of all."""
    seen: dict[str, Any] = {}
    left = list(cases)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while left:
                for case in tuple(left):
                    seen[case.name] = await _condition(cluster, case)
                    if holds(case, seen[case.name]):
                        left.remove(case)
                await asyncio.sleep(0.05)
    assert {case.name: seen.get(case.name) for case in left} == {}


def _failed(case: Case, condition: Any) -> bool:
    return bool(
        condition and (condition["status"], condition.get("reason")) == ("False", case.failure[3])
    )


def _is_well(case: Case, condition: Any) -> bool:
    return bool(condition and condition["status"] == case.becomes)


async def test_every_failure_goes_away_with_its_cause(cluster: Cluster) -> None:
    for case in CASES:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": case.name}}
        await cluster.client.create(kinds.NAMESPACES, space)
    await asyncio.gather(*(case.breaks(cluster, case.name) for case in CASES))
    await _until(cluster, CASES, _failed)
    await asyncio.gather(*(case.repairs(cluster, case.name) for case in CASES))
    await _until(cluster, CASES, _is_well)
