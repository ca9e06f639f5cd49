"""``asyncio.timeout`` that is right while a cancelled task cleans up, on every Python 3.11.

Before 3.11.3 (Debian 12 has 3.11.2) a time-out that ran out there raised CancelledError, and the
rest of the clean-up was skipped (python/cpython#102780).
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class Timeout(asyncio.Timeout):  # type: ignore[misc]  # final to type checkers alone
    """Raises TimeoutError where its own time has run out and nobody else cancelled the task."""

    _before = 0

    async def __aenter__(self) -> Timeout:
        self._before = _cancellations()
        await super().__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await super().__aexit__(exc_type, exc, traceback)
        is_ours = self.expired() and _cancellations() <= self._before
        if is_ours and exc_type is asyncio.CancelledError:
            raise TimeoutError from exc


def time_limit(seconds: float | None) -> Timeout:
    """Ends the block after so many seconds with TimeoutError; None: never."""
    loop = asyncio.get_running_loop()
    return Timeout(None if seconds is None else loop.time() + seconds)


def time_limit_at(when: float | None) -> Timeout:
    """Ends the block at a time of the loop's clock."""
    return Timeout(when)


def _cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()
