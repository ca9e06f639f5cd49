"""An object as somebody would have written it: without what a server and its controllers add."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from hearth.kube.meta import Object

Path = tuple[str | int, ...]
Defaulted = Callable[[Object], Object]
"""Fills in an object what a server would; raises ValueError where it cannot."""

_METADATA = ("name", "namespace", "labels", "annotations")
_NOTED = (  # annotations and labels that servers and controllers write
    *("/creator", "/lastModifier", "/last-applied-configuration", "deployment.kubernetes.io/"),
    *("pv.kubernetes.io/", "volume.kubernetes.io/", "volume.beta.kubernetes.io/"),
    *("scaledobject.keda.sh/name", "servicebinding.hearth.dev/"),
)
_ALLOCATED: dict[tuple[str, str], tuple[str, ...]] = {
    ("v1", "Service"): (
        *("clusterIP", "clusterIPs", "healthCheckNodePort", "ipFamilies", "ipFamilyPolicy"),
    ),
    ("v1", "PersistentVolumeClaim"): ("volumeName",),
    ("v1", "ServiceAccount"): ("secrets",),
}


def cleaned(obj: Object) -> Object:
    """Return a copy without status and without what a server sets."""
    kept = deepcopy({key: value for key, value in obj.items() if key not in ("status", "metadata")})
    metadata = {key: obj["metadata"][key] for key in _METADATA if obj["metadata"].get(key)}
    for field in ("labels", "annotations"):
        if field in metadata:
            metadata[field] = {k: v for k, v in metadata[field].items() if not _is_noted(k)}
            if not metadata[field]:
                del metadata[field]
    kept = {key: kept.pop(key) for key in ("apiVersion", "kind")} | {"metadata": metadata} | kept
    _release(kept)
    return kept


def _is_noted(key: str) -> bool:
    return any(key.endswith(each) or key.startswith(each) for each in _NOTED)


def _release(obj: Object) -> None:
    """Take out what a server has given of what it has: addresses, ports, volumes, revisions."""
    what = (obj["apiVersion"], obj["kind"])
    holder = obj if what[1] == "ServiceAccount" else obj.get("spec") or {}
    for field in _ALLOCATED.get(what, ()):
        if holder.get(field) != "None":  # a headless Service is one by its cluster IP
            holder.pop(field, None)
    if what == ("v1", "Service") and holder.get("type") != "NodePort":
        for port in holder.get("ports") or ():
            port.pop("nodePort", None)


def smallest(obj: Object, defaulted: Defaulted) -> Object:
    """Return the least that a server would complete to the same object."""
    try:
        full = defaulted(obj)
    except ValueError:
        return obj
    for path in list(_paths(obj, ())):
        trial = deepcopy(obj)
        if not _removed(trial, path):
            continue
        try:
            if defaulted(trial) == full:
                obj = trial
        except ValueError:
            continue
    return obj


def _paths(value: Any, at: Path) -> Iterator[Path]:
    """The fields of an object, a field before what is in it; entries of lists stay."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if (*at, key) not in _NEEDED:
                yield (*at, key)
            yield from _paths(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, (*at, index))


_NEEDED = {("apiVersion",), ("kind",), ("metadata",), ("metadata", "name")}


def _removed(obj: Object, path: Path) -> bool:
    holder: Any = obj
    for part in path[:-1]:
        try:
            holder = holder[part]
        except (KeyError, IndexError):  # it went with what it was in
            return False
    return holder.pop(path[-1], _removed) is not _removed
