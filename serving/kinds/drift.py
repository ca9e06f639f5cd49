"""How an object that is there differs from the one that should be. Pure."""

from __future__ import annotations

from hearth.kube import meta
from hearth.kube.meta import Object, labels


def exact_drift(desired: Object, existing: Object) -> Object | None:
    """Return the update of a child that is wholly ours; None when it is as it should be.

    For Knative's own kinds, to which the server adds nothing after admission.
    """
    if (
        desired["spec"] == existing.get("spec")
        and labels(desired) == labels(existing)
        and meta.annotations(desired) == meta.annotations(existing)
    ):
        return None
    metadata = {
        **meta.metadata(existing),
        "labels": labels(desired),
        "annotations": meta.annotations(desired),
    }
    return {**existing, "metadata": metadata, "spec": desired["spec"]}


def merged_drift(desired: Object, existing: Object) -> Object | None:
    """Return the update of a child to which others add labels, annotations or spec fields."""
    metadata = {
        **meta.metadata(existing),
        "labels": {**labels(existing), **labels(desired)},
        "annotations": {**meta.annotations(existing), **meta.annotations(desired)},
    }
    spec = {**existing["spec"], **desired["spec"]}
    if (
        spec == existing["spec"]
        and metadata["labels"] == labels(existing)
        and metadata["annotations"] == meta.annotations(existing)
    ):
        return None
    return {**existing, "metadata": metadata, "spec": spec}
