"""Which Events are objects of their own: equal ones are counted, similar ones combined. Pure.

The rules are client-go's (tools/record/events_cache.go): an Event that says the same of the same
object is counted up; of ten that differ in their message alone those to come are one; and about one
object each source may say 25 things at once, and one every five minutes from then on.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from hearth.kube.meta import Object

MAX_OBJECTS = 500
"""Of so many objects is remembered what was said."""
SIMILAR, SIMILAR_SECONDS = 10, 600.0
BURST, REFILL_SECONDS = 25, 300.0
COMBINED = "(combined from similar events): "
MAX_MESSAGE = 1024
"""Letters of a message (core/v1 validation)."""


@dataclass(slots=True)
class Note:
    """One Event object, and how far it is told."""

    body: Object
    is_written: bool = False
    is_waiting: bool = False

    def again(self, body: Object) -> None:
        """It was said once more."""
        self.body |= {k: body[k] for k in ("message", "lastTimestamp")}
        self.body["count"] += 1

    def written(self) -> None:
        """It is an object of the API now: what may change is kept."""
        self.is_written = True
        self.body = {k: self.body[k] for k in ("metadata", *self.changes())}

    def changes(self) -> Object:
        """Return the fields that another one of its kind changes."""
        return {k: self.body[k] for k in ("count", "lastTimestamp", "message")}


@dataclass(slots=True)
class _Said:
    """What was said for one reason, by message."""

    at: float
    notes: dict[str, Note] = field(default_factory=dict)
    combined: Note | None = None

    def note(self, body: Object, now: float) -> Note:
        if now - self.at > SIMILAR_SECONDS:
            self.notes, self.combined = {}, None
        self.at = now
        known = self.notes.get(body["message"])
        if known is None and len(self.notes) >= SIMILAR - 1:
            body = {**body, "message": (COMBINED + body["message"])[:MAX_MESSAGE]}
            known = self.combined
            self.combined = known or Note(body)
        elif known is None:
            self.notes[body["message"]] = Note(body)
        if known is not None:
            known.again(body)
        return known or self.combined or self.notes[body["message"]]


@dataclass(slots=True)
class _About:
    """What one source said about one object, and how much more it may say."""

    at: float
    allowed: float = BURST
    said: dict[tuple[str, ...], _Said] = field(default_factory=dict)

    def takes(self, now: float) -> bool:
        self.allowed = min(BURST, self.allowed + (now - self.at) / REFILL_SECONDS)
        self.at = now
        if self.allowed < 1:
            return False
        self.allowed -= 1
        return True


class Correlator:
    """Remembers what was said about whom."""

    def __init__(self) -> None:
        self._about: OrderedDict[tuple[str, ...], _About] = OrderedDict()

    def note(self, body: Object, now: float) -> Note | None:
        """Return the object that tells this Event; None where there were too many."""
        about = self._of(body, now)
        if not about.takes(now):
            return None
        where = body["involvedObject"].get("fieldPath", "")
        reason = (body["type"], body["reason"], where)
        return about.said.setdefault(reason, _Said(now)).note(body, now)

    def _of(self, body: Object, now: float) -> _About:
        whom = body["involvedObject"]
        key = (
            body["source"]["component"],
            *(whom[k] for k in ("kind", "namespace", "name", "uid")),
        )
        about = self._about.setdefault(key, _About(now))
        self._about.move_to_end(key)
        if len(self._about) > MAX_OBJECTS:
            self._about.popitem(last=False)
        return about
