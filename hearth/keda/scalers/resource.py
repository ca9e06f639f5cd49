"""cpu, memory: nothing is read here, a HorizontalPodAutoscaler looks at the pods by itself."""

from __future__ import annotations

from dataclasses import dataclass

from hearth.keda.scalers.params import param, read_params
from hearth.keda.scalers.polled import parsing
from hearth.keda.scalers.seam import ConfigError, MetricSpec, MetricType, Reading, TriggerConfig
from hearth.kube.gotext import parse_int
from hearth.kube.quantity import parse_quantity


@dataclass(frozen=True)
class _Settings:
    type: str = param(
        "type",
        optional=True,
        enum=("Utilization", "AverageValue"),
        deprecated=(
            "The 'type' setting is DEPRECATED and is removed in v2.18 - Use 'metricType' instead."
        ),
    )
    value: str = param("value")
    container_name: str = param("containerName", optional=True)


class ResourceScaler:
    """Always active: what has no pods uses nothing, so it wakes nothing (``seam.Scaler``)."""

    def __init__(self, spec: MetricSpec) -> None:
        self.spec = spec

    async def read(self) -> Reading:
        """Return no value, and that it is active."""
        return Reading(0.0, True)

    async def close(self) -> None:
        """Nothing is held."""


def make(config: TriggerConfig) -> ResourceScaler:
    """Return the scaler of a ``cpu`` or ``memory`` trigger. Raises ConfigError."""
    with parsing(config.type):
        settings = read_params(_Settings, config)
        kind, target = _target(settings.value, config.metric_type)
    return ResourceScaler(MetricSpec("", target, kind, config.type, settings.container_name))


def _target(value: str, kind: MetricType | None) -> tuple[MetricType, float]:
    try:
        if kind is MetricType.UTILIZATION:
            return kind, parse_int(value, 32)
        if kind is MetricType.AVERAGE_VALUE:
            return kind, float(parse_quantity(value).amount)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    raise ConfigError(
        f"unknown metric type: {kind or ''}, allowed values are 'Utilization' or 'AverageValue'"
    )
