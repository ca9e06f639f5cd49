"""A web server that answers as a test says and keeps what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


Answers = Callable[[Asked], Any]
"""Returns a document (JSON), bytes, a response, or None for what is not found."""


@dataclass
class Server:
    """``answers`` may be changed under way; while it is None nothing is answered."""

    answers: Answers | None
    port: int = 0
    scheme: str = "http"
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        asked = Asked(
            request.method, request.raw_path.partition("?")[0], dict(request.query), headers, body
        )
        self.asked.append(asked)
        if self.answers is None:
            await asyncio.Event().wait()
            raise AssertionError
        found = self.answers(asked)
        if isinstance(found, web.StreamResponse):
            return found
        if found is None:
            return web.json_response({"error": "not found"}, status=404)
        if isinstance(found, bytes):
            return web.Response(body=found)
        return web.json_response(found)


@contextlib.asynccontextmanager
async def answering(
    answers: Answers | None, *, context: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """A server on a free port, with TLS where there is a context."""
    server = Server(answers, scheme="https" if context else "http")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server._answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()
