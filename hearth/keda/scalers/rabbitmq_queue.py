"""A queue of RabbitMQ in numbers, and what the modes of a trigger make of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from hearth.keda.scalers.seam import Reading

MODES = (
    "QueueLength",
    "MessageRate",
    "DeliverGetRate",
    "PublishedToDeliveredRatio",
    "ExpectedQueueConsumptionTime",
)


@dataclass(frozen=True, slots=True)
class Queue:
    """Messages, how many of them are ready, and messages a second that come in and go out."""

    messages: float = 0
    ready: float = 0
    published: float = 0.0
    delivered: float = 0.0


def queue_of(document: Mapping[str, Any]) -> Queue:
    """Read what the management API says of a queue; one never used has no rates."""
    rates = document.get("message_stats") or {}
    return Queue(
        document.get("messages") or 0,
        document.get("messages_ready") or 0,
        (rates.get("publish_details") or {}).get("rate") or 0.0,
        (rates.get("deliver_get_details") or {}).get("rate") or 0.0,
    )


def composed(queues: Sequence[Queue], operation: str) -> Queue:
    """Return several queues as one: ``sum``, ``avg`` (whole messages) or ``max`` of each number."""
    if not queues:
        return Queue()
    columns = zip(*map(astuple, queues), strict=True)
    if operation == "max":
        return Queue(*map(max, columns))
    total = Queue(*map(sum, columns))
    if operation == "sum":
        return total
    count = len(queues)
    return Queue(
        total.messages // count,
        total.ready // count,
        total.published / count,
        total.delivered / count,
    )


def reading(queue: Queue, mode: str, activation: float) -> Reading:
    """Return a mode's value and activity."""
    return _MODES[mode](queue, activation)


def _length(queue: Queue, activation: float) -> Reading:
    return Reading(queue.messages, queue.messages > activation)


def _message_rate(queue: Queue, activation: float) -> Reading:
    return Reading(queue.published, max(queue.published, queue.messages) > activation)


def _delivery_rate(queue: Queue, activation: float) -> Reading:
    return Reading(queue.delivered, queue.delivered > activation)


def _ratio(queue: Queue, activation: float) -> Reading:
    """Nobody takes what is published: active, and no ratio is known."""
    if queue.published > 0 and queue.delivered == 0:
        return Reading(activation, True)
    ratio = queue.published / queue.delivered if queue.published > 0 else 0.0
    return Reading(ratio, ratio > activation)


def _time(queue: Queue, activation: float) -> Reading:
    """Seconds until the queue is empty, at these rates; none where it empties faster than that."""
    if queue.messages == 0:
        return Reading(0.0, False)
    if queue.delivered == 0:
        return Reading(activation, True)
    growth = (queue.published - queue.delivered) / queue.delivered
    seconds = growth + queue.messages / queue.delivered
    return Reading(max(0.0, seconds), seconds > activation)


_MODES: dict[str, Callable[[Queue, float], Reading]] = dict(
    zip(MODES, (_length, _message_rate, _delivery_rate, _ratio, _time), strict=True)
)
