"""What the compacted topic has: which consumers there are, how far they are, notes. Pure.

One partition, so that what one process writes is read in that order. Under a key the last record
counts; one without a value says that there is nothing any more::

    l  key                                               the topic of a log, and whose it is
    c  topic consumer                                    its generation, and where it began
    s  topic consumer generation partition               how far it is in a partition
    n  topic consumer generation partition offset        a note, or why the event is set aside

A consumer that is moved begins a generation, and what is known of earlier ones is void: so a
process that did not hear of it does no harm. A note goes before the state that it belongs to, and
goes away before it: what lies between is an unsettled event that has a note, or has none yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from eventing.engines.cursor import CursorState

Write = tuple[bytes, bytes | None]
"""A record: its key, and its value or None."""

_LOG, _CONSUMER, _STATE, _NOTE, _ASKED = "l", "c", "s", "n", "a"


class Topic(NamedTuple):
    """Where a log's events are."""

    name: str
    is_external: bool = False
    """Whether it is somebody else's."""
    id: str = ""
    """Kafka's own for it: another one where it was removed and made anew."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a consumer."""

    generation: int = 0
    begins: Mapping[int, int] = field(default_factory=dict)
    """By partition: the first event it is given."""


@dataclass(slots=True)
class _Saved:
    """What is kept of a consumer in one partition."""

    next: int | None = None
    open: tuple[int, ...] = ()
    notes: dict[int, str] = field(default_factory=dict)


def opened(key: str, topic: Topic | None) -> Write:
    """Return the record that says that there is a log, or none any more."""
    return orjson.dumps([_LOG, key]), orjson.dumps([*topic]) if topic is not None else None


def written(topic: str, consumer: str, known: Known | None) -> Write:
    """Return the record that says that there is a consumer, or none any more."""
    key = orjson.dumps([_CONSUMER, topic, consumer])
    if known is None:
        return key, None
    return key, orjson.dumps([known.generation, sorted(known.begins.items())])


def changes(
    topic: str,
    consumer: str,
    generation: int,
    partition: int,
    before: CursorState | None,
    now: CursorState | None,
) -> Iterator[Write]:
    """Yield the records that lead from one state of a consumer in a partition to another."""
    old = before.notes if before else {}
    new = now.notes if now else {}
    at = [topic, consumer, generation, partition]
    for offset, text in new.items():
        if old.get(offset) != text:
            yield orjson.dumps([_NOTE, *at, offset]), text.encode()
    for offset in old.keys() - new.keys():
        yield orjson.dumps([_NOTE, *at, offset]), None
    if now is None:
        yield orjson.dumps([_STATE, *at]), None
    elif before is None or (before.next, before.open) != (now.next, now.open):
        yield orjson.dumps([_STATE, *at]), orjson.dumps([now.next, now.open])


def asked(
    topic: str, consumer: str, generation: int, at: tuple[int, int], is_recalled: bool | None
) -> Write:
    """Return the record that asks whose partition it is to recall or discard an event, or no more.

    None: it is done.
    """
    value = None if is_recalled is None else orjson.dumps(is_recalled)
    return orjson.dumps([_ASKED, topic, consumer, generation, *at]), value


class States:
    """What was read of the topic."""

    def __init__(self) -> None:
        self.logs: dict[str, Topic] = {}
        """Their topics by their keys."""
        self._known: dict[str, dict[str, Known]] = defaultdict(dict)
        self._saved: dict[tuple[str, str, int], dict[int, _Saved]] = defaultdict(dict)
        self._asked: dict[tuple[str, str, int], dict[tuple[int, int], bool]] = defaultdict(dict)

    def apply(self, key: bytes, value: bytes | None) -> None:
        """Take a record in; raise ValueError for one that is not ours."""
        said = orjson.loads(key)
        if not isinstance(said, list) or len(said) not in (2, 3, 5, 6):
            raise ValueError("a key that is none of ours")
        if said[0] == _LOG:
            self._take_log(said[1], value)
            return
        kind, topic, consumer, *rest = said
        if kind == _CONSUMER:
            self._take_consumer(topic, consumer, value)
            return
        generation, partition, *offset = rest
        if kind == _ASKED:
            of = self._asked[topic, consumer, generation]
            if value is None:
                of.pop((partition, offset[0]), None)
            else:
                of[partition, offset[0]] = orjson.loads(value)
            return
        saved = self._saved[topic, consumer, generation].setdefault(partition, _Saved())
        if kind == _NOTE:
            if value is None:
                saved.notes.pop(offset[0], None)
            else:
                saved.notes[offset[0]] = value.decode()
        elif value is None:
            del self._saved[topic, consumer, generation][partition]
        else:
            saved.next, still_open = orjson.loads(value)
            saved.open = tuple(still_open)

    def _take_log(self, key: str, value: bytes | None) -> None:
        if value is None:
            self.logs.pop(key, None)
        else:
            self.logs[key] = Topic(*orjson.loads(value))

    def _take_consumer(self, topic: str, consumer: str, value: bytes | None) -> None:
        if value is None:
            known = self._known[topic].pop(consumer, None)
            if known is not None:
                self._saved.pop((topic, consumer, known.generation), None)
            return
        generation, begins = orjson.loads(value)
        known = self._known[topic].get(consumer)
        if known is None or known.generation < generation:  # of several that make one, the first
            self._known[topic][consumer] = Known(generation, dict(begins))

    def consumers(self, topic: str) -> Mapping[str, Known]:
        """Return the consumers of a topic by their ids."""
        return self._known.get(topic, {})

    def state(self, topic: str, consumer: str, partition: int) -> CursorState | None:
        """Return how far a consumer is in a partition; None where nothing is known.

        An event with a note that lies beyond is an open one: the state was not written any more.
        """
        known = self.consumers(topic).get(consumer)
        if known is None:
            return None
        saved = self._saved.get((topic, consumer, known.generation), {}).get(partition)
        if saved is None or (saved.next is None and not saved.notes):
            begin = known.begins.get(partition)
            return None if begin is None else CursorState(begin)
        first = known.begins.get(partition, 0) if saved.next is None else saved.next
        beyond = max((at + 1 for at in saved.notes), default=first)
        still_open = (*saved.open, *range(first, beyond))
        return CursorState(max(first, beyond), still_open, dict(saved.notes))

    def asked(self, topic: str, consumer: str) -> Mapping[tuple[int, int], bool]:
        """Return what is to be recalled (True) or discarded (False) of a consumer's events."""
        known = self.consumers(topic).get(consumer)
        return self._asked.get((topic, consumer, known.generation), {}) if known else {}

    def partitions(self, topic: str, consumer: str) -> list[int]:
        """Return the partitions in which something is known of a consumer."""
        known = self.consumers(topic).get(consumer)
        if known is None:
            return []
        saved = self._saved.get((topic, consumer, known.generation), {})
        return sorted(known.begins.keys() | saved.keys())
