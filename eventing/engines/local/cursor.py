"""Where one Trigger is in the log: what it looked at, and what of it is not delivered yet.

Deliveries end in any order. The state to keep is the position up to which events were looked at,
and the few below it that are still open; that is also all that is delivered again after a crash.
Pure.
"""

from __future__ import annotations

import heapq
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CursorState:
    """``next`` was not looked at yet; ``open`` below it, ascending, were taken and not done."""

    next: int
    open: tuple[int, ...] = ()

    @property
    def low(self) -> int:
        """The oldest event still needed."""
        return self.open[0] if self.open else self.next


class Cursor:
    """One Trigger's cursor in memory."""

    def __init__(self, state: CursorState) -> None:
        self.next = state.next
        self._open = set(state.open)
        self._order = list(state.open)  # a heap: ascending lists are
        self.changed = False

    def advance(self, to: int) -> None:
        """Everything below was looked at."""
        if to > self.next:
            self.next = to
            self.changed = True

    def take(self, sequence: int) -> None:
        """An event matched and must be delivered."""
        if sequence not in self._open:
            self._open.add(sequence)
            heapq.heappush(self._order, sequence)
            self.changed = True
        self.advance(sequence + 1)

    def done(self, sequence: int) -> None:
        """An event was delivered, dead-lettered or given up: it is not needed again."""
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
        return len(self._open)

    def state(self) -> CursorState:
        return CursorState(self.next, tuple(sorted(self._open)))


def encode_states(states: dict[str, CursorState | None]) -> bytes:
    """One batch of cursor changes as text; None removes a cursor."""
    table = {key: None if s is None else [s.next, list(s.open)] for key, s in states.items()}
    return json.dumps(table, separators=(",", ":")).encode()


def decode_states(payload: bytes) -> dict[str, CursorState | None]:
    table: dict[str, Any] = json.loads(payload)
    return {
        key: None if entry is None else CursorState(int(entry[0]), tuple(map(int, entry[1])))
        for key, entry in table.items()
    }
