"""Which Events are objects of their own: equal ones are counted, similar ones combined. Pure.

The rules are client-go's (tools/record/events_cache.go): an Event that says the same of the same
object is counted up; of ten that differ in their message alone those to come are one; and about one
object each source may say 25 things at once, and one every five minutes from then on.

Some hundreds are remembered and as many may wait to be written, nearly all of which nothing is said
of again: they are kept as JSON, a quarter of what the objects take.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import orjson

from hearth.kube.encoding import kept_json
from hearth.kube.meta import Object

MAX_OBJECTS = 500
"""Of so many objects is remembered what was said."""
SIMILAR, SIMILAR_SECONDS = 10, 600.0
BURST, REFILL_SECONDS = 25, 300.0
COMBINED = "(combined from similar events): "
MAX_MESSAGE = 1024
"""Letters of a message (core/v1 validation)."""


class Note:
    """One Event object, and how far it is told. ``about`` is whom the correlator knows it by."""

    __slots__ = ("_body", "about", "is_waiting", "is_written")

    def __init__(self, about: str, body: Object) -> None:
        self.about = about
        self.body = body
        self.is_written = "involvedObject" not in body
        self.is_waiting = False

    @property
    def body(self) -> Object:
        """The object; once it is one of the API, what of it may change."""
        body: Object = orjson.loads(self._body)
        return body

    @body.setter
    def body(self, body: Object) -> None:
        self._body = kept_json(body)

    def again(self, body: Object) -> None:
        """It was said once more."""
        known = self.body
        changed = {k: body[k] for k in ("message", "lastTimestamp")}
        self.body = known | changed | {"count": known["count"] + 1}

    def written(self) -> None:
        """It is an object of the API now: what may change is kept."""
        self.is_written = True
        self.body = {"metadata": self.body["metadata"], **self.changes()}

    def changes(self) -> Object:
        """Return the fields that another one of its kind changes."""
        body = self.body
        return {k: body[k] for k in ("count", "lastTimestamp", "message")}


@dataclass(slots=True)
class _Said:
    """What was said for one reason, by message."""

    at: float
    notes: dict[str, Note] = field(default_factory=dict)
    combined: Note | None = None

    def note(self, about: str, body: Object, now: float) -> Note:
        if now - self.at > SIMILAR_SECONDS:
            self.notes, self.combined = {}, None
        self.at = now
        known = self.notes.get(body["message"])
        if known is None and len(self.notes) >= SIMILAR - 1:
            body = {**body, "message": (COMBINED + body["message"])[:MAX_MESSAGE]}
            known = self.combined
            self.combined = known or Note(about, body)
        elif known is None:
            self.notes[body["message"]] = Note(about, body)
        if known is not None:
            known.again(body)
        return known or self.combined or self.notes[body["message"]]

    @property
    def is_waiting(self) -> bool:
        return any(note.is_waiting for note in (*self.notes.values(), self.combined) if note)

    def bodies(self) -> tuple[float, list[Object], Object | None]:
        bodies = [note.body for note in self.notes.values()]
        return self.at, bodies, self.combined.body if self.combined else None

    @classmethod
    def of(cls, about: str, at: float, bodies: list[Object], combined: Object | None) -> _Said:
        notes = {body["message"]: Note(about, body) for body in bodies}
        return cls(at, notes, Note(about, combined) if combined else None)


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

    @property
    def is_waiting(self) -> bool:
        return any(said.is_waiting for said in self.said.values())

    def packed(self) -> bytes:
        said = [(reason, *each.bodies()) for reason, each in self.said.items()]
        return kept_json((self.at, self.allowed, said))

    @classmethod
    def unpacked(cls, about: str, packed: bytes) -> _About:
        at, allowed, said = orjson.loads(packed)
        return cls(at, allowed, {tuple(reason): _Said.of(about, *rest) for reason, *rest in said})


class Correlator:
    """Remembers what was said about whom."""

    def __init__(self) -> None:
        self._about: OrderedDict[str, _About | bytes] = OrderedDict()

    def note(self, body: Object, now: float) -> Note | None:
        """Return the object that tells this Event; None where there were too many."""
        whom = body["involvedObject"]
        known_by = (whom[k] for k in ("kind", "namespace", "name", "uid"))
        key = "\n".join((body["source"]["component"], *known_by))
        about = self._of(key, now)
        if not about.takes(now):
            return None
        reason = (body["type"], body["reason"], whom.get("fieldPath", ""))
        return about.said.setdefault(reason, _Said(now)).note(key, body, now)

    def settled(self, note: Note) -> None:
        """It is written, or nobody tries to any more."""
        about = self._about.get(note.about)
        if isinstance(about, _About) and not about.is_waiting:
            self._about[note.about] = about.packed()

    def _of(self, key: str, now: float) -> _About:
        known = self._about.get(key) or _About(now)
        about = _About.unpacked(key, known) if isinstance(known, bytes) else known
        self._about[key] = about
        self._about.move_to_end(key)
        if len(self._about) > MAX_OBJECTS:
            self._about.popitem(last=False)
        return about
