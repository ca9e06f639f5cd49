"""The settings of serving as one value, each field filled by the ConfigMap it names.

Also ``Context``: what defaulting and validation of a spec know beside the spec itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hearth.knative.settings import from_config_map
from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from serving.api import keys
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.config.certmanager import CertManagerConfig
from serving.api.config.defaults import DefaultsConfig
from serving.api.config.deployment import DeploymentConfig
from serving.api.config.domain import DomainConfig
from serving.api.config.features import FeaturesConfig
from serving.api.config.gc import GcConfig
from serving.api.config.logging import LoggingConfig
from serving.api.config.network import NetworkConfig
from serving.api.config.observability import ObservabilityConfig


@dataclass(frozen=True, slots=True)
class Settings:
    """The external ports are the gateway's: URLs show them when they are not their scheme's own.

    ``cluster_domain`` is what names of the cluster's own Services end in.

    ``pre_stop_seconds`` is how long a pod that is to end waits before it is told: those who send
    requests hear of its end meanwhile. 0 leaves that to the node.

    ``signs_certificates`` is where an authority of this machine does.
    """

    autoscaler: AutoscalerConfig = from_config_map("config-autoscaler", AutoscalerConfig.from_data)
    certmanager: CertManagerConfig = from_config_map(
        "config-certmanager", CertManagerConfig.from_data
    )
    defaults: DefaultsConfig = from_config_map("config-defaults", DefaultsConfig.from_data)
    deployment: DeploymentConfig = from_config_map("config-deployment", DeploymentConfig.from_data)
    domain: DomainConfig = from_config_map("config-domain", DomainConfig.from_data)
    features: FeaturesConfig = from_config_map("config-features", FeaturesConfig.from_data)
    gc: GcConfig = from_config_map("config-gc", GcConfig.from_data)
    logging: LoggingConfig = from_config_map("config-logging", LoggingConfig.from_data)
    network: NetworkConfig = from_config_map("config-network", NetworkConfig.from_data)
    observability: ObservabilityConfig = from_config_map(
        "config-observability", ObservabilityConfig.from_data
    )
    external_port: int = 80
    external_tls_port: int = 443
    cluster_domain: str = CLUSTER_DOMAIN
    pre_stop_seconds: int = 0
    signs_certificates: bool = False

    @property
    def asks_for_certificates(self) -> bool:
        """Whether names outside the cluster get certificates, where nothing else is said."""
        return self.network.external_domain_tls or self.signs_certificates

    @property
    def certificate_class(self) -> str:
        """Who is asked for certificates, where nothing else is said."""
        if self.signs_certificates:
            return keys.HEARTH_CERTIFICATE_CLASS
        return self.network.certificate_class


@dataclass(frozen=True, slots=True)
class Context:
    """One write: the settings, whether the object is new, the metadata of the spec's owner."""

    settings: Settings = field(default_factory=Settings)
    creating: bool = True
    parent: Mapping[str, Any] = field(default_factory=dict)

    @property
    def features(self) -> FeaturesConfig:
        """The feature flags of the moment."""
        return self.settings.features
