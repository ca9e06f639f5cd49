"""A kind added to serving: declared here, run by the control plane, its objects real ones."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.kube import resources
from hearth.kube.client import KubeClient
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch, label_key
from hearth.kube.errors import NotFound
from hearth.kube.meta import Key, Object, labels, name, namespace, owner_reference
from hearth.kube.plan import Create, Plan, Update
from serving.api import keys
from serving.api.settings import Settings
from serving.controlplane import ControlPlane
from serving.install import install
from serving.kinds import sources

WAIT_SECONDS = 60.0
SUMMARIES = Source(resources.CONFIGMAPS, label_selector=keys.SERVICE)


# -- the kind: a ConfigMap for each Service, with the states of its revisions --------------------


@dataclass(frozen=True, slots=True)
class Observed:
    service: Object
    revisions: list[Object]
    summary: Object | None


def observe(lister: Lister, key: Key) -> Observed | None:
    service = lister.get(sources.SERVICES, *key)
    if service is None:
        return None
    revisions = [
        revision
        for revision in lister.list(sources.REVISIONS, key[0])
        if labels(revision).get(keys.SERVICE) == key[1]
    ]
    return Observed(service, revisions, lister.get(SUMMARIES, key[0], f"{key[1]}-summary"))


def reconcile(observed: Observed, *, settings: Settings, now: float) -> Plan:
    service, summary = observed.service, observed.summary
    data = {name(r): labels(r).get(keys.ROUTING_STATE, "") for r in observed.revisions}
    if summary is None:
        metadata = {
            "name": f"{name(service)}-summary",
            "namespace": namespace(service),
            "labels": {keys.SERVICE: name(service)},
            "ownerReferences": [owner_reference(service)],
        }
        return Plan((Create(resources.CONFIGMAPS, {"metadata": metadata, "data": data}),))
    if (summary.get("data") or {}) == data:
        return Plan()
    return Plan((Update(resources.CONFIGMAPS, {**summary, "data": data}),))


SUMMARY: ControllerSpec[Observed, Settings] = ControllerSpec(
    "serving-summary",
    sources.SERVICES,
    observe,
    reconcile,
    watches=(
        Watch(sources.REVISIONS, label_key(keys.SERVICE)),
        Watch(SUMMARIES, label_key(keys.SERVICE)),
    ),
)


async def test_a_kind_of_ones_own_stands_beside_the_others(tmp_path: Path) -> None:
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        await install(client)
        plane = ControlPlane(client)
        plane.manager.add(SUMMARY, lambda: plane.settings)
        synced = asyncio.Event()
        task = asyncio.create_task(plane.run(synced.set))
        try:
            await synced.wait()
            template = {"spec": {"containers": [{"image": "hearth.dev/samples/hello"}]}}
            service = {
                "apiVersion": "serving.knative.dev/v1",
                "kind": "Service",
                "metadata": {"name": "hello", "namespace": "default"},
                "spec": {"template": template},
            }
            await client.create(sources.SERVICES.resource, service)
            async with asyncio.timeout(WAIT_SECONDS):
                while await _summary(client) != {"hello-00001": "active"}:
                    await asyncio.sleep(0.01)
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _summary(client: KubeClient) -> dict[str, str]:
    try:
        summary = await client.get(resources.CONFIGMAPS, "hello-summary", "default")
    except NotFound:
        return {}
    return dict(summary.get("data") or {})
