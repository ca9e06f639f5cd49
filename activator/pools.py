"""Connections to pods: opened, kept while nobody uses them, closed when their pod is over.

The only module that chooses a protocol for a pod. Who uses a connection sees ``Connection`` and
streams; a version that carries many streams on one connection hands the same one out again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from activator.dialing import DialTurns, is_shortage
from activator.http.events import Connection
from activator.http.h1.client import ClientConnection
from activator.multiplexing import Caller, SharedConnection, SharedPool
from activator.pods import Pod
from activator.tasks import TaskSet
from activator.tls.trust import Trust
from hearth.observability.histogram import Histogram
from hearth.timeouts import time_limit

# Knative's time for a probe.
DETECTION_SECONDS = 0.3
# Connections that are opened at a time, to all pods together.
DIALS = 512
# After which opening is tried again where this machine is out of descriptors, ports or memory.
_SHORTAGE_SECONDS = 0.05


class Pool:
    """The idle connections of one pod, the last used one at the end, and who waits for one."""

    __slots__ = ("_wanted", "callers", "dials", "idle", "is_closed")

    def __init__(self, *, is_closed: bool, wanted: Callable[[Pool], None] | None = None) -> None:
        """``wanted``: one has become idle, and somebody waits for it."""
        self.idle: list[ClientConnection] = []
        self.callers: deque[Caller] = deque()
        # How many are being opened.
        self.dials = 0
        self.is_closed = is_closed
        self._wanted = wanted

    def keep(self, connection: ClientConnection) -> None:
        """Keep a connection for the next request, unless there will be none."""
        if self.is_closed or not connection.is_open:
            connection.close()
        else:
            self.idle.append(connection)
            if self.callers and self._wanted is not None:
                self._wanted(self)

    def hand_out(self, pod: Pod, connection: Connection) -> bool:
        """Give a connection to the first who still waits for one; False when nobody does."""
        callers = self.callers
        while callers:
            if callers.popleft().on_connected(pod, connection):
                return True
        return False

    def refuse(self, pod: Pod) -> None:
        """The pod cannot be reached; who is told so may come back at once."""
        callers, self.callers = self.callers, deque()
        for caller in callers:
            caller.on_refused(pod)

    def lose(self, connection: ClientConnection) -> None:
        """A connection has ended."""
        if connection in self.idle:
            self.idle.remove(connection)

    def take(self, now: float) -> ClientConnection | None:
        """The next one that is good; those of which it cannot be told yet stay."""
        idle = self.idle
        kept = []
        found = None
        while idle and found is None:
            connection = idle.pop()
            if connection.is_usable(now):
                found = connection
            elif connection.is_doubtful(now):
                kept.append(connection)
            else:
                connection.close()
        if kept:
            idle.extend(reversed(kept))
        return found

    def trim(self, oldest: float) -> None:
        """Close those that were not used since then."""
        stale = [connection for connection in self.idle if connection.idle_since() < oldest]
        for connection in stale:
            self.idle.remove(connection)
            connection.close()

    def close(self) -> None:
        """Close all, and keep none from here on."""
        self.is_closed = True
        for connection in self.idle:
            connection.close()
        self.idle.clear()


class Pools:
    """A pool for each pod."""

    def __init__(
        self,
        clock: Callable[[], float],
        tasks: TaskSet,
        *,
        connect_seconds: float = 10.0,
        idle_seconds: float = 90.0,
        dials: int = DIALS,
    ) -> None:
        """``connect_seconds`` bounds opening a connection, ``idle_seconds`` its unused life.

        ``dials`` bounds how many are opened at a time.
        """
        self._clock = clock
        self._tasks = tasks
        self._connect_seconds = connect_seconds
        self._idle_seconds = idle_seconds
        self._pools: dict[Pod, Pool | SharedPool] = {}
        self._turns: DialTurns[tuple[Pod, Pool]] = DialTurns(dials)
        self.trust = Trust()
        self._is_closed = False
        self.connect_durations = Histogram()
        self.connect_errors = 0

    @property
    def dialing(self) -> int:
        """How many connections are being opened for requests."""
        return self._turns.under_way

    def take(self, pod: Pod, now: float) -> Connection | None:
        """The most recently used idle connection that is good for a request."""
        pool = self._pools.get(pod)
        return None if pool is None else pool.take(now)

    def pool(self, pod: Pod) -> Pool:
        """A pod's pool; one that is over has a closed one."""
        pool = self._pools.get(pod)
        if not isinstance(pool, Pool):
            pool = Pool(
                is_closed=pod.gone or self._is_closed,
                wanted=lambda pool: self._serve_soon(pod, pool),
            )
            if not pool.is_closed:
                self._pools[pod] = pool
        return pool

    def _shared_pool(self, pod: Pod) -> SharedPool:
        """The same of a pod that speaks HTTP/2."""
        pool = self._pools.get(pod)
        if not isinstance(pool, SharedPool):
            pool = SharedPool(is_closed=pod.gone or self._is_closed)
            if not pool.is_closed:
                self._pools[pod] = pool
        return pool

    def dial(self, pod: Pod, caller: Caller) -> None:
        """Open a connection for somebody, who may get one that becomes idle meanwhile."""
        if pod.is_known and not pod.speaks_http2:
            known = self.pool(pod)
            known.callers.append(caller)
            self._dial_more(pod, known)
            return
        pool = self._shared_pool(pod)
        pool.waiters.append(caller)
        if not pool.is_dialing:
            pool.is_dialing = True
            self._tasks.spawn(self._dial_shared(pod, pool), name=_dial_name(pod))

    def _dial_more(self, pod: Pod, pool: Pool) -> None:
        """A dial for each who waits, as far as it is this pod's turn."""
        who = (pod, pool)
        while pool.dials < len(pool.callers) and self._turns.take(who):
            pool.dials += 1
            self._tasks.spawn(self._dial(pod, pool), name=_dial_name(pod))

    async def _dial(self, pod: Pod, pool: Pool) -> None:
        started = self._clock()
        try:
            connection = await self._connect(pod, self._connect_seconds)
        except (OSError, TimeoutError, ValueError) as error:
            # ValueError: a host of the forward proxy that no resolver can be asked for.
            if is_shortage(error):
                self.connect_errors += 1
                await asyncio.sleep(_SHORTAGE_SECONDS)
            else:
                self._note_refusal(pod)
                pool.refuse(pod)
        else:
            self.connect_durations.observe(self._clock() - started)
            if not pool.hand_out(pod, connection):
                pool.keep(connection)
        finally:
            pool.dials -= 1
            self._give_back_turn(pod, pool)

    def _give_back_turn(self, pod: Pod, pool: Pool) -> None:
        others = self._turns.give_back((pod, pool))
        if not self._is_closed:
            for who in ((pod, pool), *others):
                self._dial_more(*who)

    def _serve_soon(self, pod: Pod, pool: Pool) -> None:
        """Not at once: the connection's last response is still being handed over."""
        asyncio.get_running_loop().call_soon(self._serve, pod, pool)

    def _serve(self, pod: Pod, pool: Pool) -> None:
        now = self._clock()
        while pool.callers and (connection := pool.take(now)) is not None:
            if not pool.hand_out(pod, connection):
                pool.keep(connection)

    async def _dial_shared(self, pod: Pod, pool: SharedPool) -> None:
        """Open connections one after the other, until nobody waits."""
        try:
            while pool.waiters:
                started = self._clock()
                try:
                    connection = await self._connect_shared(pod, pool, self._connect_seconds)
                except (OSError, TimeoutError):
                    self._note_refusal(pod)
                    pool.refuse(pod)
                    continue
                self.connect_durations.observe(self._clock() - started)
                if connection is None:
                    self._dial_each(pod, pool)
                    return
                pool.hand_out(pod, connection)
                pool.keep(connection)
        finally:
            pool.is_dialing = False

    async def _connect_shared(
        self, pod: Pod, pool: SharedPool, seconds: float
    ) -> SharedConnection | None:
        """A connection of HTTP/2; None where nothing is said of the pod, and it has none.

        A preface is a malformed request to who speaks HTTP/1.1 only: he answers so, or closes, or
        waits for more. Raises OSError or TimeoutError.
        """
        if pod.said_http2 is not None:
            return await self._connect_http2(pod, pool, seconds)
        found: SharedConnection | None
        try:
            found = await self._connect_http2(pod, pool, DETECTION_SECONDS)
        except (ConnectionResetError, TimeoutError):
            found = None
        if found is not None and found.is_foreign:
            found = None
        pod.is_known, pod.speaks_http2 = True, found is not None
        return found

    def _dial_each(self, pod: Pod, pool: SharedPool) -> None:
        """Everybody who waits gets a connection of his own: one of HTTP/1.1."""
        waiters, pool.waiters = pool.waiters, deque()
        for caller in waiters:
            self.dial(pod, caller)

    def _note_refusal(self, pod: Pod) -> None:
        self.connect_errors += 1
        # Whoever listens there next may speak something else.
        pod.is_known = pod.said_http2 is not None

    async def warm(self, pod: Pod, seconds: float) -> None:
        """Open a connection to be there for the next request. Raises OSError or TimeoutError."""
        if pod.speaks_http2 or not pod.is_known:
            pool = self._shared_pool(pod)
            connection = await self._connect_shared(pod, pool, seconds)
            if connection is not None:
                pool.keep(connection)
                return
        self.pool(pod).keep(await self._connect(pod, seconds))

    async def _connect(self, pod: Pod, seconds: float) -> ClientConnection:
        pool = self.pool(pod)
        connection = ClientConnection(self._clock, on_idle=pool.keep, on_lost=pool.lose)
        async with time_limit(seconds):
            if pod.tls_name:
                # Imported here: who has no such pod does without.
                from activator.tls.client import connect

                await connect(pod.address, connection, self.trust.context, pod.tls_name)
            else:
                await asyncio.get_running_loop().create_connection(lambda: connection, *pod.address)
        return connection

    async def _connect_http2(self, pod: Pod, pool: SharedPool, seconds: float) -> SharedConnection:
        # Imported here: who has no such pod does without.
        from activator.http.h2.client import ClientConnection as Http2Connection

        connection: Http2Connection | None = None
        try:
            async with time_limit(seconds):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Http2Connection(self._clock, on_lost=pool.lose), *pod.address
                )
                await connection.settled()
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        return connection

    def idle(self, pod: Pod) -> int:
        """How many connections to a pod nobody uses."""
        pool = self._pools.get(pod)
        return 0 if pool is None else len(pool.idle)

    def drop(self, pod: Pod) -> None:
        """A pod that gets no more requests needs no open connections."""
        pool = self._pools.pop(pod, None)
        if pool is not None:
            pool.close()

    def trim(self) -> None:
        """Close connections that a burst has left behind; to be called now and then."""
        oldest = self._clock() - self._idle_seconds
        for pool in self._pools.values():
            pool.trim(oldest)

    def close(self) -> None:
        """Close all, and keep none from here on."""
        self._is_closed = True
        for pod in list(self._pools):
            self.drop(pod)


def _dial_name(pod: Pod) -> str:
    return f"dial-{pod.address[0]}:{pod.address[1]}"
