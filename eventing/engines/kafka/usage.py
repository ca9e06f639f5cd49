"""How much of a log there is, and how much of it is needed, about. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from eventing.engines.seam import LogStats


class Usage:
    """Kafka tells how many records there are, and not how large they are."""

    def __init__(self) -> None:
        self.pending_bytes = 0
        """What Kafka has not acknowledged yet."""
        self.begins: Mapping[int, int] = {}
        self.ends: Mapping[int, int] = {}
        """Of each partition, as last seen."""
        self.lags: dict[str, int] = {}
        """How many events each consumer has not settled, as last seen."""
        self.gone = 0
        """Events that went before a consumer had them."""
        self._unseen_bytes = 0
        """What was appended since it was last asked how much is unsettled."""
        self._mean = 1024.0
        """Bytes of an event, about."""

    def answered(self, size: int, count: int, *, is_stored: bool) -> None:
        """Note that Kafka has answered for so many events of so many bytes in all."""
        self.pending_bytes -= size
        if is_stored:
            self._unseen_bytes += size
            self._mean += (size / count - self._mean) / 16

    @property
    def unseen_bytes(self) -> int:
        """What ``looked`` is told of, once what it brings has been asked for after this."""
        return self._unseen_bytes

    def looked(
        self,
        begins: Mapping[int, int],
        ends: Mapping[int, int],
        lags: dict[str, int],
        seen_bytes: int,
    ) -> None:
        """Take in how much there is now, and how much of it each consumer has not settled."""
        self.begins, self.ends, self.lags = begins, ends, lags
        self._unseen_bytes -= seen_bytes

    @property
    def unsettled(self) -> int:
        """How many events the slowest consumer has not settled."""
        return max(self.lags.values(), default=0)

    @property
    def needed_bytes(self) -> int:
        """Bytes that are unsettled, or may be."""
        return int(self.unsettled * self._mean) + self._unseen_bytes + self.pending_bytes

    def stats(self, problem: str) -> LogStats:
        """Return it for the seam."""
        events = sum(self.ends.values()) - sum(self.begins.values())
        return LogStats(
            size_bytes=int(events * self._mean) + self._unseen_bytes,
            needed_bytes=int(self.unsettled * self._mean),
            events=self.unsettled,
            gone=self.gone,
            problem=problem,
        )
