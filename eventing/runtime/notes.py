"""What is kept with an event that is not delivered yet, as text for the log. Pure.

Three kinds: how far the attempts are (so that a restart goes on with them), why an event is held
(so that somebody can be told, without reading the event), and until when one waits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import orjson

from eventing.runtime.delivery import Hop
from eventing.runtime.request import ErrorInfo

_TEXT = 256
"""No more characters are kept of an attribute or an error than this."""
_TRYING, _HELD, _WAITING = "t", "h", "w"
_HELD_BEGINS = '["h",'


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the attempts to deliver an event are."""

    hop: Hop
    attempts: int
    """Attempts of this hop so far."""
    due: float
    """When the next one is due, in seconds since 1970."""
    failure: ErrorInfo | None = None
    """Why the event is on its way to the dead letter sink."""


@dataclass(frozen=True, slots=True)
class HeldNote:
    """Why an event is held, and which one it is."""

    since: float
    """Seconds since 1970."""
    reason: str
    """In a few words."""
    failure: ErrorInfo
    """Where the subscriber's deliveries ended."""
    status: int
    """The last answer of the dead letter sink; 0 for none."""
    error: str
    """Why there was none."""
    again: bool
    """Whether the dead letter sink is tried again by itself."""
    event_id: str
    source: str
    type: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Until when an event is not to be tried."""

    due: float
    """Seconds since 1970."""


Note = Progress | HeldNote | Waiting


def write_note(note: Note) -> str:
    """Return the note as text."""
    if isinstance(note, Waiting):
        row: list[Any] = [_WAITING, math.ceil(round(note.due * 1000, 3))]
    elif isinstance(note, Progress):
        due = round(note.due * 1000)
        row = [_TRYING, note.hop.value, note.attempts, due, _failure(note.failure)]
    else:
        row = [
            _HELD,
            round(note.since * 1000),
            note.reason,
            _failure(note.failure),
            note.status,
            note.error[:_TEXT],
            note.again,
            note.event_id[:_TEXT],
            note.source[:_TEXT],
            note.type[:_TEXT],
        ]
    return orjson.dumps(row).decode()


def _failure(failure: ErrorInfo | None) -> list[Any] | None:
    return None if failure is None else [failure.destination, failure.code, failure.data]


def read_note(text: str) -> Note | None:
    """Return what was written; None for nothing, and for what nobody can read any more."""
    if not text:
        return None
    try:
        kind, *row = orjson.loads(text)
        if kind == _WAITING:
            return Waiting(row[0] / 1000)
        return _progress(*row) if kind == _TRYING else _held(*row)
    except (ValueError, TypeError):
        return None


def is_held(text: str) -> bool:
    """Whether a note is of an event that is held; without reading all of it."""
    return text.startswith(_HELD_BEGINS)


def _progress(hop: str, attempts: int, due: int, failure: list[Any] | None) -> Progress:
    return Progress(Hop(hop), int(attempts), due / 1000, ErrorInfo(*failure) if failure else None)


def _held(
    since: int,
    reason: str,
    failure: list[Any],
    status: int,
    error: str,
    again: bool,
    event_id: str,
    source: str,
    type_: str,
) -> HeldNote:
    why = ErrorInfo(*failure)
    return HeldNote(since / 1000, reason, why, status, error, bool(again), event_id, source, type_)


def wait_of(progress: Progress, *, now: float, longest: float) -> float:
    """Return the seconds to wait from now on, at most the longest wait there is.

    A clock that was set back meanwhile must not keep an event for years.
    """
    return min(max(progress.due - now, 0.0), longest)
