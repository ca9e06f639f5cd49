"""What others wish for, by whom it is about; and what that means for one revision. Pure.

A wish is kept until its source says that it is over, however long it is silent: whoever wishes may
have crashed, and what is not known scales nothing down. So does a source that is known by name only
(from before this process began) hold what there was, until it speaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hearth.kube.meta import Key
from serving.api import wishes
from serving.api.wishes import Wish

ALL_TRAFFIC = 100


@dataclass(frozen=True, slots=True)
class Share:
    """What a wish means for one revision."""

    wish: Wish
    percent: int = ALL_TRAFFIC
    """How much of its Service's traffic the revision gets."""

    @property
    def pods(self) -> int:
        """Rounded up: of several revisions each that gets traffic has a pod when any is wished."""
        return -(-(self.wish.replicas or 0) * self.percent // ALL_TRAFFIC)


Shares = tuple[Share, ...]


def wished(shares: Iterable[Share]) -> int:
    """Return the pods that all of them together ask for: as many as the greatest."""
    return max((share.pods for share in shares), default=0)


class Wishes:
    """The latest wish of each source."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[Key, dict[str, Wish]]] = {
            wishes.SERVICE: {},
            wishes.REVISION: {},
        }
        self._heard: set[str] = set()

    def has_spoken(self, source: str) -> bool:
        """Whether anything was heard of a source."""
        return source in self._heard

    def take(self, wish: Wish) -> None:
        """The latest word of a source counts."""
        self._heard.add(wish.source)
        kept, where = self._kept[wish.kind], (wish.namespace, wish.name)
        of_target = kept.setdefault(where, {})
        if wish.replicas is None:
            of_target.pop(wish.source, None)
        else:
            of_target[wish.source] = wish
        if not of_target:
            del kept[where]

    def shares(self, revision: Key, service: str, traffic: Mapping[str, int]) -> Shares:
        """Return the wishes for a revision: its own, and its part of those for its Service.

        ``traffic`` is what revisions get of the Service's, in percent.
        """
        own = self._of(wishes.REVISION, revision)
        percent = traffic.get(revision[1], 0)
        shared = self._of(wishes.SERVICE, (revision[0], service)) if percent else []
        return (*map(Share, own), *(Share(wish, percent) for wish in shared))

    def _of(self, kind: str, where: Key) -> list[Wish]:
        found = self._kept[kind].get(where, {})
        return [found[source] for source in sorted(found)]
