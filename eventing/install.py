"""What eventing needs in a cluster before it starts: its CRDs, its namespace, its ConfigMaps."""

from __future__ import annotations

from urllib.parse import urlsplit

from eventing.api import keys
from eventing.api.crds import CRDS
from hearth.kube import install as installing
from hearth.kube.client import KubeClient
from hearth.kube.crdgen import crd_object
from hearth.kube.meta import Object
from hearth.kube.resources import ENDPOINTSLICES, SERVICES, Resource

MANAGER = "hearth-eventing"
_LABELS = {"app.kubernetes.io/name": keys.SYSTEM_NAMESPACE}
RECEIVER = "webhooksource-receiver"


def shipped_objects() -> list[Object]:
    """The namespace and the ConfigMaps."""
    return installing.shipped("eventing")


def ingress_objects(url: str, name: str = keys.INGRESS_SERVICE) -> list[tuple[Resource, Object]]:
    """A name of the cluster for what listens on this machine; brokers' ingress by itself."""
    parts = urlsplit(url)
    metadata = {"name": name, "namespace": keys.SYSTEM_NAMESPACE}
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
        "metadata": {**metadata, "labels": {**_LABELS, "kubernetes.io/service-name": name}},
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


async def install(
    client: KubeClient, *, ingress_url: str | None = None, receiver_url: str = ""
) -> None:
    """Install everything; return once every kind is served.

    ``ingress_url`` is given where the broker listens on this machine: then it is also found by
    the name that Knative's broker has inside a cluster. ``receiver_url`` is the same of the
    receiver of WebhookSources.
    """
    await installing.install(
        client,
        definitions=[crd_object(crd) for crd in CRDS],
        objects=shipped_objects(),
        manager=MANAGER,
    )
    named = {keys.INGRESS_SERVICE: ingress_url, RECEIVER: receiver_url}
    for name, url in named.items():
        for resource, obj in ingress_objects(url, name) if url else ():
            await client.apply(resource, obj, field_manager=MANAGER)
