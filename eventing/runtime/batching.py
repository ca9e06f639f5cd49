"""Deliveries of one subscription that wait to be sent together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic

from eventing.runtime.delivery import Delivery
from hearth.kube.timers import Timer


class Batching:
    """``look`` is called when what waits is to be sent, though it fills no batch."""

    def __init__(
        self, size: int, *, wait_seconds: float, max_bytes: int, look: Callable[[], None]
    ) -> None:
        self._size = size
        self._wait_seconds = wait_seconds
        self._max_bytes = max_bytes
        self._look = look
        self._waiting: deque[Delivery] = deque()
        self._bytes = 0
        self._due_at = 0.0
        self._timer: Timer | None = None

    def add(self, item: Delivery) -> None:
        """Have a delivery wait for others."""
        if not self._waiting:
            self._due_at = monotonic() + self._wait_seconds
        self._waiting.append(item)
        self._bytes += item.event.size
        if self._timer is None:
            self._wind(self._wait_seconds)

    def take(self) -> list[Delivery]:
        """Return what is to be sent together now; nothing while there is time to wait for more."""
        is_full = len(self._waiting) >= self._size or self._bytes >= self._max_bytes
        if not self._waiting or (not is_full and monotonic() < self._due_at):
            return []
        taken: list[Delivery] = []
        size = 0
        while self._waiting and len(taken) < self._size:
            size += self._waiting[0].event.size
            if taken and size > self._max_bytes:
                break
            taken.append(self._waiting.popleft())
        self._bytes -= sum(each.event.size for each in taken)
        return taken

    def clear(self) -> list[Delivery]:
        """Stop waiting; return what waited, in order."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waited = list(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return waited

    def _wind(self, seconds: float) -> None:
        self._timer = Timer(seconds, self._due)

    def _due(self) -> None:
        """A timer may come for what was sent meanwhile."""
        self._timer = None
        left = self._due_at - monotonic()
        if self._waiting and left > 0:
            self._wind(left)
        elif self._waiting:
            self._look()
