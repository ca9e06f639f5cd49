"""Notes about events, as they lie in the files of journeys: short JSON lists. Pure.

::

    [0, position, arrival ns, attributes, [subscription, ...]]                        routed
    [1, position, subscription, at, hop, number, url, status, error, seconds,
        follows, retry at, replay]                                                    attempted
    [2, position, subscription, at, id, source, type, url, replay]                    replied

Times are seconds since 1970 unless they say otherwise. ``subscription`` is a label
(``trigger NAMESPACE/NAME``), ``replay`` the id of the replay that an attempt belongs to, or empty.
A note begins with its kind and the event's position, so that those of one event are found among
many without reading them.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import orjson

ROUTED, ATTEMPTED, REPLIED = 0, 1, 2

Note = Sequence[Any]
Position = int | str
"""A position in its log: a number where it is one, else its text."""


def written(notes: Sequence[Note]) -> bytes:
    """Return some notes as JSON: a piece of a batch."""
    return orjson.dumps(notes)


def packed(pieces: Iterable[bytes]) -> bytes:
    """Return a batch of all notes of these pieces, packed: they repeat each other."""
    return zlib.compress(b"[%b]" % b",".join([piece[1:-1] for piece in pieces]), 1)


def unpacked(payload: bytes | memoryview) -> bytes:
    """Return the JSON of a batch."""
    return zlib.decompress(payload)


def notes_of(batch: bytes) -> list[list[Any]]:
    """Return the notes of a batch's JSON."""
    found: list[list[Any]] = orjson.loads(batch)
    return found


def mentions(batch: bytes, texts: Collection[str]) -> bool:
    """Whether any of these texts stands in a batch, as a whole string."""
    return any(orjson.dumps(text) in batch for text in texts)


def tells_of(batch: bytes, positions: Collection[Position]) -> bool:
    """Whether a batch has a note, other than of the routing, about any of these positions."""
    return any(
        b"[%d,%b," % (kind, orjson.dumps(position)) in batch
        for position in positions
        for kind in (ATTEMPTED, REPLIED)
    )


def all_notes(batches: Iterable[bytes]) -> Iterator[list[Any]]:
    """Yield the notes of batches, one after the other."""
    for batch in batches:
        yield from notes_of(batch)
