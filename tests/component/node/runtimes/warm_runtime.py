"""The suite's programs in Python, each forked from a warm interpreter."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time

from hearth.cluster.node.pod.spec import WARM
from hearth.cluster.node.runtime.api import CreateError, StartRequest
from hearth.cluster.node.runtime.ports import PortAllocator
from hearth.cluster.node.runtime.processes.environment import make_base_environment
from hearth.cluster.node.runtime.processes.instance import ProcessInstance
from hearth.cluster.node.runtime.processes.runtime import ProcessRuntime, ProcessSettings
from tests.component.node.runtimes import processes_runtime

_PROGRAMS = {
    "exit": "import sys; sys.exit(int(sys.argv[2]))",
    "print": "import sys; print(sys.argv[2])",
    "show": 'import os, sys; print(sys.argv[2] + "=" + os.environ.get(sys.argv[2], ""))',
    "forever": 'import time\nprint("forever", flush=True)\ntime.sleep(1000)',
    "cat": "import os\nwhile data := os.read(0, 65536): os.write(1, data)",
    "warn": "import sys; print(sys.argv[2], file=sys.stderr)",
    "deaf": (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        'print("deaf", flush=True)\nwhile True: time.sleep(0.02)'
    ),
}


class WarmRuntime(ProcessRuntime):
    """Has a warm interpreter for whatever it starts."""

    async def start(self, request: StartRequest) -> ProcessInstance:
        request.facts.pod["metadata"]["annotations"] = {WARM: "enabled"}
        said: list[tuple[str, ...]] = []
        told = request.report

        def report(*event: str) -> None:
            said.append(event)
            if event[1] not in ("WarmStart", "NotWarm"):
                told(*event)

        object.__setattr__(request, "report", report)
        can = False
        with contextlib.suppress(CreateError):
            await self.preparing.make_ahead(request)
            can = True
        made = await super().start(request)
        is_warm = any(event[1] == "WarmStart" for event in said)
        assert is_warm == (can and not request.raw.get("tty")), said
        return made


class Harness(processes_runtime.Harness):
    def program(self, *words: str) -> list[str]:
        if words[0] in ("missing", "size"):
            return super().program(*words)
        if words[0] == "serve":
            return [sys.executable, "-S", "-E", str(processes_runtime.SERVER)]
        path = self._data_dir / f"{words[0]}.py"
        if not path.exists():  # else one that has been started may be reading it
            path.write_text(_PROGRAMS[words[0]])
        return [sys.executable, "-S", "-E", str(path), *words]

    def runtime(self) -> ProcessRuntime:
        base = make_base_environment(
            path=os.defpath, home="/", api_host="localhost", api_port=1, http_proxy=""
        )
        settings = ProcessSettings(f"suite-{self._data_dir}", self._data_dir / "mounts", base)
        return WarmRuntime(settings, self._images, PortAllocator(random.Random()), time.time)
