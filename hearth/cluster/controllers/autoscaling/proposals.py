"""What one metric of an autoscaler asks for, and what its status says of it. Pure.

Rules, reasons and words are those of Kubernetes' ``horizontal.go``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hearth.cluster.controllers.autoscaling import replicas, samples
from hearth.cluster.controllers.autoscaling.grouping import Groups, count_ready, group, requests
from hearth.cluster.controllers.autoscaling.questions import SECTIONS, go_selector
from hearth.cluster.controllers.autoscaling.replicas import Tolerances
from hearth.cluster.controllers.autoscaling.samples import Items, MetricError
from hearth.kube.meta import Object
from hearth.kube.quantity import parse_quantity

Fields = Mapping[str, Any]
Answer = Items | MetricError
_Read = TypeVar("_Read")
_RESOURCE_WITHOUT_TARGET = (
    "invalid resource metric source: neither an average utilization target nor an average value "
    "(usage) target was set"
)
_OBJECT_WITHOUT_TARGET = (
    "invalid object metric source: neither a value target nor an average value target was set"
)


@dataclass(frozen=True, slots=True)
class Target:
    """What is scaled, as it is now."""

    namespace: str
    wanted: int
    """The replicas it is told to have."""
    current: int
    """The replicas it has."""
    pods: Sequence[Object]
    tolerances: Tolerances
    now: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """How many replicas a metric asks for, what it is called in messages, and its status."""

    replicas: int
    name: str
    status: Fields


class Unusable(Exception):
    """A metric of no use now; ``reason`` and text are for its condition, ``told`` for the Event."""

    def __init__(self, reason: str, message: str, told: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.told = told


def propose(metric: Fields, answer: Answer, target: Target) -> Proposal:
    """What a metric asks for, by what its API answered; raises ``Unusable``."""
    kind = metric["type"]
    section = metric[SECTIONS[kind]]
    try:
        return _PROPOSERS[kind](section, answer, target)
    except MetricError as error:
        text = str(error)
        raise Unusable(f"FailedGet{kind}Metric", text, _told(kind, section, text)) from None


def _told(kind: str, section: Fields, text: str) -> str:
    target = section["target"]
    if kind == "Resource":
        return f"failed to get {section['name']} resource metric value: {text}"
    if kind == "ContainerResource":
        return f"failed to get {section['container']} container metric value: {text}"
    name = section["metric"]["name"]
    if kind == "External":
        by_average = target.get("averageValue") is not None
        what = f"{name} external metric" if by_average else f"external metric {name}"
        return f"failed to get {name} external metric value: failed to get {what}: {text}"
    if kind == "Object" and target.get("type") == "AverageValue":
        text = f"failed to get {name} object metric: {text}"
    return f"failed to get {kind.lower()} metric value: {text}"


def _read(answer: Answer, read: Callable[[Items], _Read], api: str) -> _Read:
    """Reads an answer; one that makes no sense is a failure as any other."""
    if isinstance(answer, MetricError):
        raise answer
    try:
        return read(answer)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        text = f"the answer cannot be read: {error!r}"
        raise MetricError(f"unable to fetch metrics from {api} metrics API: {text}") from None


# -- Resources -----------------------------------------------------------------------------


def _of_resource(section: Fields, answer: Answer, target: Target) -> Proposal:
    name, container, wish = section["name"], section.get("container", ""), section["target"]
    by_amount = wish.get("averageValue") is not None
    if not by_amount and wish.get("averageUtilization") is None:
        raise MetricError(_RESOURCE_WITHOUT_TARGET)
    what = "usage" if by_amount else "utilization"
    try:
        wanted, measured = _by_resource(section, answer, target)
    except MetricError as error:
        raise MetricError(f"failed to get {name} {what}: {error}") from None
    current: dict[str, Any] = {"averageValue": _milli(measured.average)}
    if measured.percent is not None:
        current["averageUtilization"] = measured.percent
    kind, place = ("ContainerResource", "container ") if container else ("Resource", "")
    shown = f"{name} {place}resource utilization (percentage of request)"
    status = {"name": name, "current": current} | ({"container": container} if container else {})
    return Proposal(
        wanted,
        f"{name} resource" if by_amount else shown,
        {"type": kind, SECTIONS[kind]: status},
    )


def _by_resource(section: Fields, answer: Answer, target: Target) -> tuple[int, replicas.Measured]:
    name, container, wish = section["name"], section.get("container", ""), section["target"]
    try:
        found = _read(answer, lambda a: samples.of_resource(a, name, container), "resource")
    except MetricError as error:
        raise MetricError(f"unable to get metrics for resource {name}: {error}") from None
    groups = group(target.pods, found, name, now=target.now)
    values = replicas.counted(found, groups)
    if wish.get("averageValue") is not None:
        amount = parse_quantity(wish["averageValue"]).milli
        return _by_usage(values, groups, amount, target)
    asked = requests(target.pods, name, container)
    percent = int(wish["averageUtilization"])
    return replicas.of_pods(
        target.wanted,
        values,
        groups,
        replicas.utilization(asked, percent),
        at_target=lambda pod: asked[pod] * max(100, percent) // 100,
        tolerances=target.tolerances,
    )


def _by_usage(
    values: Mapping[str, int], groups: Groups, amount: int, target: Target
) -> tuple[int, replicas.Measured]:
    return replicas.of_pods(
        target.wanted,
        values,
        groups,
        replicas.usage(amount),
        at_target=lambda _: amount,
        tolerances=target.tolerances,
    )


# -- Custom and external metrics -----------------------------------------------------------


def _of_pods(section: Fields, answer: Answer, target: Target) -> Proposal:
    metric = section["metric"]
    try:
        found = _read(answer, samples.of_pods, "custom")
    except MetricError as error:
        raise MetricError(f"unable to get metric {metric['name']}: {error}") from None
    groups = group(target.pods, found, "", now=target.now)
    amount = parse_quantity(section["target"]["averageValue"]).milli
    values = replicas.counted(found, groups)
    wanted, measured = _by_usage(values, groups, amount, target)
    status = {"metric": metric, "current": {"averageValue": _milli(measured.average)}}
    return Proposal(wanted, f"pods metric {metric['name']}", {"type": "Pods", "pods": status})


def _of_object(section: Fields, answer: Answer, target: Target) -> Proposal:
    metric, wish, described = section["metric"], section["target"], section["describedObject"]
    kinds = {"Value": "value", "AverageValue": "averageValue"}
    if wish.get(kinds.get(wish.get("type", ""), "")) is None:
        raise MetricError(_OBJECT_WITHOUT_TARGET)
    try:
        value = _read(answer, samples.of_object, "custom")
    except MetricError as error:
        # Kubernetes gives its format the arguments in this order.
        place = f"{described['kind']} on {target.namespace} {described['name']}/{error}"
        raise MetricError(f"unable to get metric {metric['name']}: {place}") from None
    wanted, current = _shared(wish, value, target)
    status: dict[str, Any] = {"metric": metric, "current": current}
    status["describedObject"] = described if "value" in current else {"kind": "", "name": ""}
    shown = f"{described['kind']} metric {metric['name']}"
    if "value" not in current:
        shown = _external_name(metric)
    return Proposal(wanted, shown, {"type": "Object", "object": status})


def _of_external(section: Fields, answer: Answer, target: Target) -> Proposal:
    metric = section["metric"]
    try:
        value = _read(answer, samples.of_external, "external")
    except MetricError as error:
        place = f"{target.namespace}/{metric['name']}/{go_selector(metric.get('selector'))}"
        raise MetricError(f"unable to get external metric {place}: {error}") from None
    wanted, current = _shared(section["target"], value, target)
    status = {"metric": metric, "current": current}
    return Proposal(wanted, _external_name(metric), {"type": "External", "external": status})


def _external_name(metric: Fields) -> str:
    return f"external metric {metric['name']}({go_selector(metric.get('selector'))})"


def _shared(wish: Fields, value: int, target: Target) -> tuple[int, Fields]:
    """Replicas by one value for all pods, as a whole or shared out; and its status."""
    if wish.get("averageValue") is not None:
        amount = parse_quantity(wish["averageValue"]).milli
        wanted, share = replicas.by_average(target.current, value, amount, target.tolerances)
        return wanted, {"averageValue": _milli(share)}
    wanted = replicas.by_ratio(
        target.wanted,
        value,
        parse_quantity(wish["value"]).milli,
        ready=lambda: count_ready(target.pods),
        tolerances=target.tolerances,
    )
    return wanted, {"value": _milli(value)}


def _milli(amount: int) -> str:
    return str(parse_quantity(f"{amount}m"))


_PROPOSERS: Mapping[str, Callable[[Fields, Answer, Target], Proposal]] = {
    "Resource": _of_resource,
    "ContainerResource": _of_resource,
    "Pods": _of_pods,
    "Object": _of_object,
    "External": _of_external,
}
