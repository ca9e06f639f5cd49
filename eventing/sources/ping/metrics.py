"""What the adapter of PingSources counts."""

from __future__ import annotations

from prometheus_client import Counter

TICKS = Counter(
    "hearth_pingsource_ticks",
    "Ticks of PingSources by outcome: sent, failed (not taken by the sink), missed",
    ["namespace", "name", "result"],
)
