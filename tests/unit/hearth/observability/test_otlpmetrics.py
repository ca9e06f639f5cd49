"""Metrics in OTLP's protobuf, read by OpenTelemetry's own classes."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from hearth.observability.otlpmetrics import encode
from hearth.observability.traces.otlp import resource_of


def read(registry: CollectorRegistry) -> dict[str, Any]:
    resource = resource_of({"service.name": "activator"})
    body = encode(resource, registry.collect(), since_ns=5, now_ns=9)
    (told,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    assert told.resource.attributes[0].value.string_value == "activator"
    return {metric.name: metric for metric in told.scope_metrics[0].metrics}


def test_a_counter_is_a_sum_that_only_grows() -> None:
    registry = CollectorRegistry()
    Counter("asked", "How often", ["code"], registry=registry).labels("200").inc(3)
    metric = read(registry)["asked"]
    (point,) = metric.sum.data_points
    assert (metric.description, metric.sum.is_monotonic) == ("How often", True)
    assert metric.sum.aggregation_temporality == 2
    assert (point.as_double, point.start_time_unix_nano, point.time_unix_nano) == (3, 5, 9)
    assert [(a.key, a.value.string_value) for a in point.attributes] == [("code", "200")]


def test_a_gauge_is_what_it_is_now() -> None:
    registry = CollectorRegistry()
    Gauge("ready", "Pods", registry=registry).set(-1.5)
    assert [p.as_double for p in read(registry)["ready"].gauge.data_points] == [-1.5]


def test_a_histogram_counts_each_value_in_one_bucket() -> None:
    registry = CollectorRegistry()
    times = Histogram("took", "Seconds", ["who"], buckets=(1, 5), registry=registry)
    for value in (0.5, 0.7, 3, 100):
        times.labels("a").observe(value)
    times.labels("b")
    first, second = read(registry)["took"].histogram.data_points
    assert (list(first.explicit_bounds), list(first.bucket_counts)) == ([1, 5], [2, 1, 1])
    assert (first.count, first.sum) == (4, 104.2)
    assert (second.count, list(second.bucket_counts)) == (0, [0, 0, 0])
