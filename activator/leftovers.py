"""What applications still do for requests that nobody waits for any more.

A client that hangs up, or a time-out, ends an exchange at once. The application may not have seen
it yet and works on, and a limit on how many requests a pod has at a time is about what it does: the
slot of such a request is free when the application has answered, or closed the connection, or
``HAUNTED_SECONDS`` later, as with requests of an activator that was killed.
"""

from __future__ import annotations

from activator.backends import Backend
from activator.http.events import ClientStream, Reset, ResponseHead
from activator.http.fields import Trailers
from activator.http.timers import Timers
from activator.members import HAUNTED_SECONDS
from activator.pods import Pod


class Leftovers:
    """All of them; each ends by itself."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers

    def leave(self, backend: Backend, pod: Pod, upstream: ClientStream) -> None:
        """Give a slot of a pod back when what is under way there is over."""
        leftover = _Leftover(backend, pod, upstream)
        self._timers.watch(leftover, self._timers.clock() + HAUNTED_SECONDS)
        upstream.abandon(leftover)


class _Leftover:
    """Handler of a stream whose response nobody gets."""

    __slots__ = ("_backend", "_is_over", "_pod", "_upstream")

    def __init__(self, backend: Backend, pod: Pod, upstream: ClientStream) -> None:
        self._backend = backend
        self._pod = pod
        self._upstream = upstream
        self._is_over = False

    def expire(self, now: float) -> None:
        """The application has had its time."""
        self._end()

    def on_informational(self, head: ResponseHead) -> None:
        """Nobody hears it."""

    def on_response(self, head: ResponseHead, end: bool) -> None:
        """It has answered, perhaps with more to come."""
        if end:
            self._end()

    def on_response_body(self, data: bytes) -> None:
        """Nobody gets it."""

    def on_response_end(self, trailers: Trailers) -> None:
        """It has answered."""
        self._end()

    def on_lost(self, reset: Reset) -> None:
        """It has noticed, and given up."""
        self._end()

    def on_request_window(self, is_open: bool) -> None:
        """Nothing more is sent."""

    def _end(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._upstream.reset()
        self._backend.throttler.release(self._pod)
        if self._backend.throttler.demand:
            self._backend.admit()
