"""Names of the specification, and of the reference implementation where it leaves them open. Pure.

With the same annotations and volumes as ``servicebinding/runtime`` what one has bound the other can
take over.
"""

from __future__ import annotations

from hearth.kube.resources import Resource

GROUP = "servicebinding.io"
SERVICEBINDINGS = Resource(GROUP, "v1", "servicebindings", "ServiceBinding")
MAPPINGS = Resource(
    GROUP,
    "v1",
    "clusterworkloadresourcemappings",
    "ClusterWorkloadResourceMapping",
    namespaced=False,
)
FINALIZER = f"{GROUP}/finalizer"
READY, SERVICE_AVAILABLE, WORKLOAD_PROJECTED = "Ready", "ServiceAvailable", "WorkloadProjected"
ROOT = "SERVICE_BINDING_ROOT"
DEFAULT_ROOT = "/bindings"
VOLUME = "servicebinding-"
_PROJECTOR = f"projector.{GROUP}/"
SECRET, TYPE, PROVIDER, MAPPING = (
    f"{_PROJECTOR}{each}-" for each in ("secret", "type", "provider", "mapping")
)
"""Annotations, followed by the binding's uid; those of a mapping are the workload's own."""
ENV = "servicebinding.hearth.dev/env-"
"""A workload's annotation: names and keys of the variables that a binding has put in."""
ROOTS = "servicebinding.hearth.dev/roots"
"""A workload's annotation: which of its containers, counted from 0, were given a root."""
HELD = "servicebinding.hearth.dev/held-until"
"""A binding's annotation, in Unix seconds: until then somebody else writes its workload, with all
of its bindings at once, so that one revision comes of it."""
