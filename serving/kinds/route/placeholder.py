"""The Services that keep the names of a Route and its tags. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hearth.kube import meta
from hearth.kube.meta import Object, labels, name, namespace, owner_reference
from hearth.kube.resources import SERVICES
from serving.api import keys
from serving.kinds.metadata import LAST_APPLIED, without

GATEWAY_HOST = "hearth-internal-gateway.knative-serving.svc"
"""Before the cluster's domain, what the activator gives as its in-cluster address. Written into
placeholders beforehand, it saves one write for each; were it another one, the placeholder would
follow the KIngress."""


def make_placeholder(
    route: Object, hostname: str, *, host: str, balancer: Mapping[str, Any] | None
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
