"""Tells autoscalers what goes on: a frame a second, and at once when somebody waits for a pod.

One TCP connection to each autoscaler that decides on something, opened again when it is lost; the
wire is ``serving.api.stats``. Where there is no autoscaler there is no reporter, which is how an
activator runs in front of plain Services only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from activator.backends import Backend
from activator.pods import Address
from hearth.knative.autoscalers import Autoscalers
from hearth.knative.connections import Connections
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.tokens import Tokens
from serving.api.stats import Stat, encode_frame, encode_hello

FRAME_SECONDS = 1.0
# A burst at zero grows within milliseconds: after the first poke, at most one in this time.
POKE_SECONDS = 0.05


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
        judged: Callable[[str, str], bool] = lambda namespace, service: False,
    ) -> None:
        """What ``tokens`` shows lets it in, ``name`` says which activator reports.

        ``of_routes``: it tells of routes of KEDA's HTTP add-on, else of revisions. How requests
        ended is told of those whose Service is ``judged`` by it.
        """
        self._judged = judged
        self._of_routes = of_routes
        self._autoscalers = autoscalers
        self._clock = clock
        self._wall = wall
        self._connections = Connections(autoscalers, lambda: encode_hello(tokens.shown, name))
        self._poked: dict[Backend, None] = {}
        self._poke_at = 0.0
        self._poke_timer: asyncio.TimerHandle | None = None

    @property
    def connect_errors(self) -> int:
        """Return how often an autoscaler could not be reached."""
        return self._connections.errors

    @property
    def is_reachable(self) -> bool:
        """Whether every autoscaler there is can be told."""
        return self._connections.is_complete

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
        await self._connections.run(partial(self._connected, backends=backends))

    async def _connected(
        self,
        address: Address,
        writer: asyncio.StreamWriter,
        *,
        backends: Callable[[], list[Backend]],
    ) -> None:
        # Whoever waits since before the connection was there has not been heard yet.
        waiting = [backend for backend in backends() if backend.throttler.waiting]
        self._send(address, self._decided_at(address, waiting), _poke)
        since = self._clock()
        while True:
            await asyncio.sleep(FRAME_SECONDS)
            busy = [backend for backend in backends() if backend.stats.has_traffic()]
            make = partial(self._frame, since=since)
            since = self._clock()
            self._send(address, self._decided_at(address, busy), make)
            await writer.drain()

    def _frame(self, backend: Backend, since: float) -> Stat:
        frame = backend.stats.take(self._clock(), backend.throttler.waiting, since)
        return Stat(
            backend.spec.namespace,
            backend.spec.scaled_name,
            frame.average_concurrency,
            frame.requests,
            frame.queued,
            backend.throttler.busy_pods(),
            backend.stats.take_answered() if self._is_judged(backend) else {},
        )

    def _is_judged(self, backend: Backend) -> bool:
        return bool(backend.spec.service) and self._judged(
            backend.spec.namespace, backend.spec.service
        )

    def _poke(self) -> None:
        self._poke_timer = None
        self._poke_at = asyncio.get_running_loop().time()
        # Who came by a route may have been answered by a placeholder, and is wanted all the same.
        backends = [
            each
            for each in self._poked
            if each.throttler.waiting or each.is_wanted or self._of_routes
        ]
        self._poked.clear()
        for address in self._connections.writers:
            self._send(address, self._decided_at(address, backends), _poke)
        for each in backends:
            each.is_wanted = False

    def _decided_at(self, address: Address, backends: Iterable[Backend]) -> list[Backend]:
        """Those on which the autoscaler at this address decides."""
        decides = self._autoscalers.decides
        return [
            backend
            for backend in backends
            if self._tells_of(backend)
            and decides(address, backend.spec.namespace, backend.spec.scaled_name)
        ]

    def _tells_of(self, backend: Backend) -> bool:
        return backend.can_wake and bool(backend.ref.route) is self._of_routes

    def _send(
        self, address: Address, backends: list[Backend], make: Callable[[Backend], Stat]
    ) -> None:
        writer = self._connections.writers.get(address)
        if backends and writer is not None:
            stats = merged([make(backend) for backend in backends])
            writer.write(encode_frame(self._wall(), stats, is_poke=make is _poke))


def merged(stats: list[Stat]) -> list[Stat]:
    """One for each revision, of which several ports may be in use."""
    found: dict[tuple[str, str], Stat] = {}
    for stat in stats:
        key = stat.namespace, stat.revision
        before = found.get(key)
        found[key] = stat if before is None else before.plus(stat)
    return list(found.values())


def _poke(backend: Backend) -> Stat:
    """What is there right now. The requests themselves are counted by the next frame."""
    stats = backend.stats
    return Stat(
        backend.spec.namespace,
        backend.spec.scaled_name,
        float(stats.active or 1),
        0,
        backend.throttler.waiting or int(backend.is_wanted),
    )
