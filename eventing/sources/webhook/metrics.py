"""What the receiver of WebhookSources counts."""

from __future__ import annotations

from prometheus_client import Counter

REQUESTS = Counter(
    "hearth_webhooksource_requests",
    "Requests of WebhookSources by outcome: sent (the sink took the event), duplicate, answered "
    "(no event: a challenge, a test), refused (signature, time, replay, form), failed (the sink "
    "took it not), busy",
    ["namespace", "name", "result"],
)
