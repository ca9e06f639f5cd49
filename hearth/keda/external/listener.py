"""Takes the activators' reports on routes, by the wire that they have for revisions.

On the same port it answers questions about what is scaled (``hearth.knative.questions``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from hearth.knative.questions import LONGEST_HEAD, Explain, is_question, respond
from hearth.kube.tokens import Tokens
from hearth.timeouts import time_limit
from serving.api.stats import Frame, Hello, StatsError, StatsReader

log = logging.getLogger(__name__)

_HELLO_SECONDS = 5.0
"""A peer that does not say who it is within this time is cut off."""
_PIECE = 64 * 1024


class Listener:
    """Listens until closed."""

    def __init__(
        self,
        tokens: Tokens,
        *,
        joined: Callable[[str], None],
        receive: Callable[[str, Frame], None],
        lost: Callable[[str], None],
        explain: Explain | None = None,
    ) -> None:
        """Each is called with the activator's name; ``explain`` answers questions."""
        self._explain = explain
        self._tokens = tokens
        self._joined, self._receive, self._lost = joined, receive, lost
        self._server: asyncio.Server | None = None
        self._peers: dict[asyncio.Task[None], str] = {}

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one."""
        self._server = await asyncio.start_server(self._serve, host, port)

    async def close(self) -> None:
        """Stop listening and drop the activators."""
        if self._server is not None:
            self._server.close()
        for peer in list(self._peers):
            peer.cancel()
        await asyncio.gather(*self._peers, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._peers[task] = ""
        try:
            await self._read(task, reader, writer)
        except (OSError, TimeoutError):
            pass
        except StatsError as error:
            log.warning("statistics refused", extra={"error": str(error)})
        finally:
            name = self._peers.pop(task)
            writer.transport.abort()
            # Another connection of the same activator may have come meanwhile.
            if name and name not in self._peers.values():
                self._lost(name)

    async def _read(
        self,
        task: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        stats, name = StatsReader(self._tokens.accepts), ""
        while True:
            async with time_limit(None if name else _HELLO_SECONDS):
                data = await reader.read(_PIECE)
            if not data:
                return
            if not name and is_question(data):
                await self._answer(data, reader, writer)
                return
            for event in stats.receive(data):
                if isinstance(event, Hello):
                    name = self._peers[task] = event.activator
                    self._joined(name)
                elif isinstance(event, Frame):
                    self._receive(name, event)

    async def _answer(
        self, data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async with time_limit(_HELLO_SECONDS):
            while b"\r\n\r\n" not in data and len(data) <= LONGEST_HEAD:
                more = await reader.read(_PIECE)
                if not more:
                    return
                data += more
            head = data.partition(b"\r\n\r\n")[0]
            accepts, about = self._tokens.accepts, "ScaledObject"
            writer.write(respond(head, accepts=accepts, explain=self._explain, about=about))
            await writer.drain()
            writer.close()
            await writer.wait_closed()
