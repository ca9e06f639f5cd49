"""Which records of a partition are done with, so up to where may be committed. Pure."""

from __future__ import annotations


class Offsets:
    """The records of one partition that were handed out."""

    def __init__(self, begins: int) -> None:
        """``begins`` is the first record that is handed out."""
        self._committed = begins
        self._next = begins
        """One past the last record that was handed out."""
        self._open: set[int] = set()

    def taken(self, offset: int) -> None:
        """Note that a record is worked on. Offsets between it and the one before carry none."""
        self._open.add(offset)
        self._next = offset + 1

    def settled(self, offset: int) -> None:
        """Note that a record is done with."""
        self._open.discard(offset)

    @property
    def pending(self) -> int:
        """How many records are worked on."""
        return len(self._open)

    @property
    def place(self) -> int:
        """Where a consumer that comes after us has to begin."""
        return min(self._open, default=self._next)

    def to_commit(self) -> int | None:
        """Return what to commit; None where that is done."""
        place = self.place
        return place if place > self._committed else None

    def committed(self, place: int) -> None:
        """Note what was committed."""
        self._committed = max(self._committed, place)
