"""A formula over requests and triggers: worked out by Knative's autoscaler, told to it. Pure.

Only there it is known what requests need at the moment. So what a ScaledObject decides by itself
(activity, cooldown, fallback) does not count beside it; its bounds do.
"""

from __future__ import annotations

from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.scaling.modifiers import Composite
from hearth.keda.scaling.observing import Observation
from serving.api.wishes import WishFormula


def wish_formula(
    obj: ScaledObject, composite: Composite | None, seen: Observation
) -> WishFormula | None:
    """Return what is told; None without such a formula, and while a fallback stands in."""
    if composite is None or seen.falls_back:
        return None
    fewest, idle = obj.hpa_min_replicas, obj.spec.idle_replica_count
    lowest = (obj.spec.min_replica_count or 0) if idle is None else idle
    return WishFormula(
        composite.formula.text,
        tuple(sorted((each.name, each.value) for each in seen.metrics)),
        composite.spec.target,
        composite.activation,
        fewest if obj.forces_activation else lowest,
        fewest,
        max(obj.max_replicas, fewest),
    )
