"""Events that came before: the same source and id, at another place of the log, not long ago. Pure.

Delivery is at least once, and a producer that got no answer sends again: the log then has an event
twice. An event that is read anew from its place is no duplicate of itself.
"""

from __future__ import annotations

from collections import OrderedDict

from eventing.engines.event import Position, RenderedEvent

MOST = 100_000
"""No more events are remembered, whatever the window is."""

Key = tuple[str, str]
"""Source and id: together they name an event (CloudEvents, section 3.1.1)."""


def key_of(event: RenderedEvent) -> Key:
    """Return what names an event."""
    attributes = event.attributes
    return attributes.get("source", ""), attributes.get("id", "")


class Duplicates:
    """Remembers the first of each for a window of time, by when events arrived."""

    def __init__(self, window_seconds: float, *, most: int = MOST) -> None:
        self._window_ns = int(window_seconds * 1e9)
        self._most = most
        self._first: OrderedDict[Key, tuple[int, Position]] = OrderedDict()

    def is_duplicate(self, key: Key, arrival_ns: int, position: Position) -> bool:
        """Whether an event came before; remember it where it did not."""
        self._forget(arrival_ns - self._window_ns)
        known = self._first.get(key)
        if known is None:
            self._first[key] = (arrival_ns, position)
            if len(self._first) > self._most:
                self._first.popitem(last=False)
            return False
        return known[1] != position

    def _forget(self, before_ns: int) -> None:
        """Events arrive in order, but for a clock that was set back: then some stay longer."""
        first = self._first
        while first:
            arrival_ns, _ = next(iter(first.values()))
            if arrival_ns >= before_ns:
                return
            first.popitem(last=False)

    def __len__(self) -> int:
        return len(self._first)
