"""nats-py's client with a shorter way for what is sent and got for each event.

All that leans on the insides of that package (its versions are pinned) is here: commands are
written as bytes, many before the client is told once; header blocks come as they are on the wire.
"""

from __future__ import annotations

import contextlib
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from eventing.engines.nats.messages import BLOCK

_SPACE = 32
_STATUS_END = 3


def command(subject: str, payload: bytes, reply: str = "", block: bytes = b"") -> bytes:
    """Return the command that publishes a message; ``block`` has its headers, if it has any."""
    to = f"{subject} {reply}".encode() if reply else subject.encode()
    if not block:
        return b"PUB %b %d\r\n%b\r\n" % (to, len(payload), payload)
    size = len(block)
    return b"HPUB %b %d %d\r\n%b%b\r\n" % (to, size, size + len(payload), block, payload)


class WireClient(Client):
    """``headers`` of its messages are blocks of bytes; ``request`` is of no use with them."""

    async def send(self, commands: list[bytes]) -> None:
        """Send commands, all of them before anything else happens."""
        self._pending += commands
        self._pending_data_size += sum(map(len, commands))
        await self._flush_pending()

    def abort(self) -> None:
        """Let go of the connection at once, and do not come back."""
        self.options["allow_reconnect"] = False
        if self._transport is not None:
            self._transport.close()  # type: ignore[no-untyped-call]

    async def end(self) -> None:
        """Close, whatever the connection is like; leave no task behind."""
        subscriptions = list(self._subs.values())
        with contextlib.suppress(Exception):
            await self.close()
        for subscription in subscriptions:
            subscription._stop_processing()

    async def _process_headers(self, headers: bytes) -> Any:
        return headers


def block_of(message: Msg) -> bytes:
    """Return the header block of a message; empty where it has none."""
    found: Any = message.headers
    return found or b""


def status_of(message: Msg) -> tuple[str, str]:
    """Return the status of a message of the server's own, and its words; empty for others."""
    block = block_of(message)
    at = len(BLOCK)
    if len(block) <= at or block[at] != _SPACE:
        return "", ""
    line = block[at + 1 : block.find(b"\r\n")].decode()
    return line[:_STATUS_END], line[_STATUS_END + 1 :]
