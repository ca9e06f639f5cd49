"""The server side of one connection: uvicorn's HTTP protocol, with a limit on silence.

Without it a client that opens connections and never finishes a request would keep each of them,
and its file, for ever. Given to uvicorn by ``main``.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 32.0
"""From a connection's or a request's first byte to the end of its head: kube-apiserver's limit."""


class Connection(HttpToolsProtocol):
    """Closes itself when a head takes too long; bodies and watches take what time they need."""

    head_seconds = HEAD_SECONDS
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock of the first request's head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._head_came()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Starts the clock of a request's head."""
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stops the clock: the head has come."""
        self._head_came()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_came()
        self._head_timer = self.loop.call_later(self.head_seconds, self._close)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _close(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()
