"""A Hearth of its own for a benchmark, driven by the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class RunningHearth:
    """Starts ``hearth up --detach`` in a temporary folder, and ends it."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self.data_dir = Path(tempfile.mkdtemp(prefix="hearth-bench-"))
        self.started_in = 0.0
        self.state: dict[str, Any] = {}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hearth.cli", *arguments],
            env={**os.environ, "HEARTH_DATA_DIR": str(self.data_dir)},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )

    def __enter__(self) -> Self:
        began = time.monotonic()
        self.command("up", "--detach", "--port", "0", *self._options)
        self.started_in = time.monotonic() - began
        self.state = json.loads((self.data_dir / "state.json").read_text())
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.command("down")
        shutil.rmtree(self.data_dir, ignore_errors=True)

    @property
    def port(self) -> int:
        return int(self.state["ports"]["gateway"])

    @property
    def kubeconfig(self) -> Path:
        return Path(self.state["kubeconfig"])

    def pids(self) -> dict[str, int]:
        """Process ids by component, the supervisor included."""
        state = json.loads((self.data_dir / "state.json").read_text())
        return {"supervisor": state["pid"], **state["components"]}
