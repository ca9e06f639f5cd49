"""The suite's programs as shell scripts, run by ``ProcessRuntime``."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from hearth.cluster.node.images.store import ImageSpec, ImageStore
from hearth.cluster.node.runtime.ports import PortAllocator
from hearth.cluster.node.runtime.processes.environment import make_base_environment
from hearth.cluster.node.runtime.processes.procfs import start_ticks
from hearth.cluster.node.runtime.processes.runtime import ProcessRuntime, ProcessSettings

SERVER = Path(__file__).resolve().parents[4] / "samples" / "hello" / "server.py"
_SCRIPTS = {
    "exit": "exit {0}",
    "print": "echo '{0}'",
    "show": 'echo "{0}=${0}"',
    "forever": "echo forever; exec sleep 1000",
    "cat": "exec cat",
    "warn": "echo '{0}' >&2",
    "size": "until set -- $(stty size) && [ $2 != 0 ]; do sleep 0.01; done; echo $1 $2",
    "serve": f"exec {sys.executable} -S -E {SERVER}",
    "deaf": "trap '' TERM; echo deaf; while :; do sleep 0.02; done",
}


class Harness:
    image = "app"

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._images = ImageStore(data_dir)
        self.add_image(self.image)

    def runtime(self) -> ProcessRuntime:
        base = make_base_environment(
            path=os.defpath, home="/", api_host="localhost", api_port=1, http_proxy=""
        )
        node_id = f"suite-{self._data_dir}"
        settings = ProcessSettings(node_id, self._data_dir / "mounts", base)
        return ProcessRuntime(settings, self._images, PortAllocator(random.Random()), time.time)

    def program(self, *words: str) -> list[str]:
        if words[0] == "missing":
            return ["/no/such/program"]
        return ["/bin/sh", "-c", _SCRIPTS[words[0]].format(*words[1:])]

    def add_image(self, name: str) -> None:
        self._images.add(name, ImageSpec())

    def is_running(self, handle: str) -> bool:
        pid, ticks, _ = handle.split(":", 2)
        return start_ticks(int(pid)) == int(ticks)
