"""In which line of a file a field of an object is. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

LineOf = Callable[[str], int]
"""The line of a path (``spec.containers[0].image``), as near as the file has it; 0: unknown."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def no_line(_: str) -> int:
    """Say that no line is known."""
    return 0


def lines_of(part: bytes, start: int) -> LineOf:
    """Return the lines of a document that YAML can read, ``start`` lines into its file."""
    node = yaml.compose(part, Loader=_LOADER)
    return lambda path: start + _line(node, path) + 1


def _line(node: Any, path: str) -> int:
    """The line of the field that a path names, as near as the file has it."""
    line = int(node.start_mark.line)
    while path:
        step = _step(node, path)
        if step is None:
            break
        line, node, path = step
    return line


def _step(node: Any, path: str) -> tuple[int, Any, str] | None:
    if isinstance(node, yaml.SequenceNode):
        found = re.match(r"\[(\d+|\*)\]\.?", path)
        index = 0 if found is None or found[1] == "*" else int(found[1])
        if found is None or index >= len(node.value):
            return None
        inner = node.value[index]
        return inner.start_mark.line, inner, path[found.end() :]
    if not isinstance(node, yaml.MappingNode):
        return None
    text = path.removeprefix("[")
    fitting = [
        (key.value, key.start_mark.line, value)
        for key, value in node.value
        if text == key.value or text.startswith(tuple(key.value + end for end in ".[]"))
    ]
    if not fitting:
        return None
    title, line, value = max(fitting, key=lambda each: len(each[0]))
    return line, value, text[len(title) :].removeprefix("]").removeprefix(".")
