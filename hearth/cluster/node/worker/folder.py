"""The folder of one pod: logs, pipes, volumes, and what the next node process must know.

::

    <data>/pods/<namespace>_<name>_<uid>/
        state.json                       the pod's records (processes by pid and start time)
        <container>/<restart>.log        log in CRI format; ``.log.1`` is its older part
        <container>/io/{stdout,stderr}   named pipes of the running instance
        <container>/termination-log      what the container says about its end
        volumes/<volume>/                emptyDir, ConfigMap, Secret and projected volumes
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hearth.cluster.node.pod.records import Record, from_json, to_json
from hearth.cluster.node.pod.spec import PodSpec

_STATE = "state.json"
_KEPT_LOGS = 2  # of the present instance and the one before, as kubelet keeps them


@dataclass(frozen=True, slots=True)
class SavedPod:
    """``state.json``."""

    namespace: str
    name: str
    uid: str
    started_at: float = 0.0
    http_proxy: str = ""
    ports: Mapping[int, int] = field(default_factory=dict)
    records: Mapping[str, Record] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PodFolder:
    path: Path

    @classmethod
    def of(cls, pods: Path, pod: PodSpec) -> PodFolder:
        return cls(pods / f"{pod.namespace}_{pod.name}_{pod.uid}")

    def make(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def container(self, name: str) -> Path:
        return self.path / name

    def log(self, name: str, restarts: int) -> Path:
        return self.path / name / f"{restarts}.log"

    def pipes(self, name: str) -> Path:
        return self.path / name / "io"

    def termination_log(self, name: str) -> Path:
        return self.path / name / "termination-log"

    def staging(self, name: str) -> Path:
        return self.path / name / "mounts"

    def prepare_instance(self, name: str, restarts: int) -> None:
        """Makes room for the next instance of a container: fresh pipes, no old message."""
        pipes = self.pipes(name)
        pipes.mkdir(parents=True, exist_ok=True)
        for stream in ("stdout", "stderr"):
            with contextlib.suppress(FileNotFoundError):
                (pipes / stream).unlink()
        self.termination_log(name).write_bytes(b"")
        old = self.log(name, restarts - _KEPT_LOGS)
        for path in (old, old.with_name(old.name + ".1")):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def save(self, saved: SavedPod) -> None:
        """Replaces ``state.json`` as a whole."""
        data = {
            "namespace": saved.namespace,
            "name": saved.name,
            "uid": saved.uid,
            "startedAt": saved.started_at,
            "httpProxy": saved.http_proxy,
            "ports": {str(number): real for number, real in saved.ports.items()},
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
                http_proxy=data["httpProxy"],
                ports={int(number): real for number, real in data["ports"].items()},
                records={name: from_json(record) for name, record in data["records"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def all_folders(pods: Path) -> Iterator[PodFolder]:
    if pods.is_dir():
        for path in sorted(pods.iterdir()):
            if path.is_dir():
                yield PodFolder(path)
