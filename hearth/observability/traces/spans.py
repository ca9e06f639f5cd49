"""A span that has ended, as it is handed on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from hearth.observability.traces.context import TraceContext

Value = str | int | float | bool


class SpanKind(Enum):
    """What a span is to others, by OpenTelemetry's names."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


class Shared:
    """Attributes that several spans have, written in a protocol's form once for all of them."""

    __slots__ = ("attributes", "encoded")

    def __init__(self, attributes: Mapping[str, Value]) -> None:
        self.attributes = attributes
        self.encoded = b""
        """By who writes them; empty where nobody has yet."""


@dataclass(slots=True)
class Span:
    """Made when it is over, out of what was noted meanwhile."""

    name: str
    kind: SpanKind
    context: TraceContext
    """Its own place in the trace."""
    parent_id: bytes
    """The span it is a child of, in the same trace; empty where the trace begins with it."""
    start_ns: int
    """Nanoseconds since 1970."""
    end_ns: int
    attributes: Mapping[str, Value] = field(default_factory=dict)
    error: str | None = None
    """Why what it is about has failed; None where it has not."""
    is_remote: bool = False
    """Whether its parent is a span of another process."""
    shared: tuple[Shared, ...] = ()
    """Further attributes, of other names."""

    @property
    def all_attributes(self) -> dict[str, Value]:
        """Its attributes, and those that it shares."""
        told: dict[str, Value] = {}
        for each in self.shared:
            told.update(each.attributes)
        told.update(self.attributes)
        return told


Recorded = Callable[[], Span]
"""Makes a span of what was noted. Called once, later, in the thread that exports: what does not
have to be done on the way of a request is done there, for many at once.
"""
