"""What the server itself fills and keeps in ``metadata``, for every kind. Pure.

Validation of metadata is ``model.objectmeta``.
"""

from __future__ import annotations

from typing import Any

from hearth.cluster.model.kind import Kind
from hearth.cluster.model.objects import Object

Metadata = dict[str, Any]

GENERATED_BASE = 58
"""A generated name keeps this much of ``generateName``; five random characters follow."""


def fill_for_create(
    obj: Object, kind: Kind, *, namespace: str, now: str, uid: str, suffix: str
) -> None:
    """What the server decides about a new object's metadata."""
    metadata: Metadata = obj["metadata"]
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
        metadata.pop(field, None)
    metadata["uid"] = uid
    metadata["creationTimestamp"] = now
    set_namespace(metadata, kind, namespace)
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = str(metadata["generateName"])[:GENERATED_BASE] + suffix
    if kind.strategy.generation:
        metadata["generation"] = 1


def set_namespace(metadata: Metadata, kind: Kind, namespace: str) -> None:
    """Puts the namespace of the request into namespaced objects, takes it off others."""
    if kind.namespaced:
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)


_KEPT = ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")


def keep_for_update(metadata: Metadata, old: Metadata) -> None:
    """What an update may not change is as it was; ``uid`` only where none is given."""
    metadata.pop("selfLink", None)
    for field in _KEPT:
        if field in old:
            metadata[field] = old[field]
        elif field != "deletionTimestamp":
            metadata.pop(field, None)
    metadata["uid"] = metadata.get("uid") or old.get("uid", "")
    metadata["name"] = metadata.get("name") or old["name"]


def counts_as_change(new: Object, old: Object, *, ignore_status: bool) -> bool:
    """Whether ``generation`` goes up: something besides metadata (and status) differs."""
    skipped = {"metadata", "status"} if ignore_status else {"metadata"}
    fields = (new.keys() | old.keys()) - skipped
    return any(new.get(field) != old.get(field) for field in fields)
