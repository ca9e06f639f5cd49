"""Which labels and annotations go from a parent to its children. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hearth.kube import meta
from hearth.kube.meta import Object, labels, name, uid
from serving.api import keys

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"

_OF_A_REVISION_ALONE = frozenset(
    {keys.LAST_PINNED, keys.NO_GC, keys.ROUTING_STATE_MODIFIED, keys.ROUTES}
)
_LABELS_OF_A_REVISION_ALONE = frozenset({keys.ROUTE, keys.ROUTING_STATE})


def without(given: Mapping[str, str], excluded: Callable[[str], bool]) -> dict[str, str]:
    """Return the entries whose key is not excluded."""
    return {key: value for key, value in given.items() if not excluded(key)}


def route_names(text: str) -> set[str]:
    """Return the routes that an annotation lists."""
    return {entry for entry in text.split(",") if entry}


def revision_labels(revision: Object) -> dict[str, str]:
    """Labels of everything made for a revision."""
    kept = without(labels(revision), _LABELS_OF_A_REVISION_ALONE.__contains__)
    kept[keys.REVISION] = name(revision)
    kept[keys.REVISION_UID] = uid(revision)
    kept.setdefault(keys.APP, name(revision))
    return kept


def revision_annotations(revision: Object) -> dict[str, str]:
    """Annotations of the PodAutoscaler: all but those about the revision's own routing."""
    return without(meta.annotations(revision), _OF_A_REVISION_ALONE.__contains__)


def workload_annotations(revision: Object) -> dict[str, str]:
    """Annotations of Deployment and pods: no autoscaling either."""
    return without(
        revision_annotations(revision), lambda key: key.startswith(keys.AUTOSCALING_GROUP)
    )
