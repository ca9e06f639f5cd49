from __future__ import annotations

from typing import Any

from hearth.cluster.controllers.autoscaling.behavior import Memory
from hearth.cluster.controllers.autoscaling.decide import asks, decide, without_scale
from hearth.cluster.controllers.autoscaling.decisions import (
    Decision,
    Observed,
    Scale,
    failed,
    succeeded,
)
from hearth.cluster.controllers.autoscaling.samples import MetricError
from hearth.kube.clock import rfc3339
from hearth.kube.meta import Object
from tests.unit.hearth.cluster.controllers.autoscaling.builders import (
    NOW,
    an_hpa,
    by_cpu,
    by_external,
    pods,
    usages,
)

AWAY = MetricError("unable to fetch metrics from external metrics API: away")


def decided(hpa: Object, size: int, *answers: Any, **more: Any) -> Decision:
    scale = Scale(size, size, more.pop("selector", "app=web"))
    memory = more.pop("memory", Memory())
    return decide(Observed(hpa, scale, pods(size), answers=answers, **more), memory, now=NOW)


def conditions(decision: Decision) -> dict[str, tuple[str, str, str]]:
    found = decision.status["conditions"]
    return {c["type"]: (c["status"], c["reason"], c["message"]) for c in found}


def test_more_cpu_makes_more_replicas() -> None:
    decision = decided(an_hpa(by_cpu(50)), 2, usages("1", "1"))
    assert decision.replicas == 4
    done = succeeded(decision, now=NOW)
    name = "cpu resource utilization (percentage of request)"
    assert done.events == (
        ("Normal", "SuccessfulRescale", f"New size: 4; reason: {name} above target"),
    )
    assert conditions(done) == {
        "AbleToScale": (
            "True",
            "SucceededRescale",
            "the HPA controller was able to update the target scale to 4",
        ),
        "ScalingActive": (
            "True",
            "ValidMetricFound",
            f"the HPA was able to successfully calculate a replica count from {name}",
        ),
        "ScalingLimited": (
            "False",
            "DesiredWithinRange",
            "the desired count is within the acceptable range",
        ),
    }
    assert done.status["currentReplicas"] == 2
    assert done.status["desiredReplicas"] == 4
    assert done.status["lastScaleTime"] == rfc3339(NOW)


def test_a_size_that_fits_is_left() -> None:
    decision = decided(an_hpa(by_cpu(50)), 2, usages("500m", "510m"))
    assert decision.replicas is None
    assert conditions(decision)["AbleToScale"][1] == "ReadyForNewScale"
    assert decision.status["desiredReplicas"] == 2
    again = decided(an_hpa(by_cpu(50)) | {"status": decision.status}, 2, usages("500m", "510m"))
    assert again.status == decision.status


def test_less_is_done_when_five_minutes_have_passed() -> None:
    hpa, answer = an_hpa(by_cpu(50)), usages("10m", "10m", "10m")
    first = decided(hpa, 3, answer)
    assert first.replicas is None
    assert conditions(first)["AbleToScale"][1] == "ScaleDownStabilized"
    scale = Scale(3, 3, "app=web")
    observed = Observed(hpa, scale, pods(3), answers=[answer])
    later = decide(observed, first.memory, now=NOW + 301)
    assert later.replicas == 1
    assert later.why == "All metrics below target"


def test_of_several_metrics_the_most_replicas_count() -> None:
    hpa = an_hpa(by_cpu(50), by_external(averageValue="1"))
    decision = decided(hpa, 2, usages("1", "1"), [{"value": "7"}])
    assert decision.replicas == 4
    assert conditions(decision)["ScalingLimited"][:2] == ("True", "ScaleUpLimit")
    assert len(decision.status["currentMetrics"]) == 2


def test_a_metric_that_is_away_keeps_what_there_is() -> None:
    hpa = an_hpa(by_cpu(50), by_external(value="1"))
    less = decided(hpa, 3, usages("1m", "1m", "1m"), AWAY, memory=Memory({1: NOW - 900}))
    assert less.replicas is None
    assert conditions(less)["ScalingActive"][:2] == ("False", "FailedGetExternalMetric")
    assert [reason for _, reason, _ in less.events] == [
        "FailedGetExternalMetric",
        "FailedComputeMetricsReplicas",
    ]
    assert less.events[1][2].startswith("invalid metrics (1 invalid out of 2), first error is: ")
    assert less.status["currentMetrics"][1] == {"type": ""}
    more = decided(hpa, 3, usages("1", "1", "1"), AWAY)
    assert more.replicas == 6
    assert conditions(more)["ScalingActive"][:2] == ("True", "ValidMetricFound")


def test_a_target_at_zero_is_left_alone() -> None:
    hpa = an_hpa(by_cpu(50))
    assert not asks(hpa, Scale(0, 0, "app=web"))
    decision = decided(hpa, 0)
    assert decision.replicas is None
    assert conditions(decision)["ScalingActive"] == (
        "False",
        "ScalingDisabled",
        "scaling is disabled since the replica count of the target is zero",
    )


def test_bounds_count_before_metrics() -> None:
    hpa = an_hpa(by_cpu(50), least=2, most=4)
    many, few = decided(hpa, 9), decided(hpa, 1)
    assert (many.replicas, many.why) == (4, "Current number of replicas above Spec.MaxReplicas")
    assert (few.replicas, few.why) == (2, "Current number of replicas below Spec.MinReplicas")
    assert not asks(hpa, Scale(9, 9, "")) and not asks(hpa, Scale(1, 1, ""))


def test_a_selector_must_be_there_and_select_for_one() -> None:
    hpa = an_hpa(by_cpu(50))
    without = decided(hpa, 2, selector="")
    assert without.events[0] == ("Warning", "SelectorRequired", "selector is required")
    assert conditions(without)["ScalingActive"][1] == "InvalidSelector"
    unreadable = decided(hpa, 2, selector="a in", bad_selector="unexpected end")
    assert unreadable.events[0][2] == conditions(unreadable)["ScalingActive"][2]
    assert conditions(unreadable)["ScalingActive"][1:] == (
        "InvalidSelector",
        "couldn't convert selector into a corresponding internal selector object: unexpected end",
    )
    ambiguous = decided(hpa, 2, rivals=("{a test}", "{b test}"))
    assert conditions(ambiguous)["ScalingActive"] == (
        "False",
        "AmbiguousSelector",
        "pods by selector app=web are controlled by multiple HPAs: [{a test} {b test}]",
    )


def test_what_could_not_be_read_or_written_is_told() -> None:
    hpa = an_hpa(by_cpu(50))
    unread = without_scale(hpa, "no such thing", Memory(), now=NOW)
    assert conditions(unread)["AbleToScale"][1] == "FailedGetScale"
    unwritten = failed(decided(hpa, 2, usages("1", "1")), "too late", now=NOW)
    assert conditions(unwritten)["AbleToScale"] == (
        "False",
        "FailedUpdateScale",
        "the HPA controller was unable to update the target scale: too late",
    )
    assert unwritten.events[0][1] == "FailedRescale"
    assert unwritten.status["desiredReplicas"] == 0


def test_changes_are_remembered_where_a_behavior_counts_them() -> None:
    assert succeeded(decided(an_hpa(by_cpu(50)), 2, usages("1", "1")), now=NOW).memory.changes == ()
    policy = {"type": "Pods", "value": 9, "periodSeconds": 15}
    rules = {"policies": [policy], "selectPolicy": "Max", "stabilizationWindowSeconds": 0}
    hpa = an_hpa(by_cpu(50), behavior={"scaleUp": rules, "scaleDown": rules})
    done = succeeded(decided(hpa, 2, usages("1", "1")), now=NOW)
    assert done.memory.changes == ((2, NOW),)


def test_a_tolerance_of_its_own() -> None:
    policy = {"type": "Pods", "value": 9, "periodSeconds": 15}
    rules = {"policies": [policy], "selectPolicy": "Max", "stabilizationWindowSeconds": 0}
    behavior = {"scaleUp": rules | {"tolerance": "10m"}, "scaleDown": rules}
    loose = decided(an_hpa(by_cpu(100)), 2, usages("1050m", "1050m"))
    strict = decided(an_hpa(by_cpu(100), behavior=behavior), 2, usages("1050m", "1050m"))
    assert (loose.replicas, strict.replicas) == (None, 3)
