"""The JSONPaths of workload resource mappings. Pure.

Fixed JSONPaths are fields alone; where containers are may also be ``[*]``, ``.*`` or ``[0]``.
Filters, unions, slices and recursion, which the specification lets an implementation have, are
refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

Path = tuple[str | int, ...]
ANY = "*"
_STEP = re.compile(
    r"\.(?P<field>[A-Za-z0-9_$-]+)|\['(?P<quoted>(?:[^'\\]|\\.)+)'\]|(?P<any>\[\*\]|\.\*)|\[(?P<index>\d{1,4})\]"
)


class PathError(ValueError):
    """A path that is none, or more than is understood; the text says which."""


def parse(text: str, *, fixed: bool) -> Path:
    """Return the steps of a path; raise PathError."""
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise PathError(f"unrecognized character in action: {text[at:]!r}")
        at = found.end()
        if fixed and (found["any"] or found["index"]):
            raise PathError(f"unsupported node: {found[0]}")
        steps.append(_step(found))
    if not steps:
        raise PathError("too many root nodes")
    return tuple(steps)


def _step(found: re.Match[str]) -> str | int:
    if found["index"] is not None:
        return int(found["index"])
    if found["any"] is not None:
        return ANY
    return found["field"] or re.sub(r"\\(.)", r"\1", found["quoted"])


def matches(value: Any, path: Sequence[str | int]) -> Iterator[Any]:
    """Yield what a path leads to; nothing where it leads nowhere."""
    if not path:
        yield value
        return
    step, rest = path[0], path[1:]
    for child in _children(value, step):
        yield from matches(child, rest)


def _children(value: Any, step: str | int) -> list[Any]:
    if isinstance(value, list):
        if step == ANY:
            return value
        return [value[step]] if isinstance(step, int) and step < len(value) else []
    if isinstance(value, dict):
        if step == ANY:
            return list(value.values())
        return [value[step]] if step in value else []
    return []


def get(value: Any, path: Path) -> Any:
    """Return what a fixed path leads to; None where it leads nowhere."""
    return next(matches(value, path), None)


def put(value: dict[str, Any], path: Path, new: Any) -> None:
    """Set what a fixed path leads to; what is empty or None is taken out.

    Raises PathError where something other than an object is in the way.
    """
    for step in path[:-1]:
        below = value.get(str(step))
        if below is None:
            if not new:
                return
            below = value[str(step)] = {}
        if not isinstance(below, dict):
            raise PathError(f"{step} of {path} is no object")
        value = below
    if new:
        value[str(path[-1])] = new
    else:
        value.pop(str(path[-1]), None)
