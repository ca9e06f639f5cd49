"""The folder of one pod: logs, volumes, and what the next node process must know.

::

    <data>/pods/<namespace>_<name>_<uid>/
        state.json                       the pod's network and records
        <container>/<restart>.log        log in CRI format; ``.log.1`` is its older part
        <container>/termination-log      what the container says about its end
        <container>/...                  files of the runtime, such as pipes
        volumes/<volume>/                emptyDir, ConfigMap, Secret and projected volumes

What was made ahead of a pod lies in ``<data>/spares/<uid>/``, and the pod's folder is a link to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.records import Record, from_json, to_json
from hearth.cluster.node.pod.spec import PodSpec
from hearth.cluster.node.runtime.api import ContainerFiles
from hearth.cluster.node.volumes.memory import unmount_all

_STATE = "state.json"
_KEPT_LOGS = 2  # of the present instance and the one before, as kubelet keeps them


@dataclass(frozen=True, slots=True)
class SavedPod:
    """What ``state.json`` holds."""

    namespace: str
    name: str
    uid: str
    started_at: float = 0.0
    network: PodNetwork = field(default_factory=PodNetwork)
    records: Mapping[str, Record] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PodFolder:
    """The folder of one pod, which may not be there yet."""

    path: Path

    @classmethod
    def of(cls, pods: Path, pod: PodSpec) -> PodFolder:
        """The folder of that pod below the folder of all pods."""
        return cls(pods / f"{pod.namespace}_{pod.name}_{pod.uid}")

    def make(self) -> None:
        """Makes the folder, open to this user only."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def files(self, container: str, restarts: int) -> ContainerFiles:
        """Where the files of that instance of a container lie."""
        folder = self.path / container
        return ContainerFiles(folder, folder / f"{restarts}.log", folder / "termination-log")

    def prepare_instance(self, container: str, restarts: int) -> None:
        """Makes room for the next instance of a container: no old message, not too many logs."""
        files = self.files(container, restarts)
        files.folder.mkdir(parents=True, exist_ok=True)
        files.termination_log.write_bytes(b"")
        files.termination_log.chmod(0o666)  # a container may run as any user; the folder is ours
        old = self.files(container, restarts - _KEPT_LOGS).log
        for path in (old, old.with_name(old.name + ".1")):
            path.unlink(missing_ok=True)

    def save(self, saved: SavedPod) -> None:
        """Replaces ``state.json`` as a whole."""
        data = {
            "namespace": saved.namespace,
            "name": saved.name,
            "uid": saved.uid,
            "startedAt": saved.started_at,
            "network": saved.network.to_json(),
            "records": {name: to_json(record) for name, record in saved.records.items()},
        }
        fresh = self.path / (_STATE + ".new")
        fresh.write_text(json.dumps(data))
        fresh.replace(self.path / _STATE)

    def load(self) -> SavedPod | None:
        """What was saved; None when there is nothing to go by."""
        try:
            data = json.loads((self.path / _STATE).read_text())
            return SavedPod(
                namespace=data["namespace"],
                name=data["name"],
                uid=data["uid"],
                started_at=data["startedAt"],
                network=PodNetwork.from_json(data["network"]),
                records={name: from_json(record) for name, record in data["records"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def volume(self, name: str) -> Path:
        """The folder of a volume that is the pod's own."""
        return self.path / "volumes" / name

    def forget_memory(self) -> None:
        """Lets volumes in memory go, which would outlive this process."""
        unmount_all(self.path / "volumes")

    def remove(self) -> None:
        """Removes the folder with all that is in it, as far as that can be removed.

        What containers of a rootless engine wrote may be of users whom only a namespace of ours
        may stand for: util-linux' ``unshare`` makes one of the ids in /etc/subuid.
        """
        self.forget_memory()
        _remove_tree(self.path.resolve())
        if self.path.is_symlink():
            self.path.unlink(missing_ok=True)

    def stand_for(self, made: Path) -> None:
        """A folder that was made before its pod is the pod's: what has it open need not know."""
        self.path.symlink_to(os.path.relpath(made, self.path.parent))

    def remove_volumes(self) -> None:
        """What is in the volumes of a pod that has ended takes no room any more."""
        self.forget_memory()
        _remove_tree((self.path / "volumes").resolve())


def _remove_tree(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists() and os.geteuid() != 0:
        words = ("unshare", "--map-root-user", "--map-auto", "rm", "-rf", str(folder))
        with contextlib.suppress(OSError):
            subprocess.run(words, capture_output=True, check=False)


def all_folders(pods: Path) -> Iterator[PodFolder]:
    """The folders of all pods that this node has run and not cleaned up."""
    if pods.is_dir():
        for path in sorted(pods.iterdir()):
            if path.is_dir():
                yield PodFolder(path)


def remove_unclaimed(made: Path, pods: Path) -> None:
    """Removes folders that were made ahead and are no pod's, and paths that lead nowhere."""
    links = [path for path in pods.iterdir() if path.is_symlink()] if pods.is_dir() else []
    for path in links:
        if not path.exists():
            path.unlink()
    claimed = {path.resolve() for path in links}
    for path in made.iterdir() if made.is_dir() else ():
        if path.resolve() not in claimed:
            PodFolder(path).remove()
