"""Podman's API where there is only its command: served by a child of this process."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from hearth.cluster.node.runtime.engine.client import EngineClient, EngineError
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_TRIES, _PAUSE = 200, 0.05
_HYBRID = Path("/sys/fs/cgroup/unified/cgroup.controllers")
_libc = ctypes.CDLL(None)


class PodmanService:
    """``podman system service`` on a socket of ours; containers do not end with it."""

    def __init__(self, program: Sequence[str], socket_path: Path) -> None:
        self._program = tuple(program)
        self._socket = socket_path
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, client: EngineClient) -> None:
        """Starts it and waits until it answers; raises EngineError."""
        self._socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        words = (*self._program, "system", "service", "--time", "0", f"unix://{self._socket}")
        self._process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        for _ in range(_TRIES):
            if self._process.returncode is not None:
                break
            with contextlib.suppress(EngineError):
                await client.call("GET", "/v1.41/version")
                return
            await asyncio.sleep(_PAUSE)
        raise EngineError(0, f"{self._program[0]} system service does not answer")

    async def keep(self, client: EngineClient) -> None:
        """Starts it again whenever it ends, until cancelled."""
        while self._process is not None:
            await self._process.wait()
            log.warning("podman system service ended; it is started again")
            await asyncio.sleep(_PAUSE)
            with contextlib.suppress(EngineError):
                await self.start(client)

    async def stop(self) -> None:
        """Ends it."""
        if self._process is None or self._process.returncode is not None:
            return
        self._signal(signal.SIGTERM)
        try:
            async with time_limit(5):
                await self._process.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()
        self._socket.unlink(missing_ok=True)

    def _signal(self, number: int) -> None:
        """To all of its group: without root what serves is a child of what was begun."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def _die_with_parent() -> None:
    _libc.prctl(_DEATH_SIGNAL, signal.SIGTERM)


def other_runtime() -> tuple[str, ...]:
    """Options for a machine on which Podman's own choice does not work.

    crun refuses control groups of version 1 beside a tree of version 2 with controllers; runc
    does not.
    """
    try:
        is_hybrid = bool(_HYBRID.read_text().strip())
    except OSError:
        is_hybrid = False
    return ("--runtime", "runc") if is_hybrid and shutil.which("runc") else ()
