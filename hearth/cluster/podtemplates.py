"""Pods of a template, as controllers make them, and the node ahead of them. Pure."""

from __future__ import annotations

from typing import Any

from hearth.kube import meta
from hearth.kube.meta import Object


def from_template(owner: Object, template: Object, *, generate_name: str) -> Object:
    """Make a pod of a template, owned by a controller."""
    described = meta.copied(template.get("metadata") or {})
    metadata: dict[str, Any] = {
        "generateName": generate_name,
        "namespace": meta.namespace(owner),
        "ownerReferences": [meta.owner_reference(owner)],
    }
    for field in ("labels", "annotations", "finalizers"):
        if described.get(field):
            metadata[field] = described[field]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": meta.copied(template.get("spec") or {}),
    }
