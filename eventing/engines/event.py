"""Events as engines take and give them: rendered once, on the way in. Pure.

How an engine lays them out (frames on disk, messages of a server) is its own matter.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import orjson

from eventing.codec import Event, attributes_of_head

Position = Hashable
"""Where an event lies in its log. Opaque: made and read by the engine alone."""

CAUSES = ""
"""Where ``types`` has them."""

_CAUSES_KEY = b'"":'
_OVERHEAD_BYTES = 200


@dataclass(slots=True, eq=False)
class RenderedEvent:
    """An event ready to be sent, with what the broker knows about it."""

    arrival_ns: int
    """When it arrived, in nanoseconds since 1970."""
    ttl: int
    """How many more times it may enter a broker (Knative's ``knativebrokerttl``)."""
    head: bytes
    """Its binary-mode header lines, each ended by CR LF."""
    types: bytes
    """A JSON object of the attributes that are not strings, or nothing.

    Under an empty name, which no attribute has: ``causes``.
    """
    data: bytes
    known_attributes: dict[str, str] | None = None
    """The attributes where they are known already; else they are read off the head."""

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes in text form, as filters see them."""
        if self.known_attributes is None:
            self.known_attributes = attributes_of_head(self.head)
        return self.known_attributes

    @property
    def size(self) -> int:
        """About how many bytes it holds in memory."""
        return len(self.head) + len(self.data) + _OVERHEAD_BYTES

    @property
    def causes(self) -> tuple[str, ...]:
        """The subscriptions through which it came to be, as replies to replies; oldest first."""
        if _CAUSES_KEY not in self.types:
            return ()
        return tuple(orjson.loads(self.types)[CAUSES])

    def to_event(self) -> Event:
        """Return the event with the types that its attributes came with."""
        attributes: dict[str, str | int | bool] = dict(self.attributes)
        if self.types:
            attributes |= orjson.loads(self.types)
            attributes.pop(CAUSES, None)
        return Event(attributes, self.data or None, self.head)


@dataclass(slots=True, eq=False)
class StoredEvent(RenderedEvent):
    """An event of a log."""

    position: Position = None
