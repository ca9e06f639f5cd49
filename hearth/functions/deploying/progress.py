"""How far a deployment has come, from the objects that it is made of.

A deployment is done when the Service is Ready for what was last asked of it, or when its newest
revision has its first share of a gradual rollout, which goes on by itself; it has failed when its
newest revision cannot become ready. What may still pass (a pull that is tried again) is told of as
a trouble and waited for.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]


class Phase(enum.IntEnum):
    """Where a deployment is, in the order things happen."""

    ASKED = 0
    REVISION = 1
    POD = 2
    STARTED = 3
    READY = 4
    SERVES = 5


WORDS = {
    Phase.ASKED: "asked for",
    Phase.REVISION: "revision made",
    Phase.POD: "pod placed",
    Phase.STARTED: "container started",
    Phase.READY: "revision ready",
    Phase.SERVES: "serves",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What is to be seen of a Service: itself, the newest revision, that one's pods."""

    service: Object
    revision: Object | None = None
    pods: Sequence[Object] = field(default=())


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is; ``failure`` ends the waiting, ``trouble`` may pass."""

    phase: Phase
    failure: str = ""
    trouble: str = ""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.phase == Phase.SERVES or bool(self.failure)


def progress(seen: Seen) -> Progress:
    """Return how far a deployment has come."""
    if not _is_observed(seen.service):
        return Progress(Phase.ASKED)
    ready = condition(seen.service, "Ready")
    if ready.get("status") == "True":
        return Progress(Phase.SERVES)
    if seen.revision is None:
        return Progress(Phase.ASKED)
    mine = condition(seen.revision, "Ready")
    if mine.get("status") == "True":
        if is_moving(seen.service) and _has_share(seen.service, seen.revision):
            return Progress(Phase.SERVES)
        failed = ready.get("status") == "False"
        return Progress(Phase.READY, trouble=_message(ready) if failed else "")
    phase = _pod_phase(seen.pods)
    if mine.get("status") == "False":
        return Progress(phase, failure=_message(mine), trouble=waiting(seen.pods))
    return Progress(phase, trouble=waiting(seen.pods))


def newest_revision(service: Object) -> str:
    """Return the name of the newest revision, also where it is not ready; "" where none is made."""
    return str((service.get("status") or {}).get("latestCreatedRevisionName") or "")


def condition(thing: Object, kind: str) -> Object:
    """Return an object's condition of a type, or an empty one."""
    conditions = (thing.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), {})


def is_moving(service: Object) -> bool:
    """Whether its requests go over to the latest revision by and by (rollout-duration)."""
    return bool(condition(service, "Ready").get("reason") == "RolloutInProgress")


def _has_share(service: Object, revision: Object) -> bool:
    name = revision["metadata"]["name"]
    traffic = (service.get("status") or {}).get("traffic") or ()
    return any(each.get("revisionName") == name and each.get("percent") for each in traffic)


def _is_observed(thing: Object) -> bool:
    generation = thing["metadata"].get("generation")
    return bool((thing.get("status") or {}).get("observedGeneration") == generation)


def _message(found: Object) -> str:
    reason, message = found.get("reason") or "", found.get("message") or ""
    return f"{reason}: {message}" if reason and message else message or reason or "it is not ready"


def _pod_phase(pods: Sequence[Object]) -> Phase:
    states = [status.get("state") or {} for pod in pods for status in _statuses(pod)]
    if any("running" in state for state in states):
        return Phase.STARTED
    return Phase.POD if pods else Phase.REVISION


def waiting(pods: Sequence[Object]) -> str:
    """Return why pods or their containers wait, where that is more than being made; else ""."""
    for pod in pods:
        for status in _statuses(pod):
            waiting = (status.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
                return _message(waiting)
        for kind in ("PodScheduled", "hearth.dev/Listening"):
            found = condition(pod, kind)
            if found.get("status") == "False":
                return _message(found)
    return ""


def _statuses(pod: Object) -> Sequence[Object]:
    found: Sequence[Object] = (pod.get("status") or {}).get("containerStatuses") or ()
    return found
