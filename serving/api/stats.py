"""The wire between activator and autoscaler: request statistics as JSON lines over TCP.

The activator (client) sends one line that says who it is, then one line per frame::

    {"token": "...", "activator": "activator-1"}
    {"at": 1795193040.25, "stats": [["default", "hello-00001", 3.5, 120.0, 0], ...]}

Where a revision has several pods, a row ends with those that have requests, and how many::

    ["default", "hello-00001", 3.5, 120.0, 0, {"hello-00001-deployment-6d4c8-x7k2p": 3}]

Last comes how many requests were answered since the frame before, by bucket of the time they took
(``hearth.observability.histogram``), failures after all others::

    ["default", "hello-00001", 3.5, 120.0, 0, {}, {"3": 118, "20": 2}]

A frame is sent each second for revisions with traffic, and at once when a request begins to wait
for a revision without ready pods: that is a poke (``"poke": true``). A poke tells what is there at
the moment and is not counted; the frames are. Who scales by something else than requests sends
wishes instead (``serving.api.wishes``). No I/O here; both sides use it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from serving.api.wishes import Wish, read_wishes

LONGEST_LINE = 8 * 1024 * 1024
"""Bytes of one line: room for about 100,000 revisions; a peer that sends more is cut off."""


class StatsError(Exception):
    """The peer broke the protocol, or has the wrong token; close the connection."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What one activator saw of one revision since its last frame."""

    namespace: str
    revision: str
    concurrency: float
    """Average number of requests in flight, waiting ones included."""
    requests: float
    """Requests that arrived."""
    queued: int = 0
    """Requests that wait for a pod right now."""
    busy: Mapping[str, int] = field(default_factory=dict)
    """Requests in flight by pod, of pods that have some; only where there are several pods."""
    answered: Mapping[int, int] = field(default_factory=dict)
    """Requests answered since the last frame, by bucket."""

    def plus(self, other: Stat) -> Stat:
        """This and what was seen at another port of the revision."""
        return Stat(
            self.namespace,
            self.revision,
            self.concurrency + other.concurrency,
            self.requests + other.requests,
            self.queued + other.queued,
            Counter(self.busy) + Counter(other.busy),
            Counter(self.answered) + Counter(other.answered),
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """What an activator reports at one moment (its own clock, in seconds)."""

    at: float
    stats: tuple[Stat, ...]
    is_poke: bool = False


@dataclass(frozen=True, slots=True)
class Hello:
    """The first line of an activator, with its name."""

    activator: str


@dataclass(frozen=True, slots=True)
class WishList:
    """What others than activators want."""

    wishes: tuple[Wish, ...]


Event = Hello | Frame | WishList


def encode_hello(token: str, activator: str) -> bytes:
    """Write the first line."""
    return orjson.dumps({"token": token, "activator": activator}) + b"\n"


def encode_frame(at: float, stats: Iterable[Stat], *, is_poke: bool = False) -> bytes:
    """Write a report; a poke asks for a decision at once."""
    message = {"at": at, "stats": [_row(stat) for stat in stats]}
    return orjson.dumps({**message, "poke": True} if is_poke else message) + b"\n"


def _row(stat: Stat) -> list[Any]:
    row = [stat.namespace, stat.revision, stat.concurrency, stat.requests, stat.queued]
    if stat.answered:
        return [*row, stat.busy, {str(bucket): n for bucket, n in stat.answered.items()}]
    return [*row, stat.busy] if stat.busy else row


class StatsReader:
    """The server's side of one connection: bytes in, one Hello, then Frames and WishList out.

    After an error the reader stays in error: the connection must be closed.
    """

    def __init__(self, accepts: Callable[[bytes], bool]) -> None:
        """``accepts`` tells whether who shows a token may report."""
        self._accepts = accepts
        self._buffer = bytearray()
        self._greeted = False
        self._failed = False

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes, return what they complete; raises StatsError, after which nothing is read."""
        if self._failed:
            raise StatsError("the connection is in error")
        self._buffer += data
        try:
            return self._read()
        except StatsError:
            self._failed = True
            raise

    def _read(self) -> list[Event]:
        events: list[Event] = []
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            if line.strip():
                events.append(self._event(line))
        if len(self._buffer) > LONGEST_LINE:
            raise StatsError("line too long")
        return events

    def _event(self, line: bytes) -> Event:
        try:
            message = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise StatsError("line is not JSON") from error
        if not isinstance(message, dict):
            raise StatsError("line is not an object")
        if not self._greeted:
            return self._hello(message)
        return _wishes(message) if "wishes" in message else _frame(message)

    def _hello(self, message: dict[str, Any]) -> Hello:
        token = message.get("token")
        if not isinstance(token, str) or not self._accepts(token.encode()):
            raise StatsError("wrong token")
        self._greeted = True
        return Hello(activator=str(message.get("activator", "")))


def _wishes(message: dict[str, Any]) -> WishList:
    try:
        return WishList(read_wishes(message["wishes"]))
    except (TypeError, ValueError, OverflowError) as error:
        raise StatsError("malformed wish") from error


def _frame(message: dict[str, Any]) -> Frame:
    try:
        stats = tuple(_stat(*row) for row in message["stats"])
        return Frame(_amount(message["at"]), stats, is_poke=message.get("poke") is True)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StatsError("malformed frame") from error


def _stat(
    namespace: Any,
    revision: Any,
    concurrency: Any,
    requests: Any,
    queued: Any,
    busy: Any = None,
    answered: Any = None,
    *_later: Any,
) -> Stat:
    """One row; what a later version says beyond these is left alone."""
    return Stat(
        str(namespace),
        str(revision),
        _amount(concurrency),
        _amount(requests),
        int(_amount(queued)),
        {} if busy is None else {str(pod): int(_amount(n)) for pod, n in busy.items()},
        {} if answered is None else {int(at): int(_amount(n)) for at, n in answered.items()},
    )


def _amount(value: Any) -> float:
    """A number to compute with: what the autoscaler adds up is finite and not negative."""
    number = float(value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{value} is no amount")
    return number
