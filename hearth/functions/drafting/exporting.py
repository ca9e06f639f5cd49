"""From objects of a namespace to those that an export writes, and what is to be said of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.functions.drafting.belonging import SERVING, Id, identity, with_theirs
from hearth.functions.drafting.cleaning import cleaned
from hearth.kube.meta import Object, labels, name

_ORDER = (
    *("ServiceAccount", "Role", "RoleBinding", "Secret", "ConfigMap", "PersistentVolumeClaim"),
    *("Service", "Deployment", "StatefulSet", "DaemonSet", "CronJob", "Broker", "Channel"),
)
_ONLY_NAMED = {("", "Secret"), ("", "ConfigMap"), ("", "ServiceAccount"),
               ("rbac.authorization.k8s.io", "Role"),
               ("rbac.authorization.k8s.io", "RoleBinding")}  # fmt: skip


class ExportError(ValueError):
    """An export that cannot be; the text says why and what can be."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is exported: by name, by ``KIND/NAME``, by labels; without any, all of a namespace."""

    names: Sequence[str] = ()
    selected: Callable[[Object], bool] | None = None


def exported(objects: Sequence[Object], chosen: Chosen) -> list[Object]:
    """Return what is exported, in the order it is applied in; ExportError names what is not there.

    Secrets, ConfigMaps and accounts come along where something names them, or where they are named.
    """
    found = [cleaned(obj) for obj in with_theirs(objects, _roots(objects, chosen))]
    if not found:
        raise ExportError("there is nothing to export: no name, no label and no object fits")
    return sorted(found, key=lambda obj: (_rank(str(obj["kind"])), str(obj["kind"]), name(obj)))


def _roots(objects: Sequence[Object], chosen: Chosen) -> set[Id]:
    if not chosen.names:
        fits = chosen.selected or (lambda obj: identity(obj)[:2] not in _ONLY_NAMED)
        return {identity(obj) for obj in objects if fits(obj)}
    found: set[Id] = set()
    for text in chosen.names:
        kind, slash, title = text.rpartition("/")
        mine = {
            identity(obj)
            for obj in objects
            if name(obj) == title and (not slash or kind.lower() in _kinds(obj))
        }
        if not slash:  # a name alone means what runs, and not a Secret of that name beside it
            mine = {each for each in mine if each[:2] not in _ONLY_NAMED} or mine
        if not mine:
            there = sorted({name(obj) for obj in objects if identity(obj)[:2] not in _ONLY_NAMED})
            known = ", ".join(there[:20]) or "nothing"
            raise ExportError(f"there is no {text} to export; there is {known}")
        found |= mine
    return found


def _kinds(obj: Object) -> tuple[str, ...]:
    """What an object's kind is called on the command line."""
    kind = str(obj["kind"]).lower()
    is_knative = identity(obj)[:2] == (SERVING, "Service")
    return ("ksvc", "services.serving.knative.dev", kind) if is_knative else (kind, f"{kind}s")


def _rank(kind: str) -> int:
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


# -- away from where it ran ------------------------------------------------------------------------


def portable(obj: Object, namespace: str) -> tuple[Object, list[str]]:
    """Return an object that any namespace takes, and what was changed of it or may have to be."""
    obj = {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "namespace"}}
    told = [f"{_called(obj)}: {each}" for each in _portable_traffic(obj)]
    for each in sorted(_foreign(obj, namespace)):
        told.append(f"{_called(obj)} names namespace {each}, which is left as it is")
    return _without_own(obj, namespace), told


def _called(obj: Object) -> str:
    return f"{str(obj['kind']).lower()} {name(obj)}"


def _portable_traffic(obj: Object) -> list[str]:
    """Revisions are not exported: what was split among them goes to the one that is made."""
    if identity(obj)[:2] != (SERVING, "Service"):
        return []
    traffic = obj["spec"].get("traffic") or []
    obj["spec"]["template"].get("metadata", {}).pop("name", None)
    if not any(each.get("revisionName") for each in traffic):
        return []
    obj["spec"] = {key: value for key, value in obj["spec"].items() if key != "traffic"}
    return ["its requests are split among revisions, which are not exported: all go to the new one"]


def _without_own(value: Any, namespace: str) -> Any:
    """References to the own namespace say nothing: without it they mean the same anywhere."""
    if isinstance(value, list):
        return [_without_own(each, namespace) for each in value]
    if not isinstance(value, dict):
        return value
    is_reference = "kind" in value and "name" in value and value.get("namespace") == namespace
    return {
        key: _without_own(inner, namespace)
        for key, inner in value.items()
        if not (is_reference and key == "namespace" and value["kind"] != "ServiceAccount")
    }


def _foreign(value: Any, namespace: str) -> Iterable[str]:
    if isinstance(value, list):
        return {found for each in value for found in _foreign(each, namespace)}
    if not isinstance(value, dict):
        return set()
    own = value.get("namespace")
    mine = {own} if isinstance(own, str) and own not in ("", namespace) else set()
    return mine | {found for each in value.values() for found in _foreign(each, namespace)}


def images(obj: Object) -> list[Object]:
    """Return the containers of an object that have an image."""
    pod = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
    containers = (*(pod.get("initContainers") or ()), *(pod.get("containers") or ()))
    return [each for each in containers if each.get("image")]


def by_labels(selector: Callable[[dict[str, str]], bool]) -> Callable[[Object], bool]:
    """Return a choice by labels."""
    return lambda obj: selector(labels(obj))
