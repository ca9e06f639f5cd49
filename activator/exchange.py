"""One request and its response: from the head to the last byte, whatever happens in between.

    route -> (wait in the backlog) -> pod -> connection -> response -> done

Knows streams and their events, on both sides, and no socket. Asks the pure modules for every
decision; the moves it may make are in ``lifecycle``. An exchange ends exactly once, in ``_end``,
which gives the pod back and counts.
"""

from __future__ import annotations

from activator import failures, phases
from activator.backends import Backend, Waiting
from activator.backlog import Ticket
from activator.gateway import Gateway
from activator.http.events import (
    SWITCHING,
    ClientStream,
    Connection,
    Lost,
    Refusal,
    Reset,
    ResponseHead,
    ServerStream,
)
from activator.http.fields import Trailers
from activator.lifecycle import MOVES, Event, State
from activator.notes import Note
from activator.pods import Pod
from activator.retries import MOST_REPEATS, may_repeat
from activator.sessions import Session

# Of the hot path: a member of an enum takes ten times as long to look up as a module's name.
_NEW, _CONNECTING, _DONE, _TUNNEL = State.NEW, State.CONNECTING, State.DONE, State.TUNNEL
# Marks, in one number: each would have to be set for every request, and asked for in its response.
# It found no ready pod; it has a session; a pod has refused it a connection; the rest of its body
# is waited for, and no slot taken yet.
_COLD, _IN_SESSION, _REFUSED, _AWAITING = 1, 2, 4, 8
_ADMITTED, _SENT, _END = MOVES[Event.ADMITTED], MOVES[Event.SENT], MOVES[Event.END]


class Exchange:
    """Handler of a client's stream, and of the stream to the pod."""

    # All set, as in ``RequestHead``.
    __slots__ = (
        "_admitted_at",
        "_deadline",
        "_gateway",
        "_held",
        "_held_octets",
        "_idle_seconds",
        "_is_answered",
        "_is_client_blocked",
        "_last_byte_at",
        "_marks",
        "_note",
        "_pod",
        "_repeats",
        "_sent_at",
        "_session",
        "_started",
        "_status",
        "_ticket",
        "_trailers",
        "_upstream",
        "backend",
        "state",
        "stream",
    )

    def __init__(self, gateway: Gateway, stream: ServerStream, note: Note | None = None) -> None:
        """``note`` is there where somebody watches this request."""
        self._gateway = gateway
        self._note = note
        self.stream = stream
        self.state = _NEW
        self.backend: Backend | None = None
        self._pod: Pod | None = None
        self._upstream: ClientStream | None = None
        self._ticket: Ticket[Waiting] | None = None
        # What has come of the body before there was a connection.
        self._held: list[bytes] | None = None
        self._held_octets = 0
        self._trailers: Trailers = ()
        # The client takes no more for now.
        self._is_client_blocked = False
        # How often it may still be sent again.
        self._repeats = MOST_REPEATS
        # What is out of the ordinary about it.
        self._marks = 0
        self._session: Session | None = None
        # Of a tunnel: the application has said all.
        self._is_answered = False
        self._status = 0
        self._idle_seconds = 0.0
        self._last_byte_at = 0.0
        self._started = self._admitted_at = self._sent_at = self._deadline = 0.0

    # -- admission ----------------------------------------------------------------------------

    def send_to(self, backend: Backend, session: Session | None = None) -> None:
        """The route is known, and the stream's head as the application is to get it."""
        self._started = now = self._gateway.clock()
        self.backend = backend
        self._deadline = now + backend.spec.timeout_seconds
        backend.stats.enter(now)
        if session is not None:
            self._session = session
            self._marks = _IN_SESSION
        if not self.stream.is_whole and self._awaits_body(backend):
            return
        throttler = backend.throttler
        pod = throttler.acquire() if session is None else throttler.acquire_near(session)
        if pod is None:
            self._wait(backend)
        else:
            self.run_on(pod, now)

    def _awaits_body(self, backend: Backend) -> bool:
        """Whether it waits for the rest of its body before it takes a slot at a pod.

        A client that sends slowly must not hold one: where there are few, a body that says it is
        short is here before its request goes on. Who waits for 100 gets its application's answer.
        """
        head, gateway = self.stream.head, self._gateway
        is_awaiting = (
            backend.throttler.container_concurrency > 0
            and 0 < head.length <= gateway.limits.held_octets
            and not head.expects_continue
            and gateway.awaited_octets < gateway.limits.awaited_octets
        )
        if is_awaiting:
            self._marks |= _AWAITING
            self._held = []
            self.stream.watch(self._deadline)
            if backend.is_awaited and not backend.throttler.ready:
                # A pod may come to be meanwhile.
                backend.wake()
        return is_awaiting

    def _go_on(self) -> None:
        """The body that was awaited is here, or is so no longer."""
        self._marks &= ~_AWAITING
        gateway, backend = self._gateway, self.backend
        gateway.awaited_octets -= self._held_octets
        if self.stream.is_whole:
            self.stream.head.body, self._held = b"".join(self._held or ()), None
            self._held_octets = 0
        if backend is None:
            return
        throttler, session = backend.throttler, self._session
        pod = throttler.acquire() if session is None else throttler.acquire_near(session)
        if pod is None:
            self._wait(backend)
        else:
            self.run_on(pod, gateway.clock())

    def send_direct(self, pod: Pod, timeout_seconds: float) -> None:
        """To a host outside: no backlog, no capacity, one connection for this request."""
        self._started = now = self._gateway.clock()
        self._deadline = now + timeout_seconds
        self.run_on(pod, now)

    def run_on(self, pod: Pod, now: float) -> None:
        """A pod has been taken for this request; the throttler has counted it."""
        self.state = _ADMITTED[self.state]
        self._ticket = None
        self._pod = pod
        self._admitted_at = now
        self.stream.watch(self._deadline)
        pools = self._gateway.pools
        connection = pools.take(pod, now)
        if connection is None:
            pools.dial(pod, self)
        else:
            self._send(connection)

    def on_connected(self, pod: Pod, connection: Connection) -> bool:
        """A connection has been opened; the request may have ended, or gone elsewhere."""
        if self.state is not _CONNECTING or self._pod is not pod:
            return False
        self._send(connection)
        return True

    def on_refused(self, pod: Pod) -> None:
        """No byte of the request has left: another pod may have it, or it waits again."""
        if self.state is not _CONNECTING or self._pod is not pod:
            return
        backend = self.backend
        if backend is None:
            self.fail(failures.CONNECT_FAILED)
            return
        now = self._gateway.clock()
        self._pod = None
        backend.throttler.release(pod)
        backend.throttler.mark_refused(pod, now)
        # The first time costs nobody anything.
        if backend.is_awaited and (not self._marks & _REFUSED or backend.may_retry(now)):
            self._marks |= _REFUSED
            self.state = MOVES[Event.REFUSED][self.state]
            self._note_cold(backend)
            size, since = self._size(), self._started
            self._ticket = backend.throttler.put_back(self, size, since, self._session)
            backend.admit()
        else:
            self.fail(failures.CONNECT_FAILED)
        # Also where nobody waits: the pod is to be used again once somebody listens there.
        backend.wake()

    def _wait(self, backend: Backend) -> None:
        if not backend.is_awaited:
            self.fail(backend.gone if backend.is_gone else failures.NO_ENDPOINTS)
            return
        self.state = MOVES[Event.QUEUED][self.state]
        self._enqueue(backend)
        if self.state is State.WAITING:
            self.stream.watch(self._deadline)
            backend.wake()

    def _enqueue(self, backend: Backend) -> None:
        self._note_cold(backend)
        size, since = self._size(), self._started
        self._ticket = backend.throttler.enqueue(self, size, since, self._session)
        if self._ticket is None:
            self.fail(failures.QUEUE_FULL)

    def _note_cold(self, backend: Backend) -> None:
        if not backend.throttler.ready:
            self._marks |= _COLD

    def _size(self) -> int:
        """About how much of the request is held here, in octets."""
        return self.stream.head.octets() + self._held_octets

    # -- the request --------------------------------------------------------------------------

    def _send(self, connection: Connection) -> None:
        """Give what there is of the request to a connection."""
        self.state = _SENT[self.state]
        stream = self.stream
        note = self._note
        if note is not None:
            note.sent_at, note.pod = self._gateway.clock(), self._pod
        if self._held is None and not self._is_client_blocked:
            self._upstream = connection.open(
                self, stream.head, stream.head.body, stream.is_whole, stream.takes_chunks
            )
        else:
            self._send_held(connection)
        backend = self.backend
        if backend is not None and (self._marks & _COLD or backend.spec.has_phase_timeouts):
            # The application's own limits begin to count.
            self._sent_at = self._last_byte_at = self._gateway.clock()
            self._idle_seconds = backend.spec.idle_timeout_seconds
            stream.watch(self._nearest_deadline())

    def _send_held(self, connection: Connection) -> None:
        stream, trailers = self.stream, self._trailers
        body, self._held = stream.head.body + b"".join(self._held or ()), None
        stream.resume()
        upstream = self._upstream = connection.open(
            self, stream.head, body, stream.is_whole and not trailers, stream.takes_chunks
        )
        if trailers:
            upstream.send_end(trailers)
        if self._is_client_blocked:
            upstream.pause()

    def on_body(self, data: bytes) -> None:
        """A piece of the request's body, or of what the client says in a tunnel."""
        if self._upstream is None:
            self._hold(data)
            return
        self._upstream.send_body(data)
        if self.state is _TUNNEL:
            self._note_byte()

    def on_end(self, trailers: Trailers) -> None:
        """The request is whole, or the client's direction of a tunnel over."""
        if self.state is _TUNNEL and self._is_answered:
            upstream = self._upstream
            self._end(self._status)
            if upstream is not None:
                upstream.send_end()
        elif self._upstream is not None:
            self._upstream.send_end(trailers)
        elif self._marks & _AWAITING:
            self._go_on()
        elif trailers:
            self._trailers = trailers
            self._held = self._held or []

    def _hold(self, data: bytes) -> None:
        if self._held is None:
            self._held = []
        self._held.append(data)
        self._held_octets += len(data)
        if self._marks & _AWAITING:
            gateway = self._gateway
            gateway.awaited_octets += len(data)
            if gateway.awaited_octets > gateway.limits.awaited_octets:
                self._go_on()
            return
        if self._held_octets > self._gateway.limits.held_octets:
            self.stream.pause()
        if (
            self._ticket is not None
            and self.backend is not None
            and not self.backend.throttler.backlog.grow(self._ticket, len(data))
        ):
            self.fail(failures.QUEUE_FULL)

    # -- the response -------------------------------------------------------------------------

    def on_informational(self, head: ResponseHead) -> None:
        """A response before the response: an application has looked at the request."""
        self._repeats = 0
        self._note_byte()
        self.stream.send_informational(head)

    def on_response(self, head: ResponseHead, end: bool) -> None:
        """The response has begun, and perhaps ended."""
        if self._marks:
            self._tell_marks(head)
        note = self._note
        if note is not None:
            note.answered_at = self._gateway.clock()
            note.size = len(head.body)
        if end:
            self._upstream = None
            backend = self.backend
            others_wait = backend is not None and backend.throttler.demand
            if others_wait:
                self._tell_capacity(head)
            self._end(head.status)
            self.stream.send_head(head, True)
            if others_wait:
                self._admit_next()
            return
        self._note_byte()
        self._status = head.status
        event = Event.SWITCHED if head.status == SWITCHING else Event.RESPONDED
        self.state = MOVES[event][self.state]
        self.stream.send_head(head, False)

    def on_response_body(self, data: bytes) -> None:
        """A piece of the response's body."""
        if self._idle_seconds:
            self._last_byte_at = self._gateway.clock()
        if self._note is not None:
            self._note.size += len(data)
        self.stream.send_body(data)

    def on_response_end(self, trailers: Trailers) -> None:
        """The response is whole, or the application's direction of a tunnel over."""
        if self.state is _TUNNEL and not self.stream.is_whole:
            self._is_answered = True
            self.stream.send_end()
            return
        self._upstream = None
        self._end(self._status)
        self.stream.send_end(trailers)
        self._admit_next()

    def on_lost(self, reset: Reset) -> None:
        """The application's connection is over, or what it says is no response."""
        self._upstream = None
        if reset.cause is Lost.MALFORMED:
            self.fail(failures.BAD_RESPONSE)
        elif self._is_repeatable(reset):
            self._send_again(anew=reset.cause is not Lost.REFUSED)
        else:
            self.fail(failures.UPSTREAM_RESET)

    def _is_repeatable(self, reset: Reset) -> bool:
        """Whether all of the request is still here, and may be sent again.

        That is so where its peer says that nothing has looked at it, and where the connection ended
        without a byte of an answer (a pod has died, or taken it for idle): then within bounds, and
        if the request may reach an application twice.
        """
        head, backend = self.stream.head, self.backend
        has_all = self.stream.is_whole and (not head.length or head.body != b"")
        if not has_all or self.state is not State.SENT or not self._repeats or backend is None:
            return False
        if reset.cause is Lost.REFUSED:
            return self._repeats == MOST_REPEATS
        if reset.has_begun or not may_repeat(head):
            return False
        return backend.may_retry(self._gateway.clock())

    def _send_again(self, *, anew: bool) -> None:
        """Another connection may carry the request to the same pod; ``anew``: one of its own."""
        pod = self._pod
        if pod is None:
            self.fail(failures.UPSTREAM_RESET)
            return
        self.state = MOVES[Event.UNSEEN][self.state]
        self._repeats -= 1
        pools = self._gateway.pools
        connection = None if anew else pools.take(pod, self._gateway.clock())
        if connection is None:
            pools.dial(pod, self)
        else:
            self._send(connection)

    def _tell_capacity(self, head: ResponseHead) -> None:
        """Requests wait: tell who delivers events how many at once the pods take."""
        backend = self.backend
        if backend is None or not backend.throttler.capacity:
            return
        if any(name.lower() == b"kn-namespace" for name, _ in self.stream.head.fields):
            head.add(b"x-hearth-capacity", b"%d" % backend.throttler.capacity)

    def _tell_marks(self, head: ResponseHead) -> None:
        """Say in the response what is of interest there."""
        if self._session is not None and self._pod is not None:
            self._session.answer(self._pod, head)
        if self._marks & _COLD:
            self._tell_phases(head)

    def _tell_phases(self, head: ResponseHead) -> None:
        """Say where the time of a cold request went, in its response and in the metrics."""
        backend = self.backend
        if backend is None:
            return
        seconds = phases.durations(
            phases.Marks(
                arrived=self._started,
                pod_seen=backend.pod_seen_at,
                pod_ready=backend.ready_at,
                admitted=self._admitted_at,
                sent=self._sent_at,
                answered=self._gateway.clock(),
            )
        )
        if self._note is not None:
            self._note.pod_seen_at, self._note.pod_ready_at = backend.pod_seen_at, backend.ready_at
        head.add(*phases.server_timing(seconds))
        backend.count_cold_start(seconds)

    # -- windows ------------------------------------------------------------------------------

    def on_window(self, is_open: bool) -> None:
        """The client reads slowly, so the pod has to wait; or it has caught up."""
        self._is_client_blocked = not is_open
        upstream = self._upstream
        if upstream is None:
            return
        if is_open:
            upstream.resume()
        else:
            upstream.pause()

    def on_request_window(self, is_open: bool) -> None:
        """The pod reads slowly, so the client has to wait; or it has caught up."""
        if is_open:
            self.stream.resume()
        else:
            self.stream.pause()

    # -- deadlines ----------------------------------------------------------------------------

    def on_deadline(self, now: float) -> None:
        """A deadline may have passed; which one decides the answer."""
        refusal = self._expired(now)
        if refusal is not None:
            self.fail(refusal)
        elif self.state is not _DONE:
            self.stream.watch(self._nearest_deadline())

    def _nearest_deadline(self) -> float:
        nearest = min(self._deadline, self._response_start_limit())
        if self._idle_seconds and self.state >= State.SENT:
            nearest = min(nearest, self._last_byte_at + self._idle_seconds)
        return nearest

    def _expired(self, now: float) -> Refusal | None:
        is_sent = self.state >= State.SENT
        if now >= self._deadline and self._marks & _AWAITING:
            return failures.BODY_TIMEOUT
        if now >= self._deadline:
            return failures.REQUEST_TIMEOUT if is_sent else failures.QUEUE_TIMEOUT
        if now >= self._response_start_limit():
            return failures.RESPONSE_START_TIMEOUT
        if is_sent and self._idle_seconds and now >= self._last_byte_at + self._idle_seconds:
            return failures.IDLE_TIMEOUT
        return None

    def _response_start_limit(self) -> float:
        """Any head ends this wait, a 101 too: what follows is under the idle time."""
        if self.state is not State.SENT or self.backend is None:
            return float("inf")
        seconds = self.backend.spec.response_start_timeout_seconds
        return self._sent_at + seconds if seconds else float("inf")

    def _note_byte(self) -> None:
        if self._idle_seconds:
            self._last_byte_at = self._gateway.clock()

    # -- the end ------------------------------------------------------------------------------

    def fail(self, refusal: Refusal) -> None:
        """End with an answer of ours, or by a cut where the application's has already begun."""
        if self.state is _DONE:
            return
        if self.state is _TUNNEL:
            self._cut(self._status)
            self.stream.reset()
            return
        has_begun = self.state is State.RESPONDING
        answer = self._gateway.refuse(refusal, self.stream.head)
        if self._note is not None:
            self._note.reason = refusal.reason
            self._note.size += 0 if has_begun else len(answer.body)
        self._cut(refusal.status)
        if self.backend is not None:
            self.backend.count_refusal(refusal.reason)
        if has_begun:
            # The client must not take a part for the whole.
            self.stream.reset()
        else:
            self.stream.send_head(answer, True)
        self._admit_next()

    def on_reset(self, refusal: Refusal | None) -> None:
        """The client is gone, or its request broken, which it has been told."""
        if self.state is _DONE:
            return
        if refusal is not None and self.backend is not None:
            self.backend.count_refusal(refusal.reason)
        is_tunnel = self.state is _TUNNEL
        self._cut(self._status if is_tunnel else refusal.status if refusal is not None else 0)
        self._admit_next()

    def answer(self, head: ResponseHead) -> None:
        """End with an answer of ours that is no failure."""
        if self._note is not None:
            self._note.size = len(head.body)
        self._end(head.status)
        self.stream.send_head(head, True)

    def answer_for(self, backend: Backend, head: ResponseHead) -> None:
        """End with an answer of ours while nothing is ready, which is wanted all the same."""
        self._started = now = self._gateway.clock()
        self.backend = backend
        backend.stats.enter(now)
        self.answer(head)
        if not backend.throttler.ready:
            backend.is_wanted = True
            backend.wake()

    def _cut(self, status: int) -> None:
        """End, and give up what is under way at the pod, which may notice later."""
        upstream, self._upstream = self._upstream, None
        backend, pod = self.backend, self._pod
        is_limited = backend is not None and backend.throttler.container_concurrency > 0
        if upstream is not None and is_limited:
            self._pod = None
        self._end(status)
        if upstream is None:
            return
        if is_limited and backend is not None and pod is not None:
            self._gateway.leftovers.leave(backend, pod, upstream)
        else:
            upstream.reset()

    def _end(self, status: int) -> None:
        """The one end of every exchange: the pod is free again, and the request counted."""
        self.state = _END[self.state]
        if self._marks & _AWAITING:
            self._marks &= ~_AWAITING
            self._gateway.awaited_octets -= self._held_octets
        backend = self.backend
        if backend is not None:
            if self._ticket is not None:
                backend.throttler.cancel(self._ticket)
                self._ticket = None
            pod = self._pod
            if pod is not None:
                self._pod = None
                backend.throttler.release(pod)
            now = self._gateway.clock()
            backend.stats.leave(now, status, now - self._started)
        if self._note is not None:
            self._end_note(self._note, status)

    def _end_note(self, note: Note, status: int) -> None:
        self._note = None
        note.status, note.backend = status, self.backend
        note.admitted_at, note.ended_at = self._admitted_at, self._gateway.clock()
        note.observer.ended(note)

    def _admit_next(self) -> None:
        """Who waits may have what has become free."""
        backend = self.backend
        if backend is not None and backend.throttler.demand:
            backend.admit()
