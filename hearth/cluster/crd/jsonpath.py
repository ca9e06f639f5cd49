"""JSONPath as Kubernetes speaks it, as far as printer columns and selectable fields need it.

``parse(".status.conditions[?(@.type=='Ready')].status")`` gives a ``JSONPath``; its ``find``
returns the values found, in order. Names (``\\.`` for a dot), quoted keys, indexes, slices,
wildcards, unions, recursive descent and filters are understood. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hearth.kube import gotext

JSON = Any
Step = Callable[[JSON], Iterator[JSON]]


class JSONPathError(ValueError):
    """The text is not a JSONPath."""


@dataclass(frozen=True, slots=True)
class JSONPath:
    """A compiled path; ``text`` is what it was read from."""

    text: str
    steps: tuple[Step, ...]

    def find(self, value: JSON) -> list[JSON]:
        """The values at this path; none when something on the way is missing."""
        values = [value]
        for step in self.steps:
            values = [inner for outer in values for inner in step(outer)]
        return values

    def first(self, value: JSON) -> JSON:
        """The first value found, or None."""
        return next(iter(self.find(value)), None)


def parse(text: str) -> JSONPath:
    """Compiles a path such as ``.spec.size``; a leading ``$`` and outer braces may be there."""
    body = text.strip()
    if body.startswith("{") and body.endswith("}"):
        body = body[1:-1]
    return JSONPath(text, tuple(_Parser(body.removeprefix("$").removeprefix("@")).steps()))


def text_of(value: JSON) -> str:
    """A value as kubectl prints it in a text column."""
    if value is None:
        return "<nil>"
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# -- steps ---------------------------------------------------------------------------------


def _field(name: str) -> Step:
    def step(value: JSON) -> Iterator[JSON]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _every(value: JSON) -> Iterator[JSON]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _descend(value: JSON) -> Iterator[JSON]:
    yield value
    for inner in _every(value):
        yield from _descend(inner)


def _index(position: int) -> Step:
    def step(value: JSON) -> Iterator[JSON]:
        if isinstance(value, list) and -len(value) <= position < len(value):
            yield value[position]

    return step


def _slice(bounds: slice) -> Step:
    def step(value: JSON) -> Iterator[JSON]:
        if isinstance(value, list):
            yield from value[bounds]

    return step


def _union(steps: list[Step]) -> Step:
    def step(value: JSON) -> Iterator[JSON]:
        for one in steps:
            yield from one(value)

    return step


def _filter(accepts: Callable[[JSON], bool]) -> Step:
    def step(value: JSON) -> Iterator[JSON]:
        yield from (item for item in _every(value) if accepts(item))

    return step


# -- parsing -------------------------------------------------------------------------------

_NAME = re.compile(r"(?:\\.|[^.\[\]\\])+")
_QUOTED = re.compile(r"""'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)\"""")
_SLICE = re.compile(r"(-?[0-9]+)?:(-?[0-9]+)?(?::([0-9]*[1-9][0-9]*)?)?")
_FILTER = re.compile(r"^\?\((.*)\)$", re.S)
_COMPARISON = re.compile(r"==|!=|<=|>=|<|>")
_COMPARE: dict[str, Callable[[JSON, JSON], bool]] = {
    "==": lambda a, b: bool(a == b) and isinstance(a, bool) == isinstance(b, bool),
    "!=": lambda a, b: not _COMPARE["=="](a, b),
    "<": lambda a, b: bool(a < b),
    ">": lambda a, b: bool(a > b),
    "<=": lambda a, b: bool(a <= b),
    ">=": lambda a, b: bool(a >= b),
}


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def steps(self) -> Iterator[Step]:
        while self._at < len(self._text):
            if self._text.startswith("..", self._at):
                self._at += 2
                yield _descend
                if self._at < len(self._text) and self._text[self._at] != "[":
                    yield self._name()
            elif self._text[self._at] == ".":
                self._at += 1
                if self._at < len(self._text) and self._text[self._at] != "[":
                    yield self._name()
            elif self._text[self._at] == "[":
                yield self._bracket()
            else:
                raise JSONPathError(f"unrecognized character in action: {self._text!r}")

    def _name(self) -> Step:
        match = _NAME.match(self._text, self._at)
        if not match:
            raise JSONPathError(f"name expected at {self._at} in {self._text!r}")
        self._at = match.end()
        name = match[0]
        return _every if name == "*" else _field(_unescaped(name))

    def _bracket(self) -> Step:
        end = _closing(self._text, self._at)
        inner = self._text[self._at + 1 : end].strip()
        self._at = end + 1
        if match := _FILTER.match(inner):
            return _filter(_predicate(match[1]))
        parts = [_subscript(part.strip()) for part in _split(inner)]
        return parts[0] if len(parts) == 1 else _union(parts)


def _unescaped(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)


def _closing(text: str, start: int) -> int:
    """The position of the bracket that closes the one at ``start``."""
    depth, index = 0, start
    while index < len(text):
        if match := _QUOTED.match(text, index):
            index = match.end()
            continue
        depth += {"[": 1, "]": -1}.get(text[index], 0)
        if depth == 0:
            return index
        index += 1
    raise JSONPathError(f"unterminated array in {text!r}")


def _split(text: str) -> list[str]:
    """The members of a union; commas in quotes do not part them."""
    parts, index, begin = [], 0, 0
    while index < len(text):
        if match := _QUOTED.match(text, index):
            index = match.end()
            continue
        if text[index] == ",":
            parts.append(text[begin:index])
            begin = index + 1
        index += 1
    return [*parts, text[begin:]]


def _subscript(text: str) -> Step:
    if match := _QUOTED.fullmatch(text):
        return _field(_unescaped(match[1] if match[1] is not None else match[2]))
    if text == "*":
        return _every
    try:
        if match := _SLICE.fullmatch(text):
            bounds = [gotext.parse_int(part) if part else None for part in match.groups()]
            return _slice(slice(*bounds))
        return _index(gotext.parse_int(text))
    except ValueError:
        raise JSONPathError(f"invalid array index {text}") from None


def _predicate(text: str) -> Callable[[JSON], bool]:
    left, operator, right = _comparison(text)
    value_of = _operand(left)
    if not operator:
        return lambda item: bool(value_of(item))
    other_of = _operand(right)
    compare = _COMPARE[operator]

    def accepts(item: JSON) -> bool:
        one, other = value_of(item), other_of(item)
        if not one or not other:
            return False
        try:
            return compare(one[0], other[0])
        except TypeError:  # values of different types are in no order
            return False

    return accepts


def _comparison(text: str) -> tuple[str, str, str]:
    index = 0
    while index < len(text):
        if match := _QUOTED.match(text, index):
            index = match.end()
        elif match := _COMPARISON.match(text, index):
            return text[:index].strip(), match[0], text[match.end() :].strip()
        else:
            index += 1
    return text.strip(), "", ""


def _operand(text: str) -> Callable[[JSON], list[JSON]]:
    """The values of one side of a comparison: a path from the item (``@``), or a literal."""
    if text.startswith("@"):
        path = parse(text)
        return path.find
    if match := _QUOTED.fullmatch(text):
        literal: JSON = _unescaped(match[1] if match[1] is not None else match[2])
    else:
        try:
            literal = json.loads(text)
        except ValueError:
            raise JSONPathError(f"unrecognized value {text!r} in filter") from None
    return lambda item: [literal]
