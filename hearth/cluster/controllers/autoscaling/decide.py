"""What is to be done about one autoscaler: replicas, conditions, status, Events. Pure.

Rules, reasons and words are those of Kubernetes' ``horizontal.go``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hearth.cluster.controllers.autoscaling.behavior import Memory, normalize
from hearth.cluster.controllers.autoscaling.decisions import (
    Decision,
    Observed,
    Scale,
    Told,
    bounds_of,
)
from hearth.cluster.controllers.autoscaling.drafts import ABLE, ACTIVE, LIMITED, Draft
from hearth.cluster.controllers.autoscaling.proposals import Proposal, Target, Unusable, propose
from hearth.cluster.controllers.autoscaling.replicas import TOLERANCE, Tolerances
from hearth.kube.meta import Object, namespace
from hearth.kube.quantity import parse_quantity

_DISABLED = (
    False,
    "ScalingDisabled",
    "scaling is disabled since the replica count of the target is zero",
)
_GOT_SCALE = (
    True,
    "SucceededGetScale",
    "the HPA controller was able to get the target's current scale",
)


def asks(hpa: Object, scale: Scale) -> bool:
    """Whether the metrics are asked about at all."""
    bounds = bounds_of(hpa)
    return bounds.least <= scale.wanted <= bounds.most and (scale.wanted > 0 or bounds.least == 0)


def without_scale(hpa: Object, error: str, memory: Memory, *, now: float) -> Decision:
    """What to say where the target's scale cannot be read."""
    text = f"the HPA controller was unable to get the target's current scale: {error}"
    draft = Draft(hpa, now)
    draft.set(ABLE, (False, "FailedGetScale", text))
    events = (("Warning", "FailedGetScale", error),)
    return Decision(draft.status(), memory, events=events)


def decide(observed: Observed, memory: Memory, *, now: float) -> Decision:
    """What to do about an autoscaler whose target's scale is known."""
    hpa, scale = observed.hpa, observed.scale
    draft = Draft(hpa, now)
    draft.set(ABLE, _GOT_SCALE)
    if not memory.recommended:
        memory = replace(memory, recommended={scale.wanted: now})
    bounds = bounds_of(hpa)
    if scale.wanted == 0 and bounds.least != 0:
        draft.set(ACTIVE, _DISABLED)
        return Decision(draft.status(scale.wanted, 0, ()), memory)
    if scale.wanted > bounds.most:
        why = "Current number of replicas above Spec.MaxReplicas"
        return _rescale(draft, observed, memory, bounds.most, why=why)
    if scale.wanted < bounds.least:
        why = "Current number of replicas below Spec.MinReplicas"
        return _rescale(draft, observed, memory, bounds.least, why=why)
    return _by_metrics(draft, observed, memory, now=now)


def _rescale(
    draft: Draft,
    observed: Observed,
    memory: Memory,
    wanted: int,
    *,
    why: str,
    metrics: Sequence[Mapping[str, Any]] = (),
    events: tuple[Told, ...] = (),
) -> Decision:
    current = observed.scale.wanted
    changes = wanted != current
    desired = None if changes else wanted
    return Decision(
        draft.status(current, desired, metrics),
        memory,
        replicas=wanted if changes else None,
        current=current,
        why=why,
        events=events,
        keeps_changes=observed.hpa["spec"].get("behavior") is not None,
    )


def _by_metrics(draft: Draft, observed: Observed, memory: Memory, *, now: float) -> Decision:
    trouble = _selector_trouble(observed)
    if trouble is not None:
        (reason, message), shown = trouble
        draft.set(ACTIVE, (False, *shown))
        return _given_up(draft, observed, memory, (("Warning", reason, message),), message, ())
    current = observed.scale.wanted
    found, statuses, unusable = _proposals(observed, now)
    events = tuple(("Warning", each.reason, str(each)) for each in unusable)
    best = _best(found)
    if unusable and (best is None or best.replicas < current):
        first, count = unusable[0], len(observed.hpa["spec"]["metrics"])
        text = f"the HPA was unable to compute the replica count: {first}"
        draft.set(ACTIVE, (False, first.reason, text))
        share = f"{len(unusable)} invalid out of {count}"
        told = f"invalid metrics ({share}), first error is: {first.told}"
        return _given_up(draft, observed, memory, events, told, statuses)
    assert best is not None
    text = f"the HPA was able to successfully calculate a replica count from {best.name}"
    draft.set(ACTIVE, (True, "ValidMetricFound", text))
    desired = max(0, best.replicas)
    normal = normalize(
        observed.hpa["spec"].get("behavior"),
        memory,
        bounds_of(observed.hpa),
        current=current,
        desired=desired,
        now=now,
    )
    draft.set(ABLE, normal.stabilized)
    draft.set(LIMITED, normal.limited)
    why = f"{best.name} above target" if desired > current else "All metrics below target"
    return _rescale(
        draft,
        observed,
        normal.memory,
        normal.replicas,
        why="" if desired == current else why,
        metrics=statuses,
        events=events,
    )


def _selector_trouble(observed: Observed) -> tuple[tuple[str, str], tuple[str, str]] | None:
    """What is wrong with the selector: for the Event, and for the condition."""
    selector = observed.scale.selector
    if not selector:
        text = "the HPA target's scale is missing a selector"
        return ("SelectorRequired", "selector is required"), ("InvalidSelector", text)
    if observed.bad_selector:
        text = (
            "couldn't convert selector into a corresponding internal selector object: "
            f"{observed.bad_selector}"
        )
        return ("InvalidSelector", text), ("InvalidSelector", text)
    if observed.rivals:
        shown = f"[{' '.join(observed.rivals)}]"
        text = f"pods by selector {selector} are controlled by multiple HPAs: {shown}"
        return ("AmbiguousSelector", text), ("AmbiguousSelector", text)
    return None


def _given_up(
    draft: Draft,
    observed: Observed,
    memory: Memory,
    events: tuple[Told, ...],
    message: str,
    statuses: Sequence[Mapping[str, Any]],
) -> Decision:
    told = ("Warning", "FailedComputeMetricsReplicas", message)
    status = draft.status(observed.scale.wanted, None, statuses)
    return Decision(status, memory, events=(*events, told))


def _proposals(
    observed: Observed, now: float
) -> tuple[list[Proposal], list[Mapping[str, Any]], list[Unusable]]:
    """What the metrics ask for, their statuses, and what is wrong with those of no use."""
    hpa, scale = observed.hpa, observed.scale
    target = Target(
        namespace=namespace(hpa),
        wanted=scale.wanted,
        current=scale.current,
        pods=observed.pods,
        tolerances=_tolerances(hpa),
        now=now,
    )
    found: list[Proposal] = []
    statuses: list[Mapping[str, Any]] = []
    unusable: list[Unusable] = []
    for metric, answer in zip(hpa["spec"]["metrics"], observed.answers, strict=True):
        try:
            proposal = propose(metric, answer, target)
        except Unusable as error:
            unusable.append(error)
            statuses.append({"type": ""})
        else:
            found.append(proposal)
            statuses.append(proposal.status)
    return found, statuses, unusable


def _best(found: Sequence[Proposal]) -> Proposal | None:
    """The proposal of the most replicas, of equal ones the first."""
    return max(found, key=lambda each: each.replicas, default=None)


def _tolerances(hpa: Object) -> Tolerances:
    behavior = hpa["spec"].get("behavior") or {}
    up, down = ((behavior.get(way) or {}).get("tolerance") for way in ("scaleUp", "scaleDown"))
    return Tolerances(
        down=TOLERANCE if down is None else float(parse_quantity(down).amount),
        up=TOLERANCE if up is None else float(parse_quantity(up).amount),
    )
