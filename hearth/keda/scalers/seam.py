"""What a scaler is: it knows the metric of one trigger, reads it, and says whether it is active.

The operator makes one for each trigger of a ScaledObject or ScaledJob, reads it at each poll, and
closes it when the trigger, its authentication or its object changes or goes. A scaler keeps what it
is connected to between reads; it decides nothing about replicas (``hearth.keda.scaling`` does) and
knows neither Kubernetes objects of KEDA nor secrets' whereabouts (``TriggerConfig.auth`` has them
resolved). Source: KEDA's ``pkg/scalers/scaler.go`` and ``scalersconfig``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable


class MetricType(StrEnum):
    """How a HorizontalPodAutoscaler compares a metric with its target (autoscaling/v2)."""

    AVERAGE_VALUE = "AverageValue"
    VALUE = "Value"
    UTILIZATION = "Utilization"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """The metric of one trigger, as the HorizontalPodAutoscaler asks for it."""

    name: str
    """KEDA's: ``s<index>-<what is measured>``; empty for a resource metric."""
    target: float
    type: MetricType = MetricType.AVERAGE_VALUE
    resource: str = ""
    """``cpu`` or ``memory``, which a HorizontalPodAutoscaler reads by itself."""
    container: str = ""
    """The one container whose resource counts; empty for the whole pod."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read at one moment."""

    value: float
    """Finite and not negative; see ``checked``."""
    is_active: bool
    """Whether there is work enough to leave zero: the value is above the activation threshold."""


class ScalerError(Exception):
    """A value could not be read: server away, refused, or no number. The text says which and why.

    What is not known scales nothing down: the operator counts failures and falls back as written.
    """


class ConfigError(Exception):
    """A trigger is written wrong. The text is KEDA's, and is shown in the object's condition."""


@dataclass(frozen=True, slots=True)
class PodIdentity:
    """Where credentials come from when no secret is named; ``none`` where nothing is said."""

    provider: str = "none"
    identity_id: str = ""
    identity_owner: str = ""
    role_arn: str = ""


@dataclass(frozen=True, slots=True)
class TriggerConfig:
    """All that a scaler is told about its trigger."""

    type: str
    metadata: Mapping[str, str]
    index: int = 0
    """Place among the triggers of the object, the number in the metric's name."""
    name: str = ""
    auth: Mapping[str, str] = field(default_factory=dict)
    """Parameters that a TriggerAuthentication resolved to."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment of the target's container, for parameters named ``...FromEnv``."""
    metric_type: MetricType | None = None
    """None where the trigger does not say: AverageValue for all that read values."""
    pod_identity: PodIdentity = field(default_factory=PodIdentity)
    namespace: str = ""
    object_name: str = ""
    """Of the ScaledObject or ScaledJob."""
    is_job: bool = False
    """Whether it belongs to a ScaledJob."""
    timeout: float = 3.0
    """Seconds that one answer may take (KEDA_HTTP_DEFAULT_TIMEOUT)."""
    proxy: str = ""
    """Through whom names of Services are reached, where no resolver knows them: on one machine."""
    as_metric_source: bool = False
    """Whether a formula uses the value, so that the trigger need not have a target."""


class Scaler(Protocol):
    """Reads the value of one trigger. One read at a time."""

    @property
    def spec(self) -> MetricSpec:
        """The metric, as it is asked for."""
        ...

    async def read(self) -> Reading:
        """Look now. Raises ScalerError; never hangs longer than the configured time-out."""
        ...

    async def close(self) -> None:
        """Let go of connections. Called once; never raises."""
        ...


@runtime_checkable
class DescribedScaler(Scaler, Protocol):
    """A scaler of which only its server knows what it measures."""

    async def describe(self) -> MetricSpec:
        """Ask for the metric; ``spec`` is this answer from then on. Raises ScalerError."""
        ...


@runtime_checkable
class PushScaler(Scaler, Protocol):
    """A scaler that also hears of changes, without being asked."""

    def activity(self) -> AsyncIterator[bool]:
        """Yield whether there is work, each time it is told, until nobody listens any more.

        A server that is away is asked again after a while: that raises nothing.
        """
        ...


def metric_name(index: int, what: str) -> str:
    """Return KEDA's name of a trigger's metric: normalized, with the trigger's index in front.

    Slashes, dots, colons and percent signs become dashes (KEDA's ``kedautil.NormalizeString``).
    """
    for sign in "/.:%":
        what = what.replace(sign, "-")
    what = what.replace("(", "-").replace(")", "-")
    return f"s{index}-{what}"
