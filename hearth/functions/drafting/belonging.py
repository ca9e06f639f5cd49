"""What belongs to what: which objects are exported with a Service, a Deployment, a Broker.

An object belongs to what is exported when that names it (a Secret, a Broker, a dead letter sink),
or when it leads there: Triggers and sources of a Service, its domains, what scales it. A source
that leads to a Broker comes with the Broker; other Triggers of a Broker are others' own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hearth.kube.meta import Object, labels, name, namespace

Id = tuple[str, str, str]
"""Group, kind, name."""

SERVING, EVENTING, KEDA = "serving.knative.dev", "eventing.knative.dev", "keda.sh"
SOURCES = ("sources.knative.dev", "sources.hearth.dev")
_BY_FIELD: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "secretKeyRef": ("", "Secret", ("name",)),
    "secretRef": ("", "Secret", ("name",)),
    "secret": ("", "Secret", ("secretName", "name")),
    "secretTargetRef": ("", "Secret", ("name",)),
    "imagePullSecrets": ("", "Secret", ("name",)),
    "configMapKeyRef": ("", "ConfigMap", ("name",)),
    "configMapRef": ("", "ConfigMap", ("name",)),
    "configMap": ("", "ConfigMap", ("name",)),
    "configMapTargetRef": ("", "ConfigMap", ("name",)),
    "persistentVolumeClaim": ("", "PersistentVolumeClaim", ("claimName",)),
    "service": ("", "Service", ("name",)),
}
_BY_TEXT: Mapping[str, tuple[str, str]] = {
    "serviceAccountName": ("", "ServiceAccount"),
    "broker": (EVENTING, "Broker"),
}
_LEADING = {
    *((EVENTING, "Trigger"), ("messaging.knative.dev", "Subscription"), (SERVING, "DomainMapping")),
    *((KEDA, "ScaledObject"), ("http.keda.sh", "HTTPScaledObject")),
    *(("http.keda.sh", "InterceptorRoute"), ("autoscaling", "HorizontalPodAutoscaler")),
    ("networking.k8s.io", "Ingress"),
}
_ADDRESSES = {(EVENTING, "Broker"), ("messaging.knative.dev", "Channel"),
              ("messaging.knative.dev", "InMemoryChannel")}  # fmt: skip


def identity(obj: Object) -> Id:
    """Return what tells an object of a namespace from others."""
    return group_of(str(obj.get("apiVersion", ""))), str(obj.get("kind", "")), name(obj)


def group_of(api_version: str) -> str:
    """Return the group of an apiVersion; "" for the core group."""
    return api_version.rpartition("/")[0]


def named(obj: Object) -> Iterator[Id]:
    """Give what an object names of its own namespace."""
    own = namespace(obj)
    for key, value in obj.items():
        if key not in ("metadata", "status"):
            yield from _named(key, value, own)


def _named(key: str, value: Any, own: str) -> Iterator[Id]:
    if isinstance(value, list):
        for each in value:
            yield from _named(key, each, own)
    elif isinstance(value, str):
        if key in _BY_TEXT and value:
            yield (*_BY_TEXT[key], value)
    elif isinstance(value, dict):
        yield from _reference(key, value, own)
        for inner_key, inner in value.items():
            yield from _named(inner_key, inner, own)


def _reference(key: str, value: Mapping[str, Any], own: str) -> Iterator[Id]:
    if value.get("namespace") not in (None, "", own):
        return
    if key == "authenticationRef" and value.get("name"):
        yield KEDA, str(value.get("kind") or "TriggerAuthentication"), str(value["name"])
    elif key in ("scaleTargetRef", "workloadRef") and value.get("name"):
        group = group_of(str(value.get("apiVersion") or "apps/v1"))
        yield group, str(value.get("kind") or "Deployment"), str(value["name"])
    elif isinstance(value.get("kind"), str) and isinstance(value.get("name"), str):
        group = str(value.get("apiGroup") or group_of(str(value.get("apiVersion") or "")))
        yield group, value["kind"], value["name"]
    elif key in _BY_FIELD:
        group, kind, fields = _BY_FIELD[key]
        yield from ((group, kind, str(value[each])) for each in fields if value.get(each))


def bound(objects: Iterable[Object]) -> set[Id]:
    """Return the workloads that SinkBindings tell where to send, of those that are given."""
    there = list(objects)
    subjects = [_subject(obj) for obj in there if obj["kind"] == "SinkBinding"]
    return {identity(obj) for obj in there if any(_is_subject(obj, each) for each in subjects)}


def _subject(binding: Object) -> Mapping[str, Any]:
    """What a SinkBinding or a ServiceBinding is about: by name or by labels."""
    spec = binding.get("spec") or {}
    return spec.get("subject") or spec.get("workload") or {}


def _is_subject(obj: Object, subject: Mapping[str, Any]) -> bool:
    kind = (group_of(str(subject.get("apiVersion") or "")), str(subject.get("kind")))
    if identity(obj)[:2] != kind:
        return False
    wanted = (subject.get("selector") or {}).get("matchLabels") or {}
    return bool(
        name(obj) == subject.get("name") or (wanted and wanted.items() <= labels(obj).items())
    )


def with_theirs(objects: Iterable[Object], chosen: Iterable[Id]) -> list[Object]:
    """Return the chosen of a namespace's objects and all that belong to them, in their order.

    Only what leads to one of the chosen comes along, not what leads to what these name in turn.
    """
    there = {identity(obj): obj for obj in objects}
    found = set(chosen) & there.keys()
    targets = set(found)
    while True:
        more = {each for key in found for each in named(there[key])} & there.keys()
        more |= {key for key, obj in there.items() if _leads(key, obj, found, targets, there=there)}
        if more <= found:
            return [obj for key, obj in there.items() if key in found]
        found |= more
        targets |= {key for key in more if key[:2] == ("", "Service")}


def _leads(
    key: Id, obj: Object, found: set[Id], targets: set[Id], *, there: Mapping[Id, Object]
) -> bool:
    what = key[:2]
    if what in (("", "Service"), ("policy", "PodDisruptionBudget")):
        selector = (obj.get("spec") or {}).get("selector") or {}
        selector = selector.get("matchLabels") or {} if what[1] != "Service" else selector
        return bool(selector) and any(_selects(selector, there[each]) for each in targets)
    if what == ("rbac.authorization.k8s.io", "RoleBinding"):
        return any(each in found for each in named(obj) if each[1] == "ServiceAccount")
    if key[1] in ("SinkBinding", "ServiceBinding"):
        return any(_is_subject(there[each], _subject(obj)) for each in targets)
    if what[0] in SOURCES:
        to = {each for each in named(obj) if each in found and each[:2] in _ADDRESSES}
        return bool(to) or not targets.isdisjoint(named(obj))
    return what in _LEADING and not targets.isdisjoint(named(obj))


def _selects(selector: Mapping[str, str], workload: Object) -> bool:
    template = (workload.get("spec") or {}).get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    is_plain = str(workload.get("apiVersion")).startswith("apps/")
    return is_plain and selector.items() <= labels.items()
