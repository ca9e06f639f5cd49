"""What went where, in numbers: notes of a time counted. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from eventing.runtime.journeys.journey import DEAD_LETTER, SUBSCRIBER
from eventing.runtime.journeys.records import ATTEMPTED, REPLIED, ROUTED, all_notes

_FAILED = ("retry", "dead letter", "dropped", "held")
_MOST_KINDS = 200
"""Kinds of events that are told apart; all others count as one, which has no name."""


@dataclass(slots=True)
class Flows:
    """Counts of one log."""

    came: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Events by source and type."""
    matched: Counter[str] = field(default_factory=Counter)
    """Events that a subscription was to get; all of these by label."""
    delivered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By label and URL."""
    failed: Counter[str] = field(default_factory=Counter)
    """Attempts."""
    dropped: Counter[str] = field(default_factory=Counter)
    dead_lettered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By label and URL."""
    replied: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By label, type and URL, which is empty where replies go into the same log."""


def flows_since(batches: Iterable[bytes], since: float) -> Flows:
    """Count what happened at that time (seconds since 1970) or later."""
    flows, since_ns = Flows(), int(since * 1e9)
    for note in all_notes(batches):
        if note[0] == ROUTED and note[2] >= since_ns:
            attributes = note[3]
            kind = attributes.get("source", ""), attributes.get("type", "")
            if kind not in flows.came and len(flows.came) >= _MOST_KINDS:
                kind = "", ""
            flows.came[kind] += 1
            flows.matched.update(note[4])
        elif note[0] == ATTEMPTED and note[3] >= since:
            _, _, label, _, hop, _, url, _, _, _, follows, *_ = note
            _count(flows, label, hop, url, follows)
        elif note[0] == REPLIED and note[3] >= since:
            _, _, label, _, _, _, kind_of_reply, url, _ = note
            flows.replied[label, kind_of_reply, url] += 1
    return flows


def _count(flows: Flows, label: str, hop: str, url: str, follows: str) -> None:
    if follows in ("done", "reply"):
        if hop == SUBSCRIBER:
            flows.delivered[label, url] += 1
        elif hop == DEAD_LETTER:
            flows.dead_lettered[label, url] += 1
        return
    if follows in _FAILED:
        flows.failed[label] += 1
    if follows == "dropped":
        flows.dropped[label] += 1
