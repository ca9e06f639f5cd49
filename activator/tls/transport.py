"""TLS between a socket's transport and a protocol that wants plain bytes.

``Handshake`` is the protocol of the socket. Until a handshake is over nobody else knows of the
connection; then the inner protocol gets a ``TlsTransport``, which is a transport like any other:
``write_eof`` ends one direction, as TLS 1.3 has it (RFC 8446, section 6.1), and nothing but the
socket's own transport holds bytes back.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any, Protocol, cast

_RECORD_OCTETS = 16 * 1024
"""The most plain bytes of one record (RFC 8446, section 5.1): a read of so many takes all of it."""
_PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 48\r\nconnection: close\r\n\r\n"
    b"Client sent an HTTP request to an HTTPS server.\n"
)


_UNUSED = ssl.MemoryBIO()


class Owner(Protocol):
    """Who counts handshakes, and ends those that take too long."""

    context: ssl.SSLContext

    def admit(self, handshake: Handshake) -> bool:
        """Whether another one may begin."""

    def ended(self, handshake: Handshake, result: str) -> None:
        """One is over."""


class Handshake(asyncio.Protocol):
    """The protocol of a socket on which TLS is spoken, from the first byte to the last."""

    __slots__ = (
        "_incoming",
        "_inner",
        "_outgoing",
        "_owner",
        "_raw",
        "_ssl",
        "_transport",
    )

    def __init__(self, owner: Owner, inner: asyncio.Protocol) -> None:
        self._owner = owner
        self._inner = inner
        self._raw: asyncio.Transport
        # Made with the first bytes: who only connects costs nothing.
        self._ssl: ssl.SSLObject | None = None
        self._incoming = self._outgoing = _UNUSED
        # Set when the handshake is over.
        self._transport: TlsTransport | None = None

    # -- the socket's transport ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._raw = cast(asyncio.Transport, transport)
        if not self._owner.admit(self):
            self._raw.abort()

    def data_received(self, data: bytes) -> None:
        """Records, or a part of one."""
        ssl_object, incoming = self._ssl, self._incoming
        if self._transport is not None and ssl_object is not None:
            incoming.write(data)
            try:
                plain = ssl_object.read(_RECORD_OCTETS)
            except ssl.SSLError as error:
                self._deliver(self._transport, b"", error)
                return
            if plain and not incoming.pending and not self._outgoing.pending:
                self._inner.data_received(plain)
            else:
                self._deliver(self._transport, plain)
            return
        if ssl_object is None:
            incoming = self._incoming = ssl.MemoryBIO()
            self._outgoing = ssl.MemoryBIO()
            ssl_object = self._ssl = self._wrapped(incoming, self._outgoing)
        incoming.write(data)
        try:
            ssl_object.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._refuse(error)
        else:
            self._open(ssl_object)

    def eof_received(self) -> bool:
        """The client sends no more; without a word of TLS before it, too."""
        transport = self._transport
        if transport is None:
            return False
        return bool(self._inner.eof_received()) and not transport.is_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        transport = self._transport
        if transport is None:
            self._owner.ended(self, "gone")
        else:
            self._inner.connection_lost(exc)
            transport.release()
        # Nothing of OpenSSL's has to wait until somebody collects circles of references.
        self._ssl = None
        self._inner = _NOBODY

    def pause_writing(self) -> None:
        """The client reads slowly."""
        if self._transport is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._transport is not None:
            self._inner.resume_writing()

    # -- the handshake ------------------------------------------------------------------------

    def _wrapped(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
        return self._owner.context.wrap_bio(incoming, outgoing, server_side=True)

    def give_up(self, result: str) -> None:
        """End a handshake that is under way."""
        self._owner.ended(self, result)
        self._raw.abort()

    def _open(self, ssl_object: ssl.SSLObject) -> None:
        self._owner.ended(self, "ok")
        self._flush()
        transport = self._transport = TlsTransport(self, self._raw, ssl_object, self._outgoing)
        self._inner.connection_made(transport)
        if self._incoming.pending:
            self._deliver(transport, b"")

    def _refuse(self, error: ssl.SSLError) -> None:
        """Say what OpenSSL has to say about it, which is an alert, and close."""
        reason = (error.reason or "unknown").replace("_", " ").lower()
        self._owner.ended(self, reason)
        if reason == "http request":
            self._outgoing.read()
            self._raw.write(_PLAIN_HTTP)
        else:
            self._flush()
        self._raw.close()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._raw.write(self._outgoing.read())

    # -- afterwards ---------------------------------------------------------------------------

    def _deliver(
        self, transport: TlsTransport, plain: bytes, error: ssl.SSLError | None = None
    ) -> None:
        """Give on what has come in one piece, of which the first read gave ``plain``."""
        ssl_object, incoming = transport.ssl_object, self._incoming
        pieces = [plain] if plain else []
        # Nothing read and nothing wrong: the client has said that it sends no more.
        is_over = not plain and error is None and not incoming.pending
        try:
            if error is not None:
                raise error
            while incoming.pending:
                piece = ssl_object.read(_RECORD_OCTETS)
                if not piece:
                    is_over = True
                    break
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            is_over = True
        except ssl.SSLError:
            # What has come and cannot be read is nobody's: no half of it is given on.
            self._flush()
            self._raw.abort()
            return
        # An answer to new keys.
        self._flush()
        if pieces:
            self._inner.data_received(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if is_over and not transport.is_closing() and not self._inner.eof_received():
            transport.close()

    # -- for the transport --------------------------------------------------------------------

    @property
    def inner(self) -> asyncio.Protocol:
        """Who gets the plain bytes."""
        return self._inner

    @inner.setter
    def inner(self, inner: asyncio.Protocol) -> None:
        self._inner = inner


_NOBODY = asyncio.Protocol()
"""Gets what comes when the connection is over, which is nothing."""


class TlsTransport(asyncio.Transport):
    """A socket's transport, with TLS on the way."""

    __slots__ = ("_has_ended", "_outgoing", "_protocol", "_raw", "ssl_object")

    def __init__(
        self,
        protocol: Handshake,
        raw: asyncio.Transport,
        ssl_object: ssl.SSLObject,
        outgoing: ssl.MemoryBIO,
    ) -> None:
        self._protocol = protocol
        self._raw = raw
        self.ssl_object = ssl_object
        self._outgoing = outgoing
        self._has_ended = False

    def release(self) -> None:
        """The connection is gone: nothing is kept for it."""
        self._has_ended = True
        del self.ssl_object

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the socket's transport knows, and the TLS object."""
        if name == "ssl_object":
            return getattr(self, "ssl_object", default)
        return self._raw.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Give the plain bytes to somebody else."""
        self._protocol.inner = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return who gets the plain bytes."""
        return self._protocol.inner

    # -- writing ------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send plain bytes."""
        if self._has_ended or not data:
            return
        try:
            sent = self.ssl_object.write(data)
            if sent < len(data):
                rest = memoryview(data)
                while sent < len(rest):
                    sent += self.ssl_object.write(rest[sent:])
        except ssl.SSLError:
            self.abort()
            return
        self._raw.write(self._outgoing.read())

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """TLS can say that nothing more comes."""
        return True

    def write_eof(self) -> None:
        """Send nothing more; what the other side sends is still read."""
        if not self._has_ended:
            self._end()
            self._raw.write_eof()

    def _end(self) -> None:
        self._has_ended = True
        try:
            # It asks for the other side's end as well, which nobody waits for.
            self.ssl_object.unwrap()
        except ssl.SSLError:
            pass
        if self._outgoing.pending and not self._raw.is_closing():
            self._raw.write(self._outgoing.read())

    def get_write_buffer_size(self) -> int:
        """Octets that have not left yet, as they are sent."""
        return self._raw.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When writing is to pause."""
        self._raw.set_write_buffer_limits(high, low)

    # -- reading ------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """Read no more for now."""
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Go on reading."""
        self._raw.resume_reading()

    def is_reading(self) -> bool:
        """Whether it is read."""
        return self._raw.is_reading()

    # -- the end ------------------------------------------------------------------------------

    def is_closing(self) -> bool:
        """Whether the connection ends or has ended."""
        return self._raw.is_closing()

    def close(self) -> None:
        """End once everything written has left."""
        if not self._has_ended and not self._raw.is_closing():
            self._end()
        self._raw.close()

    def abort(self) -> None:
        """End at once."""
        self._has_ended = True
        self._raw.abort()
