"""Messages of a queue: each is deleted once the sink has taken it.

While an event is being sent its message is kept hidden from others, however long that takes; one
that is not taken shows again when its time-out is over, and the queue's ``RedrivePolicy`` says when
that is enough. Messages of one group of a FIFO queue go one after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from eventing.api.integration import Sqs
from eventing.api.integrationevents import SQS
from eventing.aws.faults import Asked
from eventing.aws.queues import queue_url
from eventing.codec import Event
from eventing.sources.delivery import Delivery
from eventing.sources.integration.aws.outlet import is_taken
from eventing.sources.integration.aws.polling import Polled, unless
from eventing.sources.integration.events import event_of

log = logging.getLogger(__name__)

_MOST_AT_ONCE = 10
_USUAL_WAIT_SECONDS = 5
"""How long a look waits where the source does not say: as Knative's image does."""
_MOST_WAIT_SECONDS = 20
_USUAL_HIDDEN_SECONDS = 30.0


def sqs_event(message: Mapping[str, Any], overrides: Mapping[str, str]) -> Event:
    """Return the event of a message; one that comes again has the same id. Pure."""
    sent = float((message.get("Attributes") or {}).get("SentTimestamp", 0)) / 1000
    data = str(message.get("Body", "")).encode()
    return event_of(SQS, message["MessageId"], sent, "text/plain", data, overrides=overrides)


def lanes_of(messages: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return messages that may go side by side; those of a group stay in order. Pure."""

    def group(message: Mapping[str, Any]) -> str:
        attributes = message.get("Attributes") or {}
        return str(attributes.get("MessageGroupId") or f"\0{message['MessageId']}")

    return [list(same) for _, same in groupby(sorted(messages, key=group), key=group)]


class SqsPoller:
    """Looks at a queue."""

    def __init__(self, spec: Sqs, client: Any, delivery: Delivery, asked: Asked) -> None:
        self.asked = asked
        self._spec = spec
        self._client = client
        self._delivery = delivery
        self._url = ""
        self._hidden_seconds = float(spec.visibility_timeout)

    async def open(self) -> None:
        """Find the queue, or make it."""
        self._url = await queue_url(self._client, self._spec)
        told = await self._client.get_queue_attributes(
            QueueUrl=self._url, AttributeNames=["VisibilityTimeout"]
        )
        if not self._spec.visibility_timeout:
            usual = told.get("Attributes", {}).get("VisibilityTimeout", _USUAL_HIDDEN_SECONDS)
            self._hidden_seconds = float(usual)

    async def poll(self, stopping: asyncio.Event) -> Polled:
        """Take messages, and send them."""
        spec = self._spec
        given = {"VisibilityTimeout": spec.visibility_timeout} if spec.visibility_timeout else {}
        told = await unless(
            stopping,
            self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(max(spec.max_messages_per_poll, 1), _MOST_AT_ONCE),
                WaitTimeSeconds=min(
                    spec.wait_time_seconds or _USUAL_WAIT_SECONDS, _MOST_WAIT_SECONDS
                ),
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
                **given,
            ),
        )
        messages = (told or {}).get("Messages") or []
        taken = await asyncio.gather(*(self._lane(each) for each in lanes_of(messages)))
        return Polled(len(messages), len(messages) - sum(taken), at_once=spec.greedy and any(taken))

    async def _lane(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Send messages one after the other, up to the first that is not taken."""
        for number, message in enumerate(messages):
            event = sqs_event(message, self._delivery.overrides)
            async with self._hidden(message):
                if not await is_taken(self._delivery, event, "a message"):
                    return number
                if self._spec.delete_after_read:
                    await self._client.delete_message(
                        QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"]
                    )
        return len(messages)

    @contextlib.asynccontextmanager
    async def _hidden(self, message: Mapping[str, Any]) -> AsyncIterator[None]:
        """Keep a message from showing again meanwhile."""
        task = asyncio.create_task(self._hide(message))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _hide(self, message: Mapping[str, Any]) -> None:
        while self._hidden_seconds:
            await asyncio.sleep(self._hidden_seconds / 2)
            try:
                await self._client.change_message_visibility(
                    QueueUrl=self._url,
                    ReceiptHandle=message["ReceiptHandle"],
                    VisibilityTimeout=max(int(self._hidden_seconds), 1),
                )
            except Exception as error:
                log.warning("a message may come again: %s", error)
