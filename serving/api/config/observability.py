"""config-observability: metrics, traces and request logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hearth.knative.configmap import Reader
from hearth.knative.observability import MetricsConfig, metrics_of, runtime_of, tracing_of
from hearth.observability.traces.config import TracingConfig
from serving.api import gotemplate

DEFAULT_REQUEST_LOG_TEMPLATE = (
    '{"httpRequest": {"requestMethod": "{{.Request.Method}}", "requestUrl": '
    '"{{js .Request.RequestURI}}", "requestSize": "{{.Request.ContentLength}}", "status": '
    '{{.Response.Code}}, "responseSize": "{{.Response.Size}}", "userAgent": '
    '"{{js .Request.UserAgent}}", "remoteIp": "{{js .Request.RemoteAddr}}", "serverIp": '
    '"{{.Revision.PodIP}}", "referer": "{{js .Request.Referer}}", "latency": '
    '"{{.Response.Latency}}s", "protocol": "{{.Request.Proto}}"}, "traceId": "{{.TraceID}}"}'
)


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
        tracing = tracing_of(reader)
        metrics = metrics_of(reader)
        profiling, interval = runtime_of(reader)
        config = cls(
            tracing=tracing,
            metrics=metrics,
            request_metrics=metrics_of(reader, "request-"),
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
