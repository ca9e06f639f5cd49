"""What eventing needs in a cluster before it starts: its CRDs, its namespace, its ConfigMaps.

CRDs are brought up to date. Namespace and ConfigMaps are created when absent and otherwise left to
the operator. Called by ``eventing.main`` at each start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import yaml

import hearth
from eventing.api import keys
from eventing.api.crds import CRDS
from hearth.kube.client import KubeClient
from hearth.kube.crdgen import crd_object
from hearth.kube.errors import AlreadyExists, Conflict
from hearth.kube.meta import Object, name, resource_version
from hearth.kube.resources import (
    CONFIGMAPS,
    ENDPOINTSLICES,
    NAMESPACES,
    SERVICES,
    Resource,
)
from hearth.kube.resources import CRDS as CRD_RESOURCE

MANAGER = "hearth-eventing"
_LABELS = {"app.kubernetes.io/name": keys.SYSTEM_NAMESPACE}
_INGRESS = "broker-ingress"
_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.01


def config_folder() -> Path:
    """The shipped YAML: in the checkout, or inside the installed package."""
    checkout = Path(__file__).resolve().parents[1] / "config" / "eventing"
    installed = Path(hearth.__file__).parent / "_data" / "config" / "eventing"
    return checkout if checkout.is_dir() else installed


def shipped_objects() -> list[Object]:
    """The namespace and the ConfigMaps, in the order of creation."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    paths = sorted(config_folder().glob("*.yaml"))
    return [yaml.load(path.read_bytes(), Loader=loader) for path in paths]


def ingress_objects(url: str) -> list[tuple[Resource, Object]]:
    """The name ``broker-ingress.knative-eventing`` that Knative's brokers have in a cluster."""
    parts = urlsplit(url)
    metadata = {"name": _INGRESS, "namespace": keys.SYSTEM_NAMESPACE}
    port = parts.port or 80
    service: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata, "labels": dict(_LABELS)},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": port}]},
    }
    endpoints: Object = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": {**_LABELS, "kubernetes.io/service-name": _INGRESS}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [
            {
                "addresses": [parts.hostname or "127.0.0.1"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
            }
        ],
    }
    return [(SERVICES, service), (ENDPOINTSLICES, endpoints)]


async def install(client: KubeClient, *, ingress_url: str | None = None) -> None:
    """Returns when every kind is served.

    ``ingress_url`` is given where the broker listens on this machine: then it is also found by
    the name that Knative's broker has inside a cluster.
    """
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_ensure_definitions(client))
        tasks.create_task(_ensure_objects(client, shipped_objects(), ingress_url))


async def _ensure_objects(
    client: KubeClient, objects: Sequence[Object], ingress_url: str | None
) -> None:
    resources = {"Namespace": NAMESPACES, "ConfigMap": CONFIGMAPS}
    for obj in objects:
        await _create(client, resources[obj["kind"]], obj)
    if ingress_url is not None:
        for resource, obj in ingress_objects(ingress_url):
            await client.apply(resource, obj, field_manager=MANAGER)


async def _create(client: KubeClient, resource: Resource, obj: Object) -> None:
    try:
        await client.create(resource, obj, field_manager=MANAGER)
    except AlreadyExists:
        return


async def _ensure_definitions(client: KubeClient) -> None:
    wanted = {crd.name: crd_object(crd) for crd in CRDS}
    present = await _definitions(client)
    for title, definition in wanted.items():
        await _ensure_definition(client, definition, present.get(title))
    async with asyncio.timeout(_WAIT_SECONDS):
        # Established within milliseconds, at the first start only: not worth a watch.
        while not await _all_established(client, set(wanted)):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)


async def _definitions(client: KubeClient) -> dict[str, Object]:
    found, _ = await client.list(CRD_RESOURCE)
    return {name(obj): obj for obj in found}


async def _ensure_definition(client: KubeClient, wanted: Object, found: Object | None) -> None:
    if found is None:
        await _create(client, CRD_RESOURCE, wanted)
    elif found["spec"] != found["spec"] | wanted["spec"]:
        metadata = wanted["metadata"] | {"resourceVersion": resource_version(found)}
        try:
            await client.update(CRD_RESOURCE, wanted | {"metadata": metadata})
        except Conflict:
            # Another process is at it; both want the same.
            return


async def _all_established(client: KubeClient, names: set[str]) -> bool:
    present = await _definitions(client)
    return all(_is_established(present.get(title, {})) for title in names)


def _is_established(definition: Object) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
