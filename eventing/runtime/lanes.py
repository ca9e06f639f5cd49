"""One at a time of each key, as many keys at once as may be: order per key. Pure."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """Each key is a lane with room for one; others wait behind it in the order they came in."""

    def __init__(self) -> None:
        self._lanes: dict[str, deque[T]] = {}

    def enter(self, key: str, item: T) -> bool:
        """Return whether the item may go; else it waits for its turn."""
        waiting = self._lanes.get(key)
        if waiting is None:
            self._lanes[key] = deque()
            return True
        waiting.append(item)
        return False

    def leave(self, key: str) -> T | None:
        """Return the next of a lane whose item is done with, which may go now."""
        waiting = self._lanes.get(key)
        if waiting:
            return waiting.popleft()
        self._lanes.pop(key, None)
        return None

    def clear(self) -> list[T]:
        """Give all lanes up; return all that waited, lane by lane."""
        waiting = [item for lane in self._lanes.values() for item in lane]
        self._lanes.clear()
        return waiting

    @property
    def is_empty(self) -> bool:
        """Whether no key has an item."""
        return not self._lanes
