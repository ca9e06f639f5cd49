"""One warm interpreter, from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hearth.cluster.node.runtime.api import StartError
from hearth.cluster.node.runtime.processes import mountlauncher
from hearth.cluster.node.runtime.processes.fostering import FOSTER
from hearth.cluster.node.runtime.processes.process import UMASK, Launch, Process, foster, start
from hearth.cluster.node.runtime.processes.warm import zygote
from hearth.cluster.node.runtime.processes.warm.program import MOST_ENVIRONMENT, Program
from hearth.timeouts import time_limit

_IMPORT_SECONDS, _FORK_SECONDS = 60.0, 5.0
_LOOKS, _LOOK_SECONDS = 1000, 0.005
_ROOM, _COMMAND_ROOM = "HEARTH_ROOM", 4096
_MOST_ANSWER = 64 * 1024


class Zygote:
    """A process of a ``Program``'s interpreter that has modules imported, and makes programs."""

    def __init__(self, process: Process, line: socket.socket, left_out: Sequence[str]) -> None:
        self.process = process
        self.left_out = left_out
        self._line = line
        self._turn = asyncio.Lock()

    @property
    def memory(self) -> int:
        """Resident bytes, those that it shares with what it has made included."""
        with contextlib.suppress(OSError):
            pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
            return int(pages) * os.sysconf("SC_PAGE_SIZE")
        return 0

    async def fork(
        self, argv: Sequence[str], launch: Launch, mounts: Mapping[str, Any] | None
    ) -> Process:
        """A new process, a child of ours, that runs ``argv``; raises StartError.

        Descriptors, environment, folder are those of ``launch``. Cancelled, it ends what was made.
        """
        request = {"argv": argv, "env": dict(launch.env), "cwd": launch.cwd, "mounts": mounts}
        given = (launch.stdin, launch.stdout, launch.stderr)
        making = asyncio.create_task(self._fork(request, given), name="warm-fork")
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(_kill_made)
            raise

    async def _fork(self, request: Mapping[str, Any], given: Sequence[int]) -> Process:
        async with self._turn:
            with FOSTER.children():
                try:
                    _send(self._line, {**request, "umask": UMASK}, given)
                    answer = await _answer(self._line, _FORK_SECONDS)
                    if "pid" not in answer:
                        raise StartError(str(answer.get("error", "it has ended")))
                    return foster(answer["pid"])
                except (OSError, TimeoutError) as error:
                    raise StartError(str(error) or "it does not answer") from error

    async def end(self) -> None:
        """Ends it; what it has made goes on."""
        self.process.signal_group(signal.SIGKILL)
        await self.process.wait()
        self._line.close()
        await _reap_rest(self.process.pid)


async def _reap_rest(group: int) -> None:
    """See off what was killed with its group's leader, and may be ours since (``FOSTER``)."""
    for _ in range(_LOOKS):
        if not _has_rest(group):
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _has_rest(group: int) -> bool:
    """Whether any of a group is ours and still has to end; those that have are seen off."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG) != (0, 0):
            pass
        return True
    return False


def _send(line: socket.socket, request: Mapping[str, Any], given: Sequence[int]) -> None:
    """Tells a request: by a file of its own, so that only the process that is made reads it."""
    told = os.memfd_create("request")
    with open(told, "w+b") as file, open(os.devnull, "rb") as nothing:
        file.write(json.dumps(request).encode())
        file.seek(0)
        fds = [nothing.fileno() if fd == subprocess.DEVNULL else fd for fd in given]
        socket.send_fds(line, [b"."], [told, *fds])


def _kill_made(making: asyncio.Task[Process]) -> None:
    if not making.cancelled() and making.exception() is None:
        making.result().signal_group(signal.SIGKILL)


async def _answer(line: socket.socket, seconds: float) -> dict[str, Any]:
    """What it says; nothing where it has ended."""
    async with time_limit(seconds):
        data = await asyncio.get_running_loop().sock_recv(line, _MOST_ANSWER)
    answer: dict[str, Any] = json.loads(data or b"{}")
    return answer


async def open_zygote(program: Program, modules: Sequence[str]) -> Zygote:
    """Starts one, and returns when it has imported; raises StartError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    try:
        process = start(_launch(program, modules, theirs.fileno()))
    except StartError:
        ours.close()
        raise
    finally:
        theirs.close()
    made = Zygote(process, ours, ())
    try:
        made.left_out = (await _answer(ours, _IMPORT_SECONDS))["ready"]
    except (OSError, TimeoutError, KeyError) as error:
        await made.end()
        raise StartError("the interpreter cannot be kept warm") from error
    except BaseException:
        await made.end()
        raise
    return made


def _launch(program: Program, modules: Sequence[str], line: int) -> Launch:
    state = {
        "modules": modules,
        "without": [],
        "options": program.options,
        "launcher": mountlauncher.__file__,
    }
    words = (program.interpreter, *program.options, zygote.__file__)
    env = {**dict(program.env), _ROOM: " " * MOST_ENVIRONMENT}
    return Launch(
        (*words, json.dumps(state), " " * _COMMAND_ROOM),
        env,
        "/",
        subprocess.DEVNULL,
        subprocess.DEVNULL,
        stdin=line,
    )
