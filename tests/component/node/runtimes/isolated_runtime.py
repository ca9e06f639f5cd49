"""The suite's programs as shell scripts, each in a view of its own by bubblewrap."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from hearth.cluster.node.runtime.ports import PortAllocator
from hearth.cluster.node.runtime.processes.environment import make_base_environment
from hearth.cluster.node.runtime.processes.runtime import ProcessRuntime, ProcessSettings
from tests.component.node.isolating import isolation_or_skip
from tests.component.node.runtimes import processes_runtime


class Harness(processes_runtime.Harness):
    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self._node_id = f"suite-{os.getpid()}"
        self.isolation = isolation_or_skip(self._node_id, data_dir)

    def program(self, *words: str) -> list[str]:
        if words[0] == "serve":  # its Python may be in the home that is hidden: named, it is shown
            return [sys.executable, "-S", "-E", str(processes_runtime.SERVER)]
        return super().program(*words)

    def runtime(self) -> ProcessRuntime:
        base = make_base_environment(
            path=os.defpath, home="/", api_host="localhost", api_port=1, http_proxy=""
        )
        settings = ProcessSettings(
            self._node_id, self._data_dir / "mounts", base, isolation=self.isolation
        )
        return ProcessRuntime(settings, self._images, PortAllocator(random.Random()), time.time)
