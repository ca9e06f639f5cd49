"""What shows whether activators are meant to be in the path of a revision."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.knative.resources import PODAUTOSCALERS
from hearth.kube.meta import Object
from hearth.kube.plan import Plan
from hearth.kube.resources import DEPLOYMENTS, ENDPOINTSLICES, SERVICES
from serving.api import keys
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.settings import Settings
from serving.kinds.podautoscaler import kpa
from serving.kinds.podautoscaler.burst import slice_name

NAME = "rev"
PODS = {keys.REVISION_UID: "u"}


def activators(*addresses: str, port: int = 8012) -> Object:
    return {
        "addressType": "IPv4",
        "endpoints": [{"addresses": [each], "targetRef": {"name": each}} for each in addresses],
        "ports": [{"name": "http", "port": port}, {"name": "http2", "port": 8013}],
    }


@pytest.fixture
def world(stage: Any) -> Any:
    stage.pods, stage.decided, stage.excess = 1, 1, -1
    stage.activators = (activators("10.0.0.1", "10.0.0.2"),)
    stage.settings = Settings()

    def reconcile() -> Plan:
        podautoscaler = stage.the(PODAUTOSCALERS, NAME)
        observed = kpa.Observed(
            podautoscaler,
            stage.get(SERVICES, NAME),
            stage.get(SERVICES, f"{NAME}-private"),
            stage.get(DEPLOYMENTS, "rev-deployment"),
            ready_pods=stage.pods,
            desired=stage.decided,
            excess=stage.excess,
            activators=stage.activators,
            shown=stage.get(ENDPOINTSLICES, slice_name(podautoscaler)),
        )
        return kpa.reconcile(observed, settings=stage.settings, now=stage.now)

    stage.settled = lambda: stage.settle(reconcile)
    return stage


def put(world: Any, **annotations: str) -> None:
    own = {f"{keys.AUTOSCALING_GROUP}/{k.replace('_', '-')}": v for k, v in annotations.items()}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "rev-deployment"}
    metadata = {"name": NAME, "namespace": "ns", "labels": dict(PODS), "annotations": own}
    spec = {"protocolType": "http1", "reachability": "Reachable", "scaleTargetRef": target}
    world.put(PODAUTOSCALERS, {"metadata": metadata, "spec": spec})
    world.put(
        DEPLOYMENTS,
        {"metadata": {"name": "rev-deployment", "namespace": "ns"}, "spec": {"replicas": 1}},
    )
    world.settled()


def shown(world: Any) -> str | None:
    status = world.the(PODAUTOSCALERS, NAME)["status"]
    text: str | None = (status.get("annotations") or {}).get(keys.ACTIVATORS)
    return text


def addresses(world: Any) -> list[str]:
    found = world.get(ENDPOINTSLICES, f"{NAME}-activators")
    return [a for each in (found or {}).get("endpoints", ()) for a in each["addresses"]]


def selector(world: Any, name: str) -> Any:
    return world.the(SERVICES, name)["spec"].get("selector")


def test_a_revision_that_asks_for_nothing_costs_nothing(world: Any) -> None:
    put(world)
    assert shown(world) is None and addresses(world) == []
    assert (selector(world, NAME), selector(world, "rev-private")) == (PODS, None)


def test_one_that_sleeps_says_nothing_and_settings_count(world: Any) -> None:
    world.pods, world.decided = 0, 0
    put(world)
    world.now += 120
    world.settled()
    assert "annotations" not in world.the(PODAUTOSCALERS, NAME)["status"]
    own = AutoscalerConfig.from_data(
        {"activator-capacity": "50", "stable-window": "30s", "target-burst-capacity": "-1"}
    )
    world.settings = Settings(autoscaler=own)
    world.settled()
    told = world.the(PODAUTOSCALERS, NAME)["status"]["annotations"]
    assert told == {keys.ACTIVATORS: "Proxy 2", keys.AVERAGED: "30 3 unasked"}


def test_while_capacity_is_missing_the_public_service_leads_to_activators(world: Any) -> None:
    put(world, target_burst_capacity="7")
    assert addresses(world) == ["10.0.0.1", "10.0.0.2"]
    (port,) = world.the(ENDPOINTSLICES, "rev-activators")["ports"]
    assert (port["name"], port["port"]) == ("http", 8012)
    assert selector(world, "rev-private") == PODS
    assert selector(world, NAME).items() > PODS.items(), "no pod has all of it"
    assert shown(world) == "Proxy 2"


def test_with_capacity_to_spare_it_leads_to_the_pods_and_back_at_zero(world: Any) -> None:
    put(world, target_burst_capacity="7")
    world.excess, world.pods, world.decided = 3, 2, 2
    world.settled()
    assert addresses(world) == []
    assert (selector(world, NAME), shown(world)) == (PODS, "Serve 3")
    world.decided, world.pods = 0, 0
    world.now += 120
    world.settled()
    assert addresses(world) == ["10.0.0.1", "10.0.0.2"]
    assert shown(world) == "Proxy 2"


def test_an_autoscaler_that_knows_nothing_yet_changes_nothing(world: Any) -> None:
    put(world, target_burst_capacity="0")
    world.excess = 0
    world.settled()
    assert shown(world) == "Serve 2"
    world.decided, world.excess = -1, -1
    world.settled()
    assert shown(world) == "Serve 2"


def test_the_mode_of_every_revision_is_told_once_it_is_serve(world: Any) -> None:
    world.excess = 10
    put(world)
    assert shown(world) == "Serve 4", "100 requests of a pod and 211 for a burst, 100 by each"
    assert addresses(world) == []


def test_it_follows_activators_that_come_and_go(world: Any) -> None:
    put(world, target_burst_capacity="-1")
    world.activators = (activators("10.0.0.2"), activators("10.0.0.3"))
    world.settled()
    assert addresses(world) == ["10.0.0.2", "10.0.0.3"]
    [first, _] = world.the(ENDPOINTSLICES, "rev-activators")["endpoints"]
    assert first["targetRef"] == {"name": "10.0.0.2"}, "who ends one looks for its pod there"
    world.activators = ()
    world.settled()
    assert addresses(world) == []
    assert selector(world, NAME) == PODS, "without an activator the pods are better than nothing"
