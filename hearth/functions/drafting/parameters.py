"""What of exported objects can be set: the places in them, and what the settings are called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from hearth.functions.drafting.belonging import KEDA, SERVING, SOURCES, identity
from hearth.functions.drafting.cleaning import Path
from hearth.kube.meta import Object, name

PLACEHOLDER = "REPLACE-ME"
"""Stands for a Secret's value, which no export has."""
_DOCKER = ".dockerconfigjson"
_SCALE = ("spec", "template", "metadata", "annotations")
_REPLICAS = {("apps", "Deployment"), ("apps", "StatefulSet")}
_IN_TEMPLATE = {(SERVING, "Service"), *_REPLICAS, ("apps", "DaemonSet")}


@dataclass(frozen=True, slots=True)
class Parameter:
    """``keys`` lead to it in values, ``path`` in the object; ``value`` None: left out there."""

    keys: tuple[str, ...]
    path: Path
    value: Any
    about: str

    @property
    def is_annotation(self) -> bool:
        """Whether it has to be a text where a number is given."""
        return self.path[-2:-1] == ("annotations",)


def camel(text: str) -> str:
    """Return a name as a key of values: shop-front is shopFront."""
    first, *rest = [part for part in re.split(r"[^A-Za-z0-9]+", text) if part] or ["x"]
    return first[:1].lower() + first[1:] + "".join(part[:1].upper() + part[1:] for part in rest)


def with_parameters(objects: Sequence[Object]) -> list[tuple[Object, list[Parameter]]]:
    """Return objects with what can be set of each.

    The first key is the object's name, with its kind where that is taken.
    """
    taken, scaled, found = {"secrets", "global"}, scaled_by_others(objects), []
    for obj in objects:
        key = camel(name(obj))
        while key in taken:
            key += str(obj["kind"])
        mine = parameters(key, obj, scaled)
        taken |= {key} if mine else set()
        found.append((obj, mine))
    return found


def file_of(obj: Object) -> str:
    """Return what the file of an object is called."""
    kind = "ksvc" if identity(obj)[:2] == (SERVING, "Service") else str(obj["kind"]).lower()
    return f"{kind}-{name(obj)}.yaml"


def parameters(key: str, obj: Object, scaled: set[tuple[str, str, str]]) -> list[Parameter]:
    """Return what can be set of an object; ``scaled`` are workloads whose pods others count."""
    what = identity(obj)
    if what[:2] == (SERVING, "DomainMapping"):
        return [Parameter((key, "domain"), ("metadata", "name"), name(obj), "The name.")]
    if what[0] in SOURCES and what[1] == "PingSource":
        return _fields(key, obj, {"schedule": "When, as cron has it."})
    if what[:2] == (KEDA, "ScaledObject"):
        bounds = {"minReplicaCount": "Least pods.", "maxReplicaCount": "Most pods."}
        return _fields(key, obj, bounds)
    if what[:2] not in _IN_TEMPLATE:
        return []
    found = list(_containers(key, obj))
    if what[:2] == (SERVING, "Service"):
        found += _knative(key, obj)
    elif what[:2] in _REPLICAS and what not in scaled:
        replicas = obj["spec"].get("replicas", 1)
        found.append(Parameter((key, "replicas"), ("spec", "replicas"), replicas, "Pods."))
    return found


def _fields(key: str, obj: Object, about: dict[str, str]) -> list[Parameter]:
    spec = obj.get("spec") or {}
    return [Parameter((key, f), ("spec", f), spec.get(f), text) for f, text in about.items()]


def _knative(key: str, obj: Object) -> Iterator[Parameter]:
    template = obj["spec"]["template"]
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    for field, short, about in (
        ("minScale", "min-scale", "Least pods of a revision; 0 lets it sleep."),
        ("maxScale", "max-scale", "Most pods of a revision."),
    ):
        annotation = f"autoscaling.knative.dev/{short}"
        text = annotations.get(annotation)
        value = int(str(text)) if str(text).isdecimal() else text
        yield Parameter((key, field), (*_SCALE, annotation), value, about)
    limit = template["spec"].get("containerConcurrency")
    path: Path = ("spec", "template", "spec", "containerConcurrency")
    yield Parameter((key, "concurrency"), path, limit, "Requests that a pod gets at once.")


def _containers(key: str, obj: Object) -> Iterator[Parameter]:
    containers = obj["spec"]["template"]["spec"].get("containers") or []
    for index, each in enumerate(containers):
        keys = (key,) if index == 0 else (key, camel(str(each.get("name") or f"container{index}")))
        path: Path = ("spec", "template", "spec", "containers", index)
        yield Parameter((*keys, "image"), (*path, "image"), each.get("image"), "The image.")
        about = "Requests and limits of cpu and memory."
        yield Parameter((*keys, "resources"), (*path, "resources"), each.get("resources"), about)
        for place, variable in enumerate(each.get("env") or ()):
            if "value" in variable:
                named = (*keys, "env", variable["name"])
                yield Parameter(named, (*path, "env", place, "value"), variable["value"], "")


def put(obj: Object, path: Path, value: Any) -> None:
    """Set what is at a path, with the objects that lead there."""
    holder: Any = obj
    for part in path[:-1]:
        holder = holder[part] if isinstance(part, int) else holder.setdefault(part, {})
    holder[path[-1]] = value


def scaled_by_others(objects: Sequence[Object]) -> set[tuple[str, str, str]]:
    """Return the workloads whose pods a ScaledObject or an autoscaler counts."""
    found = set()
    for obj in objects:
        target = (obj.get("spec") or {}).get("scaleTargetRef") or {}
        if (
            obj["kind"] in ("ScaledObject", "HorizontalPodAutoscaler", "HTTPScaledObject")
            and target
        ):
            group = str(target.get("apiVersion") or "apps/v1").rpartition("/")[0]
            found.add((group, str(target.get("kind") or "Deployment"), str(target.get("name"))))
    return found


def without_values(secret: Object) -> Object:
    """Return a Secret whose values are placeholders."""
    kept = deepcopy({key: value for key, value in secret.items() if key != "data"})
    kept["stringData"] = dict.fromkeys(secret.get("data") or {}, PLACEHOLDER)
    if _DOCKER in kept["stringData"]:
        kept["stringData"][_DOCKER] = f'{{"auths": {{"{PLACEHOLDER}": {{}}}}}}'  # it has to be JSON
    return kept
