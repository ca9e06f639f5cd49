"""The volumes of a pod on disk, and how a container comes to see them at their mount paths.

A pod's volumes live in its own folder. A container with mounts is started through
``mountlauncher``, which binds them at their paths in a mount namespace of its own. Where the
machine allows no namespaces, the program runs without, and finds each volume through the variable
``HEARTH_VOLUME_<NAME>``, which is set in any case; the pod gets an event that says so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearth.cluster.node.pod.environment import ConfigError, Facts, Sources, expand
from hearth.cluster.node.pod.payload import (
    FILE_KINDS,
    SUPPORTED_KINDS,
    Token,
    kind_of,
    make_payload,
)
from hearth.cluster.node.runtime.processes import mountlauncher
from hearth.cluster.node.runtime.processes.process import LaunchError, run_command
from hearth.cluster.node.volumes.atomicwriter import write_files
from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.names import dns1123_subdomain_problems

_CHECK_SECONDS = 10.0


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


def volume_environment(pod: Object, folders: VolumeFolders) -> dict[str, str]:
    """``HEARTH_VOLUME_<NAME>`` for each volume, dashes as underscores."""
    return {
        f"HEARTH_VOLUME_{volume['name'].upper().replace('-', '_')}": str(
            volume_path(volume, folders, meta.namespace(pod))
        )
        for volume in pod["spec"].get("volumes") or ()
    }


@dataclass(frozen=True, slots=True)
class Mount:
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


@dataclass(slots=True)
class Mounter:
    """Builds the command line that starts a program with its mounts; knows what is possible."""

    scratch: Path
    _is_possible: bool | None = None
    _why_not: str = ""

    async def is_possible(self) -> bool:
        """Whether this machine lets us mount; tried once."""
        if self._is_possible is None:
            self.scratch.mkdir(parents=True, exist_ok=True)
            trial = [Mount(self.scratch, str(self.scratch), True)]
            argv = self.wrap(["--check"], trial, cwd="/", staging=self.scratch / "staging")
            try:
                code, output = await run_command(argv, env={}, cwd="/", timeout=_CHECK_SECONDS)
            except LaunchError as error:
                code, output = None, str(error)
            self._is_possible, self._why_not = code == 0, output.strip()
        return self._is_possible

    @property
    def why_not(self) -> str:
        return self._why_not

    @staticmethod
    def wrap(argv: list[str], mounts: list[Mount], *, cwd: str, staging: Path) -> list[str]:
        plan = {
            "mounts": [[str(m.source), m.target, m.read_only] for m in mounts],
            "staging": str(staging),
            "cwd": cwd,
        }
        script = str(Path(mountlauncher.__file__))
        return [sys.executable, "-I", "-S", script, json.dumps(plan), *argv]
