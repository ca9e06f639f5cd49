"""Whose turn it is to open a connection: bounded for all, and fair between pods. Pure.

Opening takes a descriptor and, where a pod's node has gone without a word, seconds. A burst for one
such pod must leave turns for the others: a pod may have one more turn while it has fewer than are
free, as backlogs share their room (``backlog``). Pods that wait for one are served in turn.
"""

from __future__ import annotations

import errno
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_SHORTAGES = frozenset(
    (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN)
)


def is_shortage(error: BaseException) -> bool:
    """Whether a connection failed for want of something of this machine: no pod is to blame."""
    return isinstance(error, OSError) and error.errno in _SHORTAGES


class DialTurns(Generic[K]):
    """K is who opens connections. ``most`` bounds how many are being opened at a time."""

    __slots__ = ("_most", "_taken", "_waiting", "under_way")

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[K, int] = {}
        self._waiting: dict[K, None] = {}
        self.under_way = 0

    def take(self, who: K) -> bool:
        """Take a turn; without one, ``give_back`` names it when it may try again."""
        if not self._has_one(who):
            self._waiting[who] = None
            return False
        self._waiting.pop(who, None)
        self._taken[who] = self._taken.get(who, 0) + 1
        self.under_way += 1
        return True

    def give_back(self, who: K) -> list[K]:
        """A turn is over; returns who may try again, the longest waiting first."""
        self.under_way -= 1
        left = self._taken.pop(who) - 1
        if left:
            self._taken[who] = left
        return [each for each in self._waiting if self._has_one(each)]

    def _has_one(self, who: K) -> bool:
        return self._taken.get(who, 0) < self._most - self.under_way
