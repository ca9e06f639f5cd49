"""Objects of metrics.k8s.io out of what the node tells of itself and its pods. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hearth.cluster.kinds.base import define
from hearth.cluster.model.kind import Column, Kind, Table
from hearth.cluster.model.objects import Object
from hearth.kube.clock import rfc3339
from hearth.kube.durations import format_go_duration

GROUP = "metrics.k8s.io"
API_VERSION = f"{GROUP}/v1beta1"


@dataclass(frozen=True, slots=True)
class NodeUsage:
    """What a node has told: of its pods, by namespace and name, and of the machine."""

    node: str
    at: float
    pods: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
    machine: Mapping[str, Any] | None


def read_usage(document: Mapping[str, Any]) -> NodeUsage:
    """Takes what a node has told apart."""
    pods: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    machine = None
    for use in document["uses"]:
        if use["name"]:
            namespace, pod, _ = use["name"]
            pods.setdefault((namespace, pod), []).append(use)
        else:
            machine = use
    return NodeUsage(document["node"], document["at"], pods, machine)


def pod_metrics(
    namespace: str, name: str, labels: Mapping[str, str], told: NodeUsage
) -> Object | None:
    """The PodMetrics of a pod; None where nothing is known of it."""
    uses = told.pods.get((namespace, name))
    if not uses:
        return None
    containers = [{"name": use["name"][2], "usage": _usage(use)} for use in uses]
    metadata = {"name": name, "namespace": namespace}
    window = min(use["window"] for use in uses)
    return _metrics("PodMetrics", metadata, labels, told.at, window) | {"containers": containers}


def node_metrics(name: str, labels: Mapping[str, str], told: NodeUsage) -> Object | None:
    """The NodeMetrics of a node; None where nothing is known of it."""
    use = told.machine
    if use is None or name != told.node:
        return None
    head = _metrics("NodeMetrics", {"name": name}, labels, told.at, use["window"])
    return head | {"usage": _usage(use)}


def _metrics(
    kind: str, metadata: Object, labels: Mapping[str, str], at: float, window: float
) -> Object:
    shown = metadata | {"creationTimestamp": rfc3339(at)}
    if labels:
        shown["labels"] = dict(labels)
    return {
        "kind": kind,
        "apiVersion": API_VERSION,
        "metadata": shown,
        "timestamp": rfc3339(at),
        "window": format_go_duration(round(window, 3)),
    }


def _usage(use: Mapping[str, Any]) -> dict[str, str]:
    return {"cpu": f"{use['cpu']}n" if use["cpu"] else "0", "memory": f"{use['memory'] // 1024}Ki"}


def _cells(obj: Object, now: float) -> Sequence[Any]:
    uses = [obj["usage"]] if "usage" in obj else [each["usage"] for each in obj["containers"]]
    cpu = sum(int(use["cpu"].removesuffix("n")) for use in uses)
    memory = sum(int(use["memory"].removesuffix("Ki")) for use in uses)
    return obj["metadata"]["name"], f"{cpu}n", f"{memory}Ki", obj["window"]


_TABLE = Table(tuple(Column(name) for name in ("Name", "cpu", "memory", "Window")), _cells)


def metrics_kinds() -> list[Kind]:
    """The kinds whose objects are made for each question."""
    kinds = (("NodeMetrics", "nodes", False), ("PodMetrics", "pods", True))
    return [
        replace(
            define(
                "metrics/v1beta1",
                kind,
                plural,
                namespaced=namespaced,
                verbs=("get", "list"),
                table=_TABLE,
            ),
            singular="",
        )
        for kind, plural, namespaced in kinds
    ]
