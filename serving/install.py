"""What serving needs in a cluster before it starts: CRDs, a namespace, ConfigMaps."""

from __future__ import annotations

from hearth.kube import install as installing
from hearth.kube.client import KubeClient
from hearth.kube.crdgen import crd_object
from hearth.kube.meta import Object, name
from serving.api.crds import ALL
from serving.api.serverless import VIEWS

_MANAGER = "hearth-serving"
_DOMAINS = "config-domain"


def shipped_objects(*, domain: str | None = None) -> tuple[list[Object], list[Object]]:
    """Namespaces and ConfigMaps; ``domain`` is the one routes get by default."""
    objects = installing.shipped("serving")
    for obj in objects:
        if domain is not None and name(obj) == _DOMAINS:
            obj.setdefault("data", {})[domain] = ""
    namespaces = [obj for obj in objects if obj["kind"] == "Namespace"]
    return namespaces, [obj for obj in objects if obj["kind"] == "ConfigMap"]


async def install(client: KubeClient, *, domain: str | None = None) -> None:
    """Install everything; return once every kind is served.

    ``domain`` goes into a config-domain that is made here.
    """
    namespaces, config_maps = shipped_objects(domain=domain)
    await installing.install(
        client,
        definitions=[crd_object(crd) for crd in (*ALL, *VIEWS)],
        objects=[*namespaces, *config_maps],
        manager=_MANAGER,
    )
