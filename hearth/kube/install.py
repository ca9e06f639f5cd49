"""Puts kinds and objects that a component needs into a cluster before it starts.

Definitions are brought up to date. Other objects are created when absent and otherwise left to the
operator. Called by the ``install`` modules of serving and eventing at each start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import yaml

import hearth
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.errors import AlreadyExists, Conflict, NotFound
from hearth.kube.meta import Object, name, namespace, resource_version
from hearth.kube.resources import CONFIGMAPS, CRDS, NAMESPACES, Resource
from hearth.timeouts import time_limit

_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.01
_HERE = Path(hearth.__file__).resolve().parent


def config_folder() -> Path:
    """Return ``config``, in the checkout or inside the installed package."""
    checkout = _HERE.parent / "config"
    return checkout if checkout.is_dir() else _HERE / "_data" / "config"


def shipped(folder: str) -> list[Object]:
    """Return the objects of ``config/FOLDER``."""
    return list(_loaded(config_folder() / folder))


def shipped_definitions(folder: str) -> Iterator[Object]:
    """Give the definitions of ``crds/FOLDER``, for who need not import models to install them.

    One after the other: a reader that holds all of them at once keeps the memory it took.
    """
    return _loaded(config_folder().parent / "crds" / folder)


def _loaded(folder: Path) -> Iterator[Object]:
    paths = sorted(folder.glob("*.yaml"))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in paths:
        if path.name != "kustomization.yaml":
            yield yaml.load(path.read_bytes(), Loader=loader)


async def install(
    client: KubeClient, *, definitions: Iterable[Object], objects: Sequence[Object], manager: str
) -> None:
    """Returns when every kind of ``definitions`` is served and every object is there.

    ``objects`` are Namespaces and ConfigMaps.
    """
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_ensure_definitions(client, definitions, manager))
        tasks.create_task(_ensure_objects(client, objects, manager))


async def _ensure_objects(client: KubeClient, objects: Sequence[Object], manager: str) -> None:
    config_maps = [obj for obj in objects if obj["kind"] == "ConfigMap"]
    for obj in objects:
        if obj["kind"] == "Namespace":
            await _create(client, NAMESPACES, obj, manager)
    present: set[tuple[str, str]] = set()
    for each_namespace in {namespace(obj) for obj in config_maps}:
        items, _ = await client.list(CONFIGMAPS, each_namespace)
        present |= {(each_namespace, name(obj)) for obj in items}
    async with asyncio.TaskGroup() as tasks:
        for obj in config_maps:
            if (namespace(obj), name(obj)) not in present:
                tasks.create_task(_create(client, CONFIGMAPS, obj, manager))


async def _create(client: KubeClient, resource: Resource, obj: Object, manager: str) -> None:
    try:
        await client.create(resource, obj, field_manager=manager)
    except AlreadyExists:
        return


async def _ensure_definitions(
    client: KubeClient, definitions: Iterable[Object], manager: str
) -> None:
    """One after the other: an API server that checks many at once keeps the memory it took."""
    names = list[str]()
    for definition in definitions:
        names.append(name(definition))
        await _ensure_definition(client, definition, manager=manager)
    async with time_limit(_WAIT_SECONDS):
        for each in names:
            # Established within milliseconds, at the first start only: not worth a watch.
            while not _is_served(await client.get(CRDS, each)):  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)


async def _ensure_definition(client: KubeClient, definition: Object, *, manager: str) -> None:
    try:
        known = await client.get(CRDS, name(definition))
    except NotFound:
        await _create(client, CRDS, definition, manager)
        return
    if known["spec"] != known["spec"] | definition["spec"]:
        metadata = definition["metadata"] | {"resourceVersion": resource_version(known)}
        try:
            await client.update(CRDS, definition | {"metadata": metadata})
        except Conflict:  # another process is at it; both want the same
            return


def _is_served(definition: Object) -> bool:
    return Conditions.of(definition).is_true("Established")
