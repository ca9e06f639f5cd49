"""The server side of one connection: uvicorn's HTTP protocol, with a limit on silence.

Without it a client that opens connections and never finishes a request would keep each of them,
and its file, for ever. Given to uvicorn by ``main``.
"""

from __future__ import annotations

import asyncio
import sys

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 32.0
"""From a connection's or a request's first byte to the end of its head: kube-apiserver's limit."""
TAKE_OVER = "hearth.take_over"
"""In a scope's extensions: ``Connection.take_over``."""
_MOST_AHEAD = 64 * 1024


class Connection(HttpToolsProtocol):
    """Closes itself when a head takes too long; bodies and watches take what time they need."""

    head_seconds = HEAD_SECONDS
    _head_timer: asyncio.TimerHandle | None = None
    _read = b""
    _ahead: bytes | None = None
    """What has come behind a request for an upgrade: nobody's until that is answered."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock of the first request's head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Gives it to the parser, but for what may not be HTTP any more."""
        if self._ahead is None:
            self._read = data
            super().data_received(data)
            self._read = b""
            return
        self._ahead += data
        if len(self._ahead) > _MOST_AHEAD:
            self.flow.pause_reading()

    def _unsupported_upgrade_warning(self) -> None:
        """The parser has stopped behind a request for an upgrade; uvicorn knows none."""
        stopped = sys.exception()
        assert isinstance(stopped, httptools.HttpParserUpgrade)
        self._ahead = self._read[stopped.args[0] :]

    def on_response_complete(self) -> None:
        """There was no upgrade: what came behind the request is HTTP."""
        super().on_response_complete()
        ahead, self._ahead = self._ahead, None
        if ahead and not self.transport.is_closing():
            self.data_received(ahead)

    def take_over(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection for who has upgraded it, as a reader and a writer; no answer was sent."""
        self._head_came()
        self.connections.discard(self)
        self.cycle.disconnected = True  # nothing is sent by HTTP
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(_MOST_AHEAD, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        protocol.connection_made(self.transport)
        if self._ahead:
            protocol.data_received(self._ahead)
        self.transport.set_protocol(protocol)
        self.flow.resume_reading()
        return reader, asyncio.StreamWriter(self.transport, protocol, reader, loop)

    def on_message_begin(self) -> None:
        """Starts the clock of a request's head."""
        self._await_head()
        super().on_message_begin()
        self.scope["extensions"] = {TAKE_OVER: self.take_over}  # type: ignore[dict-item]

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
