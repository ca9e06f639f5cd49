"""What the data plane needs to know of a Revision: a small frozen view of the object. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from activator.probing import TCP_PROBE, ProbeSpec, probe_of

Object = dict[str, Any]

DEFAULT_TIMEOUT_SECONDS = 300.0
# Knative's container-concurrency-target-default and ...-target-percentage.
DEFAULT_TARGET = 100.0
DEFAULT_UTILIZATION = 70.0

_LABEL_SERVICE = "serving.knative.dev/service"
_LABEL_CONFIGURATION = "serving.knative.dev/configuration"
_TARGET = "autoscaling.knative.dev/target"
_UTILIZATION = (
    "autoscaling.knative.dev/target-utilization-percentage",
    "autoscaling.knative.dev/targetUtilizationPercentage",
)
_METRIC = "autoscaling.knative.dev/metric"


@dataclass(frozen=True, slots=True)
class RevisionSpec:
    """Limits, timeouts and the probe of a revision; the defaults stand for a plain Service."""

    namespace: str
    name: str
    service: str = ""
    configuration: str = ""
    container_concurrency: int = 0
    # Requests that one pod takes while a cold burst is spread over the pods to come.
    spread_target: int = 70
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    # 0 means off, as in the Revision.
    response_start_timeout_seconds: float = 0.0
    idle_timeout_seconds: float = 0.0
    probe: ProbeSpec = field(default=TCP_PROBE)

    @property
    def has_phase_timeouts(self) -> bool:
        """Whether there is more to watch than the time for the whole request."""
        return bool(self.response_start_timeout_seconds or self.idle_timeout_seconds)


def revision_spec(revision: Object) -> RevisionSpec:
    """The view of a Revision object as it came from the API."""
    metadata, spec = revision.get("metadata") or {}, revision.get("spec") or {}
    labels = metadata.get("labels") or {}
    concurrency = int(spec.get("containerConcurrency") or 0)
    return RevisionSpec(
        namespace=str(metadata.get("namespace") or ""),
        name=str(metadata.get("name") or ""),
        service=str(labels.get(_LABEL_SERVICE) or ""),
        configuration=str(labels.get(_LABEL_CONFIGURATION) or ""),
        container_concurrency=concurrency,
        spread_target=_spread_target(metadata.get("annotations") or {}, concurrency),
        timeout_seconds=float(spec.get("timeoutSeconds") or DEFAULT_TIMEOUT_SECONDS),
        response_start_timeout_seconds=float(spec.get("responseStartTimeoutSeconds") or 0),
        idle_timeout_seconds=float(spec.get("idleTimeoutSeconds") or 0),
        probe=probe_of(list(spec.get("containers") or ())),
    )


def _spread_target(annotations: dict[str, str], concurrency: int) -> int:
    if concurrency:
        return concurrency
    target = DEFAULT_TARGET
    # A target of another metric (rps) says nothing about concurrent requests.
    if annotations.get(_METRIC, "concurrency") == "concurrency":
        target = _number(annotations.get(_TARGET), DEFAULT_TARGET)
    found = next((annotations[key] for key in _UTILIZATION if key in annotations), None)
    return max(1, round(target * _number(found, DEFAULT_UTILIZATION) / 100))


def _number(text: str | None, default: float) -> float:
    try:
        return float(text) if text else default
    except ValueError:
        return default
