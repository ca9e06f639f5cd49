"""The volumes of a pod on disk.

A pod's volumes live in its own folder, except those that outlive it (claims) or are the machine's
own (host paths). How a container comes to see them is the runtime's matter.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearth.cluster.node.pod.environment import ConfigError, Facts, Sources
from hearth.cluster.node.pod.owners import Owners, owners_of
from hearth.cluster.node.pod.payload import (
    FILE_KINDS,
    SUPPORTED_KINDS,
    Token,
    kind_of,
    make_payload,
)
from hearth.cluster.node.volumes.atomicwriter import open_folder, write_files
from hearth.cluster.node.volumes.memory import mount_memory
from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.names import dns1123_subdomain_problems
from hearth.kube.quantity import parse_quantity


class VolumeError(Exception):
    """A volume cannot be made; the text follows ``MountVolume.SetUp failed for volume ...``."""


@dataclass(frozen=True, slots=True)
class VolumeFolders:
    """Where volumes are kept. ``claims`` outlive pods: there PersistentVolumeClaims live."""

    pod: Path
    claims: Path
    allow_host_path: bool = False


def volume_path(volume: Mapping[str, Any], folders: VolumeFolders, namespace: str) -> Path:
    """The folder (or, for a host path, perhaps file) behind a volume."""
    kind = kind_of(volume)
    if kind == "hostPath":
        return Path(volume[kind]["path"])
    if kind == "persistentVolumeClaim":
        return folders.claims / f"{namespace}_{volume[kind]['claimName']}"
    return folders.pod / "volumes" / str(volume["name"])


def prepare_volumes(
    pod: Object, folders: VolumeFolders, sources: Sources, *, facts: Facts, token: Token
) -> bool:
    """Makes all volumes of a pod, or brings their files up to date; True when a file changed."""
    changed = False
    for volume in pod["spec"].get("volumes") or ():
        try:
            changed |= _prepare(volume, pod, folders, sources=sources, facts=facts, token=token)
        except (ConfigError, OSError) as error:
            raise VolumeError(f'for volume "{volume["name"]}" : {error}') from error
    return changed


def _prepare(
    volume: Mapping[str, Any],
    pod: Object,
    folders: VolumeFolders,
    *,
    sources: Sources,
    facts: Facts,
    token: Token,
) -> bool:
    kind = kind_of(volume)
    path = volume_path(volume, folders, meta.namespace(pod))
    if kind not in SUPPORTED_KINDS:
        raise ConfigError(f"volumes of type {kind} are not supported on one machine")
    if kind == "hostPath":
        _check_host_path(volume[kind], path, allowed=folders.allow_host_path)
        return False
    if kind == "persistentVolumeClaim" and dns1123_subdomain_problems(volume[kind]["claimName"]):
        raise ConfigError(f'persistentvolumeclaim "{volume[kind]["claimName"]}" not found')
    owners = owners_of(pod)
    if kind in FILE_KINDS:
        return write_files(path, make_payload(volume, sources, facts, token), owners)
    is_new = not path.is_dir()
    path.mkdir(parents=True, exist_ok=True)
    if (volume.get(kind) or {}).get("medium") == "Memory":
        is_new |= mount_memory(path, _size_limit(volume[kind]))
    if is_new:
        open_folder(path, owners, 0o777)
    elif kind == "persistentVolumeClaim":
        _hand_over(path, owners)
    return False


def _size_limit(body: Mapping[str, Any]) -> int | None:
    return parse_quantity(str(body.get("sizeLimit") or 0)).value or None


def _hand_over(path: Path, owners: Owners) -> None:
    """A claim that comes to a pod with another ``fsGroup``: all that is in it becomes its own.

    By descriptors: what a container puts in the way meanwhile leads nowhere else.
    """
    group = owners.group
    if group is None or path.stat().st_gid == group or os.geteuid() != 0:
        return
    for _, _, names, at in os.fwalk(path):
        for name in names:
            with contextlib.suppress(OSError), _opened(name, at) as file:
                os.fchown(file, -1, group)
                os.fchmod(file, os.fstat(file).st_mode & 0o7777 | 0o660)
        os.fchown(at, -1, group)
        os.fchmod(at, owners.folder_mode(os.fstat(at).st_mode & 0o7777 | 0o770))


@contextlib.contextmanager
def _opened(name: str, folder: int) -> Iterator[int]:
    """A regular file; raises OSError for anything else."""
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise OSError(f"{name} is no file")
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    try:
        yield file
    finally:
        os.close(file)


def _check_host_path(body: Mapping[str, Any], path: Path, *, allowed: bool) -> None:
    if not allowed:
        raise ConfigError(
            "hostPath volumes are refused: a pod would have the rights of your own user there; "
            "a pod that is a process of this machine can open that path itself"
        )
    kind = body.get("type") or ""
    if kind == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    elif kind == "FileOrCreate":
        path.touch()
    elif kind and not path.exists():
        raise ConfigError(f"hostPath type check failed: {path} does not exist")
