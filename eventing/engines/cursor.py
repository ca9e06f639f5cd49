"""How far one consumer is: what it was given, and what of that is not settled yet. Pure.

Deliveries end in any order. The state to keep is the sequence number up to which events were
given, and the few below it that are still open; that is also all that is given again after a
crash. Open events may have notes; an event with a note that is not open is set aside.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CursorState:
    """What is saved of a cursor. Sequence numbers count the events of a log from 0."""

    next: int
    """The first event that was not given yet."""
    open: tuple[int, ...] = ()
    """Events below it that were given and not settled, ascending; without those set aside."""
    notes: Mapping[int, str] = field(default_factory=dict)
    """What is kept with open events and with those set aside."""

    @property
    def first(self) -> int:
        """The oldest event to be given again."""
        return self.open[0] if self.open else self.next

    @property
    def low(self) -> int:
        """The oldest event still needed."""
        return min(self.first, min(self.notes, default=self.first))

    def moved(self, to: int) -> CursorState:
        """Return the state in which all from there on is given, and nothing else.

        What is set aside below stays so.
        """
        aside = self.notes.keys() - set(self.open)
        return CursorState(to, (), {at: self.notes[at] for at in aside if at < to})


class Cursor:
    """A cursor in memory."""

    def __init__(self, state: CursorState) -> None:
        self.next = state.next
        self._open = set(state.open)
        self._notes = dict(state.notes)
        self._kept: Mapping[int, str] | None = None
        """A copy of the notes as they are, made when one is asked for."""
        self._order = sorted(self._open | set(self._notes))  # a heap: ascending lists are
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
        if self._notes:
            self._forget_note(sequence)

    def is_open(self, sequence: int) -> bool:
        """Whether an event was given and is not settled."""
        return sequence in self._open

    # -- notes -------------------------------------------------------------------------------

    def note(self, sequence: int, text: str) -> None:
        """Keep a text with an open event; an empty one removes it."""
        if sequence not in self._open:
            return
        if text:
            self._put_note(sequence, text)
        else:
            self._forget_note(sequence)

    def note_of(self, sequence: int) -> str:
        """Return what is kept with an event."""
        return self._notes.get(sequence, "")

    def park(self, sequence: int, text: str) -> None:
        """Set an open event aside."""
        if sequence in self._open:
            self._put_note(sequence, text or "-")
            self._open.discard(sequence)

    def recall(self, sequence: int) -> None:
        """Make an event that is set aside an open one again."""
        if self.is_parked(sequence):
            self.take(sequence)

    def is_parked(self, sequence: int) -> bool:
        """Whether an event is set aside."""
        return sequence in self._notes and sequence not in self._open

    def parked(self) -> dict[int, str]:
        """Return all events that are set aside, ascending, with their notes."""
        found = sorted(set(self._notes) - self._open)
        return {sequence: self._notes[sequence] for sequence in found}

    def _put_note(self, sequence: int, text: str) -> None:
        self._notes[sequence] = text
        self._kept = None
        self.changed = True

    def _forget_note(self, sequence: int) -> None:
        if self._notes.pop(sequence, None) is not None:
            self._kept = None
            self.changed = True

    # -- what is left ------------------------------------------------------------------------

    @property
    def low(self) -> int:
        """The oldest event still needed."""
        order = self._order
        while order and order[0] not in self._open and order[0] not in self._notes:
            heapq.heappop(order)
        return order[0] if order else self.next

    @property
    def first(self) -> int:
        """The oldest event that was not settled, nor set aside."""
        return min(self._open, default=self.next) if self._notes else self.low

    @property
    def pending(self) -> int:
        """How many events are open."""
        return len(self._open)

    @property
    def is_worked_on(self) -> bool:
        """Whether there are open events without a note: as those are that are tried at once."""
        return not self._open <= self._notes.keys()

    @property
    def is_needed(self) -> bool:
        """Whether any event is open or set aside."""
        return bool(self._open or self._notes)

    def state(self) -> CursorState:
        """Return what is to be saved."""
        if self._kept is None:
            self._kept = dict(self._notes)
        return CursorState(self.next, tuple(sorted(self._open)), self._kept)


States = Mapping[str, CursorState]


def encode_states(changes: Mapping[str, CursorState | None], known: States | None = None) -> bytes:
    """Return one batch of cursor changes as text; None removes a cursor.

    Of notes only those are written that are not ``known`` to be written, and None for those gone.
    """
    table: dict[str, Any] = {}
    for key, state in changes.items():
        before = known.get(key) if known else None
        table[key] = None if state is None else _entry(state, before.notes if before else {})
    return json.dumps(table, separators=(",", ":")).encode()


def _entry(state: CursorState, before: Mapping[int, str]) -> list[Any]:
    entry: list[Any] = [state.next, list(state.open)]
    if state.notes is not before:
        notes: dict[int, str | None] = {
            sequence: text for sequence, text in state.notes.items() if before.get(sequence) != text
        }
        notes |= dict.fromkeys(before.keys() - state.notes.keys())
        if notes:
            entry.append(notes)
    return entry


def decode_states(payload: bytes, known: States | None = None) -> dict[str, CursorState | None]:
    """Return the states that a batch leads to, from those ``known`` before it."""
    states: dict[str, CursorState | None] = {}
    for key, entry in json.loads(payload).items():
        before = known.get(key) if known else None
        states[key] = None if entry is None else _state(entry, before.notes if before else {})
    return states


def _state(entry: list[Any], before: Mapping[int, str]) -> CursorState:
    notes = before
    if len(entry) > 2:
        changes = {int(sequence): text for sequence, text in entry[2].items()}
        merged = {**before, **changes}
        notes = {sequence: text for sequence, text in merged.items() if text is not None}
    return CursorState(int(entry[0]), tuple(map(int, entry[1])), notes)
