"""How far one consumer is: what it was given, and what of that is not settled yet. Pure.

Deliveries end in any order. The state to keep is the sequence number up to which events were
given, and the few below it that are still open; that is also all that is given again after a
crash.
"""

from __future__ import annotations

import heapq
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CursorState:
    """What is saved of a cursor. Sequence numbers count the events of a log from 0."""

    next: int
    """The first event that was not given yet."""
    open: tuple[int, ...] = ()
    """Events below it that were given and not settled, ascending."""

    @property
    def low(self) -> int:
        """The oldest event still needed."""
        return self.open[0] if self.open else self.next


class Cursor:
    """A cursor in memory."""

    def __init__(self, state: CursorState) -> None:
        self.next = state.next
        self._open = set(state.open)
        self._order = list(state.open)  # a heap: ascending lists are
        self.changed = False

    def advance(self, to: int) -> None:
        """Note that everything below was looked at."""
        if to > self.next:
            self.next = to
            self.changed = True

    def take(self, sequence: int) -> None:
        """Note that an event was given and is to be settled."""
        if sequence not in self._open:
            self._open.add(sequence)
            heapq.heappush(self._order, sequence)
            self.changed = True
        self.advance(sequence + 1)

    def done(self, sequence: int) -> None:
        """Note that an event is settled."""
        if sequence in self._open:
            self._open.discard(sequence)
            self.changed = True

    @property
    def low(self) -> int:
        """The oldest event still needed."""
        order = self._order
        while order and order[0] not in self._open:
            heapq.heappop(order)
        return order[0] if order else self.next

    @property
    def pending(self) -> int:
        """How many events are open."""
        return len(self._open)

    def state(self) -> CursorState:
        """Return what is to be saved."""
        return CursorState(self.next, tuple(sorted(self._open)))


def encode_states(states: dict[str, CursorState | None]) -> bytes:
    """Return one batch of cursor changes as text; None removes a cursor."""
    table = {key: None if s is None else [s.next, list(s.open)] for key, s in states.items()}
    return json.dumps(table, separators=(",", ":")).encode()


def decode_states(payload: bytes) -> dict[str, CursorState | None]:
    """Return the changes of one batch."""
    table: dict[str, Any] = json.loads(payload)
    return {
        key: None if entry is None else CursorState(int(entry[0]), tuple(map(int, entry[1])))
        for key, entry in table.items()
    }
