"""nats-py's client with a shorter way for what is sent and got for each event.

All that leans on the insides of that package (its versions are pinned) is here: commands are
written as bytes, many at once and without a task between; messages are told of where they are read
off the wire, with their headers as they are there.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from nats.aio.client import Client
from nats.aio.subscription import Subscription

from eventing.engines.nats.messages import BLOCK

log = logging.getLogger(__name__)

_SPACE = 32
_STATUS_END = 3
_FULL_BYTES = 4 * 1024 * 1024
"""Beyond this what is written waits in memory for the server."""


class Message(NamedTuple):
    """A message that came; ``block`` are its headers, empty where it has none."""

    subject: str
    reply: str
    data: bytes
    block: bytes

    @property
    def status(self) -> tuple[str, str]:
        """The status of a message of the server's own, and its words; empty for others."""
        at = len(BLOCK)
        if len(self.block) <= at or self.block[at] != _SPACE:
            return "", ""
        line = self.block[at + 1 : self.block.find(b"\r\n")].decode()
        return line[:_STATUS_END], line[_STATUS_END + 1 :]


Heard = Callable[[Message], None]


def command(subject: str, payload: bytes, reply: str = "", block: bytes = b"") -> bytes:
    """Return the command that publishes a message; ``block`` has its headers, if it has any."""
    to = f"{subject} {reply}".encode() if reply else subject.encode()
    if not block:
        return b"PUB %b %d\r\n%b\r\n" % (to, len(payload), payload)
    size = len(block)
    return b"HPUB %b %d %d\r\n%b%b\r\n" % (to, size, size + len(payload), block, payload)


class WireClient(Client):
    """Subscriptions are made by ``hear``; all else is the client's."""

    def __init__(self, user: str = "") -> None:
        """``user`` is the nkey that signs, where no JWT names it."""
        super().__init__()
        self._public_nkey = user or None
        self._heard: dict[int, Heard] = {}

    def write(self, commands: list[bytes]) -> bool:
        """Send commands; return whether there is room for more, else ``drained`` is waited for."""
        transport = self._transport
        if transport is None or self._pending:
            self._pending += commands
            self._pending_data_size += sum(map(len, commands))
            return False
        transport.writelines(commands)
        writer: Any = getattr(transport, "_io_writer", None)  # a WebSocket has none
        return writer is not None and writer.transport.get_write_buffer_size() < _FULL_BYTES

    async def drained(self) -> None:
        """Wait until what was written is on its way."""
        await self._flush_pending()
        if self._transport is not None:
            await self._transport.drain()  # type: ignore[no-untyped-call]

    async def hear(self, subject: str, heard: Heard) -> Subscription:
        """Subscribe: ``heard`` is called with each message as it is read."""
        self._heard[self._sid + 1] = heard  # before the first message
        return await self.subscribe(subject)

    async def unhear(self, subscription: Subscription) -> None:
        """Subscribe no more, once what is on its way was heard."""
        with contextlib.suppress(Exception):
            await subscription.drain()  # type: ignore[no-untyped-call]
        self._heard.pop(subscription._id, None)

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        heard = self._heard.get(sid)
        if heard is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        try:
            heard(Message(subject.decode(), reply.decode(), data, headers or b""))
        except Exception:  # of one message: the connection goes on
            log.exception("a message of NATS", extra={"subject": subject.decode()})

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
