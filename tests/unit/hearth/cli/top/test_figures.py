"""What two looks at activators, pods and their usage come to."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.cli.top.figures import Look, pod_rows, service_rows, traffic_of, usage_of

LABELS = 'kn_service_name="{name}",kn_revision_name="{name}-1",k8s_namespace_name="default"'


def scraped(name: str, fast: int, slow: int, *, cold: int = 0, active: int = 0) -> str:
    labels = LABELS.format(name=name)
    duration, total = "kn_serving_invocation_duration_seconds", fast + slow
    return (
        f"# TYPE {duration} histogram\n"
        f'{duration}_bucket{{{labels},le="0.1"}} {fast}\n'
        f'{duration}_bucket{{{labels},le="1.0"}} {total}\n'
        f'{duration}_bucket{{{labels},le="+Inf"}} {total}\n'
        f"{duration}_count{{{labels}}} {total}\n"
        "# TYPE hearth_activator_cold_requests counter\n"
        f"hearth_activator_cold_requests_total{{{labels}}} {cold}\n"
        "# TYPE kn_revision_request_active gauge\n"
        f"kn_revision_request_active{{{labels}}} {active}\n"
    )


def a_service(name: str) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True"}]
    return {
        "metadata": {"name": name, "namespace": "default"},
        "status": {"conditions": conditions},
    }


def a_pod(name: str, service: str, *, ready: bool = True) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {"serving.knative.dev/service": service},
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"restartCount": 2}],
        },
    }


def a_look(at: float, *texts: str, **fields: Any) -> Look:
    known = {"services": [a_service("shop")], "pods": [], "usage": {}} | fields
    return Look(at, traffic_of(texts), **known)


def test_what_happened_since_the_last_look_counts() -> None:
    before = a_look(10.0, scraped("shop", 100, 0))
    after = a_look(12.0, scraped("shop", 110, 10, cold=3, active=4))
    [row] = service_rows(before, after)
    assert row["requestsPerSecond"] == 10.0
    assert row["p50Seconds"] == pytest.approx(0.1)
    assert row["p99Seconds"] == pytest.approx(0.982)
    assert (row["coldStarts"], row["active"]) == (3, 4)


def test_several_activators_count_together() -> None:
    text = scraped("shop", 5, 5, active=1)
    [row] = service_rows(a_look(0.0), a_look(1.0, text, text))
    assert (row["requestsPerSecond"], row["active"]) == (20.0, 2)


def test_an_activator_that_started_anew_has_only_new_requests() -> None:
    [row] = service_rows(a_look(0.0, scraped("shop", 50, 0)), a_look(1.0, scraped("shop", 3, 0)))
    assert row["requestsPerSecond"] == 3.0


def test_a_service_without_requests_has_no_latency() -> None:
    [row] = service_rows(a_look(0.0), a_look(1.0))
    assert (row["p50Seconds"], row["p99Seconds"], row["pods"], row["cores"]) == (None, None, 0, 0)


def test_the_busiest_comes_first() -> None:
    texts = scraped("calm", 1, 0), scraped("busy", 9, 0)
    assert [row["name"] for row in service_rows(a_look(0.0), a_look(1.0, *texts))] == [
        *("busy", "calm", "shop")
    ]


def test_pods_and_what_they_use() -> None:
    usage = usage_of(
        [
            {
                "metadata": {"name": "a", "namespace": "default"},
                "containers": [
                    {"usage": {"cpu": "250m", "memory": "8Mi"}},
                    {"usage": {"cpu": "1", "memory": "8Mi"}},
                ],
            }
        ]
    )
    look = a_look(1.0, pods=[a_pod("b", "shop", ready=False), a_pod("a", "shop")], usage=usage)
    [row] = service_rows(a_look(0.0), look)
    assert (row["pods"], row["readyPods"]) == (2, 1)
    assert (row["cores"], row["memoryBytes"]) == (1.25, 16 * 2**20)
    first, second = pod_rows(look)
    assert (first["name"], first["cores"], first["restarts"]) == ("a", 1.25, 2)
    assert (second["name"], second["cores"], second["ready"]) == ("b", None, False)
