"""What a DomainMapping is made of: a claim on its name, and a KIngress. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hearth.knative.names import child_name
from hearth.knative.resources import CLUSTERDOMAINCLAIMS, KINGRESSES
from hearth.kube import meta
from hearth.kube.meta import Object, labels, name, namespace, owner_reference, uid
from serving.api import keys
from serving.api.settings import Settings
from serving.kinds.certificates import challenge_paths
from serving.kinds.ingress import NOT_FOR_INGRESSES, http_option, ingress_class
from serving.kinds.metadata import without

ORIGINAL_HOST = "K-Original-Host"


def make_domain_claim(mapping: Object) -> Object:
    """Labelled, so that a claim made for a mapping can be told from a user's and be cleaned up."""
    return {
        "apiVersion": CLUSTERDOMAINCLAIMS.api_version,
        "kind": CLUSTERDOMAINCLAIMS.kind,
        "metadata": {
            "name": name(mapping),
            "labels": {keys.DOMAIN_MAPPING_NAMESPACE: namespace(mapping)},
        },
        "spec": {"namespace": namespace(mapping)},
    }


def ingress_name(mapping: Object) -> str:
    """Return the name of a mapping's KIngress."""
    return child_name(name(mapping), "")


def certificate_name(mapping: Object) -> str:
    """Return the name of the Certificate that a mapping asks for."""
    return child_name(name(mapping), "")


def make_mapping_ingress(
    mapping: Object,
    settings: Settings,
    *,
    host: str,
    service: str,
    tls: Sequence[Mapping[str, Any]] = (),
    challenges: Sequence[Mapping[str, Any]] = (),
) -> Object:
    """Requests for the mapped name go on under the target's cluster-local host."""
    solvers = challenge_paths(challenges)
    split = {
        "serviceName": service,
        "serviceNamespace": namespace(mapping),
        "servicePort": 80,
        "percent": 100,
        "appendHeaders": {ORIGINAL_HOST: name(mapping)},
    }
    spec: dict[str, Any] = {
        "httpOption": http_option(mapping, settings),
        "rules": [
            {
                "hosts": [name(mapping)],
                "visibility": keys.EXTERNAL_IP,
                "http": {
                    "paths": [
                        *solvers.pop(name(mapping), ()),
                        {"rewriteHost": host, "splits": [split]},
                    ]
                },
            },
            # A name that is too long for a certificate has a short one beside it.
            *(
                {"hosts": [other], "visibility": keys.EXTERNAL_IP, "http": {"paths": paths}}
                for other, paths in solvers.items()
            ),
        ],
    }
    if tls:
        spec["tls"] = list(tls)
    return {
        "apiVersion": KINGRESSES.api_version,
        "kind": KINGRESSES.kind,
        "metadata": {
            "name": ingress_name(mapping),
            "namespace": namespace(mapping),
            "labels": {
                **labels(mapping),
                keys.DOMAIN_MAPPING_UID: uid(mapping),
                keys.DOMAIN_MAPPING_NAMESPACE: namespace(mapping),
            },
            "annotations": {
                keys.INGRESS_CLASS.key: ingress_class(mapping, settings),
                **without(meta.annotations(mapping), NOT_FOR_INGRESSES.__contains__),
            },
            "ownerReferences": [owner_reference(mapping)],
        },
        "spec": spec,
    }
