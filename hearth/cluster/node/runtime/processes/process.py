"""Processes of containers: start, watch, signal, find again. The thin shell over the kernel.

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
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hearth.cluster.node.runtime.api import ExecResult, Exit, StartError
from hearth.timeouts import time_limit

_SESSION, _FLAGS, _START_TICKS, _ENV_START, _ENV_END = 3, 6, 19, 47, 48  # in ``stat_fields``
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD
_EXEC_READS, _EXEC_SECONDS = 1000, 0.001
_LOOKS_WITHOUT = 3
_UMASK = 0o022  # as in a container, whatever the node's own is
_SIGNAL_GROUP_FLAG = 1 << 2  # PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9 and later


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
    try:
        child = subprocess.Popen(
            _in_terminal(launch) if launch.terminal else launch.argv,
            env=dict(launch.env),
            cwd=launch.cwd,
            stdin=launch.stdin,
            stdout=launch.stdout,
            stderr=launch.stderr,
            start_new_session=True,
            umask=_UMASK,
        )
    except (OSError, ValueError) as error:
        raise StartError(_launch_message(launch, error)) from error
    child.returncode = 0  # reaped through the pidfd: keep subprocess from waiting for it
    fields = stat_fields(child.pid)  # a zombie, at worst: only we can reap it
    ticks = int(fields[_START_TICKS]) if fields else 0
    return Process(child.pid, os.pidfd_open(child.pid), ticks, is_child=True)


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
        pid, os.pidfd_open(pid), int(fields[_START_TICKS]) if fields else 0, is_child=True
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


def start_ticks(pid: int) -> int | None:
    """Start time in clock ticks since boot (field 22 of /proc/PID/stat); None for no process."""
    fields = stat_fields(pid)
    return None if fields is None or fields[0] in (b"Z", b"X") else int(fields[_START_TICKS])


def stat_fields(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat after the program's name: state first."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None


def find_marked(marker: str) -> list[int]:
    """Pids of processes whose initial environment holds ``marker`` (``NAME=value``)."""
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return [pid for pid in pids if _is_marked(pid, marker)]


def _is_marked(pid: int, marker: str) -> bool:
    return b"\0" + marker.encode() + b"\0" in b"\0" + _environ(pid)


def _environ(pid: int) -> bytes:
    """The initial environment of a process; empty where there is none, or none to be read.

    In the middle of an exec it reads as empty and is waited for: a process must not escape because
    it was looked at just then. Before its new environment is in place there is a moment in which it
    looks like one that has none, so that is believed only when it is seen again.
    """
    seen_without = 0
    for _ in range(_EXEC_READS):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environ = file.read()
        except OSError:
            return b""
        if environ or not _runs_a_program(pid):
            return environ
        seen_without = 0 if may_be_in_exec(pid) else seen_without + 1
        if seen_without == _LOOKS_WITHOUT:
            return environ
        time.sleep(_EXEC_SECONDS)
    return b""


def _runs_a_program(pid: int) -> bool:
    """Whether there could be an environment: not of a kernel thread, nor of what has ended."""
    fields = stat_fields(pid)
    if fields is None or fields[0] in (b"Z", b"X"):
        return False
    return not int(fields[_FLAGS]) & _KERNEL_THREAD


def may_be_in_exec(pid: int) -> bool:
    """Whether an environment that reads as empty may be one that is not there yet.

    A process that has none has a place for it all the same. So has one, for a moment, whose place
    is known and not yet how much goes there.
    """
    fields = stat_fields(pid)
    if fields is None:
        return False
    start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
    return start == 0 or start != end


def kill_marked(marker: str, *, but: frozenset[int] = frozenset()) -> int:
    """Kills all processes of that marker; returns of how many sessions. Those in ``but`` stay."""
    return len({_kill_if_marked(pid, marker, but) for pid in find_marked(marker)} - {None})


def _kill_if_marked(pid: int, marker: str, but: frozenset[int]) -> int | None:
    """Kills one process and returns its session; None where it is not to be killed."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    try:
        # Read again behind the pidfd: the number may have changed hands since the scan.
        fields = stat_fields(pid)
        if fields is None or int(fields[_SESSION]) in but or not _is_marked(pid, marker):
            return None
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except OSError:
        return None
    finally:
        os.close(pidfd)
    return int(fields[_SESSION])


_OUTPUT_LIMIT = 10 * 1024


async def run_command(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: str, timeout: float
) -> ExecResult:
    """Runs a command to its end and keeps the first 10 KiB of what it printed.

    Its group is killed after ``timeout`` seconds. Raises StartError when it cannot be started.
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(read_end, False)
    try:
        process = start(Launch(argv, env, cwd, write_end, write_end))
    except StartError:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    output = bytearray()
    loop = asyncio.get_running_loop()
    loop.add_reader(read_end, _collect, loop, read_end, output)
    code: int | None = None
    try:
        async with time_limit(timeout):
            code = (await process.wait()).code
    except TimeoutError:
        pass
    finally:
        process.signal_group(signal.SIGKILL)
        loop.remove_reader(read_end)
        _collect(loop, read_end, output)
        os.close(read_end)
    if not process.has_ended:
        await process.wait()
    return ExecResult(code, output.decode(errors="replace"))


def _collect(loop: asyncio.AbstractEventLoop, fd: int, output: bytearray) -> None:
    try:
        chunk = os.read(fd, 65536)
    except BlockingIOError:
        return
    if not chunk:
        loop.remove_reader(fd)
    if len(output) < _OUTPUT_LIMIT:
        output += chunk[: _OUTPUT_LIMIT - len(output)]
