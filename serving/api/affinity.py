"""Session affinity of a revision: which requests are to go to the same pod. Hearth's own.

The annotation ``serving.hearth.dev/session-affinity`` of a revision template says ``cookie`` (or
``cookie:NAME``), for one that the gateway sets, or ``header:NAME``, for one that clients send.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from serving.api import keys

COOKIE = "hearth-session"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")


@dataclass(frozen=True, slots=True)
class Affinity:
    """By a cookie or by a header; the name of the other is empty."""

    cookie: str = ""
    header: str = ""


def parse_affinity(text: str) -> Affinity:
    """Read the annotation's value. Raises ValueError that says what would be right."""
    kind, colon, name = text.strip().partition(":")
    if kind == "cookie" and not colon:
        return Affinity(cookie=COOKIE)
    if kind in ("cookie", "header") and _TOKEN.fullmatch(name):
        return Affinity(cookie=name) if kind == "cookie" else Affinity(header=name.lower())
    raise ValueError("expected cookie, cookie:NAME or header:NAME")


def affinity_of(annotations: Mapping[str, str]) -> Affinity | None:
    """The affinity that annotations ask for; None for one that cannot be read, as for none."""
    try:
        return parse_affinity(annotations[keys.SESSION_AFFINITY])
    except (KeyError, ValueError):
        return None
