"""Which images a Hearth's objects name: what must not be pruned."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hearth.keda.api.keys import SCALEDJOBS
from hearth.knative.resources import CONTAINERSOURCES, REVISIONS
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound
from hearth.kube.resources import (
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    JOBS,
    PODS,
    STATEFULSETS,
)
from hearth.oci.references import InvalidImageName, Reference, parse_reference
from hearth.pipelines.api.keys import PIPELINES, RUNS

_KINDS = (
    *(PODS, DEPLOYMENTS, STATEFULSETS, DAEMONSETS, JOBS, CRONJOBS),
    *(REVISIONS, SCALEDJOBS, CONTAINERSOURCES, PIPELINES, RUNS),
)


async def images_in_use(kubeconfig: Path) -> set[Reference]:
    """Those that objects name, also where they sleep at zero; raises ApiError."""
    found: set[Reference] = set()
    async with KubeClient.from_kubeconfig(kubeconfig) as client:
        for kind in _KINDS:
            with contextlib.suppress(NotFound):
                objects, _ = await client.list(kind)
                for name in (name for each in objects for name in images_of(each)):
                    with contextlib.suppress(InvalidImageName):
                        found.add(parse_reference(name))
    return found


def images_of(value: Any) -> Iterator[str]:
    """The images of all containers and pipelines in an object, at any depth. Pure."""
    if isinstance(value, Mapping):
        if "script" in value:  # the spec of a Pipeline, or of a run with that as it was then
            named = (value.get("image"), (value.get("settings") or {}).get("image"))
            yield from filter(None, named)
        for key, inner in value.items():
            if key in ("containers", "initContainers") and isinstance(inner, list):
                yield from (str(each["image"]) for each in inner if "image" in each)
            yield from images_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from images_of(inner)
