"""One request and its response: from the head to the last byte, whatever happens in between.

    route -> (wait in line) -> pod -> connection -> response -> done

Called by the two protocols; asks the pure modules for every decision. An exchange ends exactly
once, by ``response_done``, ``fail`` or ``abandon``; all three pass through ``_finish``, which gives
the pod back and counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from activator import failures, phases
from activator.backends import Backend
from activator.failures import Failure
from activator.forwarding import chunk, last_chunk
from activator.framing import CHUNKED, RequestHead
from activator.gateway import Gateway
from activator.pods import Pod
from activator.relay import ResponseRelay
from activator.revisions import RevisionSpec
from activator.throttler import Ticket
from activator.upstream import UpstreamConnection, take_idle

if TYPE_CHECKING:
    from activator.downstream import ClientConnection


class Exchange:
    """Defaults sit on the class: one is made for every request, and few change them all."""

    backend: Backend | None = None
    pod: Pod | None = None
    upstream: UpstreamConnection | None = None
    request_done = False
    finished = False
    # Something has to be done to the response's head before it is relayed.
    is_special = False
    idle_seconds = 0.0
    last_byte_at = 0.0
    # The head for the application, and what has come of the body before there was a connection.
    _request = b""
    _held: list[bytes] | None = None
    _held_octets = 0
    _discarded = 0
    _ticket: Ticket[Exchange] | None = None
    _is_cold = False
    # Bytes have been given to a connection: the request cannot be repeated any more.
    _is_sent = False
    _started = 0.0
    _admitted_at = 0.0
    _sent_at = 0.0
    _deadline = 0.0

    def __init__(self, gateway: Gateway, client: ClientConnection, head: RequestHead) -> None:
        self.gateway = gateway
        self.client = client
        self.head = head

    # Admission.

    def send_to(self, backend: Backend, request: bytes) -> None:
        """The route is known; ``request`` is the head as the application gets it."""
        self._started = now = self.gateway.clock()
        self.backend = backend
        self._request = request
        self._deadline = now + backend.spec.timeout_seconds
        backend.stats.enter(now)
        pod = backend.throttler.acquire()
        if pod is None:
            self._wait(backend, now)
        else:
            self.run_on(pod, now)

    def send_direct(self, pod: Pod, request: bytes, timeout_seconds: float) -> None:
        """To a host outside: no line, no capacity, one connection for this request."""
        self._started = now = self.gateway.clock()
        self._request = request
        self._deadline = now + timeout_seconds
        self.run_on(pod, now)

    def _wait(self, backend: Backend, now: float) -> None:
        throttler = backend.throttler
        if backend.is_gone and not throttler.ready:
            self.fail(failures.REVISION_GONE)
            return
        if not backend.is_revision and not throttler.ready:
            # Nobody makes pods for a plain Service.
            self.fail(failures.NO_ENDPOINTS)
            return
        self._ticket = throttler.enqueue(self, len(self._request) + self._held_octets)
        if self._ticket is None:
            self.fail(failures.QUEUE_FULL)
            return
        self._is_cold = not throttler.ready
        self.client.check_by(self._deadline)
        self.gateway.demand(backend)

    def run_on(self, pod: Pod, now: float) -> None:
        """A pod has been taken for this request; the throttler has counted it."""
        self._ticket = None
        self.pod = pod
        self._admitted_at = now
        self.client.check_by(self._deadline)
        connection = take_idle(pod, now) if pod.idle else None
        if connection is not None:
            self.attach(connection)
        else:
            self.gateway.dial(self, pod)

    def awaits(self, pod: Pod) -> bool:
        """Whether a connection that has just been opened is still wanted."""
        return not self.finished and self.upstream is None and self.pod is pod

    def attach(self, connection: UpstreamConnection) -> None:
        """Send what there is of the request over this connection."""
        self.upstream = connection
        connection.exchange = self
        connection.relay.begin(self.head, self.gateway.draining)
        if self.client.write_paused:
            connection.transport.pause_reading()
        self._is_sent = True
        if self._held is None:
            connection.transport.write(self._request)
        else:
            self._send_held(connection, self._held)
        backend = self.backend
        if backend is not None and (self._is_cold or backend.spec.has_phase_timeouts):
            self._settle_timeouts(backend.spec)

    def _send_held(self, connection: UpstreamConnection, held: list[bytes]) -> None:
        connection.transport.write(b"".join((self._request, *held)))
        self._held = None
        self._held_octets = 0
        self.client.resume("held")

    def _settle_timeouts(self, spec: RevisionSpec) -> None:
        """The application has the request: its own limits begin to count."""
        self.is_special = self._is_cold
        self._sent_at = self.last_byte_at = self.gateway.clock()
        self.idle_seconds = spec.idle_timeout_seconds
        self.client.check_by(self.nearest_deadline())

    # The request's body.

    def on_body(self, data: bytes) -> None:
        if self.head.length == CHUNKED:
            data = chunk(data)
        self._write(data)

    def on_end(self, trailers: list[bytes]) -> None:
        self.request_done = True
        if self.head.length == CHUNKED:
            self._write(last_chunk(trailers))

    def _write(self, data: bytes) -> None:
        if self.finished:
            self._discard(len(data))
        elif self.upstream is not None:
            # One that is closing has its end reported in this turn of the loop.
            if not self.upstream.transport.is_closing():
                self.upstream.transport.write(data)
        else:
            self._hold(data)

    def _hold(self, data: bytes) -> None:
        if self._held is None:
            self._held = []
        self._held.append(data)
        self._held_octets += len(data)
        if self._held_octets > self.gateway.limits.held_octets:
            self.client.pause("held")
        if (
            self._ticket is not None
            and self.backend is not None
            and not self.backend.throttler.grow(self._ticket, len(data))
        ):
            self.fail(failures.QUEUE_FULL)

    def _discard(self, size: int) -> None:
        """The response is over and the body goes on: read it to its end, within reason."""
        self._discarded += size
        if self._discarded > self.gateway.limits.discarded_octets:
            self.client.close()

    # The response.

    def before_head(self, relay: ResponseRelay) -> None:
        """The first bytes of a cold response have come: say where the time went."""
        self.is_special = False
        backend = self.backend
        if not self._is_cold or backend is None:
            return
        seconds = phases.durations(
            phases.Marks(
                arrived=self._started,
                pod_seen=backend.pod_seen_at,
                pod_ready=backend.ready_at,
                admitted=self._admitted_at,
                sent=self._sent_at,
                answered=self.gateway.clock(),
            )
        )
        relay.add_field(phases.server_timing(seconds))
        backend.cold_starts += 1
        for name, value in zip(phases.PHASES, seconds, strict=True):
            backend.cold_phases[name].observe(value)

    def response_done(self) -> None:
        """The last byte of the response has been handed to the client."""
        connection = self.upstream
        assert connection is not None
        relay, pod = connection.relay, connection.pod
        if relay.upgraded:
            self.client.become_tunnel(self, connection)
            return
        connection.exchange = None
        now = self._finish(relay.status)
        if relay.reusable and self.request_done and not pod.gone and self.backend is not None:
            connection.idle_since = now
            if self.client.write_paused:
                # Held back for this client's sake; the next one's response must not be.
                connection.transport.resume_reading()
            pod.idle.append(connection)
        else:
            connection.close()
        backend = self.backend
        if backend is not None and backend.throttler.waiting:
            self.gateway.admit(backend)
        self.client.exchange_done(self, close=relay.client_closes)

    def response_broken(self) -> None:
        """The application's bytes are no HTTP response."""
        self._drop_upstream()
        self.fail(failures.BAD_RESPONSE)

    def upstream_lost(self, error: Exception | None) -> None:
        connection = self.upstream
        assert connection is not None
        relay = connection.relay
        if error is None and relay.until_close and not relay.complete:
            self.client.transport.write(relay.end())
            self.response_done()
            return
        self.fail(failures.UPSTREAM_RESET)

    def connect_failed(self, pod: Pod) -> None:
        """No byte of the request has left: another pod may have it, or it waits again."""
        if not self.awaits(pod):
            return
        backend = self.backend
        if backend is None:
            self.fail(failures.CONNECT_FAILED)
            return
        self._give_back()
        now = self.gateway.clock()
        throttler = backend.throttler
        throttler.mark_refused(pod, now)
        if (backend.is_gone or not backend.is_revision) and not throttler.ready:
            self.fail(failures.CONNECT_FAILED)
            return
        size = len(self._request) + self._held_octets
        self._ticket = throttler.enqueue(self, size, first=True)
        if self._ticket is None:
            self.fail(failures.QUEUE_FULL)
            return
        self._is_cold = self._is_cold or not throttler.ready
        self.gateway.admit(backend)
        if not self.finished and self._ticket is not None:
            self.gateway.demand(backend)

    # Endings.

    def fail(self, failure: Failure) -> None:
        """End with an answer of ours, or by a cut where the application's has already begun."""
        if self.finished:
            return
        begun = self.upstream is not None and self.upstream.relay.head_seen
        backend = self.backend
        self._finish(failure.status)
        self._drop_upstream()
        self.gateway.count_refusal(failure.reason)
        if backend is not None:
            backend.count_refusal(failure.reason)
            if backend.throttler.waiting:
                self.gateway.admit(backend)
        if begun:
            # The client must not take a part for the whole.
            self.client.abort()
        else:
            self.client.answer_failure(self, failure)

    def abandon(self) -> None:
        """The client is gone."""
        if self.finished:
            return
        self._finish(0)
        self._drop_upstream()
        backend = self.backend
        if backend is not None and backend.throttler.waiting:
            self.gateway.admit(backend)

    def tunnel_closed(self) -> None:
        """Both ends of an upgraded connection are closed."""
        if self.finished:
            return
        self._finish(101)
        backend = self.backend
        if backend is not None and backend.throttler.waiting:
            self.gateway.admit(backend)

    def expire(self, now: float) -> None:
        """A deadline may have passed; which one decides the answer."""
        failure = self._expired(now)
        if failure is None or self.finished:
            return
        if self.client.tunnel is not None:
            self.client.tunnel.abort()
        else:
            self.fail(failure)

    def nearest_deadline(self) -> float:
        nearest = min(self._deadline, self._response_start_limit())
        if self.idle_seconds and self._is_sent:
            nearest = min(nearest, self.last_byte_at + self.idle_seconds)
        return nearest

    def _expired(self, now: float) -> Failure | None:
        if now >= self._deadline:
            return failures.REQUEST_TIMEOUT if self._is_sent else failures.QUEUE_TIMEOUT
        if not self._is_sent or self.backend is None:
            return None
        spec = self.backend.spec
        if now >= self._response_start_limit():
            return failures.RESPONSE_START_TIMEOUT
        if self.idle_seconds and now >= self.last_byte_at + spec.idle_timeout_seconds:
            return failures.IDLE_TIMEOUT
        return None

    def _response_start_limit(self) -> float:
        backend, upstream = self.backend, self.upstream
        if backend is None or upstream is None:
            return float("inf")
        tunnel = self.client.tunnel
        # The 101 only opens a tunnel: what the application says in it is the response.
        if upstream.relay.head_seen if tunnel is None else tunnel.has_answered:
            return float("inf")
        seconds = backend.spec.response_start_timeout_seconds
        return self._sent_at + seconds if seconds and self._is_sent else float("inf")

    def _finish(self, status: int) -> float:
        """The one end of every exchange: the pod is free again, and the request counted."""
        self.finished = True
        now = self.gateway.clock()
        backend = self.backend
        if backend is not None:
            if self._ticket is not None:
                backend.throttler.cancel(self._ticket)
                self._ticket = None
            self._give_back()
            backend.stats.leave(now, status, now - self._started)
        return now

    def _give_back(self) -> None:
        pod, self.pod = self.pod, None
        if pod is not None and self.backend is not None:
            self.backend.throttler.release(pod)

    def _drop_upstream(self) -> None:
        connection, self.upstream = self.upstream, None
        if connection is not None:
            connection.exchange = None
            connection.abort()
