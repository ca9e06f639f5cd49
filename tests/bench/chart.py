"""A bar chart of the rows that have peers or a goal, as SVG by hand: no library needed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tests.bench.rows import Row, text

_WIDTH, _LABEL, _BAR, _GAP = 900, 380, 16, 26
_OURS, _PEER = "#c2410c", "#94a3b8"


def draw(rows: Sequence[Row]) -> str:
    """One group of bars for each row with peers; lengths are relative within a group."""
    parts: list[str] = []
    y = 40
    for found in (r for r in rows if r["peers"]):
        bars = [("Hearth", found["value"], _OURS)]
        bars += [(name, value, _PEER) for name, value in found["peers"].items()]
        longest = max(value for _, value, _ in bars) or 1
        heading = escape(f"{found['name']} ({found['unit']})")
        parts.append(f'<text x="10" y="{y}" font-weight="bold">{heading}</text>')
        y += 10
        for name, value, colour in bars:
            length = (_WIDTH - _LABEL - 110) * value / longest
            parts.append(f'<text x="{_LABEL - 10}" y="{y + 13}" text-anchor="end">')
            parts.append(f"{escape(name)}</text>")
            parts.append(
                f'<rect x="{_LABEL}" y="{y}" width="{length:.1f}" height="{_BAR}" '
                f'fill="{colour}" rx="2"/>'
            )
            parts.append(f'<text x="{_LABEL + length + 6:.1f}" y="{y + 13}">{text(value)}</text>')
            y += _BAR + 5
        y += _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" '
        f'font-family="sans-serif" font-size="13">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )
