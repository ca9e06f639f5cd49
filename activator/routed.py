"""A request by a route of KEDA's HTTP add-on: what its policy adds to an exchange.

Who comes by another route has a plain ``Exchange`` and pays for none of this. The order of things
is the add-on's: static routes, which count for nothing; then what becomes of a request while its
target is not ready; then a fallback, once it has waited long enough.
"""

from __future__ import annotations

from activator import failures
from activator.backends import Backend
from activator.exchange import Exchange
from activator.gateway import Gateway
from activator.http.events import ResponseHead, ServerStream
from activator.lifecycle import State
from activator.notes import Note
from activator.policies import GONE, Pending, Policy, Static

_WAITING = State.WAITING
_NEVER = float("inf")
# Beside the marks of an exchange: it has a policy, and found no ready pod.
_ROUTED, _COLD = 16, 1


class RoutedExchange(Exchange):
    """An exchange that may have a policy."""

    __slots__ = ("_home", "_policy", "_ready_by")

    def __init__(self, gateway: Gateway, stream: ServerStream, note: Note | None = None) -> None:
        super().__init__(gateway, stream, note)
        self._policy: Policy | None = None
        # The backend of its route, which may not be the one that answers it.
        self._home: Backend | None = None
        self._ready_by = _NEVER

    def visit(self, backend: Backend, policy: Policy) -> None:
        """The route is known, and the stream's head as the application is to get it."""
        self._policy = policy
        static = policy.static_of(self.stream.head) if policy.statics else None
        if static is not None:
            self._serve_static(static, policy)
            return
        self._home = backend
        if policy.tells_cold_start:
            self._marks = _ROUTED
        self.send_to(backend)

    def _serve_static(self, static: Static, policy: Policy) -> None:
        ref = None if static.is_always else policy.uncounted
        backend = None if ref is None else self._gateway.backends.resolve(ref)
        if backend is not None and backend.throttler.ready:
            self.send_to(backend)
            return
        self._started = self._gateway.clock()
        self.answer(policy.response(static.answer, self.stream.head))

    # -- while nothing is ready ---------------------------------------------------------------

    def _wait(self, backend: Backend) -> None:
        policy = self._policy
        if policy is None or backend is not self._home or backend.throttler.ready:
            super()._wait(backend)
            return
        pending = policy.pending(backend.throttler.waiting)
        if pending is Pending.WAIT:
            if policy.readiness:
                self._ready_by = self._started + policy.readiness
            super()._wait(backend)
            if self.state is _WAITING:
                self.stream.watch(self._nearest_deadline())
            return
        if pending is Pending.REJECT:
            policy.counts.rejected += 1
            self.fail(failures.PENDING_FULL)
        elif policy.placeholder is not None:
            self.answer(policy.response(policy.placeholder, self.stream.head))
        # It waits no more, and is wanted all the same.
        backend.wake()

    def on_deadline(self, now: float) -> None:
        """It may have waited long enough for its target, or for a response to begin."""
        if self._policy is not None:
            # The first look was at whatever comes first.
            self._deadline = self._started + self._policy.request
        if self.state is _WAITING and self._ready_by <= now < self._deadline:
            self._leave_home(now)
        else:
            super().on_deadline(now)

    def _nearest_deadline(self) -> float:
        nearest = super()._nearest_deadline()
        return min(nearest, self._ready_by) if self.state is _WAITING else nearest

    def _response_start_limit(self) -> float:
        policy = self._policy
        if policy is None or policy.response_header == _NEVER or self.state is not State.SENT:
            return super()._response_start_limit()
        return (self._sent_at or self._admitted_at) + policy.response_header

    def _leave_home(self, now: float) -> None:
        """To the fallback; the request goes on counting where it came."""
        policy, home = self._policy, self._home
        self._ready_by = _NEVER
        if policy is None or home is None or policy.fallback is None:
            self.fail(failures.READINESS_TIMEOUT)
            return
        if self._ticket is not None:
            home.throttler.cancel(self._ticket)
            self._ticket = None
        fallback = self.backend = self._gateway.backends.resolve(policy.fallback)
        fallback.stats.enter(now)
        pod = fallback.throttler.acquire()
        if pod is not None:
            self.run_on(pod, now)
        elif fallback.is_awaited:
            self._enqueue(fallback)
            fallback.wake()
            self.stream.watch(self._nearest_deadline())
        else:
            self.fail(failures.CONNECT_FAILED)

    # -- the end ------------------------------------------------------------------------------

    def _tell_marks(self, head: ResponseHead) -> None:
        """Say whether it found no ready pod, in the answer of its target."""
        marks = self._marks
        if marks != _ROUTED:
            super()._tell_marks(head)
        if marks & _ROUTED and self.backend is self._home:
            head.add(b"x-keda-http-cold-start", b"true" if marks & _COLD else b"false")

    def _end(self, status: int) -> None:
        home, backend, policy = self._home, self.backend, self._policy
        super()._end(status)
        if policy is None:
            return
        now = self._gateway.clock()
        if home is not None and home is not backend:
            home.stats.leave(now, status, now - self._started)
        policy.counts.add(self.stream.head.method, status or GONE, now - self._started)
