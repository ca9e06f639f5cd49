"""What a container sees of its pod's volumes: source, target, read-only or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearth.cluster.node.pod.environment import ConfigError, expand
from hearth.cluster.node.pod.payload import FILE_KINDS, kind_of
from hearth.cluster.node.volumes.atomicwriter import give
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
        kind = kind_of(volume)
        is_fixed = kind in FILE_KINDS or bool((volume.get(kind) or {}).get("readOnly"))
        sub = (
            expand(mount["subPathExpr"], env) if mount.get("subPathExpr") else mount.get("subPath")
        )
        if sub:
            source = _sub_path(source, sub)
        read_only = is_fixed or bool(mount.get("readOnly"))
        mounts.append(Mount(source, mount["mountPath"], read_only))
    return sorted(mounts, key=lambda m: m.target.count("/"))


def _sub_path(source: Path, sub: str) -> Path:
    """A part of a volume, made as a folder where it is not there.

    What it leads to is looked at: a container may have left a symlink that leads out of the volume.
    """
    volume = source.resolve()
    path = (volume / sub).resolve()
    if sub.startswith("/") or ".." in Path(sub).parts or not path.is_relative_to(volume):
        raise ConfigError(f'subPath "{sub}" must stay within its volume')
    if path.exists():
        return path
    like = volume.stat()
    for folder in reversed([path, *path.parents]):
        if folder.is_relative_to(volume) and not folder.exists():
            folder.mkdir()
            give(folder, group=like.st_gid)
            folder.chmod(like.st_mode & 0o7777)
    return path
