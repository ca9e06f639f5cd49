"""A ConfigMap that Knative has and Hearth only checks: logging."""

from __future__ import annotations

from collections.abc import Mapping

_LEVELS = frozenset({"debug", "info", "warn", "warning", "error", "dpanic", "panic", "fatal"})


def check_logging(data: Mapping[str, str]) -> None:
    """The level of each component; the logger's own settings are not Hearth's."""
    for key, level in data.items():
        if key.startswith("loglevel.") and level and level.lower() not in _LEVELS:
            raise ValueError(f"invalid logging level: {level}")
