"""The settings that defaulting and validation follow, and what they know of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.config.defaults import DefaultsConfig
from serving.api.config.features import FeaturesConfig


@dataclass(frozen=True, slots=True)
class Settings:
    """The three ConfigMaps that decide what an object may be."""

    defaults: DefaultsConfig = field(default_factory=DefaultsConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    autoscaler: AutoscalerConfig = field(default_factory=AutoscalerConfig)


@dataclass(frozen=True, slots=True)
class Context:
    """One request: the settings, who asks, the metadata of the object, whether it is new."""

    settings: Settings = field(default_factory=Settings)
    creating: bool = True
    username: str = ""
    parent: Mapping[str, Any] = field(default_factory=dict)

    @property
    def features(self) -> FeaturesConfig:
        return self.settings.features
