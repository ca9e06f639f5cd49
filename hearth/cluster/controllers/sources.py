"""What the controllers watch, and the indexes they read by. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from hearth.kube import resources
from hearth.kube.controllerspec import Index, Source
from hearth.kube.meta import Object, controller_of, labels, namespace

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


def clause(namespace: str, label: str, value: str) -> str:
    """What pods of a namespace that have that label are found by."""
    return f"{namespace}/{label}={value}"


def clauses_of(pod: Object) -> Iterator[str]:
    """All that a pod is found by."""
    for label, value in labels(pod).items():
        yield clause(namespace(pod), label, value)


REPLICASETS_BY_CONTROLLER = Index(REPLICASETS, _controller_uid)
JOBS_BY_CONTROLLER = Index(JOBS, _controller_uid)
PODS_BY_CONTROLLER = Index(PODS, _controller_uid)
PODS_BY_CLAUSE = Index(PODS, clauses_of)
