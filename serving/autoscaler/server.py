"""Takes the activators' reports: a TCP server around ``StatsReader``, one protocol per peer.

On the same port it answers questions about what is decided (``hearth.knative.questions``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import cast

from hearth.knative.questions import LONGEST_HEAD, Explain, is_question, respond
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.tokens import Tokens
from serving.api.stats import Frame, Hello, StatsError, StatsReader, WishList
from serving.api.wishes import Wish
from serving.autoscaler.multiscaler import Multiscaler

log = logging.getLogger(__name__)

_HELLO_SECONDS = 5.0
"""A peer that does not say who it is within this time is cut off."""


class StatsServer:
    """Listens until closed; what comes in goes to the multiscaler within the same loop turn."""

    def __init__(
        self,
        multiscaler: Multiscaler,
        *,
        tokens: Tokens,
        clock: Clock = wall_clock,
        explain: Explain | None = None,
        wish: Callable[[Iterable[Wish]], None] = lambda wishes: None,
    ) -> None:
        """``explain`` answers questions; without it there are none to ask."""
        self._multiscaler = multiscaler
        self._explain = explain
        self._wish = wish
        self._tokens = tokens
        self._clock = clock
        self._peers: set[_Peer] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._peer, host, port)

    async def close(self) -> None:
        """Stop listening and drop the activators."""
        if self._server is None:
            return
        self._server.close()
        for peer in tuple(self._peers):
            peer.abort()
        await self._server.wait_closed()

    def _peer(self) -> _Peer:
        reader = StatsReader(self._tokens.accepts)
        return _Peer(reader, self._receive, self._joined, self._left, self._respond)

    def _respond(self, head: bytes) -> bytes:
        return respond(head, accepts=self._tokens.accepts, explain=self._explain)

    def _receive(self, activator: str, news: Frame | WishList) -> None:
        if isinstance(news, WishList):
            self._wish(news.wishes)
        else:
            self._multiscaler.receive(activator, news, self._clock())

    def _joined(self, peer: _Peer) -> None:
        self._peers.add(peer)

    def _left(self, peer: _Peer) -> None:
        self._peers.discard(peer)
        if peer.activator:
            self._multiscaler.disconnect(peer.activator)


class _Peer(asyncio.Protocol):
    """One connection: bytes to events."""

    def __init__(
        self,
        reader: StatsReader,
        receive: Callable[[str, Frame | WishList], None],
        joined: Callable[[_Peer], None],
        left: Callable[[_Peer], None],
        respond: Callable[[bytes], bytes],
    ) -> None:
        self.activator = ""
        self._head = b""
        self._asks: bool | None = None
        self._respond = respond
        self._reader = reader
        self._receive = receive
        self._joined = joined
        self._left = left
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._deadline = asyncio.get_running_loop().call_later(_HELLO_SECONDS, self.abort)
        self._joined(self)

    def data_received(self, data: bytes) -> None:
        if self._asks is None:
            self._asks = is_question(data)
        if self._asks:
            self._asked(data)
            return
        try:
            events = self._reader.receive(data)
        except StatsError as error:
            log.warning("statistics refused", extra={"error": str(error)})
            self.abort()
            return
        for event in events:
            match event:
                case Hello(activator=name):
                    self.activator = name
                    self._greeted()
                case Frame() | WishList():
                    self._receive(self.activator, event)

    def _asked(self, data: bytes) -> None:
        assert self._transport is not None
        self._head += data
        if len(self._head) > LONGEST_HEAD:
            self.abort()
        elif b"\r\n\r\n" in self._head:
            self._transport.write(self._respond(self._head.partition(b"\r\n\r\n")[0]))
            self._transport.close()

    def _greeted(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._greeted()
        self._left(self)
