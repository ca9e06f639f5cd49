"""One object's exception never ends a cache, a controller or the process.

Whoever calls code on behalf of one object (an index function, a mapper, a callback, a background
task) catches what nobody foresaw here: it is logged with the object's key and counted. Whether and
when to try again is the caller's to say; ``backoff`` tells how long to wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from hearth.kube.meta import Key, key_text
from hearth.kube.queue import backoff
from hearth.observability.metrics import CAUGHT

log = logging.getLogger(__name__)


def caught(part: str, key: Key | None = None) -> None:
    """Log and count the exception being handled. ``part`` says whose code raised it."""
    facts = {"part": part} | ({"key": key_text(key)} if key is not None else {})
    log.exception("unexpected error, the rest goes on", extra=facts)
    CAUGHT.labels(part=part).inc()


async def keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a background task until it returns; after an exception run it again, with back-off."""
    failures = 0
    while True:
        try:
            await run()
            return
        except Exception:
            caught(name)
        failures += 1
        await asyncio.sleep(backoff(failures))


@contextlib.asynccontextmanager
async def beside(name: str, run: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Keep something running for as long as the context lasts."""
    task = asyncio.create_task(keep_running(name, run), name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
