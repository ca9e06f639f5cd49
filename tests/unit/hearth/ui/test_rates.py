"""Rates and latencies from what activators count."""

from __future__ import annotations

import pytest

from hearth.ui.rates import Meter


def reading(
    count: int, *, failed: int = 0, active: int = 0, cold: int = 0, seconds: float = 0.0
) -> str:
    """What an activator tells of a revision: half of its requests took up to 1 ms, all up to 5."""
    labels = (
        'kn_service_name="hello",kn_configuration_name="hello",'
        'kn_revision_name="hello-1",k8s_namespace_name="default"'
    )
    family = "kn_serving_invocation_duration_seconds_bucket"
    lines = ["# HELP x y", 'other_metric{a="b"} 3']
    for code, all_of in (("2xx", count), ("5xx", failed)):
        for bound, n in (("0.001", all_of // 2), ("0.005", all_of), ("+Inf", all_of)):
            lines.append(
                f'{family}{{{labels},http_response_status_code="{code}",le="{bound}"}} {n}.0'
            )
    lines.append(f"kn_revision_request_active{{{labels}}} {active}.0")
    lines.append(f"kn_revision_request_queued{{{labels}}} 2.0")
    lines.append(f"hearth_activator_cold_requests_total{{{labels}}} {cold}.0")
    phase = "hearth_activator_cold_start_phase_seconds_sum"
    lines.append(f'{phase}{{{labels},phase="pod"}} {seconds}')
    return "\n".join(lines)


def test_the_first_reading_knows_no_rates() -> None:
    row = Meter().rows({"a": reading(100, active=3, cold=1)}, 0.0)["default/hello-1"]
    assert row == {
        "namespace": "default", "revision": "hello-1", "service": "hello", "rps": 0.0,
        "errors": 0.0, "active": 3, "queued": 2, "p50": None, "p99": None, "cold": 1,
        "coldSeconds": None,
    }  # fmt: skip


def test_what_grew_between_two_readings_are_rates() -> None:
    meter = Meter()
    meter.rows({"a": reading(100)}, 0.0)
    row = meter.rows({"a": reading(300, failed=10, cold=2, seconds=0.5)}, 2.0)["default/hello-1"]
    assert (row["rps"], row["errors"]) == (105.0, 5.0)
    assert (row["p50"], row["p99"]) == (0.001, pytest.approx(0.00492, rel=0.01))
    assert (row["cold"], row["coldSeconds"]) == (2, 0.25)


def test_latencies_are_of_the_last_seconds() -> None:
    meter = Meter()
    meter.rows({"a": reading(0)}, 0.0)
    assert meter.rows({"a": reading(100)}, 1.0)["default/hello-1"]["p50"] == 0.001
    for second in range(2, 12):
        row = meter.rows({"a": reading(100)}, float(second))["default/hello-1"]
    assert row["p50"] is None


def test_activators_are_added_up_and_one_that_began_anew_is_no_setback() -> None:
    meter = Meter()
    meter.rows({"a": reading(1000), "b": reading(50)}, 0.0)
    row = meter.rows({"a": reading(20), "b": reading(60)}, 1.0)["default/hello-1"]
    assert row["rps"] == 30.0
    # One that was not there before has its past, which is no rate.
    row = meter.rows({"a": reading(20), "b": reading(60), "c": reading(9999)}, 2.0)
    assert row["default/hello-1"]["rps"] == 0.0


def test_what_is_no_revisions_is_passed_over() -> None:
    line = 'kn_revision_request_active{kn_service_name="",kn_revision_name="x"} 1.0'
    assert Meter().rows({"a": line}, 0.0) == {}
