"""What one measurement is, and how several are printed."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict


class Row(TypedDict):
    """``value`` is the median of ``runs``; ``peers`` are medians measured in the same run."""

    name: str
    value: float
    unit: str
    goal: str
    met: bool | None
    peers: dict[str, float]
    runs: list[float]


def row(
    name: str,
    runs: Sequence[float],
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    peers: Mapping[str, float] | None = None,
) -> Row:
    """A row with its median held against a goal."""
    value = statistics.median(runs)
    if at_most is not None:
        goal, met = f"<= {at_most:g}", value <= at_most
    elif at_least is not None:
        goal, met = f">= {at_least:g}", value >= at_least
    else:
        goal, met = "", None
    return Row(
        name=name,
        value=value,
        unit=unit,
        goal=goal,
        met=met,
        peers=dict(peers or {}),
        runs=[round(run, 6) for run in runs],
    )


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def text(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


HEADER = """\
| what | median | goal | reached | min to max | peers |
|---|---|---|---|---|---|"""


def line(found: Row) -> str:
    """A row as a line of the table."""
    reached = {True: "yes", False: "**no**", None: ""}[found["met"]]
    peers = ", ".join(f"{name} {text(value)}" for name, value in found["peers"].items())
    spread = f"{text(min(found['runs']))} to {text(max(found['runs']))}"
    return (
        f"| {found['name']} | {text(found['value'])} {found['unit']} | {found['goal']} | {reached} "
        f"| {spread} | {peers} |"
    )


def markdown(rows: Iterable[Row]) -> str:
    return "\n".join([HEADER, *map(line, rows)])


def show(rows: Iterable[Row]) -> None:
    """Print the table, each line as soon as it is there."""
    print(HEADER, flush=True)
    for found in rows:
        print(line(found), flush=True)
