"""Tells autoscalers what goes on: a frame a second, and at once when somebody waits for a pod.

One TCP connection to each autoscaler that decides on something, opened again when it is lost; the
wire is ``serving.api.stats``. Where there is no autoscaler there is no reporter, which is how an
activator runs in front of plain Services only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from functools import partial

from activator.autoscalers import Autoscalers
from activator.backends import Backend
from activator.pods import Address
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.tokens import Tokens
from serving.api.stats import Stat, encode_frame, encode_hello

log = logging.getLogger(__name__)

FRAME_SECONDS = 1.0
# A burst at zero grows within milliseconds: after the first poke, at most one in this time.
POKE_SECONDS = 0.05
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0


class Reporter:
    """The activator's end of the statistics connections."""

    def __init__(
        self,
        autoscalers: Autoscalers,
        *,
        tokens: Tokens,
        name: str,
        clock: Callable[[], float],
        wall: Clock = wall_clock,
        of_routes: bool = False,
    ) -> None:
        """What ``tokens`` shows lets it in, ``name`` says which activator reports.

        ``of_routes``: it tells of routes of KEDA's HTTP add-on, else of revisions.
        """
        self._of_routes = of_routes
        self._autoscalers = autoscalers
        self._clock = clock
        self._tokens = tokens
        self._name = name
        self._wall = wall
        self._writers: dict[Address, asyncio.StreamWriter] = {}
        self._moved = asyncio.Event()
        autoscalers.on_change(self._moved.set)
        self._poked: dict[Backend, None] = {}
        self._poke_at = 0.0
        self._poke_timer: asyncio.TimerHandle | None = None
        self.connect_errors = 0

    @property
    def is_reachable(self) -> bool:
        """Whether every autoscaler there is can be told."""
        addresses = self._autoscalers.addresses()
        return bool(addresses) and addresses <= self._writers.keys()

    def wake(self, backend: Backend) -> None:
        """A request waits, for the first pod or for more: the autoscaler has to know now."""
        if not self._tells_of(backend):
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
        """Keep connections until cancelled, and tell of these backends."""
        kept: dict[Address, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._moved.clear()
                wanted = self._autoscalers.addresses()
                for address in kept.keys() - wanted:
                    kept.pop(address).cancel()
                for address in wanted - kept.keys():
                    keep = self._keep_connected(address, backends)
                    kept[address] = group.create_task(keep, name=f"stats-{address[0]}:{address[1]}")
                await self._moved.wait()

    async def _keep_connected(
        self, address: Address, backends: Callable[[], list[Backend]]
    ) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._connected(address, backends)
                pause = _FIRST_PAUSE
            except OSError as error:
                self.connect_errors += 1
                log.debug("autoscaler not reachable", extra={"error": str(error)})
            finally:
                self._disconnect(address)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _connected(self, address: Address, backends: Callable[[], list[Backend]]) -> None:
        reader, writer = await asyncio.open_connection(*address)
        self._writers[address] = writer
        writer.write(encode_hello(self._tokens.shown, self._name))
        # Whoever waits since before the connection was there has not been heard yet.
        waiting = [backend for backend in backends() if backend.throttler.waiting]
        self._send(address, self._decided_at(address, waiting), _poke)
        async with asyncio.TaskGroup() as group:
            frames = group.create_task(self._frames(address, writer, backends), name="stats-frames")
            # The autoscaler sends nothing; reading tells when it is gone, one way or another.
            with contextlib.suppress(OSError):
                while await reader.read(4096):
                    pass
            frames.cancel()

    async def _frames(
        self,
        address: Address,
        writer: asyncio.StreamWriter,
        backends: Callable[[], list[Backend]],
    ) -> None:
        since = self._clock()
        try:
            while True:
                await asyncio.sleep(FRAME_SECONDS)
                busy = [backend for backend in backends() if backend.stats.has_traffic()]
                make = partial(self._frame, since=since)
                since = self._clock()
                self._send(address, self._decided_at(address, busy), make)
                await writer.drain()
        except OSError:
            writer.close()  # Who reads learns of it.

    def _frame(self, backend: Backend, since: float) -> Stat:
        frame = backend.stats.take(self._clock(), backend.throttler.waiting, since)
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
        # Who came by a route may have been answered by a placeholder, and is wanted all the same.
        backends = [each for each in self._poked if each.throttler.waiting or self._of_routes]
        self._poked.clear()
        for address in self._writers:
            self._send(address, self._decided_at(address, backends), _poke)

    def _decided_at(self, address: Address, backends: Iterable[Backend]) -> list[Backend]:
        """Those on which the autoscaler at this address decides."""
        decides = self._autoscalers.decides
        return [
            backend
            for backend in backends
            if self._tells_of(backend)
            and decides(address, backend.spec.namespace, backend.spec.name)
        ]

    def _tells_of(self, backend: Backend) -> bool:
        return backend.can_wake and bool(backend.ref.route) is self._of_routes

    def _send(
        self, address: Address, backends: list[Backend], make: Callable[[Backend], Stat]
    ) -> None:
        writer = self._writers.get(address)
        if backends and writer is not None:
            stats = [make(backend) for backend in backends]
            writer.write(encode_frame(self._wall(), stats, is_poke=make is _poke))

    def _disconnect(self, address: Address) -> None:
        writer = self._writers.pop(address, None)
        if writer is not None:
            writer.close()


def _poke(backend: Backend) -> Stat:
    """What is there right now. The requests themselves are counted by the next frame."""
    stats = backend.stats
    return Stat(
        backend.spec.namespace,
        backend.spec.name,
        float(stats.active or 1),
        0,
        backend.throttler.waiting,
    )
