"""A small world for models of admission: everything is real but sockets, clients and time.

Real are exchanges, backends, throttlers, backlogs, leftovers and the gateway's refusals. The world
plays clients, connections, applications, the prober and the clock, and checks each admission and
each answer as it happens.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, cast

from activator.backends import Backend, BackendContext, Backends
from activator.backlog import Room
from activator.endpoints import Endpoint, State
from activator.exchange import Exchange
from activator.gateway import Gateway
from activator.http.events import (
    ClientHandler,
    Connection,
    Lost,
    Refusal,
    RequestHead,
    Reset,
    ResponseHead,
)
from activator.http.timers import Timers
from activator.leftovers import Leftovers
from activator.lifecycle import State as Progress
from activator.multiplexing import Caller
from activator.pods import Address, Pod
from activator.pools import Pools
from activator.retries import MOST_REPEATS, may_repeat
from activator.routes import BackendRef
from activator.targets import TargetSpec
from serving.api.affinity import Affinity
from serving.api.config.gateway import BacklogLimits

TIMEOUT_SECONDS = 30.0
SPREAD_TARGET = 1
_AT_A_POD = (Progress.CONNECTING, Progress.SENT, Progress.RESPONDING, Progress.TUNNEL)


class Client:
    """A request's stream: it may be answered once."""

    protocol = "HTTP/1.1"
    takes_chunks = False

    def __init__(self, world: World, backend: Backend, head: RequestHead, *, whole: bool) -> None:
        self._world = world
        self.backend = backend
        self._head = head
        self.is_whole = whole
        self.exchange = Exchange(world.gateway, self)
        self.arrived_at = world.now
        # One whose body is awaited comes into the line when that is here.
        self.lined_up_at = world.now
        self.deadline = 0.0
        self.pod: Pod | None = None
        self.status = 0
        self.error = b""
        self.is_over = self.has_begun = self.is_gone = False
        self.sent = 0
        self.is_unseen = False

    @property
    def head(self) -> RequestHead:
        return self._head

    @property
    def waits(self) -> bool:
        return self.exchange.state is Progress.WAITING

    @property
    def is_at_a_pod(self) -> bool:
        return self.exchange.state in _AT_A_POD

    def send_informational(self, head: ResponseHead) -> None:
        assert not self.has_begun and not self.is_gone

    def send_head(self, head: ResponseHead, end: bool) -> None:
        assert not self.has_begun, "answered twice"
        assert not self.is_gone, "an answer to nobody"
        self.has_begun = True
        self.status = head.status
        self.error = next((v for n, v in head.fields if n == b"x-hearth-error"), b"")
        self.is_over = end

    def send_body(self, data: bytes) -> None:
        assert self.has_begun and not self.is_over and not self.is_gone

    def send_end(self, trailers: object = ()) -> None:
        assert self.has_begun and not self.is_over and not self.is_gone
        self.is_over = True

    def reset(self) -> None:
        assert self.has_begun and not self.is_over and not self.is_gone
        self.is_over = True

    def pause(self) -> None:
        """Nothing is on its way."""

    def resume(self) -> None:
        """Nothing was kept."""

    def watch(self, deadline: float) -> None:
        self.deadline = deadline
        if self.exchange.state is Progress.CONNECTING:
            # What it does before it asks for a connection to the pod that it has been given.
            self._world.admitting = self


class Upstream:
    """A request at a pod, and the connection that it is on."""

    def __init__(self, world: World, pod: Pod) -> None:
        self._world = world
        self.pod = pod
        self.handler: ClientHandler | None = None
        self.is_busy = self.is_abandoned = self.has_begun = self.is_dead = False

    def open(
        self, handler: ClientHandler, head: RequestHead, body: bytes, end: bool, takes_chunks: bool
    ) -> Upstream:
        assert not self.is_busy, "two requests on one connection"
        self.handler, self.is_busy, self.has_begun = handler, True, False
        self._world.opened(self)
        self._world.sent_by(handler)
        return self

    def is_usable(self, now: float) -> bool:
        return True

    def idle_since(self) -> float:
        return 0.0

    def close(self) -> None:
        self.is_dead = True

    def send_body(self, data: bytes) -> None:
        assert self.is_busy

    def send_end(self, trailers: object = ()) -> None:
        assert self.is_busy

    def pause(self) -> None:
        """It says nothing by itself."""

    def resume(self) -> None:
        """It says nothing by itself."""

    def reset(self) -> None:
        self._end()

    def abandon(self, handler: ClientHandler) -> None:
        assert self.is_busy
        self.handler, self.is_abandoned = handler, True

    # What the application does.

    def begin(self) -> None:
        self.has_begun = True
        self._handler.on_response(ResponseHead.of(200), False)

    def answer(self) -> None:
        handler = self._handler
        self._end(reusable=not self.is_abandoned)
        if self.has_begun:
            handler.on_response_end(())
        else:
            handler.on_response(ResponseHead.of(200), True)

    def lose(self, cause: Lost = Lost.CLOSED) -> None:
        handler, has_begun = self._handler, self.has_begun
        self._world.lost(handler, cause)
        self._end()
        handler.on_lost(Reset(cause, "lost", has_begun))

    @property
    def _handler(self) -> ClientHandler:
        assert self.handler is not None
        return self.handler

    def _end(self, *, reusable: bool = False) -> None:
        if self.is_busy:
            self.is_busy = self.is_abandoned = False
            self.handler = None
            self._world.upstreams.remove(self)
            if reusable:
                self._world.pools.keep(self)


class FakePools:
    """Connections that are there when a rule says so."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.idle: dict[Pod, list[Upstream]] = {}
        self.dials: list[tuple[Pod, Caller]] = []

    def take(self, pod: Pod, now: float) -> Connection | None:
        self._world.admitted(pod)
        idle = self.idle.get(pod)
        return cast(Connection, idle.pop()) if idle else None

    def dial(self, pod: Pod, caller: Caller) -> None:
        self.dials.append((pod, caller))

    def keep(self, connection: Upstream) -> None:
        if not connection.pod.gone and not connection.is_dead:
            self.idle.setdefault(connection.pod, []).append(connection)

    def drop(self, pod: Pod) -> None:
        self.idle.pop(pod, None)

    def finish(self, dial: tuple[Pod, Caller]) -> None:
        """As it goes where somebody listens, or nobody does."""
        pod, caller = dial
        self.dials.remove(dial)
        if pod.address in self._world.deaf:
            caller.on_refused(pod)
            return
        connection = Upstream(self._world, pod)
        if not caller.on_connected(pod, cast(Connection, connection)):
            self.keep(connection)


class World:
    """One activator."""

    def __init__(self, limits: BacklogLimits, *, seed: int = 1) -> None:
        self.now = 1000.0
        self.clients: list[Client] = []
        self.upstreams: list[Upstream] = []
        self.deaf: set[Address] = set()
        self.looking: dict[tuple[Backend, Pod], None] = {}
        self.admitting: Client | None = None
        self.highest_limit: dict[Backend, float] = {}
        self.affinities: dict[Backend, Affinity | None] = {}
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._expiring: list[tuple[float, Any]] = []
        self.pools = FakePools(self)
        self.room = Room(limits)
        roll = random.Random(seed).random
        context = BackendContext(
            self.clock,
            roll,
            self.room,
            wakers=(self,),
            dropped=self.pools.drop,
            later=lambda seconds, call: self._due.append((self.now + seconds, call)),
        )
        self.backends = Backends(context, lambda backend: None)
        self.gateway = Gateway(
            self.backends,
            cast(Pools, self.pools),
            Leftovers(cast(Timers, self)),
            has_service=lambda namespace, name: False,
            clock=self.clock,
            roll=roll,
        )

    def clock(self) -> float:
        return self.now

    def add(
        self,
        name: str,
        concurrency: int = 0,
        *,
        is_revision: bool = True,
        affinity: Affinity | None = None,
    ) -> Backend:
        ref = BackendRef("default", name, 80, name if is_revision else "")
        backend = self.backends.resolve(ref)
        self.highest_limit[backend] = 0 if is_revision else float("inf")
        self.affinities[backend] = affinity
        if is_revision:
            self.configure(backend, concurrency)
        return backend

    def configure(self, backend: Backend, concurrency: int) -> None:
        limit = concurrency or float("inf")
        self.highest_limit[backend] = max(limit, self.highest_limit[backend])
        backend.configure(
            TargetSpec(
                "default",
                backend.ref.service,
                container_concurrency=concurrency,
                spread_target=concurrency or SPREAD_TARGET,
                timeout_seconds=TIMEOUT_SECONDS,
                affinity=self.affinities[backend],
            )
        )

    def arrive(
        self, backend: Backend, method: bytes = b"GET", length: int = 0, *, user: int = 0
    ) -> Client:
        # No two at the same moment, so that the order of arrival is plain.
        self.now += 1e-6
        head = RequestHead.of(method, b"/", b"a.test", length=length)
        head.fields.append((b"x-user", b"%d" % user))
        client = Client(self, backend, head, whole=not length)
        self.clients.append(client)
        sessions = backend.sessions
        session = None if sessions is None else sessions.of(head, is_secure=False)
        client.exchange.send_to(backend, session)
        return client

    def send_rest(self, client: Client) -> None:
        client.is_whole = True
        if client.exchange.state is Progress.NEW:
            self.now += 1e-6
            client.lined_up_at = self.now
        client.exchange.on_body(bytes(client.head.length))
        if not client.is_over:
            client.exchange.on_end(())

    def hang_up(self, client: Client) -> None:
        client.is_gone = client.is_over = True
        client.exchange.on_reset(None)

    # -- what is watched -------------------------------------------------------------------------

    def admitted(self, pod: Pod) -> None:
        """Somebody has been given a pod; nobody new where a request is sent there again."""
        client, self.admitting = self.admitting, None
        if client is None:
            return
        client.pod = pod
        throttler = client.backend.throttler
        assert pod.ready and not pod.gone and not pod.suspect
        if limit := throttler.container_concurrency:
            assert self.slots(pod) <= limit, "above containerConcurrency"
        earlier = [
            other
            for other in self.clients
            if other.backend is client.backend
            and other.waits
            and other.lined_up_at < client.lined_up_at
        ]
        assert not earlier, "not first come, first served"

    def opened(self, upstream: Upstream) -> None:
        """An application has one request more."""
        self.upstreams.append(upstream)
        there = sum(other.pod is upstream.pod for other in self.upstreams)
        for backend, limit in self.highest_limit.items():
            if self.owns(backend, upstream):
                assert there <= limit, "an application has more than containerConcurrency"

    def sent_by(self, handler: ClientHandler) -> None:
        """Once, and again where that is allowed."""
        client = self.client_of(handler)
        client.sent += 1
        may_be_sent_again = MOST_REPEATS if may_repeat(client.head) else int(client.is_unseen)
        assert client.sent <= 1 + may_be_sent_again, "sent too often"

    def lost(self, handler: ClientHandler, cause: Lost) -> None:
        if isinstance(handler, Exchange):
            self.client_of(handler).is_unseen = cause is Lost.REFUSED

    def client_of(self, handler: ClientHandler) -> Client:
        return next(client for client in self.clients if client.exchange is handler)

    def owns(self, backend: Backend, upstream: Upstream) -> bool:
        return backend.throttler.pods.get(upstream.pod.address) is upstream.pod

    def slots(self, pod: Pod) -> int:
        """Counted anew: requests that have the pod, and those left behind there."""
        here = sum(client.pod is pod and client.is_at_a_pod for client in self.clients)
        left = sum(each.pod is pod and each.is_abandoned for each in self.upstreams)
        return here + left

    # -- time ------------------------------------------------------------------------------------

    def watch(self, item: Any, deadline: float) -> None:
        """What the real one does for leftovers."""
        self._expiring.append((deadline, item))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        due = [entry for entry in self._due if entry[0] <= self.now]
        self._due = [entry for entry in self._due if entry[0] > self.now]
        for _, call in due:
            call()
        expired = [entry for entry in self._expiring if entry[0] <= self.now]
        self._expiring = [entry for entry in self._expiring if entry[0] > self.now]
        for _, item in expired:
            item.expire(self.now)
        for client in list(self.clients):
            if not client.is_over and client.deadline <= self.now:
                client.exchange.on_deadline(self.now)

    # -- pods ------------------------------------------------------------------------------------

    def list_pods(self, backend: Backend, states: dict[int, State]) -> None:
        name = backend.ref.service
        addresses = {number: (f"{name}-{number}", 80) for number in states}
        backend.update_endpoints(
            {
                addresses[number]: Endpoint(addresses[number], state, f"{name}-{number}")
                for number, state in states.items()
            }
        )

    def wake(self, backend: Backend) -> None:
        """What the real prober does: look at pods that somebody waits for, or that refused."""
        for pod in backend.throttler.unreached():
            if (backend.throttler.demand and backend.probe_of(pod)) or pod.is_left_out:
                self.looking[backend, pod] = None

    def look(self, backend: Backend, pod: Pod) -> None:
        """A probe has reached the pod, if somebody listens there."""
        if (backend.throttler.demand or pod.is_left_out) and not (pod.ready or pod.gone):
            if pod.address in self.deaf:
                return
            backend.mark_reached(pod)
        self.looking.pop((backend, pod), None)
        backend.admit()

    def crash(self, pod: Pod) -> None:
        """Every connection there is lost; whoever finds an idle one later finds it dead."""
        for upstream in [each for each in self.upstreams if each.pod is pod]:
            if upstream.is_busy:
                upstream.lose()
        self.pools.idle.pop(pod, None)

    def refuse(self, client: Client, refusal: Refusal) -> None:
        """The client has said what is no request."""
        client.is_gone = client.is_over = True
        client.exchange.on_reset(refusal)
