"""Wishes from outside: how many pods somebody else wants of a Service or revision. Pure.

On the wire of the statistics (``serving.api.stats``), one line for any number of them::

    {"wishes": [["Service", "default", "hello", "default/orders", 3,
                 [["s0-redis-jobs", 42, 15, 3, ""]], "cooldown: 12s left"]]}

A wish may be a formula over what requests need (``requests``) and what triggers say; the autoscaler
works it out whenever it looks, and what comes out is how many pods there are, be it fewer than
requests need. On the wire it is the last member::

    ["requests + jobs", {"jobs": 4}, 1, 0, 0, 1, 9]

A wish is a state and never a change: the latest of one source counts, sent again as often as one
likes. Silence says nothing. ``null`` instead of the pods is the one word that ends it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from serving.api.annotations import MAX_INT32

SERVICE, REVISION = "Service", "Revision"
REQUESTS = "requests"
"""In a formula: the pods that requests need."""
MOST_TRIGGERS = 100
"""Of one wish; those beyond are not shown."""
LONGEST_TEXT = 500


@dataclass(frozen=True, slots=True)
class WishTrigger:
    """What one trigger saw, for who asks why there are so many pods."""

    name: str
    value: float | None = None
    """None: it could not be read; ``text`` says why."""
    target: float | None = None
    wish: int | None = None
    """The pods it asks for by itself."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class WishFormula:
    """A formula that stands for the pods of a wish."""

    text: str
    """In expr-lang, over ``requests`` and the names of triggers."""
    values: tuple[tuple[str, float | None], ...] = ()
    """What triggers say; None: it is not known."""
    target: float = 1.0
    """Of what comes out, for each pod."""
    activation: float = 0.0
    """What it has to exceed for any pod."""
    lowest: int = 0
    """Pods while it does not."""
    fewest: int = 1
    most: int = MAX_INT32
    """Bounds while it does."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The pods that one source wants a Service or a revision to have."""

    kind: str
    """``Service`` or ``Revision``."""
    namespace: str
    name: str
    source: str
    """Who wishes, as ``namespace/name``."""
    replicas: int | None
    """0: nothing is wanted now. None: the wish is over, and is forgotten."""
    triggers: tuple[WishTrigger, ...] = ()
    text: str = ""
    """What decided it."""
    formula: WishFormula | None = None
    """Counts instead of the pods, and instead of what requests ask for by themselves."""


def encode_wishes(wishes: Iterable[Wish]) -> bytes:
    """Write a line; a number that is none becomes one that is not known."""
    return orjson.dumps({"wishes": [_row(wish) for wish in wishes]}) + b"\n"


def _row(wish: Wish) -> list[Any]:
    triggers = [
        [each.name, each.value, each.target, each.wish, each.text[:LONGEST_TEXT]]
        for each in wish.triggers[:MOST_TRIGGERS]
    ]
    where = (wish.kind, wish.namespace, wish.name, wish.source)
    row = [*where, wish.replicas, triggers, wish.text[:LONGEST_TEXT]]
    return row if wish.formula is None else [*row, _formula_row(wish.formula)]


def _formula_row(formula: WishFormula) -> list[Any]:
    bounds = (formula.lowest, formula.fewest, formula.most)
    return [formula.text, dict(formula.values), formula.target, formula.activation, *bounds]


def read_wishes(rows: Iterable[Any]) -> tuple[Wish, ...]:
    """Read what ``encode_wishes`` wrote; raises TypeError or ValueError for anything else."""
    return tuple(_wish(*row) for row in rows)


def _wish(
    kind: Any,
    namespace: Any,
    name: Any,
    source: Any,
    replicas: Any,
    triggers: Any,
    text: Any,
    formula: Any = None,
    *_later: Any,
) -> Wish:
    if kind not in (SERVICE, REVISION):
        raise ValueError(f"a {kind} is not scaled here")
    return Wish(
        kind,
        str(namespace),
        str(name),
        str(source),
        _pods(replicas),
        tuple(_trigger(*each) for each in triggers[:MOST_TRIGGERS]),
        str(text)[:LONGEST_TEXT],
        None if formula is None else _formula(*formula),
    )


def _formula(
    text: Any,
    values: Any,
    target: Any,
    activation: Any,
    lowest: Any,
    fewest: Any,
    most: Any,
    *_later: Any,
) -> WishFormula:
    said = ((str(n), None if v is None else float(v)) for n, v in dict(values).items())
    bounds = (_pods(each) or 0 for each in (lowest, fewest, most))
    return WishFormula(str(text), tuple(sorted(said)), float(target), float(activation), *bounds)


def _trigger(name: Any, value: Any, target: Any, wish: Any, text: Any, *_later: Any) -> WishTrigger:
    return WishTrigger(
        str(name),
        None if value is None else float(value),
        None if target is None else float(target),
        _pods(wish),
        str(text)[:LONGEST_TEXT],
    )


def _pods(value: Any) -> int | None:
    return None if value is None else max(0, min(int(value), MAX_INT32))
