"""The volumes of a pod on disk.

A pod's volumes live in its own folder, except those that outlive it (claims) or are the machine's
own (host paths). How a container comes to see them is the runtime's matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearth.cluster.node.pod.environment import ConfigError, Facts, Sources
from hearth.cluster.node.pod.payload import (
    FILE_KINDS,
    SUPPORTED_KINDS,
    Token,
    kind_of,
    make_payload,
)
from hearth.cluster.node.volumes.atomicwriter import write_files
from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.names import dns1123_subdomain_problems


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
    if kind in FILE_KINDS:
        return write_files(path, make_payload(volume, sources, facts, token))
    path.mkdir(parents=True, exist_ok=True)
    return False


def _check_host_path(body: Mapping[str, Any], path: Path, *, allowed: bool) -> None:
    if not allowed:
        raise ConfigError(
            "hostPath volumes are refused: pods run as your own user; "
            "a pod is a process of this machine and can open that path itself"
        )
    kind = body.get("type") or ""
    if kind == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    elif kind == "FileOrCreate":
        path.touch()
    elif kind and not path.exists():
        raise ConfigError(f"hostPath type check failed: {path} does not exist")
