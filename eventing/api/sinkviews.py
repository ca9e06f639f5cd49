"""Kinds that the broker process serves without a log: their sources and their addresses. Pure.

Their addresses are paths of the ingress; those of Brokers have one part less.
"""

from __future__ import annotations

from hearth.knative.resources import (
    EVENTTRANSFORMS,
    INTEGRATIONSINKS,
    JOBSINKS,
    KAFKASINKS,
    REQUESTREPLIES,
)
from hearth.kube.controllerspec import Source
from hearth.kube.meta import Object, name, namespace
from hearth.kube.resources import Resource

REQUESTREPLY_SOURCE = Source(REQUESTREPLIES)
JOBSINK_SOURCE = Source(JOBSINKS)
EVENTTRANSFORM_SOURCE = Source(EVENTTRANSFORMS)
INTEGRATIONSINK_SOURCE = Source(INTEGRATIONSINKS)
KAFKASINK_SOURCE = Source(KAFKASINKS)


def path_of(resource: Resource, obj: Object) -> str:
    """Return where events for an object are sent to, at the ingress."""
    return f"/{resource.plural}/{namespace(obj)}/{name(obj)}"
