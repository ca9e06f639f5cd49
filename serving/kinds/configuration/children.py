"""The Revision that a generation of a Configuration stands for. Pure."""

from __future__ import annotations

from hearth.knative.names import child_name
from hearth.knative.resources import REVISIONS
from hearth.kube import meta
from hearth.kube.clock import rfc3339
from hearth.kube.meta import (
    Object,
    copied,
    generation,
    labels,
    name,
    namespace,
    owner_reference,
    uid,
)
from serving.api import keys, views


def revision_name(configuration: Object) -> str:
    """Return the name that the user chose, or one made of the generation."""
    chosen = views.Configuration(configuration).template_name
    return chosen or child_name(name(configuration), f"-{generation(configuration):05d}")


def make_revision(configuration: Object, *, now: float) -> Object:
    """Pending until a route is known to use it; with a known route it starts active."""
    template: Object = copied(dict(views.Configuration(configuration).template))
    metadata = template.get("metadata") or {}
    of_parent = meta.annotations(configuration)
    routes = of_parent.get(keys.ROUTES)
    own = dict(metadata.get("annotations") or {})
    own[keys.ROUTING_STATE_MODIFIED] = rfc3339(now)
    if keys.LAST_MODIFIER in of_parent:
        own[keys.CREATOR] = of_parent[keys.LAST_MODIFIER]
    if routes is not None:
        own[keys.ROUTES] = routes
    return {
        "apiVersion": REVISIONS.api_version,
        "kind": REVISIONS.kind,
        "metadata": {
            **metadata,
            "name": revision_name(configuration),
            "namespace": namespace(configuration),
            "labels": {
                **(metadata.get("labels") or {}),
                keys.ROUTING_STATE: keys.STATE_PENDING if routes is None else keys.STATE_ACTIVE,
                **configuration_labels(configuration),
            },
            "annotations": own,
            "ownerReferences": [owner_reference(configuration)],
        },
        "spec": template.get("spec") or {},
    }


def configuration_labels(configuration: Object) -> dict[str, str]:
    """Return the labels that tell whose revision it is."""
    of_parent = labels(configuration)
    values = {
        keys.CONFIGURATION: name(configuration),
        keys.CONFIGURATION_UID: uid(configuration),
        keys.CONFIGURATION_GENERATION: str(generation(configuration)),
        keys.SERVICE: of_parent.get(keys.SERVICE, ""),
        keys.SERVICE_UID: of_parent.get(keys.SERVICE_UID, ""),
    }
    return {key: value for key, value in values.items() if value}
