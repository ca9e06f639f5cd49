"""Works off a queue of keys: bounded workers, back-off, logs and metrics.

What a reconciler raises decides what follows: ``Terminal`` is logged and left, ``Conflict`` and
``Retryable`` mean to look again, anything else is an error that is logged and tried again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from hearth.kube.errors import ApiError, Conflict, Retryable, Terminal
from hearth.kube.leadership import ALONE, Leadership
from hearth.kube.meta import Key, key_text
from hearth.kube.queue import MAX_DELAY_SECONDS, WorkQueue
from hearth.observability.metrics import QUEUE_DEPTH, RECONCILE_SECONDS, RECONCILES

log = logging.getLogger(__name__)

OUTAGE_DELAY_SECONDS = 2.0
"""The longest back-off while the server gives no answer.

That is no fault of the key's: it is not to wait as long again as the server was away. Tries that
come after such a wait are not told of any more.
"""

Reconcile = Callable[[Key], Awaitable[float | None]]
"""Returns the seconds after which to look again, or None."""

_at_work: ContextVar[tuple[object, Key] | None] = ContextVar("at_work", default=None)
"""Who works on which key, in this task and those that it made."""


class Controller:
    """One reconciler with its queue. Keys that another process leads are let pass."""

    def __init__(
        self,
        name: str,
        reconcile: Reconcile,
        *,
        workers: int = 4,
        leadership: Leadership = ALONE,
    ) -> None:
        self.name = name
        self._leads = leadership.leads
        self.queue: WorkQueue[Key] = WorkQueue()
        self._reconcile = reconcile
        self._workers = workers
        self._counts = {
            result: RECONCILES.labels(controller=name, result=result)
            for result in ("success", "retry", "terminal")
        }
        self._seconds = RECONCILE_SECONDS.labels(controller=name)

    def is_at(self, item: Key) -> bool:
        """Whether what happens now is of its own making, at work on this key."""
        return _at_work.get() == (self, item)

    async def run(self) -> None:
        """Work until cancelled."""
        QUEUE_DEPTH.labels(name=self.name).set_function(lambda: len(self.queue))
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._workers):
                    group.create_task(self._work(), name=f"{self.name}-{number}")
        finally:
            QUEUE_DEPTH.remove(self.name)
            self.queue.close()

    async def _work(self) -> None:
        worker = asyncio.current_task()
        assert worker is not None
        # asyncio.wait_for of Python 3.11, which clients of servers use, may swallow a cancellation:
        # a worker that only waited for its next item would then never end.
        while not worker.cancelling():
            item = await self.queue.get()
            try:
                if self._leads(item):
                    await self._once(item)
                else:
                    self.queue.forget(item)
            finally:
                self.queue.done(item)
            if self.queue:
                await asyncio.sleep(0)  # thousands of keys with nothing to do must not hog the loop

    async def _once(self, item: Key) -> None:
        started = time.perf_counter()
        _at_work.set((self, item))
        result = await self._outcome(item)
        self._counts[result].inc()
        self._seconds.observe(time.perf_counter() - started)

    async def _outcome(self, item: Key) -> str:
        facts = {"controller": self.name, "key": key_text(item)}
        try:
            again = await self._reconcile(item)
        except Terminal as error:
            log.error("reconcile cannot succeed", extra=facts | {"error": str(error)})
            self.queue.forget(item)
            return "terminal"
        except (Conflict, Retryable) as error:
            log.debug("reconcile will be retried", extra=facts | {"error": str(error)})
            self.queue.retry(item)
            return "retry"
        except ApiError as error:
            at_most = MAX_DELAY_SECONDS if error.code else OUTAGE_DELAY_SECONDS
            delay = self.queue.retry(item, at_most=at_most)
            level = logging.DEBUG if delay == OUTAGE_DELAY_SECONDS else logging.WARNING
            log.log(level, "reconcile failed", extra=facts | error.facts | {"retry_in": delay})
            return "retry"
        except Exception:
            log.exception("reconcile failed", extra=facts)
            self.queue.retry(item)
            return "retry"
        self.queue.forget(item)
        if again is not None:
            self.queue.add_after(item, again)
        return "success"
