"""Lets a process see its volumes at their mount paths.

A container with mounts is started through ``mountlauncher``, which binds them at their paths in a
mount namespace of its own. Where the machine allows no namespaces, the program runs without, and
finds each volume through the variable ``HEARTH_VOLUME_<NAME>``, which is set in any case; the pod
gets an event that says so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hearth.cluster.node.runtime.api import ExecResult, StartError
from hearth.cluster.node.runtime.processes import mountlauncher
from hearth.cluster.node.runtime.processes.commands import run_command
from hearth.cluster.node.volumes.mounts import Mount

_CHECK_SECONDS = 10.0


@dataclass(slots=True)
class Mounter:
    """Builds the command line that starts a program with its mounts; knows what is possible."""

    scratch: Path
    why_not: str = ""
    """What the machine said when it refused a mount."""
    _is_possible: bool | None = None

    async def is_possible(self) -> bool:
        """Whether this machine lets us mount; asked until it has answered once."""
        if self._is_possible is not None:
            return self._is_possible
        self.scratch.mkdir(parents=True, exist_ok=True)
        trial = [Mount(self.scratch, str(self.scratch), True)]
        argv = (*self.prefix(trial, cwd="/", folder=self.scratch), "--check")
        try:
            check = await run_command(argv, env={}, cwd="/", timeout=_CHECK_SECONDS)
        except StartError as error:
            check = ExecResult(1, str(error))
        if check.code is None:  # a machine too busy to answer says nothing about what it allows
            self.why_not = f"no answer within {_CHECK_SECONDS:g}s"
            return False
        self._is_possible, self.why_not = check.code == 0, check.output.strip()
        return self._is_possible

    @staticmethod
    def prefix(
        mounts: Sequence[Mount], *, cwd: str, folder: Path, messages: Path | None = None
    ) -> tuple[str, ...]:
        """The words before a program's own that set its mounts up.

        What fails before the program runs is written to ``messages``, if given.
        """
        plan = {
            "mounts": [[str(m.source), m.target, m.read_only] for m in mounts],
            "staging": str(folder / "mounts"),
            "cwd": cwd,
            "messages": str(messages or ""),
        }
        script = str(Path(mountlauncher.__file__))
        return (sys.executable, "-I", "-S", script, json.dumps(plan))
