"""Requests that wait, as a stream: first come, first served, in parts of any size. Pure."""

from __future__ import annotations

from collections import deque

from hearth.simulation.tally import Tally

_PARTS = 4
"""Of a group that waits from very short to long, so many waits are counted."""
_NOTHING = 1e-9


class Backlog:
    """Groups of requests that came evenly between two moments."""

    def __init__(self, tally: Tally, most: int, timeout: float) -> None:
        self.count = 0.0
        self._tally = tally
        self._most = most
        self._timeout = timeout
        self._groups: deque[tuple[float, float, float]] = deque()

    def add(self, since: float, until: float, count: float) -> None:
        """Take in who comes; there may be more than there is room for until ``take`` is called."""
        if count > 0:
            self._groups.append((since, until, count))
            self.count += count

    def take(self, since: float, until: float, count: float, *, as_they_come: bool = False) -> None:
        """Let the first so many go, evenly between two moments, or each when it comes."""
        left, moment = min(count, self.count), since
        pace = (until - since) / left if left > 0 else 0.0
        while left > _NOTHING and self._groups:
            came, last, size = self._groups[0]
            part = min(size, left)
            split = came + (last - came) * part / size
            then = moment + pace * part
            if as_they_come:
                self._tally.waited(came, 0.0, part)
            else:
                self._note((came, split), (moment, then), part)
            if part >= size - _NOTHING:
                self._groups.popleft()
            else:
                self._groups[0] = (split, last, size - part)
            left, moment = left - part, then
            self.count -= part
        if not self._groups:
            self.count = 0.0

    def _note(self, came: tuple[float, float], gone: tuple[float, float], count: float) -> None:
        for part in range(_PARTS):
            share = (part + 0.5) / _PARTS
            at = came[0] + (came[1] - came[0]) * share
            self._tally.waited(
                at, max(0.0, gone[0] + (gone[1] - gone[0]) * share - at), count / _PARTS
            )

    def give_up(self, now: float) -> None:
        """Refuse whom there is no room for, and whoever has waited for too long."""
        over = self.count - self._most
        while over > _NOTHING and self._groups:
            came, last, size = self._groups.pop()
            part = min(size, over)
            if part < size:
                self._groups.append((came, last, size - part))
            self.count -= part
            self._tally.full += part
            over -= part
        while self._groups and self._groups[0][0] + self._timeout <= now:
            _, _, size = self._groups.popleft()
            self.count -= size
            self._tally.timed_out += size

    def end(self, now: float) -> None:
        """Count who waits at the end for as long as he has waited."""
        self.take(now, now, self.count)
