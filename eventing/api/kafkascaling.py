"""KEDA and KafkaSources: what annotations and ConfigMaps say of it, in upstream's names. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CLASS_ANNOTATION = "autoscaling.knative.dev/class"
KEDA_CLASS = "keda.autoscaling.knative.dev"
DISABLED_CLASS = "disabled"
MIN_SCALE, MAX_SCALE = "autoscaling.knative.dev/minScale", "autoscaling.knative.dev/maxScale"
POLLING_INTERVAL = f"{KEDA_CLASS}/pollingInterval"
COOLDOWN_PERIOD = f"{KEDA_CLASS}/cooldownPeriod"
LAG_THRESHOLD = f"{KEDA_CLASS}/kafkaLagThreshold"
ACTIVATION_LAG_THRESHOLD = f"{KEDA_CLASS}/kafkaActivationLagThreshold"
KEDA_FLAG = "controller-autoscaler-keda"
"""In config-kafka-features: whether KEDA scales consumers."""
_KEYS = {
    MIN_SCALE: ("minScale", 1),
    MAX_SCALE: ("maxScale", 1),
    POLLING_INTERVAL: ("pollingInterval", 30),
    COOLDOWN_PERIOD: ("cooldownPeriod", 300),
    LAG_THRESHOLD: ("kafkaLagThreshold", 10),
}
"""Annotations, the keys of config-kafka-source-defaults for them, and what counts without."""


@dataclass(frozen=True, slots=True)
class KafkaSourceDefaults:
    """config-kafka-source-defaults."""

    annotations: Mapping[str, str] | None = None
    """What every KafkaSource gets; nothing unless KEDA is to scale them."""

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> KafkaSourceDefaults:
        """Read it; raise ValueError in upstream's words."""
        said = data.get("autoscalingClass", "")
        if not said:
            return cls()
        if said != KEDA_CLASS:
            raise ValueError(
                f'invalid value "{said}" for autoscalingClass. Only {KEDA_CLASS} is allowed'
            )
        numbers = {each: _number(data, *key) for each, key in _KEYS.items()}
        return cls({CLASS_ANNOTATION: said, **numbers})


def _number(data: Mapping[str, str], key: str, default: int) -> str:
    said = data.get(key, str(default))
    try:
        return str(int(said, 0))
    except ValueError:
        raise ValueError(f'strconv.ParseInt: parsing "{said}": invalid syntax') from None


def default_annotations(defaults: KafkaSourceDefaults) -> Mapping[str, str]:
    """Return what is put on every KafkaSource, over what it has, as upstream does."""
    return defaults.annotations or {}


@dataclass(frozen=True, slots=True)
class KafkaFeatures:
    """config-kafka-features, as far as control goes by it."""

    keda: bool = False
    """Whether KEDA scales consumers."""

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> KafkaFeatures:
        """Read it."""
        return cls(data.get(KEDA_FLAG, "").strip().lower() == "enabled")
