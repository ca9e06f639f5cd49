"""A consumer whose events one process at a time is given, in order (ADR-42, ``pinned_client``).

The server pins whoever pulls first, and another when that one has not pulled for a while or says
that it leaves. What was unsettled is given again before all that follows, but in no order; so who
is pinned begins when it has all of that, and sorts it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, cast

import orjson

from eventing.engines.event import StoredEvent
from eventing.engines.nats.consumer import NatsConsumer
from eventing.engines.nats.faults import NatsError
from eventing.engines.nats.messages import header_of
from eventing.engines.nats.names import GROUP
from eventing.engines.nats.wire import Message

_PIN = b"Nats-Pin-Id"
_WRONG_PIN = "423"
_PAUSE_SECONDS = 0.05
_SECOND_NS = 10**9
_MORE_BYTES = 1024 * 1024


def settings(ack_seconds: float) -> dict[str, Any]:
    """Return what the consumer is made with: another's turn comes after ``ack_seconds``."""
    timeout = int((1.5 * ack_seconds + 1) * _SECOND_NS)
    groups = {"priority_groups": [GROUP], "priority_policy": "pinned_client"}
    return {**groups, "priority_timeout": timeout}


UNPINNED = {"priority_groups": [], "priority_policy": "none", "priority_timeout": 0}
"""The settings of one whose events several processes share."""


class PinnedConsumer(NatsConsumer):
    """All of a subscription, or nothing."""

    ordered = True
    _pin = ""
    """What says that it is our turn."""
    _turn: asyncio.Task[None] | None = None

    def _ask(self, asked: dict[str, Any]) -> None:
        super()._ask(asked | self._group())

    def _group(self) -> dict[str, str]:
        return {"group": GROUP, "id": self._pin} if self._pin else {"group": GROUP}

    def _told(self, status: str, words: str) -> None:
        if status == _WRONG_PIN:
            self._pin = ""
        super()._told(status, words)

    def _given(self, message: Message) -> None:
        pin = header_of(message.block, _PIN)
        if pin != self._pin:
            self._pin = pin
            if self._turn is None:
                self._held: list[StoredEvent] = []
                self._turn = asyncio.create_task(self._begin(), name=f"turn-{self.name}")
        super()._given(message)

    def _offer(self, event: StoredEvent) -> None:
        if self._turn is None:
            super()._offer(event)
        else:
            self._held.append(event)

    async def _begin(self) -> None:
        """Wait until all is ours that is unsettled."""
        while not await self._has_all():
            if self._due <= 0:
                self._pull(_MORE_BYTES)
            await asyncio.sleep(_PAUSE_SECONDS)
        self._turn = None
        for event in sorted(self._held, key=lambda each: cast(int, each.position)):
            super()._offer(event)

    async def _has_all(self) -> bool:
        verb = f"CONSUMER.INFO.{self._log.stream.name}.{self.name}"
        try:
            pending = int((await self._connection.call(verb))["num_ack_pending"])
        except NatsError:
            return False
        return sum(map(bool, self._open.values())) >= pending

    async def keep_alive(self) -> None:
        """Stay the one whose turn it is, however long no event is asked for."""
        if self._pin:
            asked = {"batch": 1, "max_bytes": 1, "expires": _SECOND_NS} | self._group()
            self._connection.pull(self._next, orjson.dumps(asked), self._connection.nowhere)
        await super().keep_alive()

    def close(self) -> None:
        """Stop; it is another's turn."""
        if self._turn is not None:
            self._turn.cancel()
        super().close()

    async def _leave(self) -> None:
        await super()._leave()
        if self._pin:
            await self._connection.flush()
            verb = f"CONSUMER.UNPIN.{self._log.stream.name}.{self.name}"
            with contextlib.suppress(NatsError):
                await self._connection.call(verb, {"group": GROUP})
