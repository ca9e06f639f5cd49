"""What one activator tells the owners of a target's pods: how many requests it has there. Pure.

The counterpart of ``claims``. Whoever has claimed a pod is told whenever it is the pod's owner and
what it was told last is not so any more, whoever was taken for the owner in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from activator.pods import Pod

Held = dict[str, list[Any]]
"""By pod: how many requests there are, and whether its connection was refused."""


def pod_id(pod: Pod) -> str:
    """Return what a pod is called between activators; an address alone may be another's by now."""
    return f"{pod.name}@{pod.address[0]}:{pod.address[1]}"


@dataclass(slots=True)
class _Place:
    pod: Pod
    claimers: set[str] = field(default_factory=set)
    told: tuple[str, int] | None = None
    """Who was told last how many requests there are, since it said something of the pod."""


class Places:
    """The pods that there are, and those that have gone with requests of ours."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._news: dict[str, None] = {}

    def find(self, name: str) -> Pod | None:
        """Return a pod, if it is known."""
        place = self._places.get(name)
        return place.pod if place is not None else None

    def update(self, pods: Mapping[str, Pod]) -> dict[str, Held]:
        """Take over what pods there are; returns what to tell who has claimed one that is over."""
        kept = {name: place for name, place in self._places.items() if place.pod.in_flight}
        for name, pod in pods.items():
            known = self._places.get(name) or _Place(pod)
            kept[name] = known if known.pod is pod else _Place(pod, known.claimers)
        over: dict[str, Held] = {}
        for name, place in self._places.items():
            if name not in kept:
                for peer in place.claimers:
                    over.setdefault(peer, {})[name] = [0, False]
        self._places = kept
        return over

    def spoken_of(self, peer: str, names: Iterable[str]) -> Held:
        """An owner speaks of its pods; returns what there is in those that are not known here."""
        unknown: Held = {}
        for name in names:
            place = self._places.get(name)
            if place is None:
                unknown[name] = [0, False]
            else:
                place.claimers.add(peer)
                place.told = None
        return unknown

    def lose_touch(self, peer: str) -> None:
        """It has to claim its pods anew before it is told anything."""
        for place in self._places.values():
            place.claimers.discard(peer)
            place.told = None

    def touch(self, names: Iterable[str]) -> None:
        """There may be something to tell of these."""
        self._news.update(dict.fromkeys(names))

    def touch_all(self) -> None:
        """There may be something to tell of any."""
        self.touch(self._places)

    def news(self, owner_of: Callable[[str], str]) -> dict[str, Held]:
        """Return what owners have to be told, which counts as told from now on."""
        held: dict[str, Held] = {}
        for name in self._news:
            place, owner = self._places.get(name), owner_of(name)
            if place is not None and owner in place.claimers:
                now = (owner, place.pod.in_flight)
                if place.told != now:
                    place.told = now
                    held.setdefault(owner, {})[name] = [place.pod.in_flight, place.pod.suspect]
        self._news.clear()
        return held
