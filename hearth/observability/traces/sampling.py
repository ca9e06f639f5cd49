"""Which traces are recorded. Pure: chance comes in.

As Knative sets OpenTelemetry's samplers: rate 0 records nothing, whatever callers say, and rate 1
everything; between them whoever began a trace has decided, and of traces that begin here the ratio
is taken by the trace id, so that others who look at the id decide alike.
"""

from __future__ import annotations

from collections.abc import Callable
from random import getrandbits

from hearth.observability.traces.context import TraceContext

Bits = Callable[[int], int]
"""Returns a random number of so many bits."""

_RANGE = 1 << 64


def new_span_id(bits: Bits = getrandbits) -> bytes:
    """Return the id of a new span."""
    return b"%016x" % (bits(64) or 1)


class Sampler:
    """``rate`` is a share of traces, 0 to 1."""

    __slots__ = ("_bound", "rate")

    def __init__(self, rate: float = 0.0) -> None:
        self.rate = rate
        self._bound = int(rate * _RANGE)

    def parent_of(
        self, given: TraceContext | None, bits: Bits = getrandbits
    ) -> tuple[TraceContext, bool] | None:
        """Return the context whose child is to be recorded, and whether it was given.

        None where nothing is recorded.
        """
        if given is None:
            return self.begin(bits)
        if given.flags & 1 and self.rate > 0.0:
            return given, True
        return (given._replace(flags=given.flags | 1), True) if self.rate >= 1.0 else None

    def begin(self, bits: Bits = getrandbits) -> tuple[TraceContext, bool] | None:
        """Begin a trace, of which only the id counts; None where it is not recorded."""
        low = bits(64)
        if low >= self._bound:
            return None
        return TraceContext(b"%016x%016x" % (bits(64) or 1, low), b"", 1), False
