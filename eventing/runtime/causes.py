"""Loops of replies, found by what caused what. Pure.

A reply that goes into its Broker again knows the subscriptions through which it came to be: those
of the event that it answers, and the one that was answered. Where one of them comes again and
again, events go round in a loop, and its way is known by name. The count of passes
(``knativebrokerttl``) ends a loop that nobody mends.
"""

from __future__ import annotations

MOST = 32
"""No more of the causes are kept: a longer way round is not seen."""
PASSES = 3
"""Passing twice may be meant, as asking for the next page is; from this on it is a loop."""


def caused_by(causes: tuple[str, ...], subscription: str) -> tuple[str, ...]:
    """Return the causes of a reply."""
    return (*causes, subscription)[-MOST:]


def loop_in(causes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the last way round, from a subscription to itself; empty where there is no loop."""
    if not causes or causes.count(causes[-1]) < PASSES:
        return ()
    *before, last = causes
    start = len(before) - 1 - before[::-1].index(last)
    return causes[start:]
