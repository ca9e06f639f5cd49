"""What a Service is made of: one Configuration and one Route of its name. Pure."""

from __future__ import annotations

from hearth.knative.resources import CONFIGURATIONS, ROUTES
from hearth.kube import meta
from hearth.kube.meta import Object, copied, labels, name, namespace, owner_reference, uid
from serving.api import keys
from serving.api.live import LIVE
from serving.kinds.metadata import LAST_APPLIED, route_names, without

_NOT_FOR_ROUTES = frozenset({LAST_APPLIED, *LIVE})
_NOT_FOR_CONFIGURATIONS = _NOT_FOR_ROUTES.union(keys.ROLLOUT_DURATION.spellings)


def make_configuration(service: Object, existing: Object | None = None) -> Object:
    """Names the Route from the start, so that the first revision is born with its routing."""
    known = meta.annotations(existing).get(keys.ROUTES, "") if existing else ""
    routes = route_names(known) | {name(service)}
    own = without(meta.annotations(service), _NOT_FOR_CONFIGURATIONS.__contains__)
    return {
        "apiVersion": CONFIGURATIONS.api_version,
        "kind": CONFIGURATIONS.kind,
        "metadata": {
            "name": name(service),
            "namespace": namespace(service),
            "labels": {
                **labels(service),
                keys.SERVICE: name(service),
                keys.SERVICE_UID: uid(service),
            },
            "annotations": {**own, keys.ROUTES: ",".join(sorted(routes))},
            "ownerReferences": [owner_reference(service)],
        },
        "spec": {"template": copied(service["spec"]["template"])},
    }


def make_route(service: Object) -> Object:
    """Make the Route; targets without a revision follow the Service's Configuration."""
    traffic = copied(service["spec"].get("traffic") or [])
    for target in traffic:
        if not target.get("revisionName"):
            target["configurationName"] = name(service)
    return {
        "apiVersion": ROUTES.api_version,
        "kind": ROUTES.kind,
        "metadata": {
            "name": name(service),
            "namespace": namespace(service),
            "labels": {**labels(service), keys.SERVICE: name(service)},
            "annotations": without(meta.annotations(service), _NOT_FOR_ROUTES.__contains__),
            "ownerReferences": [owner_reference(service)],
        },
        "spec": {"traffic": traffic},
    }
