"""Which activators there are, as far as one of them knows, and so which pod is whose. Pure.

Every pod has one owner among the activators, by rendezvous hashing: the one whose hash with the pod
is the highest. When one comes or goes, only pods that it takes or leaves behind move.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

HAUNTED_SECONDS = 1.0
"""Applications see within this time that a caller is gone, and end what they do for it."""
UNKNOWN_SECONDS = 10.0
"""For how long one that can neither be reached nor ruled out keeps pods from being used."""

_REMEMBERED = 10_000
"""Pods whose owner is kept in mind."""


def score(activator: str, pod: str) -> int:
    """Return how strongly an activator is drawn to a pod."""
    return int.from_bytes(blake2b(f"{activator} {pod}".encode(), digest_size=8).digest())


def owner_of(pod: str, activators: Iterable[str]) -> str:
    """Return the activator that owns a pod."""
    return max(activators, key=lambda activator: (score(activator, pod), activator))


class Members:
    """The other activators: those that are there, may be there, and were there a moment ago."""

    def __init__(self, me: str) -> None:
        self.me = me
        self._is_leaving = False
        self._there: dict[str, bool] = {}
        """Whether each of them stays, or is leaving."""
        self._unknown: dict[str, float] = {}
        """Those that may be there and may have requests in pods, and since when."""
        self._gone: dict[str, float] = {}
        """Until when requests of those that are gone may be under way."""
        self._owners: dict[str, str] = {}

    @property
    def there(self) -> list[str]:
        """The others that are there, in the order in which they came."""
        return list(self._there)

    @property
    def unknown(self) -> list[str]:
        """Others that may be there."""
        return list(self._unknown)

    @property
    def is_leaving(self) -> bool:
        """Whether this one is about to end."""
        return self._is_leaving

    def __contains__(self, peer: object) -> bool:
        return peer in self._there

    def greeting(self, now: float) -> list[str]:
        """Return whom one that has just come has to know of: they may have requests in pods."""
        gone = [peer for peer, until in self._gone.items() if until > now]
        return [*self._there, *self._unknown, *gone]

    def unreachable(self, now: float) -> list[str]:
        """Return those that have been unknown for too long."""
        return [p for p, since in self._unknown.items() if now - since > UNKNOWN_SECONDS]

    def haunted_until(self, now: float) -> float:
        """Return until when somebody who is gone may have requests in any pod."""
        return max(self._gone.values(), default=now)

    # -- changes -------------------------------------------------------------------------------

    def suspect(self, peer: str, now: float) -> None:
        """It may be there."""
        if peer != self.me and peer not in self._there:
            self._unknown.setdefault(peer, now)

    def join(self, peer: str) -> None:
        """It is there. Who was there under its name before it may have left requests behind."""
        self._unknown.pop(peer, None)
        self._there[peer] = True
        self._owners.clear()

    def lose(self, peer: str, now: float) -> None:
        """It cannot be heard any more; whether it is gone remains to be seen."""
        del self._there[peer]
        self._unknown[peer] = now
        self._owners.clear()

    def bury(self, peer: str, now: float) -> None:
        """It is gone, though applications may not have noticed yet."""
        del self._unknown[peer]
        self._gone = {name: until for name, until in self._gone.items() if until > now}
        self._gone[peer] = now + HAUNTED_SECONDS

    def leave(self, peer: str) -> None:
        """It, or this one, is about to end and owns nothing any more."""
        if peer == self.me:
            self._is_leaving = True
        else:
            self._there[peer] = False
        self._owners.clear()

    # -- who owns what -------------------------------------------------------------------------

    def owner(self, pod: str) -> str:
        """Return who owns a pod. Where all are leaving, they go on until they have ended."""
        owner = self._owners.get(pod)
        if owner is None:
            if len(self._owners) >= _REMEMBERED:
                self._owners.clear()
            staying = [peer for peer, stays in self._there.items() if stays]
            if not self._is_leaving:
                staying.append(self.me)
            owner = self._owners[pod] = owner_of(pod, staying or [*self._there, self.me])
        return owner
