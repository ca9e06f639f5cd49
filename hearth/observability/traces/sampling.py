"""Which traces are recorded. Pure: chance comes in.

As Knative sets OpenTelemetry's samplers: rate 0 records nothing, whatever callers say, and rate 1
everything; between them whoever began a trace has decided, and of traces that begin here the ratio
is taken by the trace id, so that others who look at the id decide alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import getrandbits

from hearth.observability.traces.context import TraceContext

Bits = Callable[[int], int]
"""Returns a random number of so many bits."""

_RANGE = 1 << 63


def new_span_id(bits: Bits = getrandbits) -> bytes:
    """Return the id of a new span."""
    return b"%016x" % (bits(64) or 1)


@dataclass(frozen=True, slots=True)
class Sampler:
    """``rate`` is a share of traces, 0 to 1."""

    rate: float = 0.0

    def parent_of(
        self, given: TraceContext | None, bits: Bits = getrandbits
    ) -> tuple[TraceContext, bool] | None:
        """Return the context whose child is to be recorded, and whether it was given.

        Of a trace that begins here only the trace id counts. None where nothing is recorded.
        """
        rate = self.rate
        if rate <= 0.0:
            return None
        if given is not None:
            if given.flags & 1:
                return given, True
            return (given._replace(flags=given.flags | 1), True) if rate >= 1.0 else None
        low = bits(64)
        if low >> 1 >= rate * _RANGE:
            return None
        high = bits(64) or 1
        return TraceContext(b"%016x%016x" % (high, low), b"", 1), False
