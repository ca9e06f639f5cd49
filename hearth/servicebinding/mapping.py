"""How a kind of workload holds a pod template: ClusterWorkloadResourceMapping. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hearth.kube.meta import Object
from hearth.servicebinding import paths
from hearth.servicebinding.paths import Path

_ANY_VERSION = "*"
_POD = ".spec.template"
_BUILT_IN = {"cronjobs.batch": ".spec.jobTemplate.spec.template"}
"""Kinds of Kubernetes that are no PodSpecables, without an object that says so."""


@dataclass(frozen=True, slots=True)
class ContainerMapping:
    """Where container-like objects are, and within each its parts."""

    path: Path
    name: Path | None
    env: Path
    volume_mounts: Path


@dataclass(frozen=True, slots=True)
class Template:
    """Where the parts of a pod template are in a workload."""

    annotations: Path
    containers: tuple[ContainerMapping, ...]
    volumes: Path


def built_in(resource_name: str) -> Object:
    """Return the spec of the mapping that holds where there is no object."""
    template = _BUILT_IN.get(resource_name)
    if template is None:
        return {"versions": [{"version": _ANY_VERSION}]}
    return {
        "versions": [
            {
                "version": _ANY_VERSION,
                "annotations": f"{template}.metadata.annotations",
                "containers": [
                    {"path": f"{template}.spec.{each}[*]", "name": ".name"}
                    for each in ("initContainers", "containers")
                ],
                "volumes": f"{template}.spec.volumes",
            }
        ]
    }


def template_of(spec: Mapping[str, Any], version: str) -> Template:
    """Return what a mapping's spec says of a version; raise PathError on what cannot be read."""
    by_version = {each.get("version"): each for each in spec.get("versions") or ()}
    given = by_version.get(version) or by_version.get(_ANY_VERSION) or {}
    containers = given.get("containers") or [
        {"path": f"{_POD}.spec.{each}[*]", "name": ".name"}
        for each in ("initContainers", "containers")
    ]
    return Template(
        paths.parse(given.get("annotations") or f"{_POD}.metadata.annotations", fixed=True),
        tuple(map(_container, containers)),
        paths.parse(given.get("volumes") or f"{_POD}.spec.volumes", fixed=True),
    )


def _container(given: Mapping[str, Any]) -> ContainerMapping:
    return ContainerMapping(
        paths.parse(given.get("path") or "", fixed=False),
        paths.parse(given["name"], fixed=True) if given.get("name") else None,
        paths.parse(given.get("env") or ".env", fixed=True),
        paths.parse(given.get("volumeMounts") or ".volumeMounts", fixed=True),
    )


def problems(mapping: Object) -> Iterator[str]:
    """Say what is wrong with a mapping, in the words of the reference implementation."""
    seen: dict[str, int] = {}
    for index, each in enumerate((mapping.get("spec") or {}).get("versions") or ()):
        version, at = each.get("version", ""), f"spec.versions[{index}]"
        if version in seen:
            place = f"spec.versions.[{seen[version]}, {index}].version"
            yield f"{place}: Duplicate value: {json.dumps(version)}"
        seen[version] = index
        if not version:
            yield f'{at}.version: Required value: ""'
        for field in ("annotations", "volumes"):
            yield from _path_problem(each.get(field), f"{at}.{field}", fixed=True)
        for number, container in enumerate(each.get("containers") or ()):
            place = f"{at}.containers[{number}]"
            yield from _path_problem(container.get("path", ""), f"{place}.path", fixed=False)
            for field in ("name", "env", "volumeMounts"):
                yield from _path_problem(container.get(field), f"{place}.{field}", fixed=True)


def _path_problem(text: str | None, place: str, *, fixed: bool) -> Iterator[str]:
    if text is None or (fixed and not text):
        return
    try:
        paths.parse(text, fixed=fixed)
    except paths.PathError as error:
        yield f"{place}: Invalid value: {json.dumps(text)}: {error}"
