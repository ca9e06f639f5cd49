"""How much of what costs us something and brings nothing a peer may send. Pure: time comes in."""

from __future__ import annotations


class Budget:
    """Tokens that come back with time, and with what was of use."""

    __slots__ = ("_at", "_level", "_most", "_rate", "merit")

    # Envoy allows ten window updates for a frame of data.
    PER_MERIT = 10

    def __init__(self, most: int, rate: float, now: float) -> None:
        """At most so many tokens, so many back in a second."""
        self._most = most
        self._rate = rate
        self._level = float(most)
        self._at = now
        # Frames of use since tokens were last asked for; counted by whoever sees them.
        self.merit = 0

    def spend(self, now: float, tokens: int = 1) -> bool:
        """Take tokens; False when there are none left."""
        back = (now - self._at) * self._rate + self.merit * self.PER_MERIT
        self._level = min(float(self._most), self._level + back) - tokens
        self._at = now
        self.merit = 0
        return self._level >= 0
