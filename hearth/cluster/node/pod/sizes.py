"""How large a pod's own folders may grow, and what comes of one that does. Pure.

kubelet measures them now and then, and evicts the pod (``pkg/kubelet/eviction``); so do we.
"""

from __future__ import annotations

from dataclasses import dataclass

from hearth.cluster.node.pod.lifecycle import Failure
from hearth.kube.meta import Object
from hearth.kube.quantity import parse_quantity

_GRACE_SECONDS = 1.0
_SHARE = 50
"""Measuring takes no more than such a part of the time."""


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """How many bytes a volume may take; ``text`` is the quantity as Kubernetes writes it."""

    volume: str
    most: int
    text: str


def size_limits(pod: Object) -> list[SizeLimit]:
    """Of those emptyDirs that have one."""
    found = []
    for volume in pod["spec"].get("volumes") or ():
        given = (volume.get("emptyDir") or {}).get("sizeLimit")
        limit = parse_quantity(str(given or 0))
        if limit.value > 0:
            found.append(SizeLimit(volume["name"], limit.value, str(limit)))
    return found


def eviction(limit: SizeLimit) -> Failure:
    """Of a pod whose volume has outgrown its limit, in kubelet's words."""
    text = f'Usage of EmptyDir volume "{limit.volume}" exceeds the limit "{limit.text}". '
    return Failure("Evicted", text, _GRACE_SECONDS)


def pause(period: float, took: float) -> float:
    """Seconds until it is measured again, in which measuring took so long."""
    return max(period, took * _SHARE)
