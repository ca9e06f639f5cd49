"""Texts with places for what a webhook's request says: ``repo/{/repository/name}``. Pure.

A place is ``{header:NAME}``, ``{query:NAME}``, a pointer into a JSON body (``{/a/0/b}``, RFC 6901),
or one of the words that the reader allows (``{body}``). ``{{`` and ``}}`` are braces. Nothing is
ever run: a template is a list of pieces that are put together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

MOST_CHARACTERS = 1024
"""Of a template, and of what it makes."""
MOST_PLACES = 16
HEADER, QUERY, POINTER, WORD = "header", "query", "pointer", "word"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}")
_PIECE = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+")
_BAD_ESCAPE = re.compile(r"~(?![01])")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is from."""

    kind: str
    name: str

    def __str__(self) -> str:
        return self.name if self.kind in (POINTER, WORD) else f"{self.kind}:{self.name}"


Template = Sequence[str | Place]


class Missing(ValueError):
    """A request has nothing at a place."""


def parse(text: str, words: Collection[str] = ()) -> Template:
    """Return the pieces of a template; raise ValueError, which says what is wrong with it."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"a template has {MOST_CHARACTERS} characters at most")
    pieces = [_piece(each, words) for each in _PIECE.findall(text)]
    if sum(isinstance(each, Place) for each in pieces) > MOST_PLACES:
        raise ValueError(f"a template has {MOST_PLACES} places at most")
    return pieces


def _piece(text: str, words: Collection[str]) -> str | Place:
    if text in ("{{", "}}"):
        return text[0]
    if text in ("{", "}"):
        raise ValueError(f"a lone {text}: write {text}{text} for the character itself")
    return place(text[1:-1], words) if text[0] == "{" else text


def place(text: str, words: Collection[str] = ()) -> Place:
    """Return what stands between braces; raise ValueError."""
    kind, colon, name = text.partition(":")
    if colon and kind in (HEADER, QUERY) and _TOKEN.fullmatch(name):
        return Place(kind, name.lower() if kind == HEADER else name)
    if text in words:
        return Place(WORD, text)
    if text.startswith("/") and not _BAD_ESCAPE.search(text):
        return Place(POINTER, text)
    known = ", ".join(("header:NAME", "query:NAME", "/a/pointer", *sorted(words)))
    raise ValueError(f"{{{text}}} is none of {known}")


def render(template: Template, find: Callable[[Place], str | None]) -> str:
    """Put the pieces together; raise Missing where there is nothing at a place, or too much."""
    made = []
    for each in template:
        value = find(each) if isinstance(each, Place) else each
        if value is None:
            raise Missing(f"the request has no {{{each}}}")
        made.append(value)
    text = "".join(made)
    if len(text) > MOST_CHARACTERS:
        raise Missing(f"what the request says makes more than {MOST_CHARACTERS} characters")
    return text


def at_pointer(document: Any, pointer: str) -> Any:
    """Return what a JSON pointer leads to; None where it leads nowhere."""
    found = document
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.isascii() and step.isdigit() and len(step) < 10:
            found = found[int(step)] if int(step) < len(found) else None
        else:
            return None
    return found


def text_at(document: Any, pointer: str) -> str | None:
    """Return a text, number or truth value as text; None for anything else."""
    found = at_pointer(document, pointer)
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int | float):
        return str(found)
    return found if isinstance(found, str) else None
