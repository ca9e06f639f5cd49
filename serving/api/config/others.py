"""ConfigMaps that Knative has and Hearth only checks: leader election and logging."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hearth.kube.gotext import quote
from serving.api.config.reading import Reader

LEADER_ELECTION = "config-leader-election"
LOGGING = "config-logging"
_MAX_BUCKETS = 10
_LEVELS = frozenset({"debug", "info", "warn", "error", "dpanic", "panic", "fatal"})


def check_leader_election(data: Mapping[str, str]) -> None:
    reader = Reader(data)
    for old, key, seconds in (
        ("leaseDuration", "lease-duration", 60.0),
        ("renewDeadline", "renew-deadline", 40.0),
        ("retryPeriod", "retry-period", 10.0),
    ):
        reader.seconds(old, key, default=seconds)
    buckets = reader.integer("buckets", default=1)
    if not 1 <= buckets <= _MAX_BUCKETS:
        raise ValueError(f"buckets: value must be between 1 <= {buckets} <= {_MAX_BUCKETS}")


def check_logging(data: Mapping[str, str]) -> None:
    """The logger's JSON and the level of each component."""
    text = data.get("zap-logger-config", "")
    if text:
        try:
            json.loads(text)
        except ValueError as error:
            raise ValueError(f"invalid character in zap-logger-config: {error}") from None
    for key, level in data.items():
        if key.startswith("loglevel.") and level and level.lower() not in _LEVELS:
            raise ValueError(f"unrecognized level: {quote(level)}")
