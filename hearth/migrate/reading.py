"""Reads what the rules look at: every kind in a group of Knative's or KEDA's, and the settings."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from hearth.kube.client import KubeClient
from hearth.kube.errors import Forbidden, NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import CONFIGMAPS, Resource, resources_of
from hearth.migrate.snapshot import Snapshot

_GROUP_SUFFIXES = (".knative.dev", "keda.sh")
_NAMESPACES = ("knative-serving", "knative-eventing")
_PAGE = 500


class NotAllowed(Exception):
    """Who asks may not read something; the text says which right is missing."""


async def read(client: KubeClient) -> Snapshot:
    """Read a cluster. Raises NotAllowed, or ApiError where it cannot be asked."""
    resources = await _resources(client)
    lists = await asyncio.gather(*(_list(client, resource) for resource in resources))
    config_maps = await asyncio.gather(*(_list(client, CONFIGMAPS, ns) for ns in _NAMESPACES))
    return Snapshot(
        minor=await _minor(client),
        objects=dict(zip(resources, lists, strict=True)),
        config_maps=[obj for objects in config_maps for obj in objects],
    )


async def _minor(client: KubeClient) -> int:
    version = await client.request("GET", "/version")
    digits = re.match(r"\d+", str(version.get("minor", "")))
    return int(digits[0]) if digits else 0


async def _resources(client: KubeClient) -> list[Resource]:
    """Every resource that can be listed, each in the version that the server prefers."""
    groups = (await client.request("GET", "/apis"))["groups"]
    resources: list[Resource] = []
    for group in groups:
        if not group["name"].endswith(_GROUP_SUFFIXES):
            continue
        version = group["preferredVersion"]["version"]
        served = await client.request("GET", f"/apis/{group['name']}/{version}")
        resources += resources_of(served, verb="list")
    return resources


async def _list(
    client: KubeClient, resource: Resource, namespace: str | None = None
) -> Sequence[Object]:
    try:
        return (await client.list(resource, namespace, limit=_PAGE))[0]
    except NotFound:
        return ()
    except Forbidden as error:
        where = f" in the namespace {namespace}" if namespace else " in all namespaces"
        raise NotAllowed(
            f"you may not list {resource.plural}{where}; a rule that allows it: "
            f'apiGroups: ["{resource.group}"], resources: ["{resource.plural}"], verbs: ["list"]'
        ) from error
