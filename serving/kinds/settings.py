"""All settings the reconcilers take, as one value, and how they are read from ConfigMaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from serving.api.config import autoscaler, defaults, deployment, domain, features, gc, network
from serving.api.config import observability as observed
from serving.routing.domains import Naming


@dataclass(frozen=True, slots=True)
class Settings:
    """``external_port`` is the gateway's: URLs show it when it is not the scheme's own."""

    autoscaler: autoscaler.AutoscalerConfig = field(default_factory=autoscaler.AutoscalerConfig)
    defaults: defaults.DefaultsConfig = field(default_factory=defaults.DefaultsConfig)
    deployment: deployment.DeploymentConfig = field(default_factory=deployment.DeploymentConfig)
    domain: domain.DomainConfig = field(default_factory=domain.DomainConfig)
    features: features.FeaturesConfig = field(default_factory=features.FeaturesConfig)
    gc: gc.GcConfig = field(default_factory=gc.GcConfig)
    network: network.NetworkConfig = field(default_factory=network.NetworkConfig)
    observability: observed.ObservabilityConfig = field(
        default_factory=observed.ObservabilityConfig
    )
    external_port: int = 80

    @property
    def naming(self) -> Naming:
        return Naming(self.network, self.domain, self.external_port)


Parse = Callable[[Mapping[str, str]], Any]

CONFIG_MAPS: Mapping[str, tuple[str, Parse]] = {
    autoscaler.NAME: ("autoscaler", autoscaler.AutoscalerConfig.from_data),
    defaults.NAME: ("defaults", defaults.DefaultsConfig.from_data),
    deployment.NAME: ("deployment", deployment.DeploymentConfig.from_data),
    domain.NAME: ("domain", domain.DomainConfig.from_data),
    features.NAME: ("features", features.FeaturesConfig.from_data),
    gc.NAME: ("gc", gc.GcConfig.from_data),
    network.NAME: ("network", network.NetworkConfig.from_data),
    observed.NAME: ("observability", observed.ObservabilityConfig.from_data),
}
"""ConfigMap name -> the field of ``Settings`` it fills, and its parser."""
