"""Takes Hearth out of a cluster again: what it installed, and users' objects only when asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from hearth.install.cluster import Cluster
from hearth.install.installer import NotReady, Say, remove
from hearth.install.order import ESSENTIAL, describe, ordered
from hearth.install.values import config_path
from hearth.kube.errors import Conflict, Forbidden, NotFound
from hearth.kube.meta import (
    Object,
    finalizers,
    is_deleting,
    name,
    namespace,
    resource_version,
    uid,
)
from hearth.kube.resources import Resource

_POLL_SECONDS = 0.2
_KEDAS = frozenset({"finalizer.keda.sh", "httpscaledobject.http.keda.sh"})
"""Finalizers of KEDA's kinds, which have upstream's names."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """What an uninstallation would remove, in that order, and what it would leave."""

    removed: Sequence[Object]
    kept: Sequence[Object]
    users: Sequence[str]
    """How many objects of users there are, by kind: they go with their definitions."""


async def leaving(cluster: Cluster, like: Sequence[Object], *, everything: bool) -> Leaving:
    """Return what would go of an installation with objects of these kinds.

    Definitions go first where controllers run, which have to clear up after users' objects; else
    what asks about writes, so that nothing is refused for want of an answer. Settings and
    namespaces go last. What users' objects live in goes only with ``everything``.
    """
    present = ordered(await cluster.installed(like))
    webhooks = [obj for obj in present if obj["kind"].endswith("WebhookConfiguration")]
    others = [obj for obj in present[::-1] if obj not in webhooks]
    users = [obj for obj in others if _is_users(obj)]
    definitions = [obj for obj in users if _is_definition(obj)]
    last = [obj for obj in users if obj not in definitions]
    processes = [obj for obj in others if obj not in users]
    counts = [text for obj in definitions if (text := await _count(cluster, obj))]
    if not everything:
        return Leaving([*webhooks, *processes], users, counts)
    if _has_controllers(processes):
        return Leaving([*definitions, *webhooks, *processes, *last], [], counts)
    return Leaving([*webhooks, *definitions, *processes, *last], [], counts)


def _is_definition(obj: Object) -> bool:
    return bool(obj["kind"] == "CustomResourceDefinition")


def _has_controllers(objects: Sequence[Object]) -> bool:
    return any(obj["kind"] == "Deployment" for obj in objects)


def _is_users(obj: Object) -> bool:
    """Whether users have put something of theirs into it: objects, settings."""
    return obj["kind"] in ESSENTIAL or config_path(obj) is not None


async def _count(cluster: Cluster, definition: Object) -> str:
    items = await _objects_of(cluster, definition)
    spec = definition["spec"]
    return f"{len(items)} {spec['names']['kind']} ({spec['group']})" if items else ""


def _resource_of(definition: Object) -> Resource:
    spec = definition["spec"]
    version = next(each["name"] for each in spec["versions"] if each["served"])
    namespaced = spec.get("scope") != "Cluster"
    names = spec["names"]
    return Resource(spec["group"], version, names["plural"], names["kind"], namespaced)


async def _objects_of(cluster: Cluster, definition: Object) -> Sequence[Object]:
    try:
        return (await cluster.client.list(_resource_of(definition)))[0]
    except (NotFound, Forbidden):
        return ()


async def uninstall(
    cluster: Cluster, removed: Sequence[Object], *, say: Say, seconds: float
) -> None:
    """Remove objects in the order of ``leaving``, and return when they are gone.

    What comes after definitions waits until those are gone with all of their objects.
    """
    places = [number for number, obj in enumerate(removed) if _is_definition(obj)]
    end = places[-1] + 1 if places else 0
    released = [] if _has_controllers(removed) else removed[:end]
    await _remove(cluster, removed[:end], say=say, seconds=seconds, released=released)
    await _remove(cluster, removed[end:], say=say, seconds=seconds)


async def _remove(
    cluster: Cluster,
    removed: Sequence[Object],
    *,
    say: Say,
    seconds: float,
    released: Sequence[Object] = (),
) -> None:
    for obj in removed:
        await remove(cluster, obj)
        say(f"removed {describe(obj)}")
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while left := [obj for obj in removed if await _is_there(cluster, obj)]:
        if loop.time() > deadline:
            names = ", ".join(describe(obj) for obj in left)
            raise NotReady(
                f"not gone yet: {names}; finalizers may hold them or their objects, which "
                "hearth-control takes away while it runs"
            )
        for obj in left:
            if _is_definition(obj) and obj in released:
                await _release(cluster, obj)
        await asyncio.sleep(_POLL_SECONDS)


async def _release(cluster: Cluster, definition: Object) -> None:
    """Take our finalizers off objects that are going where no controller does so any more.

    Each is named as its definition, or as KEDA's. What they are kept for goes with the rest.
    """
    ours = _KEDAS | {name(definition)}
    for obj in await _objects_of(cluster, definition):
        left = [each for each in finalizers(obj) if each not in ours]
        if is_deleting(obj) and left != finalizers(obj):
            patch = {"metadata": {"finalizers": left, "resourceVersion": resource_version(obj)}}
            with contextlib.suppress(NotFound, Conflict):
                await cluster.client.patch(
                    _resource_of(definition), name(obj), namespace(obj) or None, patch
                )


async def _is_there(cluster: Cluster, removed: Object) -> bool:
    """Whether an object is still there; one that came back is removed once more.

    Kubernetes' controller of aggregated roles may write a role anew that it has not seen go.
    """
    found = await cluster.find(removed)
    if found is not None and uid(found) != uid(removed):
        await remove(cluster, found)
    return found is not None


def claims_left(removed: Sequence[Object]) -> list[str]:
    """Name the volume claims that outlive their StatefulSet."""
    return [
        f"{template['metadata']['name']}-{name(obj)}-N in {namespace(obj)}"
        for obj in removed
        if obj["kind"] == "StatefulSet"
        for template in obj["spec"].get("volumeClaimTemplates") or ()
    ]
