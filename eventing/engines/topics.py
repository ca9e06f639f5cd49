"""Topics of Kafka that events are written to and nobody here reads: what KafkaSinks need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from eventing.codec import Event
from eventing.engines.seam import Refused, Unavailable

NO_ADMIN = "Failed to obtain Kafka cluster admin"
NOT_PRESENT = "Topic is not present or invalid"
"""Upstream's reasons."""

Written = Callable[[Refused | None], None]
"""Called once events are durable, or cannot be written."""


class TopicProblem(Unavailable):
    """A topic cannot be used now; ``reason`` is upstream's."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """A topic, where it is, and who we are there."""

    servers: str
    """Addresses, parted by commas."""
    topic: str
    partitions: int | None = None
    replicas: int | None = None
    """With both it is ours: made where there is none, and removed."""
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What upstream's Secrets say; nothing where nobody asks who we are."""

    @property
    def where(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """Return what tells topics, and users of them, apart."""
        return self.servers, self.topic, tuple(sorted(self.secret.items()))

    @property
    def is_ours(self) -> bool:
        """Whether it is made, and removed."""
        return self.partitions is not None and self.replicas is not None


class Outlet(Protocol):
    """Writes events to one topic."""

    def write(self, events: Sequence[Event], done: Written, *, structured: bool) -> None:
        """Write all; raise Refused where they cannot be taken now."""


class Topics(Protocol):
    """The topics that events are written to."""

    async def open(self, wanted: WantedTopic) -> Outlet:
        """Return who writes to a topic, which is made if it is ours; raise TopicProblem."""
        ...

    async def drop(self, wanted: WantedTopic) -> None:
        """Remove a topic; raise TopicProblem."""

    async def release(self, wanted: WantedTopic) -> None:
        """Write to it no more."""

    async def close(self) -> None:
        """Write to none any more."""
