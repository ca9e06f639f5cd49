"""Kubernetes Services: two per revision, and one placeholder per route and tag. Pure."""

from __future__ import annotations

from typing import Any

from hearth.knative.names import child_name
from hearth.kube import meta
from hearth.kube.meta import Object, labels, name, namespace, owner_reference
from hearth.kube.resources import SERVICES
from serving.api import keys
from serving.kinds.metadata import LAST_APPLIED, without

GATEWAY_HOST = "hearth-internal-gateway.knative-serving.svc.cluster.local"
"""What the activator gives as its in-cluster address. Written into placeholders beforehand, it
saves one write for each; were it another one, the placeholder would follow the KIngress."""

_PORTS = {keys.PROTOCOL_HTTP1: ("http", 80), keys.PROTOCOL_H2C: ("http2", 81)}


def service_port(protocol: str) -> int:
    """The port of a revision's Service that speaks this protocol."""
    return _PORTS[protocol][1]


def private_name(podautoscaler: Object) -> str:
    return child_name(name(podautoscaler), "-private")


def make_revision_services(podautoscaler: Object) -> tuple[Object, Object]:
    """The public and the private Service of a revision.

    Knative's public one leads to the activator or to the pods in turn, its private one always to
    the pods. Here the activator is the gateway and finds the pods through the public one, which
    alone has a selector: a second set of EndpointSlices would be one more write between a request
    for a service at zero and its answer, for nobody.
    """
    protocol = podautoscaler["spec"].get("protocolType") or keys.PROTOCOL_HTTP1
    port_name, number = _PORTS.get(protocol, _PORTS[keys.PROTOCOL_HTTP1])
    port = {
        "name": port_name,
        "port": number,
        "protocol": "TCP",
        "targetPort": keys.USER_PORT_NAME,
    }

    def service(service_name: str, kind: str) -> Object:
        marks = {keys.SERVERLESS_SERVICE: name(podautoscaler), keys.SERVICE_TYPE: kind}
        chosen = {keys.REVISION_UID: labels(podautoscaler).get(keys.REVISION_UID, "")}
        selects = {"selector": chosen} if kind == keys.SERVICE_TYPE_PUBLIC else {}
        return {
            "apiVersion": SERVICES.api_version,
            "kind": SERVICES.kind,
            "metadata": {
                "name": service_name,
                "namespace": namespace(podautoscaler),
                "labels": {**labels(podautoscaler), **marks},
                "annotations": without(
                    meta.annotations(podautoscaler), keys.METRIC.spellings.__contains__
                ),
                "ownerReferences": [owner_reference(podautoscaler)],
            },
            "spec": {"type": "ClusterIP", "ports": [dict(port)], **selects},
        }

    return (
        service(name(podautoscaler), keys.SERVICE_TYPE_PUBLIC),
        service(private_name(podautoscaler), keys.SERVICE_TYPE_PRIVATE),
    )


def make_placeholder(
    route: Object, hostname: str, *, host: str, balancer: dict[str, Any] | None
) -> Object:
    """Keeps the route's name free of collisions, and leads to the gateway inside the cluster.

    ``balancer`` is the KIngress's load balancer once it is known; ``host`` stands in until then.
    """
    own = without(labels(route), keys.VISIBILITY.__eq__)
    return {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": {
            "name": hostname,
            "namespace": namespace(route),
            "labels": {**own, keys.ROUTE: name(route)},
            "annotations": without(meta.annotations(route), LAST_APPLIED.__eq__),
            "ownerReferences": [owner_reference(route)],
        },
        "spec": {
            "type": "ExternalName",
            "externalName": (balancer or {}).get("domainInternal")
            or (balancer or {}).get("domain")
            or host,
            "sessionAffinity": "None",
            "ports": [
                {
                    "name": "http2",
                    "appProtocol": "kubernetes.io/h2c",
                    "port": 80,
                    "protocol": "TCP",
                    "targetPort": 80,
                }
            ],
        },
    }


def load_balancer(ingress: Object | None) -> dict[str, Any] | None:
    """Where a KIngress is served: the cluster-internal address before the public one."""
    status = (ingress or {}).get("status") or {}
    for kind in ("privateLoadBalancer", "publicLoadBalancer"):
        entries = (status.get(kind) or {}).get("ingress") or ()
        if entries:
            return dict(entries[0])
    return None
