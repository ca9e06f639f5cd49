"""What serving needs in a cluster before it starts: CRDs, a namespace, ConfigMaps.

CRDs are brought up to date. Namespace and ConfigMaps are created when absent and otherwise left to
the operator. Called by ``serving.main`` at each start, so what is there already costs one list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

import hearth
from hearth.kube.client import KubeClient
from hearth.kube.crdgen import crd_object
from hearth.kube.errors import AlreadyExists, Conflict
from hearth.kube.meta import Object, name, resource_version
from hearth.kube.resources import CONFIGMAPS, CRDS, NAMESPACES, Resource
from serving.api import keys
from serving.api.config import domain as domain_config
from serving.api.crds import ALL

_MANAGER = "hearth-serving"
_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.01


def config_folder() -> Path:
    """The shipped YAML: in the checkout, or inside the installed package."""
    checkout = Path(__file__).resolve().parents[1] / "config" / "serving"
    installed = Path(hearth.__file__).parent / "_data" / "config" / "serving"
    return checkout if checkout.is_dir() else installed


def shipped_objects(*, domain: str | None = None) -> tuple[list[Object], list[Object]]:
    """Namespaces and ConfigMaps; ``domain`` is the one routes get by default."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    namespaces, config_maps = [], []
    for path in sorted(config_folder().glob("*.yaml")):
        obj: Object = yaml.load(path.read_bytes(), Loader=loader)
        if obj["kind"] == "Namespace":
            namespaces.append(obj)
        elif obj["kind"] == "ConfigMap":
            if domain is not None and name(obj) == domain_config.NAME:
                obj.setdefault("data", {})[domain] = ""
            config_maps.append(obj)
    return namespaces, config_maps


async def install(client: KubeClient, *, domain: str | None = None) -> None:
    """Returns when every kind is served. ``domain`` goes into a config-domain made here."""
    namespaces, config_maps = shipped_objects(domain=domain)
    definitions = [crd_object(crd) for crd in ALL]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_ensure_definitions(client, definitions))
        tasks.create_task(_ensure_objects(client, namespaces, config_maps))


async def _ensure_objects(
    client: KubeClient, namespaces: Sequence[Object], config_maps: Sequence[Object]
) -> None:
    for obj in namespaces:
        await _create(client, NAMESPACES, obj)
    found, _ = await client.list(CONFIGMAPS, keys.SERVING_NAMESPACE)
    present = {name(obj) for obj in found}
    async with asyncio.TaskGroup() as tasks:
        for obj in config_maps:
            if name(obj) not in present:
                tasks.create_task(_create(client, CONFIGMAPS, obj))


async def _create(client: KubeClient, resource: Resource, obj: Object) -> None:
    try:
        await client.create(resource, obj, field_manager=_MANAGER)
    except AlreadyExists:
        return


async def _ensure_definitions(client: KubeClient, definitions: Sequence[Object]) -> None:
    present = await _definitions(client)
    async with asyncio.TaskGroup() as tasks:
        for wanted in definitions:
            tasks.create_task(_ensure_definition(client, wanted, present.get(name(wanted))))
    names = {name(obj) for obj in definitions}
    async with asyncio.timeout(_WAIT_SECONDS):
        # Established within milliseconds, at the first start only: not worth a watch.
        while not _all_served(await _definitions(client), names):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)


async def _definitions(client: KubeClient) -> dict[str, Object]:
    found, _ = await client.list(CRDS)
    return {name(obj): obj for obj in found}


async def _ensure_definition(client: KubeClient, wanted: Object, found: Object | None) -> None:
    if found is None:
        await _create(client, CRDS, wanted)
    elif found["spec"] != found["spec"] | wanted["spec"]:
        metadata = wanted["metadata"] | {"resourceVersion": resource_version(found)}
        try:
            await client.update(CRDS, wanted | {"metadata": metadata})
        except Conflict:
            # Another process is at it; both want the same.
            return


def _all_served(present: Mapping[str, Object], names: set[str]) -> bool:
    return all(_is_established(present.get(name, {})) for name in names)


def _is_established(definition: Object) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
