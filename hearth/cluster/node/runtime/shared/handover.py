"""The files of a container that waits for a pod: written before it, then the pod's own."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from hearth.cluster.node.runtime.api import StartRequest
from hearth.cluster.node.runtime.containers.ahead import successors_hosts


@dataclass(frozen=True, slots=True)
class Parting:
    """What is read of a pod's folder before that goes."""

    hosts: str
    resolv_conf: str

    @classmethod
    def of(cls, request: StartRequest) -> Parting:
        """Both files; empty where there are none."""
        return cls(_text(request.dns.hosts), _text(request.dns.resolv_conf))


def _text(path: Path | None) -> str:
    try:
        return path.read_text() if path is not None else ""
    except OSError:
        return ""


def write_files(before: StartRequest, after: StartRequest, parting: Parting) -> None:
    """Those of a pod that is to come after another."""
    after.files.folder.mkdir(parents=True)
    hosts = successors_hosts(parting.hosts, before, after)
    for path, text, mode in (
        (after.files.termination_log, "", 0o666),
        (after.dns.hosts, hosts, 0o644),
        (after.dns.resolv_conf, parting.resolv_conf, 0o644),
    ):
        if path is not None:
            path.write_text(text)
            path.chmod(mode)


def hand_over(folder: Path, request: StartRequest) -> None:
    """The container has its files open: the pod's names come to mean the same files.

    Where it opens one by its path again, as when a log is full, the path leads to the pod's folder.
    """
    ours = folder / request.container.name
    for name, path in (
        ("termination-log", request.files.termination_log),
        ("0.log", request.files.log),
    ):
        path.unlink(missing_ok=True)
        os.link(ours / name, path)
    shutil.rmtree(folder)
    folder.symlink_to(request.volumes.pod)
