"""Typed looks at stored objects: what reconcilers read, by name and with its default. Pure.

A view holds the object and nothing else, so it costs next to nothing; writing is done on objects.
A view of None is one of an object without fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object, generation

Fields = Mapping[str, Any]


class View:
    """What objects of every kind have."""

    __slots__ = ("object",)

    def __init__(self, obj: Object | None) -> None:
        self.object: Object = obj or {}

    @property
    def spec(self) -> dict[str, Any]:
        """What is asked for."""
        return self.object.get("spec") or {}

    @property
    def status(self) -> dict[str, Any]:
        """What is."""
        return self.object.get("status") or {}

    @property
    def conditions(self) -> Conditions:
        """The conditions of the status."""
        return Conditions.of(self.object)

    @property
    def is_observed(self) -> bool:
        """Whether the status tells of the present generation."""
        return bool(self.status.get("observedGeneration", 0) == generation(self.object))


class Workload(View):
    """A Deployment or ReplicaSet."""

    __slots__ = ()

    @property
    def replicas(self) -> int:
        """The pods asked for (1 when left open)."""
        return int(self.spec.get("replicas", 1))

    @property
    def current_replicas(self) -> int:
        """The pods that there are and that are not ending."""
        return int(self.status.get("replicas", 0))

    @property
    def ready_replicas(self) -> int:
        """The pods that are ready."""
        return int(self.status.get("readyReplicas", 0))

    @property
    def available_replicas(self) -> int:
        """The pods that have been ready for minReadySeconds."""
        return int(self.status.get("availableReplicas", 0))

    @property
    def terminating_replicas(self) -> int:
        """The pods that are ending."""
        return int(self.status.get("terminatingReplicas", 0))

    @property
    def template(self) -> dict[str, Any]:
        """The template of the pods."""
        return self.spec.get("template") or {}

    @property
    def min_ready_seconds(self) -> int:
        """How long a pod must be ready before it counts as available."""
        return int(self.spec.get("minReadySeconds", 0))


class Deployment(Workload):
    """A Deployment."""

    __slots__ = ()

    @property
    def strategy(self) -> Fields:
        """How it goes over to a new template."""
        return self.spec.get("strategy") or {}

    @property
    def recreates(self) -> bool:
        """Whether old pods end before new ones start."""
        return bool(self.strategy.get("type") == "Recreate")

    @property
    def is_paused(self) -> bool:
        """Whether a new template is to be left alone for now."""
        return bool(self.spec.get("paused"))

    @property
    def progress_deadline(self) -> float | None:
        """Seconds without progress after which it has failed; None for no such limit."""
        seconds = self.spec.get("progressDeadlineSeconds")
        return None if seconds is None else float(seconds)

    @property
    def revision_history_limit(self) -> int:
        """How many empty old ReplicaSets stay."""
        return int(self.spec.get("revisionHistoryLimit", 10))

    @property
    def collision_count(self) -> int:
        """How often the name of a new ReplicaSet was taken."""
        return int(self.status.get("collisionCount") or 0)


DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
"""On a pod: of several ready ones, a ReplicaSet gives up those of lower cost first."""


class Pod(View):
    """A pod."""

    __slots__ = ()

    @property
    def phase(self) -> str:
        """Pending, Running, Succeeded, Failed or Unknown."""
        return str(self.status.get("phase", "Pending"))

    @property
    def is_finished(self) -> bool:
        """Whether its containers have ended for good."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def is_ready(self) -> bool:
        """Whether it takes requests."""
        return self.conditions.is_true("Ready")

    @property
    def ip(self) -> str:
        """Its address; "" before it has one."""
        return str(self.status.get("podIP") or "")

    @property
    def deletion_cost(self) -> int:
        """What giving it up costs; 0 where nobody has said."""
        try:
            return int(meta.annotations(self.object).get(DELETION_COST, "0"))
        except ValueError:
            return 0

    @property
    def node_name(self) -> str:
        """The node it is assigned to; "" before it is."""
        return str(self.spec.get("nodeName") or "")

    @property
    def containers(self) -> Sequence[Fields]:
        """The containers of its spec."""
        return self.spec.get("containers") or ()

    @property
    def container_statuses(self) -> Iterator[ContainerStatus]:
        """How its containers are, init containers left out."""
        return map(ContainerStatus, self.status.get("containerStatuses") or ())

    @property
    def all_container_statuses(self) -> Iterator[ContainerStatus]:
        """How its containers are, init containers last."""
        yield from self.container_statuses
        yield from map(ContainerStatus, self.status.get("initContainerStatuses") or ())


class ContainerStatus:
    """One entry of a pod's ``containerStatuses``."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self._fields.get("name", ""))

    @property
    def image_id(self) -> str:
        """The image that runs, usually with its digest."""
        return str(self._fields.get("imageID", ""))

    @property
    def restart_count(self) -> int:
        """How often it was started again."""
        return int(self._fields.get("restartCount", 0))

    @property
    def waiting(self) -> Fields | None:
        """Why it does not run yet, when it does not."""
        return self._state("state", "waiting")

    @property
    def terminated(self) -> Fields | None:
        """How it ended, when it has."""
        return self._state("state", "terminated")

    @property
    def last_terminated(self) -> Fields | None:
        """How it ended the time before."""
        return self._state("lastState", "terminated")

    def _state(self, field: str, state: str) -> Fields | None:
        fields: Fields | None = (self._fields.get(field) or {}).get(state)
        return fields
