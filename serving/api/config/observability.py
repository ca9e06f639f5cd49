"""config-observability: metrics, traces and request logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hearth.knative.configmap import Reader
from hearth.kube.durations import format_go_duration
from hearth.kube.gotext import quote
from serving.api import gotemplate

NONE = "none"
PROMETHEUS = "prometheus"
DEFAULT_REQUEST_LOG_TEMPLATE = (
    '{"httpRequest": {"requestMethod": "{{.Request.Method}}", "requestUrl": '
    '"{{js .Request.RequestURI}}", "requestSize": "{{.Request.ContentLength}}", "status": '
    '{{.Response.Code}}, "responseSize": "{{.Response.Size}}", "userAgent": '
    '"{{js .Request.UserAgent}}", "remoteIp": "{{js .Request.RemoteAddr}}", "serverIp": '
    '"{{.Revision.PodIP}}", "referer": "{{js .Request.Referer}}", "latency": '
    '"{{.Response.Latency}}s", "protocol": "{{.Request.Proto}}"}, "traceId": "{{.TraceID}}"}'
)


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """How metrics are exported; the interval is in seconds, 0 for the exporter's own."""

    protocol: str = NONE
    endpoint: str = ""
    export_interval: float = 0.0


@dataclass(frozen=True, slots=True)
class TracingConfig:
    """How traces are exported; the rate is a share of requests, 0 to 1."""

    protocol: str = NONE
    endpoint: str = ""
    sampling_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class ObservabilityConfig:
    """Durations in seconds."""

    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    request_metrics: MetricsConfig = field(default_factory=MetricsConfig)
    tracing: TracingConfig = field(default_factory=TracingConfig)
    runtime_profiling: bool = False
    runtime_export_interval: float = 15.0
    enable_var_log_collection: bool = False
    revision_url_template: str = ""
    request_log_template: str = DEFAULT_REQUEST_LOG_TEMPLATE
    enable_request_log: bool = False
    enable_probe_request_log: bool = False

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> ObservabilityConfig:
        """Read the ConfigMap's data; raises ValueError in Knative's words."""
        reader = Reader(data)
        tracing = _tracing(reader)
        metrics = _metrics(reader, "")
        profiling, interval = _runtime(reader)
        config = cls(
            tracing=tracing,
            metrics=metrics,
            request_metrics=_metrics(reader, "request-"),
            runtime_profiling=profiling,
            runtime_export_interval=interval,
            enable_var_log_collection=reader.boolean(
                "logging.enable-var-log-collection", default=False
            ),
            revision_url_template=reader.text("logging.revision-url-template"),
            request_log_template=reader.text(
                "logging.request-log-template", default=DEFAULT_REQUEST_LOG_TEMPLATE
            ),
            enable_request_log=reader.boolean("logging.enable-request-log", default=False),
            enable_probe_request_log=reader.boolean(
                "logging.enable-probe-request-log", default=False
            ),
        )
        if config.enable_request_log and not config.request_log_template:
            raise ValueError(
                '"logging.enable-request-log" was set to true, '
                'but no "logging.request-log-template" was specified'
            )
        gotemplate.parse("requestLog", config.request_log_template)
        return config


def _metrics(reader: Reader, prefix: str) -> MetricsConfig:
    config = MetricsConfig(
        reader.text(f"{prefix}metrics-protocol", default=NONE),
        reader.text(f"{prefix}metrics-endpoint"),
        reader.seconds(f"{prefix}metrics-export-interval", default=0.0),
    )
    if config.protocol not in ("grpc", "http/protobuf", NONE, PROMETHEUS):
        raise ValueError(f"unsupported protocol {quote(config.protocol)}")
    if config.protocol in ("grpc", "http/protobuf") and not config.endpoint:
        raise ValueError(f"endpoint should be set when protocol is {quote(config.protocol)}")
    if config.protocol == NONE and config.endpoint:
        raise ValueError(f"endpoint should not be set when protocol is {quote(config.protocol)}")
    _check_interval(config.export_interval)
    return config


def _tracing(reader: Reader) -> TracingConfig:
    config = TracingConfig(
        reader.text("tracing-protocol", default=NONE),
        reader.text("tracing-endpoint"),
        reader.number("tracing-sampling-rate", default=0.0),
    )
    if config.protocol not in ("grpc", "http/protobuf", NONE, "stdout"):
        raise ValueError(f"unsupported protocol {quote(config.protocol)}")
    if config.protocol in ("grpc", "http/protobuf") and not config.endpoint:
        raise ValueError(f"endpoint should be set for protocol {quote(config.protocol)}")
    if config.protocol in (NONE, "stdout") and config.endpoint:
        raise ValueError("endpoint should not be set when protocol is 'none'")
    rate = config.sampling_rate
    if rate < 0:
        raise ValueError(f"sampling rate {rate:f} should be greater or equal to zero")
    if rate > 1:
        raise ValueError(f"sampling rate {rate:f} should be less than or equal to one")
    return config


def _runtime(reader: Reader) -> tuple[bool, float]:
    profiling = reader.text("runtime-profiling", default="disabled")
    if profiling not in ("enabled", "disabled"):
        raise ValueError(f"unsupported profile setting {quote(profiling)}")
    interval = reader.seconds("runtime-export-interval", default=15.0)
    _check_interval(interval)
    return profiling == "enabled", interval


def _check_interval(seconds: float) -> None:
    if seconds < 0:
        raise ValueError(
            f"export interval {quote(format_go_duration(seconds))} should be greater than zero"
        )
