"""What the broker asks of an event engine: one durable log per broker, and cursors over it.

The local log (``eventing.broker.locallog``) is the default engine; others fit behind the same
interface. Everything here is called on the event loop; engines move their waiting elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from eventing.broker.cursor import CursorState
from eventing.broker.record import StoredEvent


class Refused(Exception):
    """The log takes no event now; try again after ``retry_after`` seconds."""

    def __init__(self, message: str, *, status: int = 503, retry_after: int = 1) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append: rendered, with what the broker knows about it."""

    arrival_ns: int
    ttl: int
    head: bytes
    types: bytes
    data: bytes
    attributes: dict[str, str]


Appended = Callable[[Refused | None], None]
"""Called once: with None when the event is durable, else with the reason it is not."""


class Reader(Protocol):
    """Reads a log forward from a position."""

    @property
    def position(self) -> int:
        """The sequence number of the next event."""

    async def read(self, max_bytes: int) -> Sequence[StoredEvent]:
        """The next durable events (at least one where there is one)."""

    def close(self) -> None: ...


class EventLog(Protocol):
    """The log of one broker. Sequence numbers count events from 0, without gaps."""

    @property
    def start(self) -> int:
        """The oldest event that can still be read."""

    @property
    def end(self) -> int:
        """One past the newest durable event."""

    @property
    def size(self) -> int:
        """Bytes the log holds."""

    def append(self, event: NewEvent, done: Appended) -> None:
        """Raises Refused at once where it must wait; else calls ``done`` when durable."""

    def on_durable(self, callback: Callable[[Sequence[StoredEvent]], None]) -> None:
        """Who to tell of events that became durable, in order."""

    def reader(self, position: int) -> Reader: ...

    def cursors(self) -> Mapping[str, CursorState]:
        """The cursors as last saved, by id."""

    def save_cursors(self, states: Mapping[str, CursorState | None], *, durable: bool) -> None:
        """Saves (or with None removes) cursors, in the background; soon, or at once on disk."""

    def release(self, position: int) -> None:
        """Events below are no longer needed by anyone."""


class Engine(Protocol):
    """Opens and drops logs by key."""

    async def open(self, key: str) -> EventLog: ...

    async def drop(self, key: str) -> None:
        """Forgets a log with all its events and cursors."""

    def keys(self) -> Sequence[str]:
        """The logs there are."""

    async def close(self) -> None:
        """Makes everything durable and lets go of it."""
