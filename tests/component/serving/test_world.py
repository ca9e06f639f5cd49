"""Scenarios recorded from a real Knative, played against our API server and control plane.

Everything is real but two parts: a node that plays the states of pods, and an activator that says
it has taken over each KIngress. What came of the manifests is compared field by field with what
came of them in Knative. ``ACCEPTED`` is the list of differences, each with its reason; every entry
must still be needed. ``docs/compatibility.md`` tells users of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.cluster.controllers.main import ControllersConfig
from hearth.cluster.controllers.main import run as run_controllers
from hearth.knative import resources as knative
from hearth.kube import resources as kinds
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object, generation, name
from hearth.kube.resources import Resource
from serving.main import ServingConfig, run
from tests.recordings import SERVING_WORLD, scenarios

pytestmark = pytest.mark.asyncio(loop_scope="module")
MOMENT = "2026-11-20T16:40:00Z"
WAIT_SECONDS = 60.0
DOCUMENT = Path(__file__).parents[3] / "docs" / "compatibility.md"

COMPARED: tuple[Resource, ...] = (
    knative.KSERVICES,
    knative.CONFIGURATIONS,
    knative.REVISIONS,
    knative.ROUTES,
    knative.DOMAINMAPPINGS,
    knative.PODAUTOSCALERS,
    knative.KINGRESSES,
    kinds.DEPLOYMENTS,
    kinds.SERVICES,
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A difference that is meant: where, in which kind, and why."""

    kind: str
    path: str
    reason: str
    scenario: str = ""

    def covers(self, scenario: str, kind: str, path: str) -> bool:
        return (
            kind == self.kind
            and self.scenario in ("", scenario)
            and re.fullmatch(self.path, path) is not None
        )


ACCEPTED = (
    Accepted("Route", r"\.metadata\.finalizers.*", "nothing to finalize: marks go without it"),
    Accepted("DomainMapping", r"\.metadata\.finalizers.*", "a claim made for it is collected"),
    Accepted("Ingress", r"\.metadata\.finalizers.*", "belongs to Kourier"),
    Accepted("Ingress", r"\.metadata\.annotations.*ingress\.class", "our own ingress class"),
    Accepted("Ingress", r"\.status\.p.*LoadBalancer.*", "our own gateway"),
    Accepted("Deployment", r".*containers\[\d\]\.lifecycle", "drain hook of the sidecar"),
    Accepted("Deployment", r".*containers\[\d\]\.readinessProbe", "run by the node, no sidecar"),
    Accepted("Deployment", r".*containers", "the sidecar itself"),
    Accepted("Deployment", r"\.metadata\.labels.*deployment-hash", "hashes another Deployment"),
    Accepted("Service", r"\.spec\.externalName", "our own gateway"),
    Accepted("Service", r"\.spec\.ports.*", "the pods' own port, no sidecar, no metrics of it"),
    Accepted("Service", r"\.spec\.selector", "the public Service leads to the pods too"),
    Accepted("Service", r"\.metadata\.ownerReferences.*", "no ServerlessService in between"),
    Accepted(
        "Revision",
        r"\.status\.conditions\.ContainerHealthy\.reason",
        "Knative loses the reason in a conflict of writes",
        scenario="configmap-missing",
    ),
    Accepted(
        "DomainMapping",
        r"\.status\.conditions\.(Ingress)?Ready\..*",
        "Kourier was not done yet when it was recorded",
        scenario="domain-mapping",
    ),
    Accepted(
        "Ingress",
        r"\.status\.conditions\..*",
        "Kourier was not done yet when it was recorded",
        scenario="domain-mapping",
    ),
    Accepted(
        "Ingress",
        r".*(percent|rollout|splits|LoadBalancerReady.*|Ready\..*)",
        "another moment of the rollout",
        scenario="gradual-rollout",
    ),
    Accepted(
        "Route", r"\.status\..*percent", "another moment of the rollout", scenario="gradual-rollout"
    ),
    Accepted(
        "Service",
        r"\.status\..*percent",
        "another moment of the rollout",
        scenario="gradual-rollout",
    ),
)
_used: set[Accepted] = set()


# -- the parts that are played ----------------------------------------------------------------


class PlayedNode:
    """Gives each pod the state that its image stands for."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._cache = WatchCache(client, kinds.PODS)
        self._wanted: asyncio.Queue[Object] = asyncio.Queue()
        self._cache.on_change(lambda _, new: self._wanted.put_nowait(new) if new else None)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._cache.run())
            while True:
                pod = await self._wanted.get()
                with contextlib.suppress(NotFound):
                    await self._play(pod)

    async def _play(self, pod: Object) -> None:
        if pod["metadata"].get("deletionTimestamp"):
            space = pod["metadata"]["namespace"]
            await self._client.delete(kinds.PODS, name(pod), space, grace_period_seconds=0)
        elif not (pod.get("status") or {}).get("containerStatuses"):
            status = {**(pod.get("status") or {}), **played_status(pod)}
            with contextlib.suppress(ApiError):
                await self._client.update_status(kinds.PODS, {**pod, "status": status})


def played_status(pod: Object) -> Object:
    containers = pod["spec"]["containers"]
    states = [played_container(container) for container in containers]
    ready = "True" if all(state["ready"] for state in states) else "False"
    conditions = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": MOMENT},
        {"type": "Ready", "status": ready, "lastTransitionTime": MOMENT},
    ]
    return {
        "phase": "Running" if ready == "True" else "Pending",
        "podIP": "127.0.0.1",
        "conditions": conditions,
        "containerStatuses": states,
    }


def played_container(container: Object) -> Object:
    state: Object = {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "restartCount": 0,
        "ready": False,
    }
    if container["image"].endswith("/failing"):
        said = "2026/11/20 16:40:59 Started...\n2026/11/20 16:41:09 Crashed...\n"
        ended = {"exitCode": 5, "message": said, "startedAt": MOMENT, "finishedAt": MOMENT}
        state["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
        return {**state, "lastState": {"terminated": ended}}
    if container["image"].endswith("/doesnotexist"):
        said = f'Back-off pulling image "{container["image"]}"'
        return {**state, "state": {"waiting": {"reason": "ImagePullBackOff", "message": said}}}
    if any("valueFrom" in variable for variable in container.get("env") or ()):
        said = "configmaps nothere missing"
        waiting = {"reason": "CreateContainerConfigError", "message": said}
        return {**state, "state": {"waiting": waiting}}
    return {**state, "ready": True, "state": {"running": {"startedAt": MOMENT}}}


class PlayedActivator:
    """Says of each KIngress that it is served."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._cache = WatchCache(client, knative.KINGRESSES)
        self._wanted: asyncio.Queue[Object] = asyncio.Queue()
        self._cache.on_change(lambda _, new: self._wanted.put_nowait(new) if new else None)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._cache.run())
            while True:
                ingress = await self._wanted.get()
                if (ingress.get("status") or {}).get("observedGeneration") != generation(ingress):
                    with contextlib.suppress(ApiError):
                        await self._client.update_status(knative.KINGRESSES, served(ingress))


def served(ingress: Object) -> Object:
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": MOMENT}
        for kind in ("LoadBalancerReady", "NetworkConfigured", "Ready")
    ]
    gateway = "hearth-internal-gateway.knative-serving.svc.cluster.local"
    balancer = {"ingress": [{"domainInternal": gateway}]}
    status = {
        "observedGeneration": generation(ingress),
        "conditions": conditions,
        "privateLoadBalancer": balancer,
        "publicLoadBalancer": balancer,
    }
    return {**ingress, "status": status}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KubeClient]:
    folder = tmp_path_factory.mktemp("world")
    async with (
        running_apiserver(folder) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        ready = asyncio.Event()
        tasks = [
            asyncio.create_task(run(ServingConfig(server.kubeconfig), ready.set)),
            asyncio.create_task(
                run_controllers(ControllersConfig(server.kubeconfig), lambda: None)
            ),
        ]
        await asyncio.wait(
            [asyncio.create_task(ready.wait()), tasks[0]], return_when="FIRST_COMPLETED"
        )
        domain = await client.get(kinds.CONFIGMAPS, "config-domain", "knative-serving")
        await client.update(kinds.CONFIGMAPS, {**domain, "data": {"example.com": ""}})
        tasks.append(asyncio.create_task(PlayedNode(client).run()))
        tasks.append(asyncio.create_task(PlayedActivator(client).run()))
        yield client
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# -- playing a scenario -----------------------------------------------------------------------


def read(path: Path, space: str) -> tuple[Object, list[Object]]:
    """Manifests and outcome, moved to a namespace of their own; deadlines are shortened."""
    text = re.sub(r"\bworld\b", space, path.read_text())
    text = text.replace("progress-deadline: 10s", "progress-deadline: 1s")
    text = text.replace("progressDeadlineSeconds: 10\n", "progressDeadlineSeconds: 1\n")
    head, *outcome = yaml.safe_load_all(text.replace("<time>", f"'{MOMENT}'"))
    return head, outcome


_BY_KIND = {
    (r.api_version, r.kind): r for r in (*COMPARED, kinds.CONFIGMAPS, knative.CLUSTERDOMAINCLAIMS)
}


async def put(client: KubeClient, space: str, manifest: Object) -> None:
    resource = _BY_KIND[manifest["apiVersion"], manifest["kind"]]
    metadata = dict(manifest["metadata"])
    if resource.namespaced:
        metadata["namespace"] = space
    wanted = metadata["name"]
    try:
        await client.get(resource, wanted, space if resource.namespaced else None)
    except NotFound:
        await client.create(resource, {**manifest, "metadata": metadata})
        return
    await settled(client, space, wanted)
    await client.patch(resource, wanted, space, {"spec": manifest["spec"]})  # kubectl apply


async def settled(client: KubeClient, space: str, wanted: str) -> None:
    """Waits until the Service is ready, as whoever recorded this did."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            found = await client.get(knative.KSERVICES, wanted, space)
            status = found.get("status") or {}
            conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
            if status.get("observedGeneration") == generation(found) and (
                conditions.get("Ready") == "True"
            ):
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("path", scenarios(SERVING_WORLD), ids=lambda path: path.stem)
async def test_scenario(cluster: KubeClient, path: Path) -> None:
    space = f"w-{path.stem}"
    namespace: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
    await cluster.create(kinds.NAMESPACES, namespace)
    head, outcome = read(path, space)
    for step in head["applied"]:
        for manifest in step:
            await put(cluster, space, manifest)
    problems: list[str] = ["not looked at"]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WAIT_SECONDS):
            while problems:
                problems = await compare(cluster, space, path.stem, outcome)
                await asyncio.sleep(0.05)
    assert problems == []
    await cluster.delete(kinds.NAMESPACES, space)


async def compare(
    client: KubeClient, space: str, scenario: str, outcome: list[Object]
) -> list[str]:
    problems = []
    for resource in COMPARED:
        items, _ = await client.list(resource, space)
        live = {name(item): item for item in items}
        known = {
            name(o): o
            for o in outcome
            if (o["apiVersion"], o["kind"]) == (resource.api_version, resource.kind)
        }
        problems += [f"{resource.kind} {n}: too much" for n in live.keys() - known.keys()]
        for wanted, recorded in known.items():
            if wanted not in live:
                problems.append(f"{resource.kind} {wanted}: missing")
                continue
            for path, text in differences(normal(recorded), normal(live[wanted])):
                rule = next((a for a in ACCEPTED if a.covers(scenario, resource.kind, path)), None)
                if rule is None:
                    problems.append(f"{resource.kind} {wanted}{path}: {text}")
                else:
                    _used.add(rule)
    return problems


_VOLATILE = frozenset(
    {"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "selfLink"}
)
_ADDRESSES = frozenset({"clusterIP", "clusterIPs"})


def normal(obj: Object) -> Any:
    """An object without what differs between any two runs."""
    kept = {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k not in _VOLATILE}}
    kept["metadata"].setdefault("annotations", {})
    status = kept.get("status") or {}
    if "observedGeneration" in status:
        kept["status"] = {k: v for k, v in status.items() if k != "observedGeneration"}
    return _normal(kept)


def _normal(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {
            k: _normal(v, k)
            for k, v in value.items()
            if not k.endswith(("Time", "UID", "Modified")) and k not in _ADDRESSES | {"uid"}
        }
    if key == "conditions":
        return {c["type"]: _normal(c) for c in value}
    if isinstance(value, list):
        return [_normal(v) for v in value]
    if isinstance(value, str):
        value = re.sub(r'-deployment-[a-z0-9]+"', '-deployment-HASH"', value)
        value = re.sub(r"2026/11/20 16:\d\d:\d\d", "TIME", value)
        return "USER" if key.endswith(("/creator", "/lastModifier")) else value
    return value


def differences(recorded: Any, live: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(recorded, dict) and isinstance(live, dict):
        for key in sorted(recorded.keys() | live.keys()):
            at = f"{path}.{key}"
            if key not in live:
                yield at, f"missing {recorded[key]!r}"
            elif key not in recorded:
                yield at, f"too much {live[key]!r}"
            else:
                yield from differences(recorded[key], live[key], at)
    elif isinstance(recorded, list) and isinstance(live, list):
        if len(recorded) != len(live):
            yield path, f"{len(recorded)} entries, not {len(live)}"
        for index, (one, other) in enumerate(zip(recorded, live, strict=False)):
            yield from differences(one, other, f"{path}[{index}]")
    elif recorded != live:
        yield path, f"{recorded!r} became {live!r}"


async def test_every_accepted_difference_is_still_needed() -> None:
    if not _used:
        pytest.skip("needs all scenarios in the same process")
    assert [rule for rule in ACCEPTED if rule not in _used] == []


async def test_users_are_told_of_every_accepted_difference() -> None:
    told = DOCUMENT.read_text()
    played = ("Kourier was not done", "another moment of the rollout", "belongs to Kourier")
    reasons = {rule.reason for rule in ACCEPTED if not rule.reason.startswith(played)}
    assert [reason for reason in sorted(reasons) if reason not in told] == []
