"""How a registry asks who one is (``WWW-Authenticate``, RFC 9110, section 11.6.1). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


@dataclass(frozen=True, slots=True)
class Challenge:
    """``Basic`` or ``Bearer``, in small letters, and what belongs to it."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_challenge(header: str) -> Challenge | None:
    """The challenge of a header that holds one, as those of registries do."""
    scheme, _, rest = header.strip().partition(" ")
    if not scheme:
        return None
    found = {m[1].lower(): m[3] or re.sub(r"\\(.)", r"\1", m[2]) for m in _PARAMETER.finditer(rest)}
    return Challenge(scheme.lower(), found)
