from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hearth.knative.resources import PODAUTOSCALERS
from hearth.kube import meta
from hearth.kube.meta import Object, labels
from hearth.kube.plan import Patch, Plan
from hearth.kube.resources import DEPLOYMENTS, HPAS, PODS, SERVICES
from hearth.kube.views import DELETION_COST
from serving.api import keys
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.settings import Settings
from serving.autoscaler.spec import bounds_of
from serving.kinds.podautoscaler import hpa
from serving.kinds.podautoscaler import kpa as podautoscaler

NAME, DEPLOYMENT = "rev", "rev-deployment"
CREATED = "2026-11-20T16:40:00Z"
"""The stage's beginning."""


def a_podautoscaler(**annotations: str) -> Object:
    own = {f"{keys.AUTOSCALING_GROUP}/{k.replace('_', '-')}": v for k, v in annotations.items()}
    return {
        "metadata": {
            "name": NAME,
            "namespace": "ns",
            "labels": {keys.REVISION_UID: "u", keys.REVISION: NAME},
            "annotations": own,
        },
        "spec": {
            "protocolType": "http1",
            "reachability": "Reachable",
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": DEPLOYMENT},
        },
    }


@pytest.fixture
def world(stage: Any) -> Any:
    stage.settings, stage.pods, stage.decided, stage.busy = Settings(), 0, -1, {}

    def observed() -> podautoscaler.Observed:
        return podautoscaler.Observed(
            stage.get(PODAUTOSCALERS, NAME),
            stage.get(SERVICES, NAME),
            stage.get(SERVICES, f"{NAME}-private"),
            stage.get(DEPLOYMENTS, DEPLOYMENT),
            ready_pods=stage.pods,
            hpa=stage.get(HPAS, NAME),
            desired=stage.decided,
            pods=tuple(stage.all(PODS)),
            busy=stage.busy,
        )

    def reconcile() -> Plan:
        return podautoscaler.reconcile(observed(), settings=stage.settings, now=stage.now)

    stage.observed, stage.reconcile = observed, reconcile
    stage.put(
        DEPLOYMENTS, {"metadata": {"name": DEPLOYMENT, "namespace": "ns"}, "spec": {"replicas": 1}}
    )
    stage.put(PODAUTOSCALERS, a_podautoscaler(window="6s"))
    return stage


def replicas(world: Any) -> int:
    return int(world.the(DEPLOYMENTS, DEPLOYMENT)["spec"]["replicas"])


def test_makes_both_services_and_settles(world: Any) -> None:
    world.settle(world.reconcile)
    public, private = world.the(SERVICES, NAME), world.the(SERVICES, f"{NAME}-private")
    assert labels(public)[keys.SERVICE_TYPE] == "Public"
    assert labels(private)[keys.SERVICE_TYPE] == "Private"
    assert public["spec"]["selector"] == {keys.REVISION_UID: "u"}
    status = world.the(PODAUTOSCALERS, NAME)["status"]
    assert (status["serviceName"], status["metricsServiceName"]) == (NAME, f"{NAME}-private")
    assert (status["desiredScale"], status["actualScale"]) == (-1, 0)
    assert world.conditions(PODAUTOSCALERS, NAME) == {
        "Active": ("Unknown", "Queued"),
        "Ready": ("Unknown", "Queued"),
        "SKSReady": ("Unknown", "NotReady"),
        "ScaleTargetInitialized": ("Unknown", ""),
    }


def test_becomes_active_sleeps_and_wakes(world: Any) -> None:
    world.settle(world.reconcile)
    world.pods = world.decided = 1
    world.settle(world.reconcile)
    assert {status for status, _ in world.conditions(PODAUTOSCALERS, NAME).values()} == {"True"}
    world.decided = 0
    plan = world.reconcile()  # active for a window already: the stage's clock moves with settling
    world.apply(plan)
    world.pods = 0
    world.settle(world.reconcile)
    assert replicas(world) == 0
    assert world.conditions(PODAUTOSCALERS, NAME)["Ready"] == ("False", "NoTraffic")
    assert world.conditions(PODAUTOSCALERS, NAME)["ScaleTargetInitialized"] == ("True", "")
    world.decided = 3
    world.settle(world.reconcile)
    assert replicas(world) == 3
    assert world.conditions(PODAUTOSCALERS, NAME)["Active"] == ("Unknown", "Queued")


def test_the_last_pod_stays_for_the_stable_window(world: Any) -> None:
    world.pods = world.decided = 1
    world.apply(world.reconcile())
    world.decided = 0
    world.now += 2
    plan = world.reconcile()
    assert plan.requeue_after == pytest.approx(4)
    world.apply(plan)
    assert replicas(world) == 1


def test_bounds_are_kept(world: Any) -> None:
    world.put(PODAUTOSCALERS, {**world.the(PODAUTOSCALERS, NAME)})
    world.edit(
        PODAUTOSCALERS,
        NAME,
        lambda o: o["metadata"].update(
            annotations={keys.MIN_SCALE.key: "2", keys.MAX_SCALE.key: "4"}
        ),
    )
    world.settle(world.reconcile)
    assert replicas(world) == 2, "activating: at least the minimum"
    world.pods = 2
    world.decided = 50
    world.settle(world.reconcile)
    assert replicas(world) == 4


def test_before_a_step_down_the_least_busy_pods_are_named(world: Any) -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    for pod in ("a", "b", "c"):
        world.put(PODS, {"metadata": {"name": pod, "namespace": "ns"}, "status": ready})
    world.pods, world.decided, world.busy = 3, 3, {"a": 4, "c": 2}
    world.settle(world.reconcile)
    assert all(DELETION_COST not in meta.annotations(pod) for pod in world.all(PODS))
    world.decided = 2
    plan = world.reconcile()
    assert [(a.name, a.patch) for a in plan.then] == [(DEPLOYMENT, {"spec": {"replicas": 2}})]
    world.settle(world.reconcile)
    assert [meta.annotations(pod).get(DELETION_COST) for pod in world.all(PODS)] == [
        None,
        "-1",
        None,
    ]
    # To zero all of them go: there is nothing to choose.
    world.decided = 0
    world.now += 60
    plan = world.reconcile()
    assert not plan.then
    assert [a.resource for a in plan.actions if isinstance(a, Patch)] == [DEPLOYMENTS]


def test_the_urgent_patch_is_the_one_reconcile_would_make(world: Any) -> None:
    world.settle(world.reconcile)
    world.decided = 3
    bounds = bounds_of(world.the(PODAUTOSCALERS, NAME), world.settings)
    scale = podautoscaler.wanted_scale(world.observed(), bounds, now=world.now)
    patch = podautoscaler.scale_patch(world.observed(), scale)
    assert patch is not None
    assert patch in world.reconcile().actions
    world.apply(Plan((patch,)))
    assert podautoscaler.scale_patch(world.observed(), scale) is None


def test_after_a_restart_the_last_known_scale_stays_in_the_status(world: Any) -> None:
    world.pods = world.decided = 2
    world.settle(world.reconcile)
    world.decided = -1
    world.settle(world.reconcile)
    assert world.the(PODAUTOSCALERS, NAME)["status"]["desiredScale"] == 2


def test_one_that_died_when_it_had_given_up_the_pods_is_spoken_for(world: Any) -> None:
    """The autoscaler that begins anew knows nothing: nobody waits for a pod that is to be none."""
    world.pods = world.decided = 1
    world.settle(world.reconcile)
    world.edit(DEPLOYMENTS, DEPLOYMENT, lambda o: o["spec"].update(replicas=0))
    world.pods, world.decided = 0, -1
    world.settle(world.reconcile)
    assert world.conditions(PODAUTOSCALERS, NAME)["Active"] == ("False", "NoTraffic")
    assert world.the(PODAUTOSCALERS, NAME)["status"]["desiredScale"] == 0
    assert replicas(world) == 0


def test_an_activation_that_takes_too_long_is_given_up(world: Any) -> None:
    world.edit(
        PODAUTOSCALERS,
        NAME,
        lambda o: o["metadata"].update(annotations={keys.PROGRESS_DEADLINE.key: "10s"}),
    )
    world.settle(world.reconcile)
    world.now += 41
    world.settle(world.reconcile)
    assert replicas(world) == 0
    assert world.conditions(PODAUTOSCALERS, NAME)["Active"] == ("False", "TimedOut")


def test_initial_scale_zero(world: Any) -> None:
    config = AutoscalerConfig(allow_zero_initial_scale=True, initial_scale=0)
    world.settings = replace(world.settings, autoscaler=config)
    world.settle(world.reconcile)
    conditions = world.conditions(PODAUTOSCALERS, NAME)
    assert conditions["ScaleTargetInitialized"] == ("True", "")
    assert conditions["Active"] == ("False", "NoTraffic")


def test_another_ones_service(world: Any) -> None:
    world.put(SERVICES, {"metadata": {"name": NAME, "namespace": "ns"}, "spec": {}})
    world.settle(world.reconcile)
    assert world.conditions(PODAUTOSCALERS, NAME)["Active"] == ("False", "NotOwned")
    message = f'There is an existing Service "{NAME}" that we do not own.'
    assert world.message(PODAUTOSCALERS, NAME, "Active") == message
    status = world.get(PODAUTOSCALERS, NAME)["status"]
    assert (status["serviceName"], status["metricsServiceName"]) == (NAME, f"{NAME}-private")


def test_a_service_that_was_edited_is_put_right(world: Any) -> None:
    world.settle(world.reconcile)
    world.edit(SERVICES, NAME, lambda o: o["spec"].update(ports=[], clusterIP="10.0.0.1"))
    world.settle(world.reconcile)
    spec = world.the(SERVICES, NAME)["spec"]
    assert spec["ports"][0]["targetPort"] == "user-port"
    assert spec["clusterIP"] == "10.0.0.1", "what the server gave stays"


# -- HPA class --------------------------------------------------------------------------------


@pytest.fixture
def hpa_world(world: Any) -> Any:
    def reconcile() -> Plan:
        return hpa.reconcile(world.observed(), settings=world.settings, now=world.now)

    world.reconcile = reconcile
    return world


@pytest.mark.parametrize(
    ("annotations", "metrics"),
    [
        pytest.param(
            {"metric": "cpu", "target": "75"},
            [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": 75},
                    },
                }
            ],
            id="cpu",
        ),
        pytest.param(
            {"metric": "memory", "target": "200"},
            [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "memory",
                        "target": {"type": "AverageValue", "averageValue": "200Mi"},
                    },
                }
            ],
            id="memory",
        ),
        pytest.param(
            {"metric": "jobs", "target": "5"},
            [
                {
                    "type": "Pods",
                    "pods": {
                        "metric": {"name": "jobs"},
                        "target": {"type": "AverageValue", "averageValue": "5"},
                    },
                }
            ],
            id="custom",
        ),
        pytest.param({"metric": "cpu"}, None, id="no target"),
    ],
)
def test_hpa_metrics(hpa_world: Any, annotations: dict[str, str], metrics: Any) -> None:
    hpa_world.put(
        PODAUTOSCALERS,
        {
            **hpa_world.the(PODAUTOSCALERS, NAME),
            "metadata": {
                **hpa_world.the(PODAUTOSCALERS, NAME)["metadata"],
                **{"annotations": a_podautoscaler(**annotations)["metadata"]["annotations"]},
            },
        },
    )
    hpa_world.settle(hpa_world.reconcile)
    assert hpa_world.the(HPAS, NAME)["spec"].get("metrics") == metrics


def test_hpa_bounds_and_status(hpa_world: Any) -> None:
    hpa_world.edit(
        PODAUTOSCALERS,
        NAME,
        lambda o: o["metadata"].update(
            annotations=a_podautoscaler(min_scale="2", max_scale="5", window="60s")["metadata"][
                "annotations"
            ]
        ),
    )
    hpa_world.settle(hpa_world.reconcile)
    spec = hpa_world.the(HPAS, NAME)["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 5)
    assert spec["behavior"]["scaleDown"] == {"stabilizationWindowSeconds": 60}
    hpa_world.pods = 2
    hpa_world.status(HPAS, NAME, currentReplicas=2, desiredReplicas=3)
    hpa_world.settle(hpa_world.reconcile)
    status = hpa_world.the(PODAUTOSCALERS, NAME)["status"]
    assert (status["desiredScale"], status["actualScale"]) == (3, 2)
    assert hpa_world.conditions(PODAUTOSCALERS, NAME)["Ready"] == ("True", "")


def test_a_revision_that_never_came_up_is_tried_again(world: Any) -> None:
    world.edit(PODAUTOSCALERS, NAME, lambda o: o["metadata"].update(creationTimestamp=CREATED))
    world.settle(world.reconcile)
    world.now += 700
    world.settle(world.reconcile)
    assert replicas(world) == 0
    assert world.conditions(PODAUTOSCALERS, NAME)["Active"] == ("False", "TimedOut")
    assert world.reconcile().requeue_after == pytest.approx(700, abs=10)
    world.now += 710
    world.apply(world.reconcile())
    assert replicas(world) == 1
    assert world.conditions(PODAUTOSCALERS, NAME)["Active"] == ("Unknown", "Queued")


def test_a_retry_that_is_asked_for_begins_at_once_and_once(world: Any) -> None:
    world.settle(world.reconcile)
    world.now += 700
    world.settle(world.reconcile)
    assert replicas(world) == 0
    world.edit(
        PODAUTOSCALERS, NAME, lambda o: o["metadata"]["annotations"].update({keys.RETRY: "1"})
    )
    world.settle(world.reconcile)
    assert replicas(world) == 1
    status = world.the(PODAUTOSCALERS, NAME)["status"]
    assert status["annotations"] == {keys.RETRY: "1"}
    world.now += 700
    world.settle(world.reconcile)
    assert replicas(world) == 0, "the same value is no new request"
