"""Where an adapter keeps how far it has read: a ConfigMap, and the right to that one alone. Pure.

The right is given to the account that the pod runs as, by a Role for this ConfigMap's name.
"""

from __future__ import annotations

from dataclasses import dataclass

from eventing.kinds.children import ensured, head
from eventing.kinds.references import Lookup
from hearth.knative.destinations import Reference, Unresolved
from hearth.knative.names import child_name
from hearth.kube import meta
from hearth.kube.meta import Key, Object
from hearth.kube.plan import Action, Create
from hearth.kube.resources import CONFIGMAPS, ROLEBINDINGS, ROLES


@dataclass(frozen=True, slots=True)
class Kept:
    """What there is of it."""

    config_map: Object | None = None
    role: Object | None = None
    binding: Object | None = None


def position_name(source: Key) -> str:
    """Return what the ConfigMap, the Role and the RoleBinding of a source are called."""
    return child_name(source[1], "-position")


def kept_of(lookup: Lookup, source: Key) -> Kept:
    """Read what there is of a source's, and be told of changes."""
    found = []
    for resource in (CONFIGMAPS, ROLES, ROLEBINDINGS):
        made = Reference(resource.api_version, resource.kind, source[0], position_name(source))
        referred = lookup.get(made)
        found.append(None if isinstance(referred, Unresolved) else referred)
    return Kept(*found)


def ensured_position(source: Object, kept: Kept, account: str) -> tuple[Action, ...]:
    """Return what makes a place for a position; what is in it is the adapter's.

    ``account`` is the service account of the pod.
    """
    title = position_name(meta.key(source))
    metadata = head(source, title)
    config_map = {"apiVersion": "v1", "kind": CONFIGMAPS.kind, "metadata": metadata}
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [title],
        "verbs": ["get", "patch"],
    }
    role = {
        "apiVersion": ROLES.api_version,
        "kind": ROLES.kind,
        "metadata": metadata,
        "rules": [rule],
    }
    subject = {
        "kind": "ServiceAccount",
        "name": account or "default",
        "namespace": meta.namespace(source),
    }
    binding = {
        "apiVersion": ROLEBINDINGS.api_version,
        "kind": ROLEBINDINGS.kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": ROLES.group, "kind": ROLES.kind, "name": title},
        "subjects": [subject],
    }
    return (
        *(() if kept.config_map is not None else (Create(CONFIGMAPS, config_map),)),
        *(() if kept.role is not None else (Create(ROLES, role),)),
        *ensured(ROLEBINDINGS, binding, kept.binding),
    )
