"""Looks again and again, and waits longer while nothing works."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from eventing.aws.faults import Asked, AwsFault, problem_of

log = logging.getLogger(__name__)

T = TypeVar("T")

_MOST_SECONDS = 60.0
"""The longest pause between two looks while nothing works."""
_TRIES_TO_BEGIN = 5
_TRIES = 3
"""How often in a row the user's fault is met before the adapter ends, and its end is told."""
_GRACE_SECONDS = 20.0
"""For what is under way at the end; pods have 30 s."""


@dataclass(frozen=True, slots=True)
class Polled:
    """What one look found."""

    found: int = 0
    failed: int = 0
    """How many of them the sink did not take."""
    at_once: bool = False
    """Whether to look again without a pause."""


class Poller(Protocol):
    """Looks at one service."""

    asked: Asked

    async def open(self) -> None:
        """See that what is to be looked at is there, or make it."""

    async def poll(self, stopping: asyncio.Event) -> Polled:
        """Look once, and send what is found; begin nothing new once it is stopping."""
        ...


def pause_after(failures: int, delay_seconds: float) -> float:
    """Return the pause after so many looks in a row that failed: twice as long each time. Pure."""
    if not failures:
        return delay_seconds
    return min(max(delay_seconds, 0.5) * 2.0 ** min(failures, 10), _MOST_SECONDS)


async def unless(stopping: asyncio.Event, work: Awaitable[T]) -> T | None:
    """Wait for something; None, and it is cancelled, when it is stopping before."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for each in (task, stopped):
            each.cancel()
        await asyncio.wait({task, stopped})


async def keep_polling(
    poller: Poller, delay_seconds: float, ready: Callable[[], None], *, tries: int = _TRIES
) -> None:
    """Look until cancelled, and then finish what is under way; raise AwsFault.

    A fault of the user's ends it: the pod begins anew, later each time, and its last words are
    what the source's condition says.
    """
    stopping = asyncio.Event()
    task = asyncio.create_task(_looking(poller, delay_seconds, ready, stopping, tries))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        stopping.set()
        await asyncio.wait({task}, timeout=_GRACE_SECONDS)
        raise
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _looking(
    poller: Poller,
    delay_seconds: float,
    ready: Callable[[], None],
    stopping: asyncio.Event,
    tries: int,
) -> None:
    await _opened(poller, stopping)
    if not stopping.is_set():
        ready()
    errors = refusals = 0
    while not stopping.is_set():
        try:
            polled = await poller.poll(stopping)
        except AwsFault:
            raise
        except Exception as error:
            problem = problem_of(error, poller.asked)
            errors += 1
            if problem.is_definite and errors >= tries:
                raise AwsFault(problem.text) from error
            log.warning("a look failed: %s", problem.text)
            pause = pause_after(errors, delay_seconds)
        else:
            errors = 0
            refusals = refusals + 1 if polled.failed else 0
            at_once = polled.at_once and not refusals
            pause = 0.0 if at_once else pause_after(refusals, delay_seconds)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause)


async def _opened(poller: Poller, stopping: asyncio.Event) -> None:
    for failures in range(_TRIES_TO_BEGIN):
        try:
            await unless(stopping, poller.open())
            return
        except AwsFault:
            raise
        except Exception as error:
            problem = problem_of(error, poller.asked)
            if problem.is_definite or failures + 1 == _TRIES_TO_BEGIN:
                raise AwsFault(problem.text) from error
            log.warning("a look failed: %s", problem.text)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause_after(failures + 1, 0.5))
