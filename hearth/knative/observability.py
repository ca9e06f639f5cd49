"""What ``config-observability`` of serving and of eventing have in common. Pure.

As ``knative.dev/pkg/observability``: a value that it refuses is refused with its words.
"""

from __future__ import annotations

from dataclasses import dataclass

from hearth.knative.configmap import Reader
from hearth.kube.durations import format_go_duration
from hearth.kube.gotext import quote
from hearth.observability.traces.config import (
    GRPC,
    HTTP,
    NONE,
    PROTOCOLS,
    STDOUT,
    TracingConfig,
    url_of,
)

_PROMETHEUS = "prometheus"


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """How metrics are exported; the interval is in seconds, 0 for the exporter's own."""

    protocol: str = NONE
    endpoint: str = ""
    export_interval: float = 0.0

    @property
    def push_url(self) -> str:
        """Where they are sent to; "" where they are only there to be fetched."""
        if self.protocol not in (GRPC, HTTP):
            return ""
        return url_of(self.endpoint, "/v1/metrics" if self.protocol == HTTP else "")


def metrics_of(reader: Reader, prefix: str = "") -> MetricsConfig:
    """Read how metrics go out; raises ValueError."""
    config = MetricsConfig(
        reader.text(f"{prefix}metrics-protocol", default=NONE),
        reader.text(f"{prefix}metrics-endpoint"),
        reader.seconds(f"{prefix}metrics-export-interval", default=0.0),
    )
    if config.protocol not in (GRPC, HTTP, NONE, _PROMETHEUS):
        raise ValueError(f"unsupported protocol {quote(config.protocol)}")
    if config.protocol in (GRPC, HTTP) and not config.endpoint:
        raise ValueError(f"endpoint should be set when protocol is {quote(config.protocol)}")
    if config.protocol == NONE and config.endpoint:
        raise ValueError(f"endpoint should not be set when protocol is {quote(config.protocol)}")
    _check_interval(config.export_interval)
    return config


def tracing_of(reader: Reader) -> TracingConfig:
    """Read how traces go out; raises ValueError."""
    config = TracingConfig(
        reader.text("tracing-protocol", default=NONE),
        reader.text("tracing-endpoint"),
        reader.number("tracing-sampling-rate", default=0.0),
    )
    if config.protocol not in PROTOCOLS:
        raise ValueError(f"unsupported protocol {quote(config.protocol)}")
    if config.protocol in (GRPC, HTTP) and not config.endpoint:
        raise ValueError(f"endpoint should be set for protocol {quote(config.protocol)}")
    if config.protocol in (NONE, STDOUT) and config.endpoint:
        raise ValueError("endpoint should not be set when protocol is 'none'")
    rate = config.sampling_rate
    if rate < 0:
        raise ValueError(f"sampling rate {rate:f} should be greater or equal to zero")
    if rate > 1:
        raise ValueError(f"sampling rate {rate:f} should be less than or equal to one")
    return config


def runtime_of(reader: Reader) -> tuple[bool, float]:
    """Whether profiling is on, and the seconds between readings of the runtime's metrics."""
    profiling = reader.text("runtime-profiling", default="disabled")
    interval = reader.seconds("runtime-export-interval", default=15.0)
    if profiling not in ("enabled", "disabled"):
        raise ValueError(f"unsupported profile setting {quote(profiling)}")
    _check_interval(interval)
    return profiling == "enabled", interval


def _check_interval(seconds: float) -> None:
    if seconds < 0:
        raise ValueError(
            f"export interval {quote(format_go_duration(seconds))} should be greater than zero"
        )
