"""Which parts of which joins have come. Pure: time is passed in, positions mean nothing here.

A join is complete when each branch has told what became of the event there, and the event itself
has come as well. At its time limit, counted from the event's arrival, it is done with what there
is. What comes later than that, or again, is not wanted.
"""

from __future__ import annotations

import enum
import heapq
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from eventing.engines.event import Position
from eventing.runtime.joins.parts import MISSING, Part, arrival_of

LOST_SECONDS = 3600.0
"""Parts whose event itself does not come are given up so long after the time limit."""
_KNOWN = 100_000


class Verdict(enum.Enum):
    """What becomes of something that came."""

    KEPT = "kept"
    COMPLETE = "complete"
    """It was the last that was missing: the join can be taken."""
    UNWANTED = "unwanted"


@dataclass(frozen=True, slots=True)
class Told:
    """What one branch has told."""

    outcome: str
    positions: Sequence[Position]
    """Where its replies are, or what tells of their lack."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """All of one join."""

    token: str
    event: Position | None
    """Where the event itself is; None where it never came."""
    branches: Sequence[Told]
    is_whole: bool
    """Whether all branches have told."""

    @property
    def size(self) -> int:
        """How many there are."""
        return sum(1 for _ in self.positions())

    def positions(self) -> Iterator[Position]:
        """Return all positions."""
        if self.event is not None:
            yield self.event
        for told in self.branches:
            yield from told.positions


@dataclass(slots=True)
class _Branch:
    outcome: str
    count: int
    parts: dict[int, Position] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        return len(self.parts) == self.count


@dataclass(slots=True)
class _Join:
    deadline: float
    has_event: bool = False
    event: Position | None = None
    branches: dict[int, _Branch] = field(default_factory=dict)


class JoinTable:
    """The joins of one Parallel that are under way."""

    def __init__(self, branches: int, timeout_seconds: float, *, most_known: int = _KNOWN) -> None:
        self.branches = branches
        self.timeout_seconds = timeout_seconds
        self.size = 0
        """Parts and events that are kept."""
        self._joins: dict[str, _Join] = {}
        self._due: list[tuple[float, str]] = []
        self._done: OrderedDict[str, float] = OrderedDict()
        self._most_known = most_known

    def __len__(self) -> int:
        return len(self._joins)

    def add_event(self, token: str, position: Position, arrival: float) -> Verdict:
        """Take the event itself. It is never late: somebody waits for what becomes of it."""
        if token in self._done:
            return Verdict.UNWANTED
        join = self._join(token, arrival)
        if join.has_event:
            return Verdict.KEPT if join.event == position else Verdict.UNWANTED
        join.has_event, join.event = True, position
        self.size += 1
        heapq.heappush(self._due, (join.deadline, token))  # it may have been put off
        return self._judge(join)

    def add(self, part: Part, position: Position, arrival: float) -> Verdict:
        """Take a part; ``arrival`` is when it came, by the same clock as tokens."""
        if part.token in self._done or not 0 <= part.branch < self.branches:
            return Verdict.UNWANTED
        known = self._joins.get(part.token)
        deadline = self._deadline(part.token, arrival) if known is None else known.deadline
        if arrival >= deadline:
            return Verdict.UNWANTED
        join = known or self._join(part.token, arrival)
        branch = join.branches.get(part.branch)
        if branch is None:
            branch = join.branches[part.branch] = _Branch(part.outcome, part.count)
        if part.index in branch.parts:
            same = branch.parts[part.index] == position
            return Verdict.KEPT if same else Verdict.UNWANTED
        if (branch.outcome, branch.count) != (part.outcome, part.count):
            return Verdict.UNWANTED  # told twice, and not the same: the first time counts
        branch.parts[part.index] = position
        self.size += 1
        return self._judge(join)

    def _join(self, token: str, arrival: float) -> _Join:
        join = self._joins.get(token)
        if join is None:
            join = self._joins[token] = _Join(self._deadline(token, arrival))
            heapq.heappush(self._due, (join.deadline, token))
        return join

    def _deadline(self, token: str, arrival: float) -> float:
        """A token from the future, as a clock that was set back gives, counts as of now."""
        return min(arrival_of(token), arrival) + self.timeout_seconds

    def _judge(self, join: _Join) -> Verdict:
        whole = sum(each.is_whole for each in join.branches.values())
        complete = join.has_event and whole == self.branches
        return Verdict.COMPLETE if complete else Verdict.KEPT

    def take(self, token: str) -> Gathered:
        """Take a join out; from now on nothing of it is wanted."""
        join = self._joins.pop(token)
        self.done(token, join.deadline)
        told = [self._told(join.branches.get(number)) for number in range(self.branches)]
        gathered = Gathered(
            token,
            join.event,
            told,
            all(each.is_whole for each in join.branches.values())
            and len(join.branches) == self.branches,
        )
        self.size -= gathered.size
        return gathered

    @staticmethod
    def _told(branch: _Branch | None) -> Told:
        if branch is None:
            return Told(MISSING, ())
        return Told(branch.outcome, [branch.parts[index] for index in sorted(branch.parts)])

    def done(self, token: str, deadline: float | None = None) -> None:
        """Know that a join was sent on."""
        self._done[token] = arrival_of(token) if deadline is None else deadline
        if len(self._done) > self._most_known:
            self._done.popitem(last=False)

    def due(self, now: float) -> tuple[list[str], list[str]]:
        """Return the joins whose time is over, and those to be given up: their event never came."""
        over: dict[str, None] = {}
        lost, waiting = [], []
        while self._due and self._due[0][0] <= now:
            moment, token = heapq.heappop(self._due)
            join = self._joins.get(token)
            if join is None:
                continue
            if join.has_event:
                over[token] = None
            elif now >= join.deadline + LOST_SECONDS:
                lost.append(token)
            else:
                waiting.append((max(now, moment) + min(LOST_SECONDS, self.timeout_seconds), token))
        for each in waiting:
            heapq.heappush(self._due, each)
        return list(over), lost

    def next_due(self) -> float | None:
        """Return when to look again."""
        while self._due and self._due[0][1] not in self._joins:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None
