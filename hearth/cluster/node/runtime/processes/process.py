"""Processes of containers: start, watch, signal, adopt. The thin shell over the kernel.

Every container is a session of its own. A pidfd tells of its end, so no thread and no SIGCHLD
handler is needed, and what is signalled is the process that was meant: a pid alone is never
trusted, a process is named by pid and start time. The leader is reaped only after the rest of
its group was killed, because until then its number cannot be given to anybody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from hearth.cluster.node.runtime.api import Exit, StartError
from hearth.cluster.node.runtime.processes.procfs import START_TICKS, start_ticks, stat_fields

UMASK = 0o022  # as in a container, whatever the node's own is
_SIGNAL_GROUP_FLAG = 1 << 2  # PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9 and later
_INHERITED = signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}  # those subprocess restores


@dataclass(frozen=True, slots=True)
class Launch:
    """A program to start; ``stdin``, ``stdout`` and ``stderr`` are file descriptors.

    ``terminal`` is the path of a terminal that becomes the program's own.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    stdout: int
    stderr: int
    stdin: int = subprocess.DEVNULL
    terminal: str = ""


class Process:
    """A running process, a child of ours or one adopted from a former node process."""

    def __init__(self, pid: int, pidfd: int, start_ticks: int, *, is_child: bool) -> None:
        self.pid = pid
        self.start_ticks = start_ticks
        self._pidfd = pidfd
        self._is_child = is_child
        loop = asyncio.get_running_loop()
        self._exit: asyncio.Future[Exit] = loop.create_future()
        loop.add_reader(pidfd, self._on_end)

    async def wait(self) -> Exit:
        """Returns how it ended, once it has."""
        return await asyncio.shield(self._exit)

    @property
    def has_ended(self) -> bool:
        """Whether its end has been seen."""
        return self._exit.done()

    def signal_group(self, number: signal.Signals) -> None:
        """Signals the whole group; nothing happens when the process is gone."""
        if self.has_ended:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            try:
                signal.pidfd_send_signal(self._pidfd, number, None, _SIGNAL_GROUP_FLAG)
            except OSError as error:
                if isinstance(error, ProcessLookupError | PermissionError):
                    raise
                os.killpg(self.pid, number)  # an older kernel

    def signal(self, number: signal.Signals) -> None:
        """Signals this process alone; nothing happens when it is gone."""
        if not self.has_ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._pidfd, number)

    def _on_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        how = self._reap() if self._is_child else Exit(None)
        os.close(self._pidfd)
        if not self._exit.done():
            self._exit.set_result(how)

    def _reap(self) -> Exit:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # leftovers of the group; the leader is a zombie
        try:
            _, status = os.waitpid(self.pid, 0)
        except ChildProcessError:
            return Exit(None)
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            return Exit(128 + number, number)
        return Exit(os.WEXITSTATUS(status))


def start(launch: Launch) -> Process:
    """Starts a process in a new session. vfork and exec: independent of our own size."""
    _ignore_for_ourselves_alone()
    try:
        child = subprocess.Popen(
            _in_terminal(launch) if launch.terminal else launch.argv,
            env=dict(launch.env),
            cwd=launch.cwd,
            stdin=launch.stdin,
            stdout=launch.stdout,
            stderr=launch.stderr,
            start_new_session=True,
            umask=UMASK,
        )
    except (OSError, ValueError) as error:
        raise StartError(_launch_message(launch, error)) from error
    child.returncode = 0  # reaped through the pidfd: keep subprocess from waiting for it
    fields = stat_fields(child.pid)  # a zombie, at worst: only we can reap it
    ticks = int(fields[START_TICKS]) if fields else 0
    return Process(child.pid, os.pidfd_open(child.pid), ticks, is_child=True)


def _ignore_for_ourselves_alone() -> None:
    """What is ignored (by nohup, or in a script's background) would be by programs, too.

    A handler does not outlive the exec (signal(7)), so one that does nothing takes the place.
    """
    if threading.current_thread() is threading.main_thread():
        for number in _INHERITED:
            if signal.getsignal(number) is signal.SIG_IGN:
                signal.signal(number, _pass_over)


def _pass_over(number: int, frame: FrameType | None) -> None:
    pass


def _in_terminal(launch: Launch) -> Sequence[str]:
    """The command by way of a shell: the first terminal that a session's leader opens is its own.

    Raises FileNotFoundError for a program that the shell would not find.
    """
    program = launch.argv[0]
    path = os.path.join(launch.cwd, program) if "/" in program else program
    if shutil.which(path, path=launch.env.get("PATH", os.defpath)) is None:
        raise FileNotFoundError(program)
    return ("/bin/sh", "-c", 'exec "$@" <"$0"', launch.terminal, *launch.argv)


def _launch_message(launch: Launch, error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.filename == launch.cwd:
        return f'working directory "{launch.cwd}" does not exist'
    program = launch.argv[0]
    # Folders of PATH that may not be read are passed over, as Go does.
    if "/" not in program and isinstance(error, (FileNotFoundError, PermissionError)):
        return f'exec: "{program}": not found in $PATH'
    if isinstance(error, FileNotFoundError):
        return f'exec: "{program}": no such file or directory'
    if isinstance(error, PermissionError):
        return f'exec: "{program}": permission denied'
    return f'exec: "{launch.argv[0]}": {error}'


def foster(pid: int) -> Process:
    """A process that has become our child by the end of its parent; raises OSError for none."""
    fields = stat_fields(pid)
    return Process(
        pid, os.pidfd_open(pid), int(fields[START_TICKS]) if fields else 0, is_child=True
    )


def adopt(pid: int, ticks: int) -> Process | None:
    """The process of that pid and start time, if it still runs."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    if start_ticks(pid) != ticks:
        os.close(pidfd)
        return None
    return Process(pid, pidfd, ticks, is_child=False)
