"""The server half of HTTP/2: requests of one connection in, responses out, each in its own time.

Thin: the rules are in ``roles`` and what it stands on. A connection begins in the half of HTTP/1.1,
which hands it over when it sees the preface or an offer to upgrade, or where TLS has agreed on it.
"""

from __future__ import annotations

import asyncio

from activator.http.context import ServerContext
from activator.http.events import Handler, RequestHead, Session
from activator.http.h2.codes import ConnectionFault
from activator.http.h2.framing import Octets
from activator.http.h2.outbox import Outbox
from activator.http.h2.roles import ServerEngine
from activator.http.h2.streams import Stream


class ServerConnection(asyncio.Protocol):
    """A client's connection."""

    __slots__ = (
        "_block_since",
        "_clock",
        "_discarded",
        "_idle_since",
        "_is_closed",
        "_is_lingering",
        "_outbox",
        "_session",
        "_transport",
        "check_at",
        "context",
        "engine",
    )

    def __init__(
        self, context: ServerContext, session: Session, transport: asyncio.Transport
    ) -> None:
        self.context = context
        self._clock = context.timers.clock
        self._session = session
        self._transport = transport
        self._outbox = Outbox(transport)
        self.engine = ServerEngine(
            self._outbox.write,
            self._clock,
            asyncio.get_running_loop().call_soon,
            self._new_stream,
            context.limits.http2,
            idle=self._on_idle,
        )
        self._idle_since = self._clock()
        # The beginning of a field block has come, and not its end.
        self._block_since = 0.0
        self._is_lingering = False
        self._is_closed = False
        self._discarded = 0
        self.check_at = float("inf")

    # -- the beginning ------------------------------------------------------------------------

    def start(self, stream: Stream) -> Handler:
        """Give a request to the application."""
        return self._session.request(stream)

    def begin(self) -> None:
        """Say our settings, and wait for the client's."""
        self.context.connections.add(self)
        self.engine.start()
        if self.context.is_draining:
            self.engine.give_notice()
        self.check_later(self._idle_since + self.context.limits.head_seconds)

    def accepts(self, settings: bytes) -> bool:
        """Take over the settings of an offer to upgrade, where they are good."""
        try:
            self.engine.take_settings(settings)
        except ConnectionFault:
            return False
        return True

    def adopt(self, head: RequestHead) -> None:
        """The request that came over HTTP/1.1 with that offer (RFC 7540, section 3.2)."""
        stream = self._new_stream(1)
        stream.head = head
        stream.is_whole = True
        self.engine.adopt(stream)
        stream.run()

    def _new_stream(self, number: int) -> Stream:
        return Stream(self, self.engine, number, self.engine.peer_window)

    # -- the transport's callbacks ------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Frames, as a rule."""
        engine = self.engine
        if self._is_lingering:
            self._discarded += len(data)
            if self._discarded > self.context.limits.linger_octets:
                self.abort()
            return
        engine.receive(data)
        if engine.is_broken:
            self._linger()
        elif engine.partial is not None:
            if not self._block_since:
                self._block_since = self._clock()
                self._check_by(self._block_since + self.context.limits.head_seconds)
        elif self._block_since:
            self._block_since = 0.0

    def eof_received(self) -> bool:
        """The client sends no more, so it cannot even make room for answers: it is gone."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._is_closed = True
        self.engine.write = _into_nothing
        self.engine.lose("the client is gone")
        self.context.forget(self)

    def pause_writing(self) -> None:
        """The client reads slowly, so whoever writes has to wait."""
        self.engine.set_blocked(True)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.engine.set_blocked(False)

    # -- endings ------------------------------------------------------------------------------

    def end_with_response(self) -> None:
        """Shutting down: tell the client to open no further stream here."""
        self.engine.give_notice()

    def drain(self) -> None:
        """Shutting down: end now if idle, else with the streams that are open."""
        self.engine.finish()
        if not self.engine.lanes:
            self._close()

    def abort(self) -> None:
        """End at once."""
        self._is_closed = True
        self.engine.write = _into_nothing
        self.engine.lose("cut at the end")
        self._transport.abort()

    def _on_idle(self) -> None:
        self._idle_since = self._clock()
        if self.engine.is_finishing:
            self._close()

    def _close(self) -> None:
        """Close once everything written has left."""
        if not self._is_closed:
            self._is_closed = True
            self._outbox.flush()
            self._transport.close()

    def _linger(self) -> None:
        """The client's fault has been told: read and forget until it has seen that."""
        if self._is_lingering or self._is_closed:
            return
        self._is_lingering = True
        self.engine.write = _into_nothing
        if not self._transport.can_write_eof():
            self._close()
            return
        self._outbox.flush()
        self._transport.write_eof()
        self.check_later(self._clock() + self.context.limits.linger_silence_seconds)

    # -- deadlines ----------------------------------------------------------------------------

    def check_later(self, deadline: float) -> None:
        """See that ``expire`` is called then."""
        self.check_at = deadline
        self.context.timers.watch(self, deadline)

    def _check_by(self, deadline: float) -> None:
        if deadline < self.check_at:
            self.check_later(deadline)

    def expire(self, now: float) -> None:
        """A deadline may have passed: a stream's, a slow head's or a long silence's."""
        if now < self.check_at or self._is_closed:
            # An entry that an earlier one has overtaken, or a connection that is gone.
            return
        self.check_at = float("inf")
        limits, engine = self.context.limits, self.engine
        if self._is_lingering:
            self.abort()
            return
        if self._is_head_overdue(now):
            self.abort()
            return
        if engine.lanes:
            for lane in list(engine.lanes.values()):
                if isinstance(lane, Stream):
                    lane.check(now, limits.keep_alive_seconds)
            self._check_by(now + limits.keep_alive_seconds)
        elif now >= self._idle_since + limits.keep_alive_seconds:
            engine.finish()
            self._close()
        else:
            self._check_by(self._idle_since + limits.keep_alive_seconds)
        if self._block_since:
            self._check_by(self._block_since + limits.head_seconds)

    def _is_head_overdue(self, now: float) -> bool:
        seconds = self.context.limits.head_seconds
        if self._block_since:
            return now >= self._block_since + seconds
        return not self.engine.has_settings and now >= self._idle_since + seconds


def _into_nothing(data: Octets) -> None:
    """There is no connection any more."""
