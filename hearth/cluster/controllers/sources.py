"""What the controllers watch, and the indexes they read by. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from hearth.kube import resources
from hearth.kube.controllerspec import Index, Source
from hearth.kube.meta import Object, controller_of

DEPLOYMENTS = Source(resources.DEPLOYMENTS)
REPLICASETS = Source(resources.REPLICASETS)
JOBS = Source(resources.JOBS)
CRONJOBS = Source(resources.CRONJOBS)
PODS = Source(resources.PODS)
QUOTAS = Source(resources.RESOURCEQUOTAS)
SERVICES = Source(resources.SERVICES)
ENDPOINTSLICES = Source(resources.ENDPOINTSLICES)


def _controller_uid(obj: Object) -> Iterator[str]:
    owner = controller_of(obj)
    if owner is not None:
        yield owner["uid"]


REPLICASETS_BY_CONTROLLER = Index(REPLICASETS, _controller_uid)
JOBS_BY_CONTROLLER = Index(JOBS, _controller_uid)
PODS_BY_CONTROLLER = Index(PODS, _controller_uid)
