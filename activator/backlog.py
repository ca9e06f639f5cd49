"""The requests that wait for pods of one target, in order of arrival, within bounds. Pure.

What a backlog may hold is bounded for each target, and for all of an activator together
(``Room``), so that one target's flood leaves room for the others: a backlog may grow while it holds
less than what is still free. One that floods alone gets half of the room; several come to equal
parts as requests come and go, and as much as one of them has stays free for whoever comes next
(dynamic thresholds, Choudhury and Hahne 1998, as switches share their buffers).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

from activator.pods import Pod
from serving.api.config.gateway import BacklogLimits

T = TypeVar("T")

DEFAULT_LIMITS = BacklogLimits()


class Room:
    """What all backlogs of an activator hold together. ``limits`` may change at any time."""

    __slots__ = ("limits", "octets", "requests")

    def __init__(self, limits: BacklogLimits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.requests = 0
        self.octets = 0

    def has_more(self, requests: int, octets: int) -> bool:
        """Whether a backlog that is to hold so much may do so beside the others."""
        limits = self.limits
        return (
            requests <= limits.all_requests - self.requests
            and octets <= limits.all_octets - self.octets
        )


class Wish(Protocol):
    """A request that would rather go to one pod than to others."""

    def near(self) -> Pod | None:
        """That pod, as things are now."""


class Ticket(Generic[T]):
    """A place in a backlog; ``since`` is when its owner came, in seconds on some clock."""

    __slots__ = ("live", "owner", "since", "size", "wish")

    def __init__(self, owner: T, size: int, since: float, wish: Wish | None) -> None:
        self.owner = owner
        self.size = size
        self.since = since
        self.wish = wish
        self.live = True


class Backlog(Generic[T]):
    """One target's. T is whoever waits; its length is how many do.

    Places that are left are gone at once: one that nobody serves for hours must not grow by those
    who came and went.
    """

    __slots__ = ("_again", "_room", "_tickets", "octets", "refused_here", "refused_together")

    def __init__(self, room: Room) -> None:
        self._room = room
        # Those who had a pod and lost it came before all others.
        self._again: OrderedDict[Ticket[T], None] | None = None
        self._tickets: OrderedDict[Ticket[T], None] = OrderedDict()
        self.octets = 0
        self.refused_here = 0
        """Requests that found no place because of the target's own bounds."""
        self.refused_together = 0
        """The same because of those of all targets."""

    def __len__(self) -> int:
        return len(self._tickets) + len(self._again or ())

    def add(self, owner: T, size: int, since: float, wish: Wish | None = None) -> Ticket[T] | None:
        """A place at the end, or None where there is none."""
        if not self._has_room(1, size):
            return None
        ticket = Ticket(owner, size, since, wish)
        self._tickets[ticket] = None
        self._count(1, size)
        return ticket

    def put_back(self, owner: T, size: int, since: float, wish: Wish | None = None) -> Ticket[T]:
        """A place for one that had a pod and lost it unused: before all who came after it.

        There is one however full the backlog is: it has been let in already.
        """
        ticket = Ticket(owner, size, since, wish)
        again = self._again = self._again or OrderedDict()
        is_last = not again or next(reversed(again)).since <= since
        again[ticket] = None
        if not is_last:
            self._again = OrderedDict.fromkeys(sorted(again, key=lambda each: each.since))
        self._count(1, size)
        return ticket

    def grow(self, ticket: Ticket[T], size: int) -> bool:
        """More octets of one that waits; False when there is no room for them."""
        if not ticket.live:
            return True
        if not self._has_room(0, size):
            return False
        ticket.size += size
        self._count(0, size)
        return True

    def remove(self, ticket: Ticket[T]) -> None:
        """Give up a place; of no effect a second time."""
        if ticket.live:
            waiting = self._tickets if ticket in self._tickets else self._again
            assert waiting is not None
            del waiting[ticket]
            self._leave(ticket)

    def pop(self) -> T:
        """Take the first, which there is."""
        ticket, _ = (self._again or self._tickets).popitem(last=False)
        self._leave(ticket)
        return ticket.owner

    def wish(self) -> Wish | None:
        """What the first would rather have; there is a first."""
        return next(iter(self._again or self._tickets)).wish

    def owners(self) -> list[T]:
        """Everybody, in order."""
        return [ticket.owner for ticket in (*(self._again or ()), *self._tickets)]

    def _leave(self, ticket: Ticket[T]) -> None:
        ticket.live = False
        self._count(-1, -ticket.size)

    def _count(self, requests: int, octets: int) -> None:
        self.octets += octets
        self._room.requests += requests
        self._room.octets += octets

    def _has_room(self, requests: int, octets: int) -> bool:
        limits = self._room.limits
        count, held = len(self) + requests, self.octets + octets
        if count > limits.requests or held > limits.octets:
            self.refused_here += 1
        elif not self._room.has_more(count, held):
            self.refused_together += 1
        else:
            return True
        return False
