"""Starts the components as forked children, keeps them alive, stops them in order.

The supervisor imports what the components need once, then forks: children share that memory
and start in milliseconds, also when one has died and is started again. It runs no event loop and
no thread, because those do not survive a fork; it waits in ``select`` for words of readiness,
for the end of a child and for signals. What it decides is in ``roster``.

It holds listening sockets of components, so that what comes while one of them is away waits in the
kernel for the next (``hearth.listening``). A component that is told to end says when it takes
nothing new any more, and when its successor may start: then both are there for a while.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hearth.cli.roster import ComponentState, Roster
from hearth.process import GONE, LEAVING, READY, RESTING, WANTED, Main, ProcessConfig, run_process

log = logging.getLogger(__name__)

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_REPORT_SECONDS = 1.0
_MAX_WORDS = 1024


@dataclass(frozen=True, slots=True)
class Component:
    """One child: ``make`` is called in it."""

    name: str
    make: Callable[[], Main]
    after: tuple[str, ...] = ()
    """Components that must have been ready once before this one starts."""
    metrics_port: int | None = None
    sockets: tuple[socket.socket, ...] = ()
    """Listening sockets that it accepts from; they outlive it."""
    on_demand: bool = False
    """Whether it is started only when another component says that it is wanted."""
    on_connection: bool = False
    """Whether it is started when somebody connects to one of its sockets, and may rest again."""


@dataclass(slots=True)
class Supervisor:
    """Runs the components of one Hearth as children of this process."""

    components: Sequence[Component]
    on_ready: Callable[[], None]
    """Called once, when all components serve for the first time."""
    on_change: Callable[[dict[str, ComponentState]], None]
    """Called with the components' states whenever they changed; again after an OSError."""
    while_starting: Callable[[], None] = lambda: None
    """Called once, after the first components were started: imports that the others share."""
    log_level: str = "INFO"
    stop_seconds: float = 40.0
    """How long all children together may take to stop before they are killed."""
    least_seconds: float = 5.0
    """How long each has at the least: one that hangs must not cost the node the end of its pods."""
    _roster: Roster = field(init=False)
    _ready_fds: dict[str, int] = field(default_factory=dict)
    _words_fds: dict[str, int] = field(default_factory=dict)
    """Where a child that fails leaves its last words, read after its end."""
    _wakeup: tuple[int, int] = (-1, -1)
    _lifeline: tuple[int, int] = (-1, -1)
    _replaced: set[int] = field(default_factory=set)
    """Processes that finish what they have, beside their successors."""
    _is_stopping: bool = False
    _is_report_due: bool = False

    def run(self) -> None:
        """Returns when it was told to stop and all children have ended.

        Raises StartFailed, after stopping the others, when a component ends before it served.
        """
        on_demand = {c.name for c in self.components if c.on_demand or c.on_connection}
        self._roster = Roster({c.name: c.after for c in self.components}, on_demand=on_demand)
        self._wakeup, self._lifeline = os.pipe(), os.pipe()
        for fd in self._wakeup:
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        for number in _HANDLED:
            signal.signal(number, self._signalled)
        _share_memory()
        try:
            self._start_due()
            self.while_starting()
            _share_memory()
            while not self._is_stopping:
                self._start_due()
                self._wait()
                self._reap()
                if self._is_report_due:
                    self._report()
        finally:
            self._stop_all()

    # -- waiting -----------------------------------------------------------------------------------

    def _signalled(self, number: int, _frame: object) -> None:
        if number != signal.SIGCHLD:
            self._is_stopping = True

    def _wait(self) -> None:
        timeout = self._roster.seconds_until_due(time.monotonic())
        if self._is_report_due:
            timeout = _REPORT_SECONDS if timeout is None else min(timeout, _REPORT_SECONDS)
        doors = self._doors()
        waited = [self._wakeup[0], *self._ready_fds.values(), *doors]
        readable, _, _ = select.select(waited, [], [], timeout)
        self._drain_wakeup()
        for door, name in doors.items():
            if door in readable and self._roster.wanted(name):
                self._report()
        for name, fd in list(self._ready_fds.items()):
            if fd in readable:
                self._hear(name)

    def _doors(self) -> dict[int, str]:
        """The sockets at which somebody who connects starts a component."""
        return {
            sock.fileno(): component.name
            for component in self.components
            if component.on_connection and self._roster.is_asleep(component.name)
            for sock in component.sockets
        }

    def _drain_wakeup(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wakeup[0], 4096)

    def _hear(self, name: str) -> None:
        """Reads a child's words; one that has ended leaves an end of file."""
        fd = self._ready_fds[name]
        try:
            said = os.read(fd, select.PIPE_BUF)
        except BlockingIOError:
            return
        if not said:
            self._stop_hearing(name)
        for word in said.decode(errors="replace").splitlines():
            self._heard(name, word)

    def _heard(self, name: str, word: str) -> None:
        if word == READY:
            self._became_ready(name)
        elif word == LEAVING:
            self._roster.leaving(name)
            self._report()
        elif word == GONE:
            self._replace(name)
        elif word == RESTING:
            self._roster.resting(name)
        elif word.startswith(WANTED) and self._roster.wanted(word.removeprefix(WANTED)):
            self._report()

    def _stop_hearing(self, name: str) -> None:
        os.close(self._ready_fds.pop(name))

    def _became_ready(self, name: str) -> None:
        is_complete = self._roster.became_ready(name)
        self._report()
        if is_complete:
            self.on_ready()

    def _replace(self, name: str) -> None:
        """From here on the process is no more than one that is to be waited for."""
        self._replaced.add(self._roster.pids[name])
        self._stop_hearing(name)
        self._take_last_words(name)
        self._roster.replaced(name, time.monotonic())

    # -- starting ----------------------------------------------------------------------------------

    def _start_due(self) -> None:
        now = time.monotonic()
        due = self._roster.due(now)
        for component in self.components:
            if component.name in due:
                self._fork(component, now)
        if due:
            self._report()

    def _fork(self, component: Component, now: float) -> None:
        read_end, write_end = os.pipe()
        words_end, last_words_end = os.pipe()
        for fd in (read_end, words_end):
            os.set_blocking(fd, False)
        # What arrives before the child has handlers of its own must not run ours in it: it would
        # be lost, and the child would be waited for until it is killed.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        try:
            pid = os.fork()
            if pid == 0:
                os._exit(self._be_child(component, write_end, last_words_end))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for fd in (write_end, last_words_end):
            os.close(fd)
        self._ready_fds[component.name] = read_end
        self._words_fds[component.name] = words_end
        self._roster.started(component.name, pid, now)

    def _be_child(self, component: Component, ready_fd: int, last_words_fd: int) -> int:
        signal.set_wakeup_fd(-1)
        for number in _HANDLED:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        os.setpgid(0, 0)  # Ctrl-C reaches the supervisor alone, which stops children in order
        read_ends = (*self._ready_fds.values(), *self._words_fds.values())
        for fd in (*self._wakeup, self._lifeline[1], *read_ends):
            os.close(fd)
        self._close_sockets(but=component.sockets)
        try:
            return run_process(
                component.make(),
                ProcessConfig(
                    name=component.name,
                    metrics_port=component.metrics_port,
                    log_level=self.log_level,
                    ready_fd=ready_fd,
                    lifeline_fd=self._lifeline[0],
                ),
            )
        except BaseException as error:
            logging.getLogger(f"hearth.{component.name}").exception("component failed")
            os.write(last_words_fd, describe_failure(error).encode())
            return 1
        finally:
            logging.shutdown()

    def _close_sockets(self, *, but: tuple[socket.socket, ...] = ()) -> None:
        for sock in {sock for component in self.components for sock in component.sockets}:
            if sock not in but:
                sock.close()

    # -- ending ------------------------------------------------------------------------------------

    def _reap(self) -> None:
        ended = False
        for name, pid in self._roster.pids.items():
            if (status := _exit_status(pid)) is not None:
                self._ended(name, pid, status)
                ended = True
        self._replaced = {pid for pid in self._replaced if _exit_status(pid) is None}
        if ended and not self._is_stopping:
            self._report()

    def _ended(self, name: str, pid: int, status: int) -> None:
        if name in self._ready_fds:
            self._hear(name)
        if pid in self._replaced:
            return
        if name in self._ready_fds:
            self._stop_hearing(name)
        last_words = self._take_last_words(name)
        if self._is_stopping:
            self._roster.stopped(name)
            return
        now = time.monotonic()
        self._roster.ended(name, now, exit_code=status, last_words=last_words)
        if not self._roster.is_asleep(name):
            log.warning(
                "component ended and is started again",
                extra={"component": name, "pid": pid, "status": status},
            )

    def _take_last_words(self, name: str) -> str:
        fd = self._words_fds.pop(name)
        try:
            return os.read(fd, _MAX_WORDS).decode(errors="replace")
        except BlockingIOError:
            return ""
        finally:
            os.close(fd)

    def _report(self) -> None:
        """Tells of the processes. A full disk must not end what runs: it is tried again."""
        try:
            self.on_change(self._roster.states)
        except OSError as error:
            if not self._is_report_due:
                log.warning("state not saved", extra={"error": str(error)})
            self._is_report_due = True
        else:
            self._is_report_due = False

    def _stop_all(self) -> None:
        """Stops the children in reverse order of start; each is given time, then killed."""
        self._is_stopping = True
        deadline = time.monotonic() + self.stop_seconds
        self._close_sockets()
        for name in list(self._ready_fds):  # a component that leaves is followed by nobody
            self._stop_hearing(name)
        for name, pid in reversed(self._roster.pids.items()):
            _send(pid, signal.SIGTERM)
            self._wait_for_end(pid, max(deadline, time.monotonic() + self.least_seconds))
            self._roster.stopped(name)
        for pid in self._replaced:  # told already
            self._wait_for_end(pid, deadline)
        self._report()

    def _wait_for_end(self, pid: int, deadline: float) -> None:
        while _exit_status(pid) is None:
            if time.monotonic() > deadline:
                _send(pid, signal.SIGKILL)
            select.select([self._wakeup[0]], [], [], 0.05)
            self._drain_wakeup()


def describe_failure(error: BaseException) -> str:
    """The innermost failure of an exception group in one line: a component's last words."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"[: _MAX_WORDS // 4]


def _share_memory() -> None:
    """Keep the collector off what there is: it would touch, and so copy, every shared page."""
    gc.collect()
    gc.freeze()


def _exit_status(pid: int) -> int | None:
    """The exit code of a child that has ended (a signal's is negative); None while it runs."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status) if ended else None


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
