"""What the data plane needs to know of what stands behind a Service: a small frozen view. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from sys import intern
from typing import Any

from activator.probing import TCP_PROBE, WAIT_FOR_READY, ProbeSpec, probe_of
from serving.api import keys
from serving.api.affinity import Affinity, affinity_of
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.extraports import ExtraPort
from serving.api.targets import metric_target

Object = dict[str, Any]

DEFAULT_TIMEOUT_SECONDS = 300.0

_LABEL_SERVICE = "serving.knative.dev/service"
_LABEL_CONFIGURATION = "serving.knative.dev/configuration"
_PORT = ":"


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """Limits, time-outs and the probe of a target; the defaults stand for a plain Service.

    ``name`` is a Revision's, or whatever name its autoscaler knows the target by.
    """

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
    affinity: Affinity | None = None
    # Its port has no name, which would say what is spoken there.
    has_unnamed_port: bool = False
    # Whether there is more to watch than the time for the whole request; asked for every one.
    has_phase_timeouts: bool = field(init=False)

    @property
    def scaled_name(self) -> str:
        """The name by which its autoscaler knows it: that of all ports of a revision."""
        return self.name.partition(_PORT)[0]

    def __post_init__(self) -> None:
        has_phases = bool(self.response_start_timeout_seconds or self.idle_timeout_seconds)
        object.__setattr__(self, "has_phase_timeouts", has_phases)


def revision_target(revision: Object, config: AutoscalerConfig) -> TargetSpec:
    """The view of a Revision object as it came from the API."""
    metadata, spec = revision.get("metadata") or {}, revision.get("spec") or {}
    labels = metadata.get("labels") or {}
    concurrency = int(spec.get("containerConcurrency") or 0)
    return TargetSpec(
        namespace=intern(str(metadata.get("namespace") or "")),
        name=intern(str(metadata.get("name") or "")),
        service=intern(str(labels.get(_LABEL_SERVICE) or "")),
        configuration=intern(str(labels.get(_LABEL_CONFIGURATION) or "")),
        container_concurrency=concurrency,
        spread_target=_spread_target(metadata.get("annotations") or {}, concurrency, config),
        timeout_seconds=float(spec.get("timeoutSeconds") or DEFAULT_TIMEOUT_SECONDS),
        response_start_timeout_seconds=float(spec.get("responseStartTimeoutSeconds") or 0),
        idle_timeout_seconds=float(spec.get("idleTimeoutSeconds") or 0),
        affinity=affinity_of(metadata.get("annotations") or {}),
        probe=probe_of(list(spec.get("containers") or ())),
        has_unnamed_port=not any(
            port.get("name")
            for container in spec.get("containers") or ()
            for port in container.get("ports") or ()
        ),
    )


def port_target(target: TargetSpec, port: ExtraPort) -> TargetSpec:
    """The view of another port of a revision: it scales it, too, and has no limit of its own.

    The revision's probe says nothing of this port, so the kubelet's word counts.
    """
    name = f"{target.name}{_PORT}{port.name}"
    return replace(target, name=name, container_concurrency=0, probe=WAIT_FOR_READY, affinity=None)


def _spread_target(annotations: dict[str, str], concurrency: int, config: AutoscalerConfig) -> int:
    """What the autoscaler counts on: so many pods come for a burst, so many requests go to each."""
    if concurrency:
        return concurrency
    if keys.METRIC.value(annotations, keys.METRIC_CONCURRENCY) != keys.METRIC_CONCURRENCY:
        # A target of another metric (rps) says nothing about concurrent requests.
        annotations = {
            key: value for key, value in annotations.items() if key not in keys.TARGET.spellings
        }
    target, _ = metric_target(annotations, metric=keys.METRIC_CONCURRENCY, limit=0.0, config=config)
    return max(1, round(target))
