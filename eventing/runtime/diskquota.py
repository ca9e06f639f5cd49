"""How much of the disk the events of each namespace may take. Pure.

What counts of a log is what somebody still needs of it. What is kept beyond that, to be looked at
and replayed, goes first when a namespace is short.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hearth.kube.quantity import parse_quantity

_MEBI = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LogUse:
    """What one log takes."""

    namespace: str
    needed: int
    """Bytes that somebody needs."""
    spare: int
    """Bytes that are kept beyond that."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a namespace stands."""

    is_short: bool = False
    """What nobody needs is to go."""
    refusal: str = ""
    """What producers are told; empty while they may send."""


_FREE = Verdict()


def verdicts(most: int, logs: Iterable[LogUse], others: Mapping[str, int]) -> Mapping[str, Verdict]:
    """Return how each namespace stands; one that is not named may send.

    ``others`` are bytes beside the logs, by namespace.
    """
    needed: Counter[str] = Counter(others)
    spare: Counter[str] = Counter()
    for use in logs:
        needed[use.namespace] += use.needed
        spare[use.namespace] += use.spare
    return {
        namespace: Verdict(True, _refusal(namespace, taken, most) if taken >= most else "")
        for namespace, taken in needed.items()
        if taken + spare[namespace] >= most
    }


def verdict_of(found: Mapping[str, Verdict], namespace: str) -> Verdict:
    """Return how one namespace stands."""
    return found.get(namespace, _FREE)


def _refusal(namespace: str, taken: int, most: int) -> str:
    return (
        f"the namespace {namespace} is full: its events take {taken / _MEBI:.1f} MiB on disk, and "
        f"namespace-event-disk allows {most / _MEBI:.1f} MiB; its subscribers have to take what "
        "waits for them, or held events be redriven (hearth event redrive)"
    )


def read_most(text: str) -> int:
    """Return the bytes that a quantity allows, as ``2Gi``; 0 for no limit. Raises ValueError."""
    most = parse_quantity(text).value
    if most < 0:
        raise ValueError(f"{text!r} is less than nothing")
    return most
