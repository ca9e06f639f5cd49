"""Metrics by KEDA's names: what stands in their labels, and that they go with their object."""

from __future__ import annotations

from prometheus_client import generate_latest

from hearth.keda.operator.metrics import ObjectMetrics, ScalerMetrics, count_resource, say_build
from hearth.observability.metrics import REGISTRY


def lines(start: str) -> list[str]:
    return [each for each in generate_latest(REGISTRY).decode().split("\n") if start in each]


def test_requests_and_empty_answers_of_a_trigger() -> None:
    of = ObjectMetrics("ScaledJob", ("told", "job"))
    scaler = ScalerMetrics(of, 0)
    scaler.asks("prometheus", "work", "s0-prometheus")
    scaler.requested("503", 0.02)
    scaler.found_nothing(is_ignored=True)
    of.late(0)
    assert lines(
        'keda_scaler_http_requests_total{metric_name="s0-prometheus",namespace="told"'
    ) == [
        'keda_scaler_http_requests_total{metric_name="s0-prometheus",namespace="told",'
        'scaled_resource="job",scaler="prometheus",status_code="503",trigger_name="work"} 1.0'
    ]
    assert lines("keda_scaler_empty_upstream_responses_total{") == [
        'keda_scaler_empty_upstream_responses_total{ignoreNullValues="true",'
        'metricName="s0-prometheus",namespace="told",resourceType="scaledjob",'
        'scaledResource="job",triggerName="work"} 1.0'
    ]
    took = 'keda_scaler_http_request_duration_seconds_bucket{le="0.025",scaler="prometheus",'
    assert lines(took + 'status_code="503"}') == [took + 'status_code="503"} 1.0']
    of.gone()
    assert lines('namespace="told",scaled_resource="job"') == []


def test_objects_are_counted_by_keda_s_words() -> None:
    of = ObjectMetrics("ScaledObject", ("counted", "web"))
    of.registered(["cron"])
    count_resource("ClusterTriggerAuthentication", "counted")
    assert sorted(lines('keda_resource_registered_total{namespace="counted"')) == [
        'keda_resource_registered_total{namespace="counted",'
        'type="cluster_trigger_authentication"} 1.0',
        'keda_resource_registered_total{namespace="counted",type="scaled_object"} 1.0',
    ]
    of.late(0)
    of.paused(False)
    of.gone()
    assert lines('namespace="counted",type="scaled_object"} 0.0')


def test_what_the_process_is() -> None:
    say_build("2.18.0")
    [line] = lines("keda_build_info{")
    assert 'version="2.18.0"' in line and 'git_commit="hearth-' in line and line.endswith("} 1.0")
