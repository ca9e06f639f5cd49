"""What a container sees of its pod's volumes: source, target, read-only or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearth.cluster.node.pod.environment import ConfigError, expand
from hearth.cluster.node.volumes.folders import VolumeFolders, volume_path
from hearth.kube import meta
from hearth.kube.meta import Object


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of this machine that a container sees at ``target``."""

    source: Path
    target: str
    read_only: bool


def make_mounts(
    container: Mapping[str, Any], pod: Object, folders: VolumeFolders, env: Mapping[str, str]
) -> list[Mount]:
    """The binds of one container, outer paths before inner ones."""
    volumes = {v["name"]: v for v in pod["spec"].get("volumes") or ()}
    mounts = []
    for mount in container.get("volumeMounts") or ():
        volume = volumes.get(mount["name"])
        if volume is None:
            raise ConfigError(f'volume "{mount["name"]}" of a mount is not defined')
        source = volume_path(volume, folders, meta.namespace(pod))
        sub = (
            expand(mount["subPathExpr"], env) if mount.get("subPathExpr") else mount.get("subPath")
        )
        if sub:
            source = _sub_path(source, sub)
        mounts.append(Mount(source, mount["mountPath"], bool(mount.get("readOnly"))))
    return sorted(mounts, key=lambda m: m.target.count("/"))


def _sub_path(source: Path, sub: str) -> Path:
    if sub.startswith("/") or ".." in Path(sub).parts:
        raise ConfigError(f'subPath "{sub}" must stay within its volume')
    path = source / sub
    if not path.exists():
        path.mkdir(parents=True)
    return path
