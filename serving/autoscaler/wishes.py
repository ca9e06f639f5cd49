"""What others wish for, by whom it is about; and what that means for one revision. Pure.

A wish is kept until its source says that it is over, however long it is silent: whoever wishes may
have crashed, and what is not known scales nothing down. So does a source that is known by name only
(from before this process began) hold what there was, until it speaks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from hearth.kube.meta import Key
from serving.api import wishes
from serving.api.wishes import REQUESTS, Wish

if TYPE_CHECKING:
    from hearth.formula import Formula

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

    def pods_beside(self, requests: int) -> int | None:
        """Return the pods that its formula comes to where requests need so many.

        None: it cannot be told. A revision with a part of the traffic has that part of what
        triggers say.
        """
        given = self.wish.formula
        if given is None:
            return self.pods
        values = tuple(
            (name, None if value is None else value * self.percent / ALL_TRAFFIC)
            for name, value in given.values
        )
        value = _value(given.text, (*values, (REQUESTS, float(requests))))
        if value is None or given.target <= 0:
            return None
        if value <= given.activation:
            return given.lowest
        return min(max(math.ceil(value / given.target), given.fewest), given.most)


Shares = tuple[Share, ...]


@lru_cache(10_000)
def _value(text: str, values: tuple[tuple[str, float | None], ...]) -> float | None:
    """Work it out once for each change: a formula may take its time, and is asked every tick."""
    # Imported here: hardly anybody has a formula.
    from hearth.formula import FormulaError

    try:
        return _compiled(text, frozenset(dict(values))).value(dict(values))
    except FormulaError:
        return None


@lru_cache(1000)
def _compiled(text: str, names: frozenset[str]) -> Formula:
    from hearth.formula import compile_formula

    return compile_formula(text, names)


def wished(shares: Iterable[Share]) -> int:
    """Return the pods that those without a formula ask for together: as many as the greatest."""
    return max((share.pods for share in shares if share.wish.formula is None), default=0)


def formulas(shares: Iterable[Share]) -> Shares:
    """Return those that have a formula."""
    return tuple(share for share in shares if share.wish.formula is not None)


def by_formulas(shares: Shares, *, requests: int, ready: int) -> int:
    """Return the pods that formulas come to: as many as the greatest.

    While one cannot be told there are no fewer than requests need and than are there.
    """
    told = [share.pods_beside(requests) for share in shares]
    known = [pods for pods in told if pods is not None]
    return max([*known, *((requests, ready) if None in told else ())], default=requests)


def are_heard(shares: Shares) -> bool:
    """Whether pods may be wanted though nobody sends requests."""
    return bool(wished(shares)) or any(each.pods_beside(0) != 0 for each in formulas(shares))


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
