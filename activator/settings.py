"""The ConfigMaps that the activator follows."""

from __future__ import annotations

from dataclasses import dataclass

from hearth.knative.settings import from_config_map
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.config.features import FeaturesConfig
from serving.api.config.gateway import GatewayConfig
from serving.api.config.logging import LoggingConfig
from serving.api.config.observability import ObservabilityConfig


@dataclass(frozen=True, slots=True)
class Settings:
    """Only what changes how requests are treated, so that little is imported for it."""

    autoscaler: AutoscalerConfig = from_config_map("config-autoscaler", AutoscalerConfig.from_data)
    features: FeaturesConfig = from_config_map("config-features", FeaturesConfig.from_data)
    gateway: GatewayConfig = from_config_map("config-network", GatewayConfig.from_data)
    logging: LoggingConfig = from_config_map("config-logging", LoggingConfig.from_data)
    observability: ObservabilityConfig = from_config_map(
        "config-observability", ObservabilityConfig.from_data
    )
