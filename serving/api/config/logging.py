"""config-logging: how much each component says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_LEVELS = {
    "debug": "DEBUG",
    "info": "INFO",
    "warn": "WARNING",
    "warning": "WARNING",
    "error": "ERROR",
    "dpanic": "CRITICAL",
    "panic": "CRITICAL",
    "fatal": "CRITICAL",
}
"""The levels of zap, which Knative logs with, and ours for them."""


@dataclass(frozen=True, slots=True)
class LoggingConfig:
    """Levels of components; "" leaves a component as the process was begun.

    The levels of other components are checked, the settings of zap itself are not Hearth's.
    """

    activator: str = ""
    autoscaler: str = ""
    controller: str = ""
    webhook: str = ""

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> LoggingConfig:
        """Read the ConfigMap's data; raises ValueError in Knative's words."""
        for key, level in data.items():
            named = key.startswith("loglevel.") and key != "loglevel."
            if named and level and level.lower() not in _LEVELS:
                raise ValueError(f"invalid logging level: {level}")
        names = ("activator", "autoscaler", "controller", "webhook")
        return cls(*(_LEVELS.get(data.get(f"loglevel.{n}", "").lower(), "") for n in names))

    @property
    def by_package(self) -> dict[str, str]:
        """The level of each package that does what a component of Knative does."""
        return {
            "activator": self.activator,
            "hearth.knative.admission": self.webhook,
            "hearth.kube": self.controller,
            "serving.autoscaler": self.autoscaler,
            "serving.kinds": self.controller,
            "serving.webhook": self.webhook,
        }
