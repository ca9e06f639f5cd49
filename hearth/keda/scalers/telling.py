"""Who is told of what a scaler does while it reads: its HTTP requests, and answers that are empty.

Whoever reads a scaler says who listens; a scaler need not know whose it is.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol


class Listener(Protocol):
    """What is told of one trigger."""

    def requested(self, status: str, seconds: float) -> None:
        """A request was answered with a status, or failed (``error``)."""
        ...

    def found_nothing(self, *, is_ignored: bool) -> None:
        """An answer is empty, which counts as 0 or as a failure."""
        ...


class _Nobody:
    def requested(self, status: str, seconds: float) -> None:
        pass

    def found_nothing(self, *, is_ignored: bool) -> None:
        pass


_NOBODY = _Nobody()
LISTENER: ContextVar[Listener] = ContextVar("keda-listener", default=_NOBODY)
