"""What positions of one log mean in another that has copies of its events. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from eventing.engines.event import Position, RenderedEvent, StoredEvent
from eventing.engines.seam import Standing

Name = tuple[int, str, str]
"""When an event arrived, its source and its id: a copy has the same."""
PartOf = Callable[[Position], int]


class Pair(NamedTuple):
    """One event in both logs."""

    here: StoredEvent
    there: StoredEvent


def is_same(one: RenderedEvent, other: RenderedEvent) -> bool:
    """Whether an event is a copy of another: source and id are the same, and when it arrived."""
    if one.arrival_ns != other.arrival_ns:
        return False
    mine, its = one.attributes, other.attributes
    return mine.get("id") == its.get("id") and mine.get("source") == its.get("source")


def needed_of(standings: Iterable[Standing]) -> set[Position]:
    """Return the positions that consumers know."""
    return {
        position for each in standings for position in (*each.following, *each.open, *each.aside)
    }


class Translation:
    """Positions of the source as those of the target, learnt in the order of the source.

    What nobody can read any more has no place in the target: who was to get it goes on behind it.
    """

    def __init__(self, needed: Iterable[Position]) -> None:
        self._left = sorted(cast(Iterable[Any], needed), reverse=True)
        self._there: dict[Position, Position | None] = {}
        self._exact: set[Position] = set()

    @property
    def is_whole(self) -> bool:
        """Whether all positions are known."""
        return not self._left

    def learn(self, here: Position, there: Position) -> None:
        """Take the next event of the source, and where the target has it."""
        while self._left and self._left[-1] <= here:
            position = self._left.pop()
            self._there[position] = there
            if position == here:
                self._exact.add(position)

    def of(self, standing: Standing) -> Standing:
        """Return a standing in the words of the target."""
        following = [self._there.get(each) for each in standing.following]
        return Standing(
            tuple(each for each in following if each is not None),
            self._texts(standing.open),
            self._texts(standing.aside),
        )

    def _texts(self, texts: Mapping[Position, str]) -> dict[Position, str]:
        return {self._there[at]: text for at, text in texts.items() if at in self._exact}


# -- where order holds within parts alone ----------------------------------------------------------


def name_of(event: RenderedEvent) -> Name:
    """Return by what a copy of an event is known."""
    attributes = event.attributes
    return event.arrival_ns, attributes.get("source", ""), attributes.get("id", "")


class Places:
    """Where events are, by their names; equal ones in their order. Names are kept as hashes."""

    def __init__(self) -> None:
        self._first: dict[int, Position] = {}
        self._more: dict[int, deque[Position]] = {}

    def add(self, name: Name, position: Position) -> None:
        """Note one more."""
        key = hash(name)
        if key in self._first:
            self._more.setdefault(key, deque()).append(position)
        else:
            self._first[key] = position

    def take(self, name: Name) -> Position | None:
        """Return where the first one is that was not taken yet; None where there is none."""
        key = hash(name)
        position = self._first.pop(key, None)
        if more := self._more.get(key):
            self._first[key] = more.popleft()
        return position

    def __len__(self) -> int:
        """Return of how many names some are left."""
        return len(self._first)


class Row(NamedTuple):
    """An event of the target: where it is, and where the source has it; None: it has it not."""

    there: Position
    here: Position | None


def placed(standing: Standing, parts: Iterable[Sequence[Row]], part_of: PartOf) -> Standing:
    """Return a standing in the words of a target, whose parts are given in their order.

    Of each part, what lies behind all that was settled is as if nobody was given it.
    """
    following: list[Position] = []
    still: dict[Position, str] = {}
    aside: dict[Position, str] = {}
    begins = {part_of(each): cast(Any, each) for each in standing.following}

    def is_fresh(here: Position | None) -> bool:
        if here is None:
            return True
        begin = begins.get(part_of(here))
        return begin is not None and cast(Any, here) >= begin

    for rows in parts:
        end = len(rows)
        while end and is_fresh(rows[end - 1].here):
            end -= 1
        if end < len(rows):
            following.append(rows[end].there)
        for there, here in rows[:end]:
            if here in standing.aside:
                aside[there] = standing.aside[here]
            elif here in standing.open or is_fresh(here):
                still[there] = standing.open.get(here, "")
    return Standing(tuple(following), still, aside)
