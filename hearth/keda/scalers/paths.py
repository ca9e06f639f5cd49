"""Where a value stands in a document: paths of GJSON and KEDA's dotted ones. Pure.

Of GJSON's syntax: keys, escapes, wildcards, indices, ``#`` (how many), ``#.key`` (of each),
``#(query)`` (the first that matches) and ``#(query)#`` (all). Modifiers (``@...``) are not there.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

MISSING = object()
"""Nothing stands there."""

_QUERY = re.compile(r"#\((?P<query>.*)\)(?P<all>#?)", re.DOTALL)
_COMPARISON = re.compile(
    r"(?P<path>.*?)\s*(?P<op>==|!=|<=|>=|!%|=|<|>|%)\s*(?P<value>.+)", re.DOTALL
)


def lookup(document: Any, path: str) -> Any:
    """Return what stands at a GJSON path, or MISSING. Raises ValueError for a path that is none."""
    return _walk(document, list(_parts(path)))


def by_dots(document: Any, path: str) -> Any:
    """Return the first value on a dotted path that holds no others. Raises ValueError.

    That is, with its words, KEDA's ``GetValueByPath``: what the path says beyond such a
    value does not count.
    """
    for key in path.split("."):
        if isinstance(document, list):
            document = dict(enumerate(document))
        found = {str(each): value for each, value in document.items()}
        if key not in found:
            raise ValueError(f"key '{key}' not found in path '{path}'")
        document = found[key]
        if not isinstance(document, dict | list):
            return document
    raise ValueError(f"path '{path}' does not lead to a value")


def _parts(path: str) -> Iterator[str]:
    """The path's parts with their escapes; dots within the parentheses of a query part nothing."""
    part, depth, quoted, position = "", 0, False, 0
    while position < len(path):
        sign = path[position]
        if sign == "\\":
            part += path[position : position + 2]
            position += 2
            continue
        if sign == '"' and depth:
            quoted = not quoted
        elif not quoted:
            depth += (sign == "(") - (sign == ")") if depth or part.startswith("#") else 0
        if sign in ".|" and not depth:
            yield part
            part = ""
        else:
            part += sign
        position += 1
    if depth or quoted:
        raise ValueError(f"path {path!r} ends within a query")
    yield part


def _walk(value: Any, parts: list[str]) -> Any:
    if not parts:
        return value
    part, rest = parts[0], parts[1:]
    if isinstance(value, dict):
        return _walk(_member(value, part), rest)
    if not isinstance(value, list):
        return MISSING
    if part == "#":
        return _each(value, rest) if rest else len(value)
    if query := _QUERY.fullmatch(part):
        matching = [each for each in value if _matches(each, query["query"])]
        if query["all"]:
            return _each(matching, rest)
        return _walk(matching[0], rest) if matching else MISSING
    if part.isdecimal() and int(part) < len(value):
        return _walk(value[int(part)], rest)
    return MISSING


def _each(values: list[Any], rest: list[str]) -> list[Any]:
    return [found for each in values if (found := _walk(each, rest)) is not MISSING]


def _member(value: dict[str, Any], part: str) -> Any:
    plain = re.sub(r"\\(.)", r"\1", part)
    if plain in value or not re.search(r"(?<!\\)[*?]", part):
        return value.get(plain, MISSING)
    pattern = re.compile(fnmatch.translate(part.replace("[", "[[]")))
    return next((value[key] for key in value if pattern.match(key)), MISSING)


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "%": fnmatch.fnmatchcase,
    "!%": lambda text, pattern: not fnmatch.fnmatchcase(text, pattern),
}
_WORDS = {"true": True, "false": False, "null": None}


def _matches(value: Any, query: str) -> bool:
    compared = _COMPARISON.fullmatch(query)
    if compared is None:
        return lookup(value, query) is not MISSING
    path, wanted = compared["path"], _literal(compared["value"].strip())
    found = lookup(value, path) if path else value
    if isinstance(found, bool) != isinstance(wanted, bool):
        return False
    both_text = isinstance(found, str) and isinstance(wanted, str)
    if not both_text and not (isinstance(found, int | float) and isinstance(wanted, int | float)):
        return found is wanted and compared["op"] in ("=", "==")
    if "%" in compared["op"] and not both_text:
        return False
    return bool(_OPERATORS[compared["op"]](found, wanted))


def _literal(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    try:
        return float(text)
    except ValueError:
        return text
