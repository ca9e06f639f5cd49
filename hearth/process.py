"""The shell of one component process: loop, signals, logs, metrics, health, word of readiness.

Called in a child that the supervisor forked (``hearth.cli.supervisor``), and by ``hearth run``.
Components know nothing of signals or of each other: they are cancelled, after readiness has gone.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import uvloop

from hearth.lulls import Lull, give_back_memory, look
from hearth.observability.health import DRAINING, Health, serve_health
from hearth.observability.logs import configure_logging
from hearth.observability.metrics import release_metrics, serve_metrics

Ready = Callable[[], None]
Main = Callable[[Ready], Awaitable[None]]

SETTLED_AFTER = 5.0
"""Seconds after readiness in which a component has done what only a start needs; from then on it
looks so often whether it has become quiet."""
READY, LEAVING, GONE = "ready", "leaving", "gone"
"""Words of a component to its supervisor: it serves; it takes nothing new; it may be replaced,
though it still finishes what it has."""
WANTED = "wanted "
"""With a component's name behind it: that one is needed from now on."""
RESTING = "resting"
"""A component that is started when somebody connects: it is not needed until the next one does."""

_ENDS = (signal.SIGTERM, signal.SIGINT)
_YOUNG_OBJECTS = 10_000
"""More containers alive than at the last look before the collector looks for cycles again. What a
request makes dies by its reference counts: at the default of 700 the collector ran for each large
object that was parsed, and found nothing, for 7 % of the API server's time."""
_NAME_LIMIT = 15  # of a thread name in Linux, without the terminator


_ready_fd: int | None = None  # a process has one supervisor


@dataclass(frozen=True, slots=True)
class ProcessConfig:
    """What a component process is told besides its own configuration."""

    name: str
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None
    health_host: str = "127.0.0.1"
    health_port: int | None = None
    log_level: str = "INFO"
    log_json: bool = False
    ready_fd: int | None = None
    """Where words for the supervisor go (``READY`` and those after it)."""
    lifeline_fd: int | None = None
    """Becomes readable (end of file) when the supervisor is gone: then the process ends too."""


def run_process(main: Main, config: ProcessConfig) -> int:
    """Runs a component until SIGTERM, SIGINT or the loss of its lifeline. Returns an exit code."""
    global _ready_fd
    gc.set_threshold(_YOUNG_OBJECTS)
    _ready_fd = config.ready_fd
    configure_logging(level=config.log_level, as_json=config.log_json)
    _name_process(config.name)
    _raise_file_limit()
    if config.metrics_port is not None:
        serve_metrics(config.metrics_host, config.metrics_port)
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(_supervised(main, config))


class _Loop(uvloop.Loop):
    """Signals that end the process are the shell's: a library that takes them (kopf) gets none."""

    _are_taken = False

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: object) -> None:
        if sig not in _ENDS or not self._are_taken:
            super().add_signal_handler(sig, callback, *args)

    def end_with(self, end: Callable[[], None]) -> None:
        """Have this called on each of these signals, whatever others ask for later."""
        for number in _ENDS:
            self.add_signal_handler(number, end)
        self._are_taken = True


async def _supervised(main: Main, config: ProcessConfig) -> int:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _Loop)
    health = Health()
    if config.health_port is not None:
        await serve_health(health, config.health_host, config.health_port)

    def ready() -> None:
        gc.collect()
        gc.freeze()  # what start-up made lives on: the collector need not look at it again
        say(READY)
        health.started()
        loop.call_later(SETTLED_AFTER, _settled, loop)

    def end() -> None:
        health.state = DRAINING
        task.cancel()

    def lifeline_lost(fd: int) -> None:
        loop.remove_reader(fd)
        end()

    task = asyncio.ensure_future(main(ready))
    loop.end_with(end)
    if config.lifeline_fd is not None:
        loop.add_reader(config.lifeline_fd, lifeline_lost, config.lifeline_fd)
    try:
        await task
    except asyncio.CancelledError:
        return 0
    return 0


def say(word: str) -> bool:
    """Tell the supervisor something; whether there is one, and it listens."""
    if _ready_fd is None:
        return False
    try:
        os.write(_ready_fd, f"{word}\n".encode())  # shorter than a pipe ever cuts
    except BrokenPipeError:
        return False
    return True


async def let_go() -> None:
    """Give up what a successor needs for itself, and say that it may start."""
    await asyncio.to_thread(release_metrics)
    say(GONE)


def _settled(loop: asyncio.AbstractEventLoop) -> None:
    """Gives back what the start took, and after each time of much work what that took."""
    give_back_memory()
    _watch_for_lulls(loop, Lull(time.process_time()))


def _watch_for_lulls(loop: asyncio.AbstractEventLoop, lull: Lull) -> None:
    look(lull, time.process_time(), SETTLED_AFTER)
    loop.call_later(SETTLED_AFTER, _watch_for_lulls, loop, lull)


def _raise_file_limit() -> None:
    """Connections, logs and pods each take files; the usual soft limit is 1,024 of them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _name_process(name: str) -> None:
    """Shows the component in ``ps`` and ``top`` where the system has a way to say it."""
    if sys.platform == "linux":
        with open("/proc/self/comm", "w") as comm:
            comm.write(f"hearth-{name}"[:_NAME_LIMIT])
