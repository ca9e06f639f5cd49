"""One container of an engine."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from hearth.cluster.node.pod.listening import Listening
from hearth.cluster.node.runtime.api import ExecResult, Exit, Streams, Usage
from hearth.cluster.node.runtime.engine.client import EngineError
from hearth.cluster.node.runtime.engine.commands import Commands
from hearth.cluster.node.runtime.engine.console import Console
from hearth.cluster.node.runtime.engine.logfetch import LogFetcher
from hearth.cluster.node.runtime.engine.seam import Dialect
from hearth.cluster.node.runtime.engine.watched import Watched

_LOOKS, _FIRST_PAUSE, _LONGEST_PAUSE = 60, 0.002, 0.25
_KILLED = 137
_LOG_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class EngineInstance:
    """``Instance`` by an engine; ``handle`` is the container's id."""

    engine: Dialect
    handle: str
    image_id: str
    started_at: float
    pod_uid: str
    names: tuple[str, str, str]
    """Namespace, pod and container."""
    watched: Watched
    stop_signal: str
    tty: bool
    console: Console | None
    log: LogFetcher | None
    spawn: Callable[[Coroutine[Any, Any, None]], object]
    """Has something done that outlives the caller."""
    on_close: Callable[[], Awaitable[None]]
    _waiting: asyncio.Task[Exit] | None = None
    _end: Exit | None = field(default=None)
    _was_killed: bool = False

    @property
    def container_id(self) -> str:
        """The id with the engine's scheme."""
        return f"{self.engine.scheme}://{self.handle}"

    @property
    def has_ended(self) -> bool:
        """Whether its end has been seen."""
        return self._end is not None

    async def wait(self) -> Exit:
        """One looks for all who wait."""
        if self._end is not None:
            return self._end
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.create_task(self._wait(), name=f"wait-{self.names[1]}")
        return await asyncio.shield(self._waiting)

    async def _wait(self) -> Exit:
        if self.watched.is_seen:
            await self.watched.ended()
        code, is_out_of_memory = await self._ask()
        if code == _KILLED and not self._was_killed:
            is_out_of_memory |= await self.watched.was_killed_for_memory()
        self._end = Exit(code, is_out_of_memory=is_out_of_memory and code == _KILLED)
        return self._end

    async def _ask(self) -> tuple[int | None, bool]:
        """What the engine knows of the end; it may learn of it a moment later than we do."""
        pause, looks = _FIRST_PAUSE, 0
        while looks < _LOOKS or not self.watched.is_seen:
            try:
                state = await self.engine.inspect(self.handle)
                if state is None:
                    return None, False
                if state.code is not None:
                    return state.code, state.is_out_of_memory
                if not self.watched.is_seen:
                    await self.engine.wait(self.handle)
            except EngineError as error:  # it may be starting anew
                if error.status and looks > _LOOKS // 2:
                    return None, False
            looks += 1
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        return None, False

    def usage(self) -> Usage | None:
        """What its control group uses; from any thread."""
        counters = None if self.has_ended else self.watched.usage()
        if counters is None:
            return None
        return Usage(*self.names, counters.cpu_seconds, counters.memory_bytes)

    def listening(self) -> Listening | None:
        """Of all containers of its pod, where this machine sees them."""
        return self.watched.listening()

    async def exec(self, command: Sequence[str], *, timeout: float) -> ExecResult:
        """Runs a command by the engine."""
        return await self._commands().run(command, timeout=timeout)

    async def stream(self, command: Sequence[str], streams: Streams) -> int:
        """Runs a command by the engine for a client."""
        return await self._commands().stream(command, streams)

    async def attach(self, streams: Streams) -> None:
        """Attaches a client by the engine."""
        if self.console is not None:
            await self.console.attach(streams)
        else:
            await self._commands().attach(streams, tty=self.tty)

    def _commands(self) -> Commands:
        return Commands(self.engine.client, self.handle)

    def terminate(self) -> None:
        """The image's own signal, to the first process alone, as container runtimes send it."""
        self._signal(self.stop_signal)

    def kill(self) -> None:
        """SIGKILL; the kernel ends the rest of the container with its first process."""
        self._was_killed = True
        self._signal("SIGKILL")

    def _signal(self, name: str) -> None:
        if self._end is not None:
            return
        number = signal.Signals.__members__.get(name)
        if number is None or not self.watched.signal(number):
            self.spawn(self._kill(name))

    async def _kill(self, name: str) -> None:
        with contextlib.suppress(EngineError):
            await self.engine.kill(self.handle, name)

    async def close(self, *, sweep: bool) -> None:
        """Its output is in the log already; the engine removes it in its own time."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.cancel()
        self.watched.close()
        if self.console is not None:
            await self.console.close()
        if self.log is not None:
            await self.log.close(_LOG_SECONDS)
        await self.on_close()
