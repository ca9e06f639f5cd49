"""Limits of the local log. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LogLimits:
    """Sizes of one log, in bytes unless they say otherwise."""

    segment_bytes: int = 32 * MIB
    """A file is followed by the next one at this size."""
    log_bytes: int = 1024 * MIB
    """What may be kept for slow consumers; beyond it producers are asked to wait (429)."""
    kept_bytes: int = 128 * MIB
    """What of events that nobody needs any more is kept to be looked at and replayed."""
    pending_bytes: int = 32 * MIB
    """Events waiting in memory to be written; more are refused for now (429)."""
    stale_events: int = 50_000
    """An idle consumer's saved cursor this far behind is saved anew: a restart reads little."""

    @property
    def own_bytes(self) -> int:
        """What of the broker's own events a log takes beyond ``log_bytes``.

        A file goes once all in it is settled, and as much as is kept after it. Which of the answers
        that wait come first is chance: there is room for one to each event, and for what is kept.
        """
        return self.log_bytes + self.kept

    @property
    def kept(self) -> int:
        """``kept_bytes``, but never so much that a log is full of what nobody needs."""
        return min(self.kept_bytes, self.log_bytes // 4)
