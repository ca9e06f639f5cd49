"""A cluster as it is read once: its version, its Knative objects, its settings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hearth.kube.meta import Object
from hearth.kube.resources import Resource

KindKey = tuple[str, str]
"""API group and kind."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was read. Objects that a controller made for others are among them."""

    minor: int
    """The minor version of Kubernetes 1.x."""
    objects: Mapping[Resource, Sequence[Object]] = field(default_factory=dict)
    """The objects of every resource in a group of Knative's or KEDA's."""
    config_maps: Sequence[Object] = ()
    """Those of the namespaces that Knative is configured in."""

    def of(self, group: str, kind: str) -> Iterator[Object]:
        """Give the objects of one kind, whatever its version."""
        for resource, objects in self.objects.items():
            if (resource.group, resource.kind) == (group, kind):
                yield from objects
