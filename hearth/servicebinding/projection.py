"""Puts a binding into a workload, and takes it out again. Pure.

What was put in is found again by the binding's uid: a volume and mounts of that name, variables
that annotations of the workload name. So unbinding leaves a workload as it was. Entries of bindings
come after those of others, in order of their names: the same set of bindings gives the same pod
template whatever the order they came in.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.servicebinding import keys, paths
from hearth.servicebinding.mapping import ContainerMapping, Template, built_in, template_of
from hearth.servicebinding.paths import PathError

_MODE = 0o644
_ANNOTATIONS: paths.Path = ("metadata", "annotations")
Entries = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Projection:
    """What a binding gives to containers."""

    uid: str
    name: str
    """Of the folder below the root."""
    secret: str
    type: str = ""
    provider: str = ""
    env: Sequence[tuple[str, str]] = ()
    """Names of variables, and the keys whose values they have."""
    containers: Sequence[str] = ()
    """Which ones, by name; without any, all."""


def is_projected(workload: Object, uid: str) -> bool:
    """Whether a binding of this uid is in a workload."""
    return f"{keys.MAPPING}{uid}" in meta.annotations(workload)


def project(
    workload: Object, projection: Projection, mapping: Mapping[str, Any], version: str
) -> Object:
    """Return a workload with a binding in it, put in anew if it was; raise PathError.

    ``mapping`` is the spec of the workload's kind, which is written down for the way back.
    """
    template = template_of(mapping, version)
    changed = unproject(workload, projection.uid, mapping, version)
    own = dict(meta.annotations(changed))
    inner = dict(paths.get(changed, template.annotations) or {})
    inner[f"{keys.SECRET}{projection.uid}"] = projection.secret
    for prefix, value in ((keys.TYPE, projection.type), (keys.PROVIDER, projection.provider)):
        if value:
            inner[f"{prefix}{projection.uid}"] = value
    paths.put(changed, template.annotations, inner)
    volumes = [*(paths.get(changed, template.volumes) or ()), _volume(projection)]
    paths.put(changed, template.volumes, _ordered(volumes))
    _fill_containers(changed, projection, template, own)
    own[f"{keys.MAPPING}{projection.uid}"] = json.dumps(mapping, sort_keys=True)
    paths.put(changed, _ANNOTATIONS, own)
    return changed


def unproject(workload: Object, uid: str, mapping: Mapping[str, Any], version: str) -> Object:
    """Return a copy without a binding, by the mapping that it was put in by; raise PathError."""
    changed, own = copy.deepcopy(workload), dict(meta.annotations(workload))
    stashed = own.pop(f"{keys.MAPPING}{uid}", None)
    known = _read(stashed)
    template = template_of(known if isinstance(known, dict) else mapping, version)
    inner = dict(paths.get(changed, template.annotations) or {})
    owned = _owned(own, inner)
    ours = owned.pop(uid, [])
    shared = [each for others in owned.values() for each in others]
    own.pop(f"{keys.ENV}{uid}", None)
    for prefix in (keys.SECRET, keys.TYPE, keys.PROVIDER):
        inner.pop(f"{prefix}{uid}", None)
    volume = f"{keys.VOLUME}{uid}"
    for number, (container, parts) in enumerate(_containers(changed, template)):
        env = [
            each
            for each in paths.get(container, parts.env) or ()
            if each not in ours or each in shared
        ]
        mounts = _without(paths.get(container, parts.volume_mounts), volume)
        if not any(str(each.get("name")).startswith(keys.VOLUME) for each in mounts):
            env = _without_root(env, number, own)
        paths.put(container, parts.env, env)
        paths.put(container, parts.volume_mounts, mounts)
    paths.put(changed, template.annotations, inner)
    paths.put(changed, template.volumes, _without(paths.get(changed, template.volumes), volume))
    paths.put(changed, _ANNOTATIONS, own)
    return changed


def _pairs(known: Any) -> Iterator[tuple[str, str]]:
    for each in known if isinstance(known, list) else ():
        if isinstance(each, list) and len(each) == 2:
            yield str(each[0]), str(each[1])


def _read(text: str | None) -> Any:
    """What was written down; None for what somebody has made unreadable."""
    try:
        return json.loads(text or "null")
    except ValueError:
        return None


def _owned(own: Mapping[str, str], inner: Mapping[str, str]) -> dict[str, Entries]:
    """The variables that bindings have put in, by uid; others of the same name are not meant."""
    found: dict[str, Entries] = {}
    for key, text in own.items():
        if key.startswith(keys.ENV):
            uid = key.removeprefix(keys.ENV)
            secret, kind, provider = (
                inner.get(f"{prefix}{uid}", "")
                for prefix in (keys.SECRET, keys.TYPE, keys.PROVIDER)
            )
            env = list(_pairs(_read(text)))
            found[uid] = list(_variables(Projection(uid, "", secret, kind, provider, env)))
    return found


def _without(entries: Any, name: str) -> Entries:
    return [each for each in entries or () if each.get("name") != name]


def _without_root(env: Entries, number: int, own: dict[str, str]) -> Entries:
    """The last binding of a container takes the root along that the first one brought."""
    given = [each for each in own.get(keys.ROOTS, "").split(",") if each]
    if str(number) not in given:
        return env
    own[keys.ROOTS] = ",".join(each for each in given if each != str(number))
    if not own[keys.ROOTS]:
        del own[keys.ROOTS]
    ours = {"name": keys.ROOT, "value": keys.DEFAULT_ROOT}
    return [each for each in env if each != ours]


# -- what is put in --------------------------------------------------------------------------------


def _containers(
    workload: Object, template: Template
) -> Iterator[tuple[dict[str, Any], ContainerMapping]]:
    for parts in template.containers:
        for container in paths.matches(workload, parts.path):
            if not isinstance(container, dict):
                raise PathError("a path of containers leads to something else")
            yield container, parts


def _fill_containers(
    changed: Object, projection: Projection, template: Template, own: dict[str, str]
) -> None:
    inner = paths.get(changed, template.annotations) or {}
    before = [each for ours in _owned(own, inner).values() for each in ours]
    wanted, added = list(_variables(projection)), list[int]()
    roots = set(filter(None, own.get(keys.ROOTS, "").split(",")))
    for number, (container, parts) in enumerate(_containers(changed, template)):
        name = None if parts.name is None else paths.get(container, parts.name)
        if projection.containers and name is not None and name not in projection.containers:
            continue
        env: Entries = list(paths.get(container, parts.env) or ())
        root = next((each.get("value") for each in env if each.get("name") == keys.ROOT), None)
        if root is None:
            root = keys.DEFAULT_ROOT
            env.append({"name": keys.ROOT, "value": root})
            roots.add(str(number))
        for place, variable in enumerate(wanted):
            if variable not in env:
                env.append(variable)
            elif variable not in before:
                continue  # somebody else's, which is not ours to take away
            added.append(place)
        mount = {
            "name": f"{keys.VOLUME}{projection.uid}",
            "mountPath": f"{root.rstrip('/')}/{projection.name}",
            "readOnly": True,
        }
        mounts = [*(paths.get(container, parts.volume_mounts) or ()), mount]
        paths.put(container, parts.env, _ordered_env(env, [*before, *wanted]))
        paths.put(container, parts.volume_mounts, _ordered(mounts))
    if added:
        pairs = [pair for place, pair in enumerate(projection.env) if place in added]
        own[f"{keys.ENV}{projection.uid}"] = json.dumps(pairs)
    if roots:
        own[keys.ROOTS] = ",".join(sorted(roots))


def _volume(projection: Projection) -> dict[str, Any]:
    """``type`` and ``provider`` of the binding lie over those of the Secret."""
    sources: Entries = [{"secret": {"name": projection.secret}}]
    for path, prefix, value in (
        ("type", keys.TYPE, projection.type),
        ("provider", keys.PROVIDER, projection.provider),
    ):
        if value:
            field = f"metadata.annotations['{prefix}{projection.uid}']"
            item = {"path": path, "fieldRef": {"apiVersion": "v1", "fieldPath": field}}
            sources.append({"downwardAPI": {"items": [item]}})
    return {
        "name": f"{keys.VOLUME}{projection.uid}",
        "projected": {"sources": sources, "defaultMode": _MODE},
    }


def _variables(projection: Projection) -> Iterator[dict[str, Any]]:
    """What the binding says itself is told as it is: Knative lets no variable refer to a field."""
    said = {"type": projection.type, "provider": projection.provider}
    for name, key in projection.env:
        if said.get(key):
            yield {"name": name, "value": said[key]}
        else:
            reference = {"name": projection.secret, "key": key}
            yield {"name": name, "valueFrom": {"secretKeyRef": reference}}


def _ordered(entries: Entries) -> Entries:
    return sorted(
        entries,
        key=lambda each: (
            (1, each["name"]) if str(each.get("name")).startswith(keys.VOLUME) else (0, "")
        ),
    )


def _ordered_env(env: Entries, bindings: Entries) -> Entries:
    """Those of bindings last, by name; a variable of somebody else keeps its place."""
    return sorted(env, key=lambda each: (1, json.dumps(each)) if each in bindings else (0, ""))


def mapping_of(resource_name: str, mapping: Object | None) -> Mapping[str, Any]:
    """Return the spec by which a kind of workload is bound."""
    return built_in(resource_name) if mapping is None else mapping.get("spec") or {}
