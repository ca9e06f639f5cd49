"""How much work a schema makes for one value, found before any value is checked.

A schema is a graph: a part leads to others that look at the same value (``allOf``, ``$ref``) or at
one within it (``properties``, ``items``). Followed through all places that a value can have, each
place with the parts that look there, and how often each does, the work for a value is the most of
any place. A schema that refers to itself comes to places that were seen already, unless it gets
more with each step: then it would take time without end, or exponential in the depth of a value,
and is refused. Patterns are left to an engine in linear time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

MOST_WORK = 2000
"""Parts that may look at one value."""
_MOST_PLACES = 5000
_LISTS = ("allOf", "anyOf", "oneOf")
_SINGLE = ("not", "if", "then", "else")
_MAPS = ("dependentSchemas", "dependencies")
_ELSEWHERE = ("additionalProperties", "propertyNames", "items", "contains", "additionalItems")
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")
_REFUSED = ("$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor")

_DIALECTS = (
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
)
"""Older ones let parts have names that change what references mean."""

_REST = ""
"""Any member or element that is not named."""

Schema = dict[str, Any]
_Place = Counter[str]
"""The parts that look at a value, by their pointers, and how often."""


class SchemaError(ValueError):
    """A schema that is not served; the message says what of it."""


def work_of(schema: object) -> int:
    """Return how many parts look at one value, at most; raise SchemaError."""
    if isinstance(schema, bool):
        return 1
    if not isinstance(schema, dict):
        raise SchemaError("a schema is an object or a Boolean")
    if str(schema.get("$schema", _DIALECTS[0])).removesuffix("#") not in _DIALECTS:
        raise SchemaError(f"$schema: is one of {', '.join(_DIALECTS)}")
    return _Walk(schema).run()


class _Walk:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self._parts: dict[str, Schema] = {}
        self._most = 0

    def run(self) -> int:
        first: _Place = Counter({"#": 1})
        seen = {frozenset(first.items())}
        waiting = [first]
        while waiting:
            for place in self._within(self._together(waiting.pop())):
                key = frozenset(place.items())
                if key not in seen:
                    seen.add(key)
                    waiting.append(place)
            if len(seen) > _MOST_PLACES:
                raise SchemaError("the schema is too large, or refers to itself too often")
        return self._most

    def _together(self, place: _Place) -> _Place:
        """All parts that look at the same value."""
        found: _Place = Counter()
        work, waiting = 0, list(place.items())
        while waiting:
            pointer, often = waiting.pop()
            part = self._part(pointer)
            if any(name in part for name in _UNEVALUATED):
                often *= 2  # to know what was evaluated, all of it is looked at again
            found[pointer] += often
            work += often * _weight(part)
            if work > MOST_WORK:
                raise SchemaError(
                    f"{pointer}: more than {MOST_WORK} parts of the schema look at one value, "
                    "or it refers to itself in more than one way"
                )
            waiting += [(other, often) for other in self._same_value(pointer, part)]
        self._most = max(self._most, work)
        return found

    def _same_value(self, pointer: str, part: Schema) -> Iterator[str]:
        if "$ref" in part:
            yield self._referred(pointer, part["$ref"])
        for name in _LISTS:
            for number, each in enumerate(_list(part.get(name))):
                yield self._known(f"{pointer}/{name}/{number}", each)
        for name in _SINGLE:
            if name in part:
                yield self._known(f"{pointer}/{name}", part[name])
        for name in _MAPS:
            for key, each in _dict(part.get(name)).items():
                if isinstance(each, dict):
                    yield self._known(f"{pointer}/{name}/{_escaped(key)}", each)

    def _within(self, together: _Place) -> Iterator[_Place]:
        """The places within a value: named members, and any other."""
        named: dict[str, _Place] = {}
        rest: _Place = Counter()
        for pointer, often in together.items():
            part = self._part(pointer)
            for label, other in self._other_values(pointer, part):
                place = rest if label == _REST else named.setdefault(label, Counter())
                place[other] += often
        for place in named.values():
            yield place + rest
        if rest:
            yield rest

    def _other_values(self, pointer: str, part: Schema) -> Iterator[tuple[str, str]]:
        for key, each in _dict(part.get("properties")).items():
            yield f"member {key}", self._known(f"{pointer}/properties/{_escaped(key)}", each)
        for number, each in enumerate(_list(part.get("prefixItems"))):
            yield f"element {number}", self._known(f"{pointer}/prefixItems/{number}", each)
        for number, each in enumerate(_list(part.get("items"))):
            yield f"element {number}", self._known(f"{pointer}/items/{number}", each)
        for key, each in _dict(part.get("patternProperties")).items():
            yield _REST, self._known(f"{pointer}/patternProperties/{_escaped(key)}", each)
        for name in (*_ELSEWHERE, *_UNEVALUATED):
            if isinstance(part.get(name), dict):
                yield _REST, self._known(f"{pointer}/{name}", part[name])

    # -- parts -------------------------------------------------------------------------------

    def _known(self, pointer: str, part: object) -> str:
        """Return the pointer by which a part is known from now on."""
        if isinstance(part, bool):
            part = {}
        if not isinstance(part, dict):
            raise SchemaError(f"{pointer}: a schema is an object or a Boolean")
        self._parts.setdefault(pointer, part)
        return pointer

    def _part(self, pointer: str) -> Schema:
        part = self._parts.get(pointer)
        if part is None:
            part = self._parts[pointer] = self._look_up(pointer)
        refused = [name for name in _REFUSED if name in part]
        if refused or ("$id" in part and pointer != "#"):
            name = refused[0] if refused else "$id"
            raise SchemaError(f"{pointer}: {name} is not served here")
        return part

    def _look_up(self, pointer: str) -> Schema:
        found: Any = self._root
        for step in pointer.split("/")[1:]:
            name = _unescaped(step)
            try:
                found = found[int(name)] if isinstance(found, list) else found[name]
            except (KeyError, IndexError, TypeError, ValueError) as error:
                raise SchemaError(f"{pointer}: there is no such part") from error
        if isinstance(found, bool):
            return {}
        if not isinstance(found, dict):
            raise SchemaError(f"{pointer}: a schema is an object or a Boolean")
        return found

    def _referred(self, pointer: str, reference: object) -> str:
        if isinstance(reference, str) and (reference == "#" or reference.startswith("#/")):
            return reference
        raise SchemaError(f"{pointer}/$ref: only parts of the schema itself are referred to")


def _weight(part: Schema) -> int:
    """How much one part does with a value by itself."""
    sizes = (len(_list(part.get(name))) for name in ("enum", "required"))
    return 1 + sum(sizes) // 10


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")
