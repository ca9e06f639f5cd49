"""Discovery: which groups, versions and resources there are, plain and aggregated. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from hearth.cluster.model.aggregates import Aggregates
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.served import Served, ServedKinds

Object = dict[str, Any]
_GETS, _CREATES, _UPDATES = ["get", "patch", "update"], ["create"], ["update"]
_CONNECTS = ["create", "get"]

# subresource -> (verbs, group, version, kind); an empty kind stands for the resource's own.
_SUBRESOURCES: dict[str, tuple[list[str], str, str, str]] = {
    "status": (_GETS, "", "", ""),
    "scale": (_GETS, "autoscaling", "v1", "Scale"),
    "finalize": (_UPDATES, "", "", ""),
    "log": (["get"], "", "", ""),
    "binding": (_CREATES, "", "", "Binding"),
    "eviction": (_CREATES, "policy", "v1", "Eviction"),
    "exec": (_CONNECTS, "", "", "PodExecOptions"),
    "attach": (_CONNECTS, "", "", "PodAttachOptions"),
    "portforward": (_CONNECTS, "", "", "PodPortForwardOptions"),
    "token": (_CREATES, "authentication.k8s.io", "v1", "TokenRequest"),
    "approval": (_GETS, "", "", ""),
}


def core_versions(address: str) -> Object:
    """The answer to /api."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group(name: str, versions: list[str]) -> Object:
    """An APIGroup: its versions, the preferred one first."""
    entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def group_list(aggregates: Aggregates) -> Object:
    """The answer to /apis."""
    groups = [group(name, versions) for name, versions in aggregates.group_versions().items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def api_group(aggregates: Aggregates, name: str) -> Object | None:
    """The answer to /apis/GROUP."""
    versions = aggregates.group_versions().get(name)
    if not versions:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1"} | group(name, versions)


def resource_list(kinds: ServedKinds, group_name: str, version: str) -> Object | None:
    """The answer to /api/v1 and /apis/GROUP/VERSION."""
    served = kinds.of_version(group_name, version)
    if not served:
        return None
    head: Object = {"kind": "APIResourceList"}
    if group_name:
        head["apiVersion"] = "v1"
    head["groupVersion"] = f"{group_name}/{version}" if group_name else version
    return head | {"resources": [entry for one in served for entry in _resources(one)]}


def _resources(served: Served) -> list[Object]:
    kind = served.kind
    main: Object = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        main["shortNames"] = list(kind.short_names)
    if kind.categories:
        main["categories"] = list(kind.categories)
    if "get" in kind.verbs:
        main["storageVersionHash"] = storage_version_hash(served)
    return [main, *(_subresource(kind, name) for name in _subresources(kind))]


def storage_version_hash(served: Served) -> str:
    """As Kubernetes makes it: clients compare it to see that the stored form changed."""
    kind = served.kind
    version = kind.storage_version or kind.version
    digest = hashlib.sha256(f"{kind.group}/{version}/{kind.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _subresources(kind: Kind) -> list[str]:
    return sorted(name for name in kind.subresources if name in _SUBRESOURCES)


def _subresource(kind: Kind, name: str) -> Object:
    verbs, group_name, version, other = _SUBRESOURCES[name]
    resource: Object = {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": other or kind.kind,
        "verbs": verbs,
    }
    if group_name:
        resource |= {"group": group_name, "version": version}
    return resource


# Aggregated discovery (apidiscovery.k8s.io): everything in one answer


def aggregated(
    kinds: ServedKinds,
    *,
    core: bool,
    version: str,
    elsewhere: Mapping[str, list[Object]] | None = None,
) -> Object:
    """The answer to /api (``core``) or /apis in the aggregated form.

    ``elsewhere`` has the versions that other servers answer for, by group.
    """
    others = dict(elsewhere or {})
    if core:
        items = [_group_item("", [_version_item(kinds, "", "v1")])]
    else:
        items = [
            _group_item(
                name,
                [_version_item(kinds, name, version) for version in versions]
                + others.pop(name, []),
            )
            for name, versions in kinds.group_versions().items()
        ]
        items += [_group_item(name, versions) for name, versions in others.items()]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _group_item(name: str, versions: list[Object]) -> Object:
    return {"metadata": {"name": name} if name else {}, "versions": versions}


def _version_item(kinds: ServedKinds, group_name: str, version: str) -> Object:
    resources = [_aggregated(served) for served in kinds.of_version(group_name, version)]
    return {"version": version, "resources": resources, "freshness": "Current"}


def _aggregated(served: Served) -> Object:
    kind = served.kind
    resource: Object = {
        "resource": kind.plural,
        "responseKind": _response_kind(kind, "", "", ""),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    if kind.categories:
        resource["categories"] = list(kind.categories)
    names = _subresources(kind)
    if names:
        resource["subresources"] = [_aggregated_subresource(kind, name) for name in names]
    return resource


def _aggregated_subresource(kind: Kind, name: str) -> Object:
    verbs, group_name, version, other = _SUBRESOURCES[name]
    return {
        "subresource": name,
        "responseKind": _response_kind(kind, group_name, version, other),
        "verbs": verbs,
    }


def _response_kind(kind: Kind, group_name: str, version: str, other: str) -> Object:
    """Kubernetes leaves group and version empty for the kinds of the same group version."""
    custom = kind.custom and not other
    return {
        "group": kind.group if custom else group_name,
        "version": kind.version if custom else version,
        "kind": other or kind.kind,
    }
