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


Recorded = Callable[[], Span]
"""Makes a span of what was noted. Called once, later, in the thread that exports: what does not
have to be done on the way of a request is done there, for many at once.
"""
