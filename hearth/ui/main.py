"""The process of the page: serves it on a socket that others hold, or on a port of its own.

On one machine the supervisor holds the socket, starts the process when somebody connects, and takes
it for not needed again once it rests: nobody has asked anything for a while, and all codes have
run out whose use only this process knows of.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.process import RESTING, Ready, say
from hearth.ui.app import make_app
from hearth.ui.neighbours import Neighbours
from hearth.ui.page import Page
from hearth.ui.sessions import CODE_SECONDS, Sessions
from hearth.ui.streams import Streams
from hearth.ui.tables import Tables
from hearth.ui.watching import Watching

REST_SECONDS = 2.0 * CODE_SECONDS
_LOOK_SECONDS = 5.0
_USER_AGENT = "hearth-ui"


@dataclass(frozen=True, slots=True)
class PageConfig:
    """What the page is told. ``held`` is a listening socket."""

    held: socket.socket
    secret: str
    reader: Access
    writer: Access | None
    neighbours: Callable[[KubeClient], contextlib.AbstractAsyncContextManager[Neighbours]]
    me: Mapping[str, str]
    texts: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    rests: bool = False
    """Whether the process ends when nobody looks."""


async def run(config: PageConfig, ready: Ready) -> None:
    """Serve until cancelled, or until nobody has looked for a while."""
    async with contextlib.AsyncExitStack() as stack:
        reader = await stack.enter_async_context(KubeClient(config.reader, user_agent=_USER_AGENT))
        writer = None
        if config.writer is not None:
            writer = await stack.enter_async_context(
                KubeClient(config.writer, user_agent=_USER_AGENT)
            )
        neighbours = await stack.enter_async_context(config.neighbours(reader))

        def watching(tables: Tables) -> Watching:
            return Watching(reader, neighbours, tables)

        streams = Streams(watching)
        stack.push_async_callback(streams.close)
        page = Page(
            Sessions(config.secret), reader, writer, neighbours, streams, config.me, config.texts
        )
        await _serve(page, config, ready)


async def _serve(page: Page, config: PageConfig, ready: Ready) -> None:
    settings = uvicorn.Config(
        make_app(page),
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(settings)
    serving = asyncio.create_task(server.serve(sockets=[config.held]), name="page-server")
    try:
        page.asked_at = page.clock()
        ready()
        while not (config.rests and _is_over(page)):
            done, _ = await asyncio.wait([serving], timeout=_LOOK_SECONDS)
            if done:
                break
        else:
            say(RESTING)
    finally:
        server.should_exit = True
        await page.streams.close()  # viewers are told to come again
        await serving


def _is_over(page: Page) -> bool:
    return not page.under_way and page.clock() - page.asked_at > REST_SECONDS


class _Server(uvicorn.Server):
    """Leaves signals to the process it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
