"""What eventing needs in a cluster before it starts: its CRDs, its namespace, its ConfigMaps.

Everything is created when absent and left alone when there, except CRDs, which are brought up to
date.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from eventing.api import keys
from eventing.api.crds import CRDS
from eventing.api.settings import DEFAULT_BROKER_CONFIG, DEFAULT_FEATURES
from hearth.kube.client import KubeClient
from hearth.kube.crdgen import crd_object
from hearth.kube.errors import AlreadyExists, ApiError, NotFound
from hearth.kube.meta import Object, name, namespace
from hearth.kube.resources import (
    CONFIGMAPS,
    ENDPOINTSLICES,
    NAMESPACES,
    SERVICES,
    Resource,
)
from hearth.kube.resources import CRDS as CRD_RESOURCE

_MANAGER = "hearth-eventing"
_LABELS = {"app.kubernetes.io/name": keys.SYSTEM_NAMESPACE}
_INGRESS = "broker-ingress"
_CHANNEL_TEMPLATE = "apiVersion: messaging.knative.dev/v1\nkind: InMemoryChannel\n"
_WAIT_SECONDS = 30.0


def config_maps() -> list[Object]:
    """The ConfigMaps Knative ships, with Knative's values."""
    contents: dict[str, Mapping[str, str]] = {
        keys.CONFIG_BROKER_DEFAULTS: {"default-br-config": DEFAULT_BROKER_CONFIG},
        keys.CONFIG_CHANNEL: {"channel-template-spec": _CHANNEL_TEMPLATE},
        keys.CONFIG_FEATURES: DEFAULT_FEATURES,
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": title,
                "namespace": keys.SYSTEM_NAMESPACE,
                "labels": dict(_LABELS),
            },
            "data": dict(data),
        }
        for title, data in contents.items()
    ]


def ingress_objects(url: str) -> list[tuple[Resource, Object]]:
    """The name ``broker-ingress.knative-eventing`` that Knative's brokers have in a cluster."""
    parts = urlsplit(url)
    metadata = {"name": _INGRESS, "namespace": keys.SYSTEM_NAMESPACE}
    service: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata, "labels": dict(_LABELS)},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": parts.port or 80}]},
    }
    endpoints: Object = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": {**_LABELS, "kubernetes.io/service-name": _INGRESS}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": parts.port or 80, "protocol": "TCP"}],
        "endpoints": [
            {
                "addresses": [parts.hostname or "127.0.0.1"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
            }
        ],
    }
    return [(SERVICES, service), (ENDPOINTSLICES, endpoints)]


async def install(client: KubeClient, *, ingress_url: str | None = None) -> None:
    """``ingress_url`` where the broker listens on this machine, to be found by its cluster name."""
    for crd in CRDS:
        await client.apply(CRD_RESOURCE, crd_object(crd), field_manager=_MANAGER)
    await ensure(client, NAMESPACES, _namespace(keys.SYSTEM_NAMESPACE))
    for config_map in config_maps():
        await ensure(client, CONFIGMAPS, config_map)
    if ingress_url is not None:
        for resource, obj in ingress_objects(ingress_url):
            await client.apply(resource, obj, field_manager=_MANAGER)
    async with asyncio.timeout(_WAIT_SECONDS):
        for crd in CRDS:
            await _established(client, crd.name)


def _namespace(title: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": title, "labels": dict(_LABELS)},
    }


async def ensure(client: KubeClient, resource: Resource, obj: Object) -> None:
    """Creates an object unless one of its name is there."""
    try:
        await client.get(resource, name(obj), namespace(obj) or None)
    except NotFound:
        try:
            await client.create(resource, obj, field_manager=_MANAGER)
        except AlreadyExists:
            return


async def _established(client: KubeClient, crd_name: str) -> None:
    """Waits until the kind is served."""
    while True:
        try:
            found = await client.get(CRD_RESOURCE, crd_name)
        except ApiError:
            found = {}
        conditions = (found.get("status") or {}).get("conditions") or ()
        if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
            return
        await asyncio.sleep(0.02)
