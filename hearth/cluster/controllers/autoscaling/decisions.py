"""What is seen of one autoscaler, what was decided, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hearth.cluster.controllers.autoscaling.behavior import Bounds, Memory
from hearth.cluster.controllers.autoscaling.drafts import ABLE, Draft
from hearth.cluster.controllers.autoscaling.proposals import Answer
from hearth.kube.clock import rfc3339
from hearth.kube.meta import Object

Told = tuple[str, str, str]
"""An Event: type, reason, message."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale of the target: replicas it is to have and has, the selector of its pods."""

    wanted: int
    current: int
    selector: str


@dataclass(frozen=True, slots=True)
class Observed:
    """One autoscaler and what it goes by."""

    hpa: Object
    scale: Scale
    pods: Sequence[Object] = ()
    """Those that the selector of the scale selects."""
    bad_selector: str = ""
    """What is wrong with the selector, where it cannot be read."""
    rivals: Sequence[str] = ()
    """All autoscalers of these pods, where there are several."""
    answers: Sequence[Answer] = ()
    """Of the metric APIs, in the order of the metrics; where ``asks``."""


@dataclass(frozen=True, slots=True)
class Decision:
    """``replicas`` are to be written, unless None; then comes ``succeeded`` or ``failed``."""

    status: Mapping[str, Any]
    memory: Memory
    replicas: int | None = None
    current: int = 0
    why: str = ""
    events: tuple[Told, ...] = ()
    keeps_changes: bool = False


def bounds_of(hpa: Object) -> Bounds:
    """The fewest and the most replicas."""
    least = hpa["spec"].get("minReplicas")
    return Bounds(1 if least is None else int(least), int(hpa["spec"]["maxReplicas"]))


def succeeded(decision: Decision, *, now: float) -> Decision:
    """After the replicas were written."""
    assert decision.replicas is not None
    done, memory = decision.replicas, decision.memory
    if decision.keeps_changes:
        memory = memory.changed(done - decision.current, now)
    draft = Draft({"status": decision.status}, now)
    text = f"the HPA controller was able to update the target scale to {done}"
    draft.set(ABLE, (True, "SucceededRescale", text))
    told = ("Normal", "SuccessfulRescale", f"New size: {done}; reason: {decision.why}")
    status = draft.status(decision.current, done) | {"lastScaleTime": rfc3339(now)}
    return replace(decision, status=status, memory=memory, events=(*decision.events, told))


def failed(decision: Decision, error: str, *, now: float) -> Decision:
    """After the replicas could not be written."""
    draft = Draft({"status": decision.status}, now)
    text = f"the HPA controller was unable to update the target scale: {error}"
    draft.set(ABLE, (False, "FailedUpdateScale", text))
    size = f"New size: {decision.replicas}; reason: {decision.why}; error: {error}"
    events = (*decision.events, ("Warning", "FailedRescale", size))
    return replace(decision, status=draft.status(), events=events)
