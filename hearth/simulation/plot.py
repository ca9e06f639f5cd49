"""A simulation as SVG, by hand: requests, pods, who waits, latency, one below the other. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

_WIDTH, _LEFT, _RIGHT = 960, 70, 20
_HEIGHT, _GAP, _TOP = 130, 42, 40
_PANELS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    ("requests per second", (("requestsPerSecond", "requests", "#0f766e"),)),
    ("pods", (("asked", "asked for", "#94a3b8"), ("ready", "ready", "#c2410c"))),
    ("waiting for a pod", (("queue", "most at once", "#7c3aed"),)),
    (
        "latency, seconds",
        (("latencyP95", "p95", "#dc2626"), ("latencyP50", "p50", "#2563eb")),
    ),
)


def draw(told: Mapping[str, Any]) -> str:
    """Return the SVG of a report (``report.report``)."""
    series, seconds = told["series"], told["seconds"]
    height = _TOP + len(_PANELS) * (_HEIGHT + _GAP)
    parts: list[str] = []
    title = f"{told['services']:,} services, {told['requests']:,} requests"
    parts.append(f'<text x="{_LEFT}" y="20" font-weight="bold">{escape(title)}</text>')
    for number, (name, lines) in enumerate(_PANELS):
        top = _TOP + number * (_HEIGHT + _GAP)
        parts += _panel(name, lines, series, top)
    bottom = _TOP + len(_PANELS) * (_HEIGHT + _GAP) - _GAP + 16
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * share
        text = _clock(seconds * share)
        parts.append(f'<text x="{x:.1f}" y="{bottom}" text-anchor="middle">{text}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _panel(
    name: str,
    lines: Sequence[tuple[str, str, str]],
    series: Sequence[Mapping[str, float]],
    top: float,
) -> Iterator[str]:
    most = max((point[field] for field, _, _ in lines for point in series), default=0.0) or 1.0
    width = _WIDTH - _LEFT - _RIGHT
    yield f'<rect x="{_LEFT}" y="{top}" width="{width}" height="{_HEIGHT}" fill="#f8fafc"/>'
    yield f'<text x="{_LEFT}" y="{top - 6}">{escape(name)}</text>'
    yield f'<text x="{_LEFT - 6}" y="{top + 10}" text-anchor="end">{most:.4g}</text>'
    yield f'<text x="{_LEFT - 6}" y="{top + _HEIGHT}" text-anchor="end">0</text>'
    for number, (field, label, colour) in enumerate(lines):
        points = " ".join(_steps([point[field] for point in series], most, top, width))
        yield f'<polyline fill="none" stroke="{colour}" stroke-width="1.3" points="{points}"/>'
        if len(lines) > 1:
            x = _WIDTH - _RIGHT - 90 * (len(lines) - number)
            yield f'<text x="{x}" y="{top - 6}" fill="{colour}">{escape(label)}</text>'


def _steps(values: Sequence[float], most: float, top: float, width: float) -> Iterator[str]:
    for number, value in enumerate(values):
        y = top + _HEIGHT * (1 - value / most)
        for edge in (number, number + 1):
            yield f"{_LEFT + width * edge / len(values):.1f},{y:.1f}"


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
