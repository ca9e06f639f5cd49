"""KEDA and KafkaSources: what annotations and ConfigMaps say of it, in upstream's names. Pure.

Upstream has two generations of annotations: ``config-kafka-source-defaults`` puts those of the
first on new sources, and its controllers go by those of the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KEDA_CLASS = "keda.autoscaling.knative.dev"
KEDA_FLAG = "controller-autoscaler-keda"
"""In config-kafka-features: whether KEDA scales consumers."""
_OLD = "autoscaling.knative.dev"
_DEFAULTS = {
    f"{_OLD}/minScale": ("minScale", 1),
    f"{_OLD}/maxScale": ("maxScale", 1),
    f"{KEDA_CLASS}/pollingInterval": ("pollingInterval", 30),
    f"{KEDA_CLASS}/cooldownPeriod": ("cooldownPeriod", 300),
    f"{KEDA_CLASS}/kafkaLagThreshold": ("kafkaLagThreshold", 10),
}
"""Annotations, the keys of config-kafka-source-defaults for them, and what counts without."""

_PREFIX = "autoscaling.eventing.knative.dev"
CLASS, DISABLED = "class", "disabled"
MIN_SCALE, MAX_SCALE, LAG_THRESHOLD = "min-scale", "max-scale", "lag-threshold"
POLLING_INTERVAL, COOLDOWN_PERIOD = "polling-interval", "cooldown-period"
ACTIVATION_LAG_THRESHOLD = "activation-lag-threshold"
_SCALING = {
    MIN_SCALE: 0,
    MAX_SCALE: 50,
    POLLING_INTERVAL: 10,
    COOLDOWN_PERIOD: 30,
    LAG_THRESHOLD: 100,
}
"""What counts where neither an annotation nor config-kafka-autoscaler says anything."""


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
        numbers = {each: _number(data, *key) for each, key in _DEFAULTS.items()}
        return cls({f"{_OLD}/class": said, **numbers})


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
class KafkaAutoscaler:
    """config-kafka-autoscaler, and what annotations say over it."""

    said: Mapping[str, str] | None = None

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> KafkaAutoscaler:
        """Read it; raise ValueError in upstream's words."""
        if data.get(CLASS) == DISABLED:
            return cls()
        for key, value in data.items():
            if key != CLASS and not _is_number(value):
                raise ValueError(_not_a_number("autoscaling ", key, value))
        return cls(dict(data))

    def numbers(self, annotations: Mapping[str, str]) -> dict[str, int]:
        """Return what holds for a source; raise ValueError for an annotation that is no number."""
        found = {**_SCALING, **{k: int(v) for k, v in (self.said or {}).items() if k != CLASS}}
        for key in (*_SCALING, ACTIVATION_LAG_THRESHOLD):
            value = annotations.get(f"{_PREFIX}/{key}")
            if value and not _is_number(value):
                raise ValueError(_not_a_number("", key, value))
            if value:
                found[key] = int(value)
        return found


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and abs(int(text)) < 2**31


def _not_a_number(kind: str, key: str, value: str) -> str:
    return f"Expected value for {kind}annotation: {_PREFIX}/{key} should be integer but got {value}"


def is_scaled(annotations: Mapping[str, str], features: Mapping[str, str]) -> bool:
    """Whether KEDA scales a source: config-kafka-features says so, and it says nothing else."""
    if not KafkaFeatures.from_data(features).keda:
        return False
    return annotations.get(f"{_PREFIX}/{CLASS}", "") in ("", KEDA_CLASS)


@dataclass(frozen=True, slots=True)
class KafkaFeatures:
    """config-kafka-features, as far as control goes by it."""

    keda: bool = False
    """Whether KEDA scales consumers."""

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> KafkaFeatures:
        """Read it."""
        return cls(data.get(KEDA_FLAG, "").strip().lower() == "enabled")
