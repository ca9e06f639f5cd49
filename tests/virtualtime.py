"""An event loop whose time goes by itself: to the next timer, as far as it may."""

from __future__ import annotations

import asyncio
import selectors


class VirtualLoop(asyncio.SelectorEventLoop):
    """Waits for nothing: time goes on by itself to the next timer that is not after ``until``.

    Timers fire up to ``early_seconds`` before their time, as those of libuv may.
    """

    def __init__(self, *, early_seconds: float = 0.0) -> None:
        self.now = 0.0
        self.until = 0.0
        self._early_seconds = early_seconds
        super().__init__(_Selector(self))
        if early_seconds:
            self._clock_resolution = early_seconds

    def time(self) -> float:
        """Return the time that it is here."""
        return self.now

    def go_on(self, timeout: float) -> None:
        """Have so much time pass, unless that is more than may pass or would be right."""
        to = self.now + timeout - self._early_seconds * 0.9
        self.now = max(self.now, min(to, self.until))


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout:
            self._loop.go_on(timeout)
        return super().select(0)
