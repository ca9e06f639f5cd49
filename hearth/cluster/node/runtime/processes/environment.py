"""The environment of processes: what a program gets before its pod's own variables. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hearth.cluster.node.names.way import PROXIES, proxy_environment, told_proxy
from hearth.cluster.node.volumes.folders import VolumeFolders, volume_path
from hearth.kube import meta
from hearth.kube.meta import Object

NODE_MARK = "HEARTH_NODE"
POD_MARK = "HEARTH_POD_UID"
CONTAINER_MARK = "HEARTH_CONTAINER_ID"


def make_base_environment(
    *, path: str, home: str, api_host: str, api_port: int, http_proxy: str
) -> dict[str, str]:
    """The environment every container starts from: nothing of Hearth's own."""
    env = {
        "PATH": path,
        "HOME": home,
        "LANG": "C.UTF-8",
        "KUBERNETES_SERVICE_HOST": api_host,
        "KUBERNETES_SERVICE_PORT": str(api_port),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(api_port),
    }
    return env | (proxy_environment(http_proxy, api_host) if http_proxy else {})


def seen_from(base: Mapping[str, str], namespace: str) -> dict[str, str]:
    """Return a base environment as the pods of a namespace have it."""
    told = {name: told_proxy(base[name], namespace) for name in PROXIES if name in base}
    return {**base, **told}


def volume_environment(pod: Object, folders: VolumeFolders) -> dict[str, str]:
    """``HEARTH_VOLUME_<NAME>`` for each volume, dashes as underscores: its folder."""
    volumes: list[Mapping[str, Any]] = pod["spec"].get("volumes") or []
    return {
        f"HEARTH_VOLUME_{volume['name'].upper().replace('-', '_')}": str(
            volume_path(volume, folders, meta.namespace(pod))
        )
        for volume in volumes
    }
