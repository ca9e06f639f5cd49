"""When requests come: what was recorded, read from files, or what is drawn by a pattern's name.

Formats of files, told apart by their first line:

==================================  ================================================================
first line                          then
==================================  ================================================================
``second,requests``                 a second (a number) and how many requests came in it
``second,service,requests``         the same of several services, in any order
``requests``                        how many came in each second, one second after the other
``HashOwner,HashApp,...,1,2,...``   the Azure Functions trace of 2019: a line a function, with
                                    the invocations of each minute of a day
a number, or a moment (RFC 3339)    when each request came; with a second column, its service
==================================  ================================================================
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hearth.kube.clock import parse_rfc3339
from hearth.simulation.tally import Series

Counts = npt.NDArray[np.int64]

LONGEST_SECONDS = 31 * 86_400
_UNIX = 1e8
"""What is larger is a time of day and year, and begins with the first second of the trace."""


class BadTrace(ValueError):
    """A trace that cannot be read; the text says where."""


class Trace(Protocol):
    """The requests of one service."""

    @property
    def name(self) -> str:
        """What the service is called."""
        ...

    @property
    def expected(self) -> float:
        """About how many requests there are."""
        ...

    @property
    def seconds(self) -> int:
        """How long it is."""
        ...

    def moments(self, chance: np.random.Generator) -> list[float]:
        """Return when each request comes, in order."""
        ...

    def per_second(self, chance: np.random.Generator) -> Series:
        """Return how many requests come in each second."""
        ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """Requests as they were counted: so many from each of these seconds on, ``width`` long."""

    name: str
    starts: Counts
    counts: Counts
    seconds: int
    width: int = 1

    @property
    def expected(self) -> float:
        """How many requests there are."""
        return float(self.counts.sum())

    def moments(self, chance: np.random.Generator) -> list[float]:
        """Spread the requests of each interval by chance."""
        starts = np.repeat(self.starts, self.counts)
        spread: Series = starts + chance.random(len(starts)) * self.width
        spread.sort()
        return [float(moment) for moment in spread]

    def per_second(self, chance: np.random.Generator) -> Series:
        """Count by second; those of a minute are spread over it by chance."""
        counted = np.zeros(self.seconds)
        if self.width == 1:
            np.add.at(counted, self.starts, self.counts)
            return counted
        share = np.full(self.width, 1 / self.width)
        spread = chance.multinomial(self.counts, share)
        np.add.at(counted, self.starts[:, None] + np.arange(self.width), spread)
        return counted


@dataclass(frozen=True, slots=True)
class Moments:
    """Requests of which each moment is known."""

    name: str
    at: tuple[float, ...]
    seconds: int

    @property
    def expected(self) -> float:
        """How many requests there are."""
        return float(len(self.at))

    def moments(self, chance: np.random.Generator) -> list[float]:
        """Return them."""
        return list(self.at)

    def per_second(self, chance: np.random.Generator) -> Series:
        """Count by second."""
        return np.bincount(np.array(self.at, dtype=np.int64), minlength=self.seconds).astype(float)


def read_trace(path: Path) -> list[Trace]:
    """Read a file; raises BadTrace, or OSError."""
    with path.open(newline="") as file:
        return parse_trace(file, name=path.stem)


def parse_trace(lines: Iterable[str], *, name: str) -> list[Trace]:
    """Read lines; raises BadTrace."""
    rows = _rows(lines)
    first = next(rows, None)
    if first is None:
        raise BadTrace("the trace is empty")
    _, fields = first
    names = [field.strip().lower() for field in fields]
    if "hashfunction" in names:
        return _by_minute(names, rows)
    if "requests" in names or "arrivals" in names:
        return _by_second(names, rows, name)
    return _by_moment(first, rows, name)


_Row = tuple[int, list[str]]


def _rows(lines: Iterable[str]) -> Iterator[_Row]:
    reader = csv.reader(lines)
    for row in reader:
        if row and any(field.strip() for field in row) and not row[0].startswith("#"):
            yield reader.line_num, row


def _by_second(names: Sequence[str], rows: Iterator[_Row], name: str) -> list[Trace]:
    requests = names.index("requests" if "requests" in names else "arrivals")
    second = names.index("second") if "second" in names else None
    service = names.index("service") if "service" in names else None
    found: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for index, (line, row) in enumerate(rows):
        try:
            at = index if second is None else int(float(row[second]))
            count = int(row[requests])
            whose = name if service is None else row[service].strip()
        except (ValueError, IndexError, OverflowError):
            raise BadTrace(f"line {line}: {','.join(row)!r} is not {','.join(names)}") from None
        if count < 0 or at < 0:
            raise BadTrace(f"line {line}: neither a second nor requests are below 0")
        found[whose][at] += count
    begin = _begin(min((min(seconds) for seconds in found.values()), default=0))
    length = _length(max((max(seconds) for seconds in found.values()), default=0) + 1 - begin)
    made: list[Trace] = []
    for whose, seconds in found.items():
        at_seconds = sorted(second for second, count in seconds.items() if count)
        counts = np.array([seconds[second] for second in at_seconds], dtype=np.int64)
        starts = np.array(at_seconds, dtype=np.int64) - begin
        made.append(Recorded(whose, starts, counts, length))
    return made


def _by_minute(names: Sequence[str], rows: Iterator[_Row]) -> list[Trace]:
    minutes = [place for place, name in enumerate(names) if name.isdecimal()]
    function = names.index("hashfunction")
    first, length = minutes[0], len(minutes) * 60
    made: list[Trace] = []
    for line, row in rows:
        try:
            counts = np.array(row[first : first + len(minutes)], dtype=np.int64)
        except ValueError:
            raise BadTrace(f"line {line}: a minute without a number") from None
        busy = np.flatnonzero(counts)
        made.append(Recorded(row[function], busy * 60, counts[busy], length, 60))
    return made


def _by_moment(first: _Row, rows: Iterator[_Row], name: str) -> list[Trace]:
    found: dict[str, list[float]] = defaultdict(list)
    for line, row in (first, *rows):
        try:
            found[row[1].strip() if len(row) > 1 else name].append(_moment(row[0].strip()))
        except ValueError:
            raise BadTrace(
                f"line {line}: {row[0]!r} is no number and no moment; a first line of names "
                "(second,requests) says what columns mean"
            ) from None
    begin = _begin(min(min(moments) for moments in found.values()))
    length = _length(int(max(max(moments) for moments in found.values()) - begin) + 1)
    return [
        Moments(whose, tuple(sorted(moment - begin for moment in moments)), length)
        for whose, moments in found.items()
    ]


def _moment(text: str) -> float:
    moment = parse_rfc3339(text) if "T" in text else float(text)
    if not 0 <= moment < 1e12:
        raise ValueError(text)
    return moment


def _begin(first: float) -> int:
    return int(first) if first > _UNIX else 0


def _length(seconds: int) -> int:
    if seconds > LONGEST_SECONDS:
        raise BadTrace(f"the trace lasts {seconds} s; {LONGEST_SECONDS} s at most are simulated")
    return seconds
