"""The event that a request becomes. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eventing.api.webhooktemplates import at_pointer, text_at

LONGEST_ATTRIBUTE = 256
"""Characters of attributes that are taken from a body where nobody says how long they may be."""
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Made:
    """An event before what the WebhookSource says of it."""

    id: str
    """What tells deliveries apart."""
    type: str
    source: str
    data: bytes
    content_type: str = JSON
    subject: str = ""
    time: str = ""
    extensions: Mapping[str, str] = field(default_factory=dict)


def short(text: str | None) -> str:
    """Return what an attribute can hold of a text: one line of a bounded length."""
    line = (text or "").splitlines()[:1]
    kept = "".join(each for each in "".join(line) if each.isprintable())
    return kept[:LONGEST_ATTRIBUTE].strip()


def first(document: Any, *pointers: str) -> str:
    """Return the first text that one of the pointers leads to, as an attribute."""
    return next((found for each in pointers if (found := short(text_at(document, each)))), "")


def last_part(url: str) -> str:
    """Return what follows the last slash."""
    return url.rstrip("/").rpartition("/")[2]


def attributes(**given: str) -> dict[str, str]:
    """Return those that have a value."""
    return {name: value for name, value in given.items() if value}


def rfc3339(seconds: Any) -> str:
    """Return a time of a body as text; nothing where it is none."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return ""
    if not 0 <= seconds < 253_402_300_800:  # the year 10000
        return ""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat().replace("+00:00", "Z")


def at_time(document: Any, pointer: str) -> str:
    """Return the time that a pointer leads to."""
    return rfc3339(at_pointer(document, pointer))
