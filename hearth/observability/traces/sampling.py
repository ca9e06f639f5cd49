"""Which traces are recorded. Pure: chance comes in.

As Knative sets OpenTelemetry's samplers: rate 0 records nothing, whatever callers say, and rate 1
everything; between them whoever began a trace has decided, and of traces that begin here the ratio
is taken by the trace id, so that others who look at the id decide alike.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, log1p
from random import getrandbits

from hearth.observability.traces.context import TraceContext

Bits = Callable[[int], int]
"""Returns a random number of so many bits."""

_RANGE = 1 << 64
_MOST_LEFT = 1 << 62


def new_span_id(bits: Bits = getrandbits) -> bytes:
    """Return the id of a new span."""
    return b"%016x" % (bits(64) or 1)


class Sampler:
    """``rate`` is a share of traces, 0 to 1.

    How many traces are passed over until the next one is recorded is drawn once for all of them
    (it has a geometric distribution), so a trace that is not recorded costs a subtraction.
    """

    __slots__ = ("_bound", "_per_miss", "left", "rate")

    def __init__(self, rate: float = 0.0) -> None:
        self.rate = rate
        self._bound = int(rate * _RANGE)
        self._per_miss = log1p(-rate) if rate < 1.0 else -inf
        self.left = -1
        """Traces that are passed over before the next one that is recorded; -1: not drawn yet.

        Who takes one off himself while there are some need not call ``begin``.
        """

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
        if self.left > 0:
            self.left -= 1
            return None
        return self._drawn(bits)

    def _drawn(self, bits: Bits) -> tuple[TraceContext, bool] | None:
        if not self._bound:
            return None
        if self.left < 0:
            self._draw(bits)
            return self.begin(bits)
        self._draw(bits)
        low = bits(64) * self._bound >> 64  # of the ids that are recorded, any
        return TraceContext(b"%016x%016x" % (bits(64) or 1, low), b"", 1), False

    def _draw(self, bits: Bits) -> None:
        chance = (bits(53) + 1) / (1 << 53)  # above 0, up to 1
        self.left = int(min(log(chance) / self._per_miss, _MOST_LEFT))
