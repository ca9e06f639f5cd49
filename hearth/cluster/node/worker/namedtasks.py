"""The work of one pod that runs beside its loop: one task of each name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)

Work = Coroutine[Any, Any, None]
_RETRY_SECONDS = 1.0


class NamedTasks:
    """Starts work by name; ``wake`` is called whenever some has ended."""

    def __init__(self, owner: str, wake: Callable[[], None]) -> None:
        self._owner = owner
        self._wake = wake
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def spawn(self, name: str, work: Work) -> bool:
        """Starts work; False where work of that name is under way: then nothing is done.

        Only work that was taken on may mark a record, or the mark would stay for good.
        """
        if name in self._tasks:
            work.close()
            return False
        task = asyncio.create_task(self._perform(name, work), name=f"{self._owner}-{name}")
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._forget(name, done, work))
        return True

    def is_any(self, *prefixes: str) -> bool:
        """Whether work with a name that begins so is under way."""
        return any(name.startswith(prefixes) for name in self._tasks)

    def cancel(self, name: str) -> bool:
        """Cancels work; False where there is none of that name."""
        task = self._tasks.get(name)
        return task is not None and task.cancel()

    async def cancel_all(self, *, but: str = "") -> None:
        """Cancels all work, except of one name, and waits until it has ended."""
        others = [task for name, task in self._tasks.items() if name != but]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _perform(self, name: str, work: Work) -> None:
        """The name is free again in the step in which the work has recorded what came of it."""
        try:
            await work
        except Exception:
            log.exception("pod work failed", extra={"pod": self._owner, "work": name})
            await asyncio.sleep(_RETRY_SECONDS)  # what fails at once is not tried without a pause
        finally:
            del self._tasks[name]
            self._wake()

    def _forget(self, name: str, done: asyncio.Task[None], work: Work) -> None:
        """For a task that was cancelled before its first step: none of it has run."""
        if self._tasks.get(name) is done:
            del self._tasks[name]
            work.close()
