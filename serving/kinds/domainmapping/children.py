"""What a DomainMapping is made of: a claim on its name, and a KIngress. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hearth.knative.names import child_name
from hearth.knative.resources import CLUSTERDOMAINCLAIMS, KINGRESSES
from hearth.kube import meta
from hearth.kube.meta import Object, labels, name, namespace, owner_reference, uid
from serving.api import keys
from serving.api.domainpaths import MappedPath, is_wildcard
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


def mapped_hosts(mapping: Object) -> list[str]:
    """Return the hosts that a mapping asks for."""
    own = name(mapping)
    return [own, f"*.{own}"] if is_wildcard(meta.annotations(mapping)) else [own]


def _rule(host: str, paths: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"hosts": [host], "visibility": keys.EXTERNAL_IP, "http": {"paths": list(paths)}}


def _path(mapping: Object, host: str, target: tuple[str, str, str]) -> dict[str, Any]:
    prefix, rewrite_host, service = target
    split = {
        "serviceName": service,
        "serviceNamespace": namespace(mapping),
        "servicePort": 80,
        "percent": 100,
        "appendHeaders": {ORIGINAL_HOST: host},
    }
    return {**({"path": prefix} if prefix else {}), "rewriteHost": rewrite_host, "splits": [split]}


def make_mapping_ingress(
    mapping: Object,
    settings: Settings,
    *,
    host: str,
    service: str,
    paths: Sequence[tuple[MappedPath, str]] = (),
    tls: Sequence[Mapping[str, Any]] = (),
    challenges: Sequence[Mapping[str, Any]] = (),
) -> Object:
    """Requests for the mapped name go on under the target's cluster-local host.

    ``paths`` are those that lead elsewhere, each with its target's host. What a KIngress cannot
    say, that a path is rewritten, the gateway reads in the annotation.
    """
    solvers = challenge_paths(challenges)
    targets = [*((each.path, to, each.service) for each, to in paths), ("", host, service)]
    spec: dict[str, Any] = {
        "httpOption": http_option(mapping, settings),
        "rules": [
            *(
                _rule(of, [*solvers.pop(of, ()), *(_path(mapping, of, each) for each in targets)])
                for of in mapped_hosts(mapping)
            ),
            # A name that is too long for a certificate has a short one beside it.
            *(_rule(other, paths) for other, paths in solvers.items()),
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
