"""Starts the components as forked children, keeps them alive, stops them in order.

The supervisor imports what several components need once, then forks: children share that memory
and start in milliseconds, also when one has died and is started again. It runs no event loop and
no thread, because those do not survive a fork; it waits in ``select`` for words of readiness,
for the end of a child and for signals.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hearth.process import Main, ProcessConfig, run_process

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0
_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_REPORT_SECONDS = 1.0
_STEADY_SECONDS = 10.0  # a child that lived so long starts again without a pause


@dataclass(frozen=True, slots=True)
class Component:
    """One child: ``make`` is called in the child and may import what only this child needs."""

    name: str
    make: Callable[[], Main]
    after: tuple[str, ...] = ()
    """Components that must have been ready once before this one starts."""
    metrics_port: int | None = None


@dataclass(slots=True)
class _Child:
    component: Component
    pid: int = 0
    ready_fd: int = -1
    ready: bool = False
    was_ready: bool = False
    started: float = 0.0
    pause: float = _FIRST_PAUSE
    start_at: float = 0.0


class StartFailed(Exception):
    """A component ended before it was ever ready."""


@dataclass(slots=True)
class Supervisor:
    """``run`` returns when it was told to stop and all children have ended."""

    components: Sequence[Component]
    on_ready: Callable[[], None]
    on_change: Callable[[dict[str, int]], None]
    """Called with the process ids, by component, whenever they changed; again after an OSError."""
    log_level: str = "INFO"
    stop_seconds: float = 40.0
    _children: dict[str, _Child] = field(default_factory=dict)
    _wakeup: tuple[int, int] = (-1, -1)
    _lifeline: tuple[int, int] = (-1, -1)
    _stopping: bool = False
    _announced: bool = False
    _is_report_due: bool = False

    def run(self) -> None:
        self._wakeup, self._lifeline = os.pipe(), os.pipe()
        for fd in self._wakeup:
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        for number in _HANDLED:
            signal.signal(number, self._signalled)
        self._children = {c.name: _Child(c) for c in self.components}
        gc.collect()
        gc.freeze()  # the collector would touch, and so copy, every shared page in every child
        try:
            while not self._stopping:
                self._start_due()
                self._wait()
                self._reap()
                if self._is_report_due:
                    self._report()
        finally:
            self._stop_all()

    # -- waiting ---------------------------------------------------------------------------

    def _signalled(self, number: int, _frame: object) -> None:
        if number != signal.SIGCHLD:
            self._stopping = True

    def _wait(self) -> None:
        pending = [c.start_at for c in self._children.values() if not c.pid and self._may_start(c)]
        timeout = max(0.0, min(pending) - time.monotonic()) if pending else None
        if self._is_report_due:
            timeout = _REPORT_SECONDS if timeout is None else min(timeout, _REPORT_SECONDS)
        fds = [c.ready_fd for c in self._children.values() if c.ready_fd >= 0]
        readable, _, _ = select.select([self._wakeup[0], *fds], [], [], timeout)
        if self._wakeup[0] in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wakeup[0], 4096)
        for child in self._children.values():
            if child.ready_fd in readable:
                self._hear(child)

    def _hear(self, child: _Child) -> None:
        said = os.read(child.ready_fd, 16)
        os.close(child.ready_fd)
        child.ready_fd = -1
        if said:
            child.ready = child.was_ready = True
            if not self._announced and all(c.ready for c in self._children.values()):
                self._announced = True
                self.on_ready()

    # -- starting --------------------------------------------------------------------------

    def _may_start(self, child: _Child) -> bool:
        return all(self._children[name].was_ready for name in child.component.after)

    def _start_due(self) -> None:
        now = time.monotonic()
        started = False
        for child in self._children.values():
            if not child.pid and child.start_at <= now and self._may_start(child):
                self._fork(child, now)
                started = True
        if started:
            self._report()

    def _fork(self, child: _Child, now: float) -> None:
        read_end, write_end = os.pipe()
        # What arrives before the child has handlers of its own must not run ours in it: it would
        # be lost, and the child would be waited for until it is killed.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        try:
            pid = os.fork()
            if pid == 0:
                os._exit(self._be_child(child, write_end))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(write_end)
        child.pid, child.ready_fd, child.ready, child.started = pid, read_end, False, now

    def _be_child(self, child: _Child, ready_fd: int) -> int:
        signal.set_wakeup_fd(-1)
        for number in _HANDLED:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        os.setpgid(0, 0)  # Ctrl-C reaches the supervisor alone, which stops children in order
        for fd in (*self._wakeup, self._lifeline[1]):
            os.close(fd)
        for other in self._children.values():
            if other.ready_fd >= 0:
                os.close(other.ready_fd)
        try:
            return run_process(
                child.component.make(),
                ProcessConfig(
                    name=child.component.name,
                    metrics_port=child.component.metrics_port,
                    log_level=self.log_level,
                    ready_fd=ready_fd,
                    lifeline_fd=self._lifeline[0],
                ),
            )
        except BaseException:
            logging.getLogger(f"hearth.{child.component.name}").exception("component failed")
            return 1
        finally:
            logging.shutdown()

    # -- ending ----------------------------------------------------------------------------

    def _reap(self) -> None:
        ended = False
        for child in self._children.values():
            if child.pid and (status := _exit_status(child.pid)) is not None:
                self._ended(child, status)
                ended = True
        if ended and not self._stopping:
            self._report()

    def _ended(self, child: _Child, status: int) -> None:
        pid, child.pid = child.pid, 0
        if child.ready_fd >= 0:
            self._hear(child)
        child.ready = False
        if self._stopping:
            return
        if not child.was_ready:
            raise StartFailed(child.component.name)
        now = time.monotonic()
        if now - child.started >= _STEADY_SECONDS:
            child.pause = _FIRST_PAUSE
        child.start_at = now + child.pause
        log.warning(
            "component ended and is started again",
            extra={"component": child.component.name, "pid": pid, "status": status},
        )
        child.pause = min(child.pause * 2, _LONGEST_PAUSE)

    def _report(self) -> None:
        """A full disk must not end what runs: the report is made again until it succeeds."""
        try:
            self.on_change({n: c.pid for n, c in self._children.items() if c.pid})
        except OSError as error:
            if not self._is_report_due:
                log.warning("state not saved", extra={"error": str(error)})
            self._is_report_due = True
        else:
            self._is_report_due = False

    def _stop_all(self) -> None:
        """In reverse order of start; each is given time, then killed."""
        self._stopping = True
        deadline = time.monotonic() + self.stop_seconds
        for child in reversed(self._children.values()):
            if not child.pid:
                continue
            _send(child.pid, signal.SIGTERM)
            while _exit_status(child.pid) is None:
                if time.monotonic() > deadline:
                    _send(child.pid, signal.SIGKILL)
                select.select([self._wakeup[0]], [], [], 0.05)
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wakeup[0], 4096)
            child.pid = 0
        self._report()


def _exit_status(pid: int) -> int | None:
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status) if found else None


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
