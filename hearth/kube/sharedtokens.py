"""A token that replicas share by a Secret: followed by all, made and changed by who may."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.guards import keep_running
from hearth.kube.keptfiles import Files, SharedFiles
from hearth.kube.leadership import ALONE, Leadership
from hearth.kube.meta import Key, key_text
from hearth.kube.tokens import Tokens, renewed
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

TokenSource = str | Key
"""A token that stays, or the Secret whose tokens are followed."""
_PATIENCE_SECONDS = 2.0


@asynccontextmanager
async def kept_tokens(
    client: KubeClient,
    source: TokenSource,
    *,
    leadership: Leadership | None = None,
    waits: bool = True,
) -> AsyncIterator[Tokens]:
    """Keep tokens current for as long as the context lasts; it is entered once there are any.

    Who does not wait for that has other work as well: until there are any, nobody is let in. Who
    has a leadership fills a Secret that is empty, and changes its tokens where it leads; others
    only read.
    """
    if isinstance(source, str):
        yield Tokens(source)
        return
    tokens, known = Tokens(), asyncio.Event()

    def take(files: Files) -> None:
        tokens.take(files)
        if tokens.shown:
            known.set()

    kept = SharedFiles(
        client,
        source,
        _left_alone if leadership is None else _renewed,
        leadership=leadership or ALONE,
    )
    kept.on_change(take)
    following = asyncio.create_task(keep_running("tokens", kept.run), name="tokens")
    try:
        if waits:
            await _there(known, source)
        yield tokens
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _there(known: asyncio.Event, secret: Key) -> None:
    try:
        async with time_limit(_PATIENCE_SECONDS):
            await known.wait()
    except TimeoutError:
        log.info("waiting for a token", extra={"secret": key_text(secret)})
        await known.wait()


def _left_alone(_files: Files) -> None:
    """Others see to it."""


def _renewed(files: Files) -> Files | None:
    return renewed(files, datetime.datetime.fromtimestamp(wall_clock(), tz=datetime.UTC))
