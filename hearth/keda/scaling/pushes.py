"""What a trigger has told by itself, and what it does at once. Pure."""

from __future__ import annotations

from dataclasses import replace

from hearth.keda.api.scaledobject import ScaledObject
from hearth.keda.scalers.seam import Reading
from hearth.keda.scaling.decide import Act, Decision, Situation, activation_replicas
from hearth.keda.scaling.observing import Sample


def as_told(sample: Sample, is_pushed: bool) -> Sample:
    """What a trigger has told by itself counts, though reading it may not say so yet."""
    if not is_pushed or sample.reading is None:
        return sample
    return replace(sample, reading=Reading(sample.reading.value, True))


def raised(obj: ScaledObject, at: Situation, decision: Decision, *, is_pushed: bool) -> Decision:
    """What a trigger tells by itself is not left to the HPA's next turn; fewer pods are."""
    wish = activation_replicas(obj, at.observation)
    is_idle = decision.replicas is not None or not at.observation.is_active
    if not is_pushed or is_idle or obj.pauses_scale_out or wish <= at.replicas:
        return decision
    return replace(decision, rule="push", act=Act.RAISE, replicas=wish)
