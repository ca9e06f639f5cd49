"""Tells the autoscaler what goes on: a frame a second, and at once when somebody waits for a pod.

One TCP connection, opened again when it is lost; the wire is ``serving.api.stats``. Without an
address nothing is sent, which is how an activator runs in front of plain Services only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from activator.backends import Backend
from hearth.kube.clock import Clock, wall_clock
from serving.api.stats import Stat, encode_frame, encode_hello

log = logging.getLogger(__name__)

FRAME_SECONDS = 1.0
# A burst at zero grows within milliseconds: after the first poke, at most one in this time.
POKE_SECONDS = 0.05
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0


@dataclass(frozen=True, slots=True)
class StatsAddress:
    """Where the autoscaler listens for statistics."""

    host: str
    port: int


class Reporter:
    """The activator's end of the statistics connection."""

    def __init__(
        self,
        address: StatsAddress,
        *,
        token: str,
        name: str,
        clock: Callable[[], float],
        wall: Clock = wall_clock,
    ) -> None:
        """``token`` lets it in, ``name`` says which activator reports."""
        self._address = address
        self._clock = clock
        self._token = token
        self._name = name
        self._wall = wall
        self._writer: asyncio.StreamWriter | None = None
        self._poked: dict[Backend, None] = {}
        self._poke_at = 0.0
        self._poke_timer: asyncio.TimerHandle | None = None
        self.is_reachable = False
        self.connect_errors = 0

    def wake(self, backend: Backend) -> None:
        """A request waits, for the first pod or for more: the autoscaler has to know now."""
        if not backend.can_wake:
            return
        self._poked[backend] = None
        if self._poke_timer is None:
            loop = asyncio.get_running_loop()
            delay = max(0.0, self._poke_at + POKE_SECONDS - loop.time())
            if delay:
                self._poke_timer = loop.call_later(delay, self._poke)
            else:
                self._poke()

    async def run(self, backends: Callable[[], list[Backend]]) -> None:
        """Keep a connection until cancelled, and tell of these backends."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._connected(backends)
                pause = _FIRST_PAUSE
            except OSError as error:
                self.connect_errors += 1
                log.debug("autoscaler not reachable", extra={"error": str(error)})
            finally:
                self._disconnect()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _connected(self, backends: Callable[[], list[Backend]]) -> None:
        reader, writer = await asyncio.open_connection(self._address.host, self._address.port)
        self._writer = writer
        self.is_reachable = True
        writer.write(encode_hello(self._token, self._name))
        # Whoever waits since before the connection was there has not been heard yet.
        self._send([backend for backend in backends() if backend.throttler.waiting], _poke)
        async with asyncio.TaskGroup() as group:
            frames = group.create_task(self._frames(writer, backends), name="stats-frames")
            # The autoscaler sends nothing; reading tells when it is gone.
            while await reader.read(4096):
                pass
            frames.cancel()

    async def _frames(
        self, writer: asyncio.StreamWriter, backends: Callable[[], list[Backend]]
    ) -> None:
        while True:
            await asyncio.sleep(FRAME_SECONDS)
            self._send([b for b in backends() if b.stats.has_traffic()], self._frame)
            await writer.drain()

    def _frame(self, backend: Backend) -> Stat:
        frame = backend.stats.take(self._clock(), backend.throttler.waiting)
        return Stat(
            backend.spec.namespace,
            backend.spec.name,
            frame.average_concurrency,
            frame.requests,
            frame.queued,
            backend.throttler.busy_pods(),
        )

    def _poke(self) -> None:
        self._poke_timer = None
        self._poke_at = asyncio.get_running_loop().time()
        backends = [backend for backend in self._poked if backend.throttler.waiting]
        self._poked.clear()
        self._send(backends, _poke)

    def _send(self, backends: list[Backend], make: Callable[[Backend], Stat]) -> None:
        stats = [make(backend) for backend in backends if backend.can_wake]
        if stats and self._writer is not None:
            self._writer.write(encode_frame(self._wall(), stats, is_poke=make is _poke))

    def _disconnect(self) -> None:
        writer, self._writer = self._writer, None
        self.is_reachable = False
        if writer is not None:
            writer.close()


def _poke(backend: Backend) -> Stat:
    """What is there right now. The requests themselves are counted by the next frame."""
    stats = backend.stats
    return Stat(
        backend.spec.namespace,
        backend.spec.name,
        float(stats.active),
        0,
        backend.throttler.waiting,
    )
