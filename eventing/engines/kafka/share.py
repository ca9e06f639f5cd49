"""How far one consumer is in one partition. Pure."""

from __future__ import annotations

from typing import NamedTuple, cast

from eventing.engines.cursor import Cursor, CursorState
from eventing.engines.event import StoredEvent
from eventing.engines.kafka.tails import Portion


class At(NamedTuple):
    """A position."""

    partition: int
    offset: int


def text_of(at: At) -> str:
    """Return a position as text."""
    return f"{at.partition}:{at.offset}"


def at_of(text: str) -> At:
    """Return the position that a text means; raise ValueError for none."""
    partition, _, offset = text.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise ValueError(f"{text} is no position of a log")
    return At(int(partition), int(offset))


class Share:
    """How far a consumer is in one partition."""

    def __init__(self, state: CursorState) -> None:
        self.cursor = Cursor(state)
        self.saved: CursorState | None = state
        self.following = state.first
        """Where to go on."""
        self._resumed = set(state.open)
        """Open events of an earlier process that reading has not come to yet."""

    def passed(self, oldest: int) -> int:
        """How many events were still to be given that lie before the oldest there is."""
        again = sum(each < oldest for each in self._resumed)
        return again + max(0, oldest - max(self.cursor.next, self.following))

    def take(self, portion: Portion) -> list[StoredEvent]:
        """Return those events that are not settled; reading has come to the end of the portion."""
        taken = [e for e in portion.events if self._take(cast(At, e.position).offset)]
        self.following = max(self.following, portion.following)
        self.cursor.advance(self.following)
        for gone in [each for each in self._resumed if each < self.following]:
            self._resumed.discard(gone)
            self.cursor.done(gone)
        return taken

    def _take(self, offset: int) -> bool:
        if offset < self.cursor.next:
            is_open = offset in self._resumed
            self._resumed.discard(offset)
            return is_open
        self.cursor.take(offset)
        return True
