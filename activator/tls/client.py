"""TLS to applications that speak it: the other side of a handshake."""

from __future__ import annotations

import asyncio
import ssl

from activator.tls.transport import Handshake


async def connect(
    address: tuple[str, int], inner: asyncio.Protocol, context: ssl.SSLContext, name: str
) -> None:
    """Open a connection for a protocol that gets plain bytes, to who can show that he has a name.

    Raises OSError, and for who cannot show it ssl.SSLError, which is one.
    """
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    dialing = _Dialing(context, done)
    transport, _ = await asyncio.get_running_loop().create_connection(
        lambda: ClientHandshake(dialing, inner, name), *address
    )
    try:
        await done
    except BaseException:
        transport.abort()
        raise


class _Dialing:
    """The owner of one handshake: it waits for its end."""

    def __init__(self, context: ssl.SSLContext, done: asyncio.Future[None]) -> None:
        self.context = context
        self._done = done

    def admit(self, handshake: Handshake) -> bool:
        """It is what the connection is for."""
        return True

    def ended(self, handshake: Handshake, result: str) -> None:
        """Tell who waits."""
        if self._done.done():
            return
        if result == "ok":
            self._done.set_result(None)
        else:
            self._done.set_exception(ssl.SSLError(result))


class ClientHandshake(Handshake):
    """The protocol of a socket on which we speak first."""

    __slots__ = ("_name",)

    def __init__(self, owner: _Dialing, inner: asyncio.Protocol, name: str) -> None:
        super().__init__(owner, inner)
        self._name = name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        super().connection_made(transport)
        self.data_received(b"")

    def _wrapped(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
        return self._owner.context.wrap_bio(incoming, outgoing, server_hostname=self._name)
