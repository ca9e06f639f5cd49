"""What all connections of one activator share: the published table, timers and the way to pods.

Holds no decision of its own: routing is ``routes``, admission is ``throttler``. Made by ``main``,
used by the downstream protocol, the exchanges and the watches.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from activator import failures
from activator.backends import Backend, Registry
from activator.framing import DEFAULT_LIMITS as DEFAULT_FRAMING
from activator.framing import FramingLimits
from activator.http.deadlines import DeadlineWheel
from activator.pods import Pod
from activator.routes import BackendRef, HostMap, RouteTable
from activator.throttler import DEFAULT_LIMITS as DEFAULT_LINE
from activator.throttler import LineLimits
from activator.upstream import UpstreamConnection
from hearth.observability.histogram import Histogram

if TYPE_CHECKING:
    from activator.downstream import ClientConnection
    from activator.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Limits:
    """Everything that keeps a slow or greedy peer from taking the gateway down."""

    line: LineLimits = DEFAULT_LINE
    framing: FramingLimits = DEFAULT_FRAMING
    connections: int = 20_000
    # nginx's client_header_timeout is 60 s, Go's usual ReadHeaderTimeout 10 s.
    head_seconds: float = 10.0
    # Above the 60 s of common load balancers, so that they close first.
    keep_alive_seconds: float = 75.0
    # Of a connection to a pod that nobody uses (Go's transport: 90 s).
    pod_idle_seconds: float = 90.0
    connect_seconds: float = 10.0
    # Of a request that waits for a pod; the rest stays in the client's socket.
    held_octets: int = 64 * 1024
    # Of a body that nobody reads any more, before the connection is closed instead.
    discarded_octets: int = 1024 * 1024


class Expiring(Protocol):
    """What can sit in the deadline wheel."""

    def expire(self, now: float) -> None: ...


class Demand(Protocol):
    """Who is told that requests wait: the reporter and the prober."""

    def wanted(self, backend: Backend) -> None: ...


class Gateway:
    """Shared state of the data plane; everything runs on one loop."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self.limits = limits or Limits()
        self.clock = clock
        self.roll = roll
        self.registry = Registry(clock=clock, random=roll, limits=self.limits.line)
        self.table: RouteTable[Backend] = RouteTable(HostMap({}, {}), HostMap({}, {}), {})
        self.wheel: DeadlineWheel[Expiring] = DeadlineWheel()
        self.listeners_of_demand: list[Demand] = []
        # Finds a plain Service on the internal listener; the watches know them.
        self.find_service: Callable[[str, str], bool] = lambda namespace, name: False
        self.clients: set[ClientConnection] = set()
        self.draining = False
        self.ready = False
        self.refusals: dict[str, int] = {}
        self.forwarded_requests = 0
        self.connect_seconds = Histogram()
        self.connect_errors = 0
        self._ticking = False
        self._no_clients: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # Clients.

    def forget_client(self, client: ClientConnection) -> None:
        self.clients.discard(client)
        if not self.clients and self._no_clients is not None:
            self._no_clients.set()

    async def clients_gone(self) -> None:
        """Until the last connection is closed; for the time when none is accepted any more."""
        if self.clients:
            self._no_clients = asyncio.Event()
            await self._no_clients.wait()

    # Routing.

    def plain_service(self, namespace: str, name: str, port: int) -> Backend | None:
        if not self.find_service(namespace, name):
            return None
        return self.registry.resolve(BackendRef(namespace, name, port))

    def count_refusal(self, reason: str) -> None:
        self.refusals[reason] = self.refusals.get(reason, 0) + 1

    # Deadlines.

    def watch_deadline(self, item: Expiring, deadline: float) -> None:
        if not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_later(self.wheel.granularity, self._tick)
        self.wheel.add(item, deadline)

    def _tick(self) -> None:
        now = self.clock()
        for item in self.wheel.due(now):
            item.expire(now)
        if self.wheel:
            asyncio.get_running_loop().call_later(self.wheel.granularity, self._tick)
        else:
            self._ticking = False

    # Waiting and admission.

    def demand(self, backend: Backend) -> None:
        """Requests wait: tell the autoscaler and look at pods that are starting."""
        for listener in self.listeners_of_demand:
            listener.wanted(backend)

    def admit(self, backend: Backend) -> None:
        """Capacity has appeared: let as many go as it allows."""
        throttler = backend.throttler
        now = self.clock()
        for exchange, pod in throttler.admit(now):
            exchange.run_on(pod, now)
        self._watch_spread(backend, now)

    def turn_away(self, backend: Backend) -> None:
        """The revision is deleted and its last pod gone: who still waits is told so."""
        if backend.is_gone and not backend.throttler.ready:
            for exchange in backend.throttler.waiters():
                exchange.fail(failures.REVISION_GONE)

    def _watch_spread(self, backend: Backend, now: float) -> None:
        """A line held back for pods to come is let go when that time is over."""
        ends_in = backend.throttler.spread_ends_in(now)
        if ends_in is None or backend.spread_timer:
            return
        backend.spread_timer = True
        asyncio.get_running_loop().call_later(ends_in + 0.001, self._end_spread, backend)

    def _end_spread(self, backend: Backend) -> None:
        backend.spread_timer = False
        self.admit(backend)

    # Connections to pods.

    def dial(self, exchange: Exchange, pod: Pod) -> None:
        self.spawn(self._dial(exchange, pod), name=f"dial-{pod.address[0]}:{pod.address[1]}")

    async def _dial(self, exchange: Exchange, pod: Pod) -> None:
        started = self.clock()
        try:
            connection = await self.connect(pod, self.limits.connect_seconds)
        except (OSError, TimeoutError, ValueError):
            # ValueError: a host of the forward proxy that no resolver can be asked for.
            self.connect_errors += 1
            exchange.connect_failed(pod)
            return
        self.connect_seconds.observe(self.clock() - started)
        if exchange.awaits(pod):
            exchange.attach(connection)
        else:
            self.put_back(pod, connection)

    async def connect(self, pod: Pod, seconds: float) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):
            _, connection = await loop.create_connection(
                lambda: UpstreamConnection(pod, self.clock), *pod.address
            )
        return connection

    def put_back(self, pod: Pod, connection: UpstreamConnection) -> None:
        """Keep an unused connection for the next request, unless its pod is over."""
        if pod.gone or self.draining or not connection.is_open:
            connection.close()
        else:
            pod.idle.append(connection)

    def trim_idle(self) -> None:
        """Close connections to pods that a burst has left behind; called now and then."""
        oldest = self.clock() - self.limits.pod_idle_seconds
        for backend in self.registry.all():
            for pod in backend.throttler.pods.values():
                stale = [connection for connection in pod.idle if connection.idle_since < oldest]
                for connection in stale:
                    pod.idle.remove(connection)
                    connection.close()

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """End what is left: to be called when no connection is accepted any more."""
        for client in list(self.clients):
            client.abort()
        for backend in self.registry.all():
            for pod in backend.throttler.pods.values():
                close_idle(pod)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def close_idle(pod: Pod) -> None:
    """A pod that gets no more requests needs no open connections."""
    idle, pod.idle = pod.idle, []
    for connection in idle:
        connection.close()
