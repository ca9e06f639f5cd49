"""Takes Hearth out of a cluster again: what it installed, and users' objects only when asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from hearth.install.cluster import Cluster
from hearth.install.installer import NotReady, Say, remove
from hearth.install.order import ESSENTIAL, describe, ordered
from hearth.install.values import config_path
from hearth.kube.errors import Forbidden, NotFound
from hearth.kube.meta import Object, name, namespace, uid
from hearth.kube.resources import Resource

_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Leaving:
    """What an uninstallation would remove, in that order, and what it would leave."""

    removed: Sequence[Object]
    kept: Sequence[Object]
    users: Sequence[str]
    """How many objects of users there are, by kind: they go with their definitions."""


async def leaving(cluster: Cluster, like: Sequence[Object], *, everything: bool) -> Leaving:
    """Return what would go of an installation with objects of these kinds.

    What asks about writes goes first, so that nothing is refused for want of an answer. Settings
    and what users' objects live in go last, and only with ``everything``.
    """
    present = ordered(await cluster.installed(like))
    webhooks = [obj for obj in present if obj["kind"].endswith("WebhookConfiguration")]
    others = [obj for obj in present[::-1] if obj not in webhooks]
    users = [obj for obj in others if _is_users(obj)]
    removed = [*webhooks, *(obj for obj in others if obj not in users)]
    counts = [text for obj in users if (text := await _count(cluster, obj))]
    if everything:
        return Leaving([*removed, *users], [], counts)
    return Leaving(removed, users, counts)


def _is_users(obj: Object) -> bool:
    """Whether users have put something of theirs into it: objects, settings."""
    return obj["kind"] in ESSENTIAL or config_path(obj) is not None


async def _count(cluster: Cluster, definition: Object) -> str:
    if definition["kind"] != "CustomResourceDefinition":
        return ""
    spec = definition["spec"]
    version = next(each["name"] for each in spec["versions"] if each["served"])
    kind = spec["names"]["kind"]
    resource = Resource(spec["group"], version, spec["names"]["plural"], kind)
    try:
        items, _ = await cluster.client.list(resource)
    except (NotFound, Forbidden):
        return ""
    return f"{len(items)} {kind} ({spec['group']})" if items else ""


async def uninstall(
    cluster: Cluster, removed: Sequence[Object], *, say: Say, seconds: float
) -> None:
    """Remove objects and return when they are gone."""
    for obj in removed:
        await remove(cluster, obj)
        say(f"removed {describe(obj)}")
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while left := [obj for obj in removed if await _is_there(cluster, obj)]:
        if loop.time() > deadline:
            names = ", ".join(describe(obj) for obj in left)
            raise NotReady(f"not gone yet: {names}; finalizers may hold them")
        await asyncio.sleep(_POLL_SECONDS)


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
