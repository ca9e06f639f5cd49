"""What is asked of the metric APIs for each metric of an autoscaler, and what failures are called.

Pure; ``asking`` does the asking.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hearth.kube.errors import ApiError
from hearth.kube.selectors import selector_text

Fields = Mapping[str, Any]
RESOURCE_API = "/apis/metrics.k8s.io/v1beta1"
CUSTOM_APIS = tuple(f"/apis/custom.metrics.k8s.io/{each}" for each in ("v1beta2", "v1beta1"))
"""The newer first; who has only the older one answers 404 for it."""
EXTERNAL_API = "/apis/external.metrics.k8s.io/v1beta1"
SECTIONS = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}
"""Where a metric of each type keeps what is particular to it."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request: paths of which the first that is there answers."""

    paths: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    api: str
    """resource, custom or external."""
    about: str
    """The resource in client-go's words for errors."""


@dataclass(frozen=True, slots=True)
class Place:
    """Of whom metrics are asked."""

    namespace: str
    selector: str
    """Of the pods."""
    resources: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """``ingresses.networking.k8s.io`` by apiVersion and kind, of objects that metrics describe."""


def question(metric: Fields, place: Place) -> Question:
    """What to ask for a metric."""
    section = metric[SECTIONS[metric["type"]]]
    if metric["type"] in ("Resource", "ContainerResource"):
        path = f"{RESOURCE_API}/namespaces/{place.namespace}/pods"
        about = "pods.metrics.k8s.io"
        return Question((path,), _given(labelSelector=place.selector), "resource", about)
    name = quote(section["metric"]["name"], safe="")
    wanted = selector_text(section["metric"].get("selector"))
    if metric["type"] == "External":
        path = f"{EXTERNAL_API}/namespaces/{place.namespace}/{name}"
        about = f"{section['metric']['name']}.external.metrics.k8s.io"
        return Question((path,), _given(labelSelector=wanted), "external", about)
    if metric["type"] == "Pods":
        where = f"namespaces/{place.namespace}/pods/*/{name}"
        query = _given(labelSelector=place.selector, metricLabelSelector=wanted)
        about = "pods.custom.metrics.k8s.io"
    else:
        where, about = _described(section["describedObject"], place), "*.custom.metrics.k8s.io"
        where, query = f"{where}/{name}", _given(metricLabelSelector=wanted)
    return Question(tuple(f"{api}/{where}" for api in CUSTOM_APIS), query, "custom", about)


def _described(reference: Fields, place: Place) -> str:
    api_version, kind = reference.get("apiVersion", "v1"), reference["kind"]
    if kind == "Namespace" and "/" not in api_version:
        # An autoscaler sees no other namespace than its own.
        return f"namespaces/{place.namespace}/metrics"
    resource = place.resources.get((api_version, kind), kind.lower())
    return f"namespaces/{place.namespace}/{resource}/{quote(reference['name'], safe='')}"


def _given(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in values.items() if value)


def failure(asked: Question, error: ApiError) -> str:
    """Why there is no answer, in client-go's words."""
    words = {
        404: "the server could not find the requested resource",
        503: "the server is currently unable to handle the request",
    }.get(error.code)
    if words is not None and not error.details.get("name"):
        return f"unable to fetch metrics from {asked.api} metrics API: {words} (get {asked.about})"
    return f"unable to fetch metrics from {asked.api} metrics API: {error.message}"


def go_selector(selector: Fields | None) -> str:
    """A label selector as Go's ``%+v`` shows it, which messages have."""
    if selector is None:
        return "nil"
    labels = selector.get("matchLabels") or {}
    shown = "".join(f"{key}: {labels[key]}," for key in sorted(labels))
    each = "".join(
        f"LabelSelectorRequirement{{Key:{one['key']},Operator:{one['operator']},"
        f"Values:[{' '.join(one.get('values') or ())}],}},"
        for one in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{shown}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{each}}},}}"
    )
