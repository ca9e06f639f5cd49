"""The cases of Kubernetes' ``replica_calculator_test.go``, in numbers of our own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.controllers.autoscaling.proposals import Proposal, Target, Unusable, propose
from hearth.cluster.controllers.autoscaling.replicas import Tolerances
from hearth.cluster.controllers.autoscaling.samples import MetricError
from hearth.kube.clock import rfc3339
from hearth.kube.meta import Object
from tests.unit.hearth.cluster.controllers.autoscaling.builders import (
    NOW,
    a_pod,
    a_usage,
    a_value,
    by_cpu,
    by_cpu_amount,
    by_external,
    by_object,
    by_pods,
    pods,
    usages,
)


def a_target(found: list[Object], wanted: int | None = None) -> Target:
    size = len(found) if wanted is None else wanted
    return Target("test", size, size, found, Tolerances(), NOW)


def asked(metric: Object, answer: Any, target: Target) -> Proposal:
    return propose(metric, answer, target)


@pytest.mark.parametrize(
    ("metric", "found", "answer", "wanted"),
    [
        pytest.param(by_cpu(30), pods(3), usages("300m", "500m", "700m"), 5, id="more"),
        pytest.param(by_cpu(50), pods(5), usages(*["100m"] * 5), 1, id="less"),
        pytest.param(by_cpu(100), pods(3), usages("1010m", "1030m", "1020m"), 3, id="tolerated"),
        pytest.param(by_cpu(100), pods(3), usages("900m", "910m", "890m"), 3, id="tolerated less"),
        pytest.param(
            by_cpu(100), pods(3), usages("1110m", "1110m", "1110m"), 4, id="just over the tolerance"
        ),
        pytest.param(
            by_cpu(30),
            [*pods(2), a_pod("p2", ready=False, started=NOW - 60)],
            usages("500m", "700m", "9"),
            4,
            id="a starting pod counts as idle",
        ),
        pytest.param(
            by_cpu(30),
            [a_pod("p0"), *[a_pod(f"p{n}", ready=False, started=NOW - 60) for n in (1, 2)]],
            usages("400m", "500m", "700m"),
            3,
            id="idle new ones make up for one that is busy",
        ),
        pytest.param(
            by_cpu(50),
            [*pods(2), a_pod("p2", phase="Pending")],
            usages("100m", "100m"),
            1,
            id="pending pods do not keep others",
        ),
        pytest.param(
            by_cpu(50),
            [*pods(2), a_pod("p2", phase="Failed")],
            usages("500m", "700m", "8"),
            3,
            id="failed pods are not counted",
        ),
        pytest.param(
            by_cpu(50),
            [*pods(2), a_pod("p2", deletionTimestamp=rfc3339(NOW))],
            usages("500m", "700m", "8"),
            3,
            id="pods that go are not counted",
        ),
        pytest.param(
            by_cpu(100),
            pods(4),
            usages("400m"),
            4,
            id="pods without metrics are busy where there is less",
        ),
        pytest.param(
            by_cpu(30), pods(2), usages("1"), 4, id="and idle where there is more"
        ),
        pytest.param(
            by_cpu(120), pods(2), usages("600m"), 2, id="they are at targets above 100"
        ),
        pytest.param(by_cpu(0x7FFFFFFF), pods(1), usages("1"), 1, id="never below one pod"),
        pytest.param(by_cpu_amount("300m"), pods(3), usages("300m", "500m", "700m"), 5, id="fix"),
        pytest.param(
            by_cpu_amount("1"),
            [a_pod("p0", requests={})],
            usages("3"),
            3,
            id="an amount needs no request",
        ),
        pytest.param(
            by_pods("15"), pods(3), [a_value(f"p{n}", "20") for n in range(3)], 4, id="pods metric"
        ),
        pytest.param(
            by_pods("15"),
            [a_pod(f"p{n}", ready=False, started=NOW - 5) for n in range(3)],
            [a_value(f"p{n}", "20") for n in range(3)],
            4,
            id="of custom metrics starting pods count",
        ),
        pytest.param(
            by_pods("20"), pods(4), [a_value("p0", "10"), a_value("p1", "10")], 3, id="pods missing"
        ),
        pytest.param(by_external(value="4400m"), pods(3), [{"value": "8600m"}], 6, id="external"),
        pytest.param(
            by_external(value="10"), pods(3), [{"value": "3"}, {"value": "6800m"}], 3, id="summed"
        ),
        pytest.param(
            by_external(averageValue="2150m"), pods(3), [{"value": "8600m"}], 4, id="shared out"
        ),
        pytest.param(
            by_external(averageValue="2"), pods(3), [{"value": "6100m"}], 3, id="shared, tolerated"
        ),
        pytest.param(by_external(averageValue="2"), [], [{"value": "9"}], 5, id="from no pods"),
        pytest.param(by_object(value="20"), pods(4), [a_value("front", "30")], 6, id="object"),
        pytest.param(
            by_object(averageValue="7"), pods(4), [a_value("front", "70")], 10, id="object shared"
        ),
    ],
)  # fmt: skip
def test_replicas(metric: Object, found: list[Object], answer: list[Object], wanted: int) -> None:
    assert asked(metric, answer, a_target(found)).replicas == wanted


@pytest.mark.parametrize(
    ("started", "changed", "at", "ready", "counts"),
    [
        pytest.param(NOW - 60, NOW - 50, NOW, True, True, id="a window after it became ready"),
        pytest.param(NOW - 60, NOW - 10, NOW, True, False, id="a window from before it was ready"),
        pytest.param(
            NOW - 60, NOW - 50, NOW, False, False, id="not ready while it may be starting"
        ),
        pytest.param(NOW - 900, NOW - 10, NOW, True, True, id="long since started"),
        pytest.param(NOW - 900, NOW - 890, NOW, False, False, id="never was ready"),
        pytest.param(NOW - 900, NOW - 100, NOW, False, True, id="was ready once"),
        pytest.param(NOW - 60, NOW - 50, NOW, None, False, id="says nothing of being ready"),
    ],
)
def test_whether_the_cpu_of_a_pod_counts(
    started: float, changed: float, at: float, ready: bool | None, counts: bool
) -> None:
    new = a_pod("p1", started=started, changed=changed, ready=ready)
    answer = [a_usage("p0", "600m"), a_usage("p1", "600m", at=at)]
    proposal = asked(by_cpu(10), answer, a_target([a_pod("p0"), new]))
    assert proposal.replicas == (12 if counts else 6)


@pytest.mark.parametrize(
    ("metric", "found", "answer", "text"),
    [
        pytest.param(
            by_cpu(50),
            pods(1),
            [],
            "failed to get cpu utilization: unable to get metrics for resource cpu: "
            "no metrics returned from resource metrics API",
            id="no metrics",
        ),
        pytest.param(
            by_cpu(50),
            pods(1, requests={}),
            usages("1"),
            "failed to get cpu utilization: missing request for cpu in container main of Pod p0",
            id="no request",
        ),
        pytest.param(
            by_cpu(50),
            [],
            usages("1"),
            "failed to get cpu utilization: "
            "no pods returned by selector while calculating replica count",
            id="no pods",
        ),
        pytest.param(
            by_cpu(50),
            pods(1, phase="Pending"),
            usages("1"),
            "failed to get cpu utilization: "
            "did not receive metrics for targeted pods (pods might be unready)",
            id="none ready",
        ),
        pytest.param(
            by_external(value="1"),
            pods(1),
            MetricError("gone"),
            "unable to get external metric test/qps/&LabelSelector{MatchLabels:map[string]string"
            "{queue: jobs,},MatchExpressions:[]LabelSelectorRequirement{},}: gone",
            id="external API away",
        ),
        pytest.param(
            by_pods("1"),
            pods(1),
            [{"describedObject": {}}],
            "unable to get metric qps: unable to fetch metrics from custom metrics API: "
            "the answer cannot be read: KeyError('name')",
            id="an answer of no sense",
        ),
        pytest.param(
            by_external(value="1"),
            [],
            [{"value": "5"}],
            "unable to calculate ready pods: "
            "no pods returned by selector while calculating replica count",
            id="no pods to multiply",
        ),
    ],
)
def test_what_makes_a_metric_unusable(
    metric: Object, found: list[Object], answer: Any, text: str
) -> None:
    with pytest.raises(Unusable) as raised:
        asked(metric, answer, a_target(found, wanted=max(1, len(found))))
    assert str(raised.value) == text
    assert raised.value.reason == f"FailedGet{metric['type']}Metric"
    assert raised.value.told.endswith(text)


def test_one_container_of_several_is_measured_alone() -> None:
    containers = [
        {"name": "main", "resources": {"requests": {"cpu": "1"}}},
        {"name": "side", "resources": {}},
    ]
    answer = [a_usage("p0", "2")]
    answer[0]["containers"].append({"name": "side", "usage": {"cpu": "7"}})
    section = by_cpu(50)["resource"] | {"container": "main"}
    metric = {"type": "ContainerResource", "containerResource": section}
    proposal = asked(metric, answer, a_target(pods(1, containers=containers)))
    assert proposal.replicas == 4
    assert proposal.status["containerResource"]["container"] == "main"
    assert proposal.name == "cpu container resource utilization (percentage of request)"


def test_a_status_tells_what_was_measured() -> None:
    status = asked(by_cpu(30), usages("300m", "500m", "700m"), a_target(pods(3))).status
    current = {"averageValue": "500m", "averageUtilization": 50}
    assert status == {"type": "Resource", "resource": {"name": "cpu", "current": current}}


@given(
    amounts=st.lists(st.integers(0, 10**6), min_size=1, max_size=8),
    percent=st.integers(1, 1000),
)
def test_replicas_by_utilization_serve_the_use_there_is(amounts: list[int], percent: int) -> None:
    proposal = asked(
        by_cpu(percent), usages(*(f"{each}m" for each in amounts)), a_target(pods(len(amounts)))
    )
    whole_percent = sum(amounts) * 100 // (1000 * len(amounts))
    ratio = whole_percent / percent
    needed = ratio * len(amounts)
    if 0.9 <= ratio <= 1.1:
        assert proposal.replicas == len(amounts)
    else:
        assert needed - 1e-6 <= proposal.replicas < needed + 1 + 1e-6
