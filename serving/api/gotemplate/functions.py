"""The functions that every template of Go has. Pure.

Each takes its arguments as they are evaluated, and raises ValueError in Go's words. ``and`` and
``or``, which do not evaluate what they need not, and ``call`` are for ``running`` to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus

from serving.api.gotemplate.formatting import shown, sprint, sprintf, type_name
from serving.api.gotemplate.nodes import Struct

_BASIC = (str, bool, int, float)


def is_true(value: Any) -> bool:
    """Whether a value counts as true: no zero, nothing empty."""
    return True if isinstance(value, Struct) and value.items is None else bool(_members(value))


def _members(value: Any) -> Any:
    return value.items if isinstance(value, Struct) and value.items is not None else value


def _kind(value: Any) -> str:
    return type_name(value) if isinstance(value, _BASIC) else ""


def _check_comparable(first: Any, other: Any) -> None:
    kinds = _kind(first), _kind(other)
    if all(kinds) and kinds[0] != kinds[1]:
        raise ValueError(f"incompatible types for comparison: {kinds[0]} and {kinds[1]}")


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise ValueError("missing argument for comparison")
    for each in (first, *others):
        if isinstance(each, Mapping | list | tuple):
            raise ValueError(f"non-comparable type {shown(each)}: {type_name(each)}")
    for other in others:
        _check_comparable(first, other)
        if first == other:
            return True
    return False


def _less(one: Any, other: Any) -> bool:
    if not _kind(one) or not _kind(other) or isinstance(one, bool):
        raise ValueError("invalid type for comparison")
    _check_comparable(one, other)
    return bool(one < other)


def _position(at: Any, length: int, *, cap: bool = False) -> int:
    if type(at) is not int:
        raise ValueError(f"cannot index slice/array with type {type_name(at)}")
    if not 0 <= at < length + cap:
        raise ValueError(f"index out of range: {at}")
    return at


def _index(container: Any, *places: Any) -> Any:
    for place in places:
        container = _one(_members(container), place)
    return container


def _one(container: Any, place: Any) -> Any:
    if container is None:
        raise ValueError("index of untyped nil")
    if isinstance(container, Mapping):
        if not isinstance(place, str):
            raise ValueError(f"value has type {type_name(place)}; should be string")
        is_of_lists = any(isinstance(value, list) for value in container.values())
        return container.get(place, [] if is_of_lists else "")
    if isinstance(container, str):
        octets = container.encode()
        return octets[_position(place, len(octets))]
    if isinstance(container, list | tuple):
        return container[_position(place, len(container))]
    raise ValueError(f"can't index item of type {type_name(container)}")


def _slice(container: Any, *places: Any) -> Any:
    if container is None:
        raise ValueError("slice of untyped nil")
    if len(places) > 3:
        raise ValueError(f"too many slice indexes: {len(places)}")
    if not isinstance(container, str | list | tuple):
        raise ValueError(f"can't slice item of type {type_name(container)}")
    if isinstance(container, str) and len(places) == 3:
        raise ValueError("cannot 3-index slice a string")
    whole: Any = container.encode() if isinstance(container, str) else container
    at = [_position(place, len(whole), cap=True) for place in places]
    low, high = at[0] if at else 0, at[1] if len(at) > 1 else len(whole)
    if low > high:
        raise ValueError(f"invalid slice index: {low} > {high}")
    part = whole[low:high]
    return part.decode("utf-8", "replace") if isinstance(part, bytes) else part


def _len(value: Any) -> int:
    inner = _members(value)
    if inner is None:
        raise ValueError("len of nil pointer")
    if isinstance(inner, str):
        return len(inner.encode())
    if isinstance(inner, Mapping | list | tuple):
        return len(inner)
    raise ValueError(f"len of type {type_name(inner)}")


_HTML = str.maketrans(
    {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
_JS = str.maketrans(
    {"\\": "\\\\", "'": "\\'", '"': '\\"', **{c: f"\\u{ord(c):04X}" for c in "<>&="}}
)


def _js(text: str) -> str:
    escaped = text.translate(_JS)
    if escaped.isprintable():
        return escaped
    return "".join(c if c.isprintable() else f"\\u{ord(c):04X}" for c in escaped)


FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "and": (1, lambda *values: values[-1]),
    "or": (1, lambda *values: values[-1]),
    "call": (1, lambda *values: values[0]),
    "eq": (1, _equal),
    "ge": (-2, lambda one, other: not _less(one, other)),
    "gt": (-2, lambda one, other: not _less(one, other) and one != other),
    "html": (0, lambda *values: sprint(values).translate(_HTML)),
    "index": (1, _index),
    "js": (0, lambda *values: _js(sprint(values))),
    "le": (-2, lambda one, other: _less(one, other) or one == other),
    "len": (-1, _len),
    "lt": (-2, _less),
    "ne": (-2, lambda one, other: not _equal(one, other)),
    "not": (-1, lambda value: not is_true(value)),
    "print": (0, lambda *values: sprint(values)),
    "printf": (1, lambda form, *values: sprintf(shown(form), values)),
    "println": (0, lambda *values: " ".join(map(shown, values)) + "\n"),
    "slice": (1, _slice),
    "urlquery": (0, lambda *values: quote_plus(sprint(values), safe="~")),
}
"""Functions by name, with how many arguments they want: at least, or (below zero) exactly."""
