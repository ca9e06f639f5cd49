"""Settings of the data plane: limits of the ingress, of the delivery client, of subscriptions.

Bytes and seconds, as the names say. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from eventing.runtime.breaker import BreakerLimits

KIB = 1024
MIB = 1024 * KIB

MAX_EVENT_BYTES = 8 * MIB
"""The largest event taken in, and the largest answer read: body and attributes."""


MAX_ATTRIBUTE_BYTES = 64 * KIB
"""Attributes become headers of deliveries; few servers take more."""


@dataclass(frozen=True, slots=True)
class IngressLimits:
    """What a producer may send, and how long it may take."""

    event_bytes: int = MAX_EVENT_BYTES
    attribute_bytes: int = MAX_ATTRIBUTE_BYTES
    header_bytes: int = 64 * KIB
    headers: int = 200
    waiting_requests: int = 10_000
    """Requests that wait for the reply to an event, in the whole process."""
    pipelined: int = 64
    """Requests of one connection that wait for their answer; no more are read meanwhile."""
    head_seconds: float = 10.0
    """The head of a request must be whole this long after it began."""
    request_seconds: float = 60.0
    """A request must be whole this long after it began."""
    idle_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """How deliveries use connections."""

    answer_bytes: int = MAX_EVENT_BYTES
    connect_seconds: float = 10.0
    idle_seconds: float = 30.0
    sweep_seconds: float = 0.1
    """How often deadlines are looked after."""


@dataclass(frozen=True, slots=True)
class SlotLimits:
    """How many deliveries of one subscription may be under way at once."""

    initial: int = 16
    min: int = 1
    max: int = 128

    def up_to(self, most: int) -> SlotLimits:
        """These limits, but never more than so many at once; 0 changes nothing."""
        if not most:
            return self
        return SlotLimits(initial=min(self.initial, most), min=min(self.min, most), max=most)


@dataclass(frozen=True, slots=True)
class SubscriptionLimits:
    """What subscriptions hold in memory before they go on from their log."""

    held_bytes: int = 4 * MIB
    """More than this held for one subscription, and it goes on from the log."""
    held_events: int = 10_000
    process_bytes: int = 256 * MIB
    """What all subscriptions of a process hold together before each holds little."""
    fetch_bytes: int = 512 * KIB
    short_fetch_bytes: int = 32 * KIB
    """As much as a subscription fetches, and holds, while memory of the process is short."""
    slots: SlotLimits = SlotLimits()
    breaker: BreakerLimits = field(default_factory=BreakerLimits)
    attribute_bytes: int = MAX_ATTRIBUTE_BYTES
    """What the attributes of a reply may have together."""
    batch_bytes: int = MIB
    """Events sent together are no more than about this, unless one alone is."""
    dead_letter_pause_seconds: float = 600.0
    """Before a dead letter sink that does not answer is tried again."""
    parked_events: int = 10_000
    """How many events a subscription holds that nobody takes; further ones wait in its queue."""
    joined_parts: int = 50_000
    """How many parts of joins one Parallel waits with; further ones wait in the log."""
    joined_bytes: int = 7 * MIB
    """Data of a joined event, at most."""
    join_memory_seconds: float = 600.0
    """So long beyond its time limit it is known that a join is done, after a restart too."""
    waiting_events: int = 10_000
    """How many events of a subscription wait for their time in the log; others do in memory."""
    drop_log_seconds: float = 10.0
    """Drops are logged this often at most, for each subscription."""


@dataclass(frozen=True, slots=True)
class JourneyLimits:
    """What is kept of what became of events, for each addressable."""

    bytes: int = 32 * MIB
    """On disk, packed; beyond it the oldest goes."""
    file_bytes: int = 4 * MIB
    """A file is followed by the next one at this size."""
    waiting_bytes: int = 16 * MIB
    """Notes in memory until they are written, at most; others are lost."""


@dataclass(frozen=True, slots=True)
class RuntimeLimits:
    """All limits of a data plane process."""

    ingress: IngressLimits = IngressLimits()
    client: ClientLimits = ClientLimits()
    subscriptions: SubscriptionLimits = SubscriptionLimits()
    journeys: JourneyLimits = JourneyLimits()
    checkpoint_seconds: float = 0.1
    """How often positions of subscriptions are saved: what a crash repeats at most."""
    grace_seconds: float = 5.0
    """What deliveries under way are given at the end of the process."""
