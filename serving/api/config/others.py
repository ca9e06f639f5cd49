"""ConfigMaps that Knative has and Hearth only checks: leader election and logging."""

from __future__ import annotations

from collections.abc import Mapping

from hearth.knative.configmap import Reader
from hearth.kube.gotext import parse_uint

_MAX_BUCKETS = 10
_LEVELS = frozenset({"debug", "info", "warn", "warning", "error", "dpanic", "panic", "fatal"})


def check_leader_election(data: Mapping[str, str]) -> None:
    """Check config-leader-election; raises ValueError in Knative's words."""
    reader = Reader(data)
    for old, key, seconds in (
        ("leaseDuration", "lease-duration", 60.0),
        ("renewDeadline", "renew-deadline", 40.0),
        ("retryPeriod", "retry-period", 10.0),
    ):
        reader.seconds(old, key, default=seconds)
    buckets = reader.read(("buckets",), 1, lambda text: parse_uint(text, 32))
    if not 1 <= buckets <= _MAX_BUCKETS:
        raise ValueError(f"buckets: value must be between 1 <= {buckets} <= {_MAX_BUCKETS}")


def check_logging(data: Mapping[str, str]) -> None:
    """The level of each component; the logger's own settings are not Hearth's."""
    for key, level in data.items():
        if key.startswith("loglevel.") and level and level.lower() not in _LEVELS:
            raise ValueError(f"invalid logging level: {level}")
