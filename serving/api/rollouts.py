"""What a Service or Route asks of its gradual rollouts, beyond how long they take. Pure.

``serving.hearth.dev/rollout-surge``: how many pods more than were needed there may be meanwhile.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from serving.api import keys

_SURGE = re.compile(r"([1-9]\d{0,5})(%?)")


@dataclass(frozen=True, slots=True)
class Surge:
    """So many pods, or so many percent of those that are needed."""

    amount: int
    is_percent: bool

    def of(self, base: int) -> int:
        """Return the pods beyond ``base``; one at least, or nothing could begin."""
        return max(1, math.ceil(base * self.amount / 100)) if self.is_percent else self.amount


def parse_surge(text: str) -> Surge:
    """Read the annotation's value; raises ValueError that says what would be right."""
    match = _SURGE.fullmatch(text.strip())
    if match is None or (match[2] and int(match[1]) > 100):
        raise ValueError("expected a number of pods from 1 on, or 1% to 100%")
    return Surge(int(match[1]), bool(match[2]))


def surge_of(annotations: Mapping[str, str]) -> Surge | None:
    """Return what annotations ask for; None for one that cannot be read, as for none."""
    try:
        return parse_surge(annotations[keys.ROLLOUT_SURGE])
    except (KeyError, ValueError):
        return None
