"""Where pods of adapters run: where control does. Pure.

Whatever put control where it is (values of the chart, an overlay, a patch of one's own) stands in
its pod, and holds for what it makes as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hearth.kube.meta import Object

_FIELDS = ("nodeSelector", "imagePullSecrets", "priorityClassName")
_SET_BY_CLUSTERS = frozenset({"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"})
"""Taints that every pod is made to bear for a while (``DefaultTolerationSeconds``)."""

_USUAL_POLICY = "IfNotPresent"


@dataclass(frozen=True, slots=True)
class Placement:
    """What pods of adapters have of control's."""

    pod: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the pod: nodes, taints, secrets of the registry, priority."""
    pull_policy: str = _USUAL_POLICY


def placement_of(own: Object) -> Placement:
    """Read control's own pod."""
    spec: Mapping[str, Any] = own.get("spec") or {}
    found = {each: spec[each] for each in _FIELDS if spec.get(each)}
    bears = [each for each in spec.get("tolerations") or () if not _is_of_cluster(each)]
    if bears:
        found["tolerations"] = bears
    containers: Sequence[Mapping[str, Any]] = spec.get("containers") or ({},)
    return Placement(found, containers[0].get("imagePullPolicy") or _USUAL_POLICY)


def _is_of_cluster(toleration: Mapping[str, Any]) -> bool:
    return (
        toleration.get("key") in _SET_BY_CLUSTERS
        and toleration.get("effect") == "NoExecute"
        and toleration.get("tolerationSeconds") is not None
    )
