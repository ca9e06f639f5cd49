from __future__ import annotations

from typing import Any

import pytest

from hearth.knative.resources import CONFIGURATIONS, KSERVICES, REVISIONS, ROUTES
from hearth.kube.meta import Object, labels
from hearth.kube.plan import Plan
from serving.api import keys
from serving.kinds.service import reconcile as service


def a_service(template_name: str = "", **spec: Any) -> Object:
    template: Object = {"metadata": {}, "spec": {"containers": [{"image": "app"}]}}
    if template_name:
        template["metadata"]["name"] = template_name
    traffic = [{"latestRevision": True, "percent": 100}]
    return {
        "metadata": {"name": "hello", "namespace": "ns", "labels": {"team": "a"}},
        "spec": {"template": template, "traffic": traffic, **spec},
    }


@pytest.fixture
def world(stage: Any) -> Any:
    def reconcile() -> Plan:
        found = stage.get(CONFIGURATIONS, "hello")
        chosen = (found or {}).get("spec", {}).get("template", {}).get("metadata", {}).get("name")
        observed = service.Observed(
            stage.get(KSERVICES, "hello"),
            found,
            stage.get(ROUTES, "hello"),
            stage.get(REVISIONS, chosen or "-"),
        )
        return service.reconcile(observed, now=stage.now)

    stage.reconcile = reconcile
    return stage


def test_makes_configuration_and_route_together_and_settles(world: Any) -> None:
    world.put(KSERVICES, a_service())
    world.settle(world.reconcile)
    assert labels(world.the(CONFIGURATIONS, "hello"))["team"] == "a"
    assert world.the(ROUTES, "hello")["spec"]["traffic"][0]["configurationName"] == "hello"
    assert world.conditions(KSERVICES, "hello") == {
        "ConfigurationsReady": ("Unknown", "OutOfDate"),
        "Ready": ("Unknown", "OutOfDate"),
        "RoutesReady": ("Unknown", "OutOfDate"),
    }
    assert ("Created", 'Created Configuration "hello"') in world.events


def test_ready_when_its_children_are(world: Any) -> None:
    world.put(KSERVICES, a_service())
    world.settle(world.reconcile)
    world.ready(CONFIGURATIONS, "hello")
    world.status(CONFIGURATIONS, "hello", latestReadyRevisionName="hello-00001")
    world.ready(ROUTES, "hello")
    traffic = [{"revisionName": "hello-00001", "percent": 100, "latestRevision": True}]
    world.status(ROUTES, "hello", traffic=traffic, url="http://hello")
    world.settle(world.reconcile)
    assert world.conditions(KSERVICES, "hello")["Ready"] == ("True", "")
    assert world.the(KSERVICES, "hello")["status"]["url"] == "http://hello"


def test_not_ready_while_traffic_goes_to_the_revision_before(world: Any) -> None:
    world.put(KSERVICES, a_service())
    world.settle(world.reconcile)
    world.ready(CONFIGURATIONS, "hello")
    world.status(CONFIGURATIONS, "hello", latestReadyRevisionName="hello-00002")
    world.ready(ROUTES, "hello")
    world.status(ROUTES, "hello", traffic=[{"revisionName": "hello-00001", "percent": 100}])
    world.settle(world.reconcile)
    assert world.conditions(KSERVICES, "hello")["RoutesReady"] == ("Unknown", "TrafficNotMigrated")


def test_a_change_reaches_the_children(world: Any) -> None:
    world.put(KSERVICES, a_service())
    world.settle(world.reconcile)
    world.edit(
        KSERVICES,
        "hello",
        lambda o: o["spec"]["template"]["spec"]["containers"][0].update(image="app:2"),
    )
    world.settle(world.reconcile)
    container = world.the(CONFIGURATIONS, "hello")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "app:2"
    assert world.conditions(KSERVICES, "hello")["ConfigurationsReady"] == ("Unknown", "OutOfDate")


def test_a_removed_field_is_removed_from_the_children(world: Any) -> None:
    world.put(KSERVICES, a_service())
    world.edit(KSERVICES, "hello", lambda o: o["spec"]["template"]["spec"].update(timeoutSeconds=9))
    world.settle(world.reconcile)
    world.edit(KSERVICES, "hello", lambda o: o["spec"]["template"]["spec"].pop("timeoutSeconds"))
    world.settle(world.reconcile)
    assert "timeoutSeconds" not in world.the(CONFIGURATIONS, "hello")["spec"]["template"]["spec"]


def test_a_chosen_name_makes_the_route_wait_for_the_configuration(world: Any) -> None:
    world.put(KSERVICES, a_service("hello-one"))
    world.settle(world.reconcile)
    assert world.get(ROUTES, "hello") is None
    world.ready(CONFIGURATIONS, "hello", "Unknown")
    world.settle(world.reconcile)
    assert world.get(ROUTES, "hello") is not None


def test_a_chosen_name_that_is_taken(world: Any) -> None:
    world.put(REVISIONS, {"metadata": {"name": "hello-one", "namespace": "ns"}, "spec": {}})
    world.put(KSERVICES, a_service("hello-one"))
    world.settle(world.reconcile)
    world.ready(CONFIGURATIONS, "hello", "False", reason="RevisionFailed", message="taken")
    world.settle(world.reconcile)
    assert world.conditions(KSERVICES, "hello")["RoutesReady"] == ("False", "RevisionNameTaken")
    assert world.get(ROUTES, "hello") is None


@pytest.mark.parametrize(
    ("resource", "kind", "condition"),
    [
        pytest.param(CONFIGURATIONS, "Configuration", "ConfigurationsReady", id="configuration"),
        pytest.param(ROUTES, "Route", "RoutesReady", id="route"),
    ],
)
def test_another_ones_child(world: Any, resource: Any, kind: str, condition: str) -> None:
    world.put(resource, {"metadata": {"name": "hello", "namespace": "ns"}, "spec": {"mine": 1}})
    world.put(KSERVICES, a_service())
    world.settle(world.reconcile)
    assert world.conditions(KSERVICES, "hello")[condition] == ("False", "NotOwned")
    message = f'There is an existing {kind} "hello" that we do not own.'
    assert world.message(KSERVICES, "hello", "Ready") == message
    assert world.the(resource, "hello")["spec"] == {"mine": 1}


def test_a_service_that_is_going_is_left_alone(world: Any) -> None:
    world.put(KSERVICES, a_service())
    world.edit(KSERVICES, "hello", lambda o: o["metadata"].update(deletionTimestamp="now"))
    assert world.reconcile() == Plan()


def test_the_routes_annotation_of_others_is_kept(world: Any) -> None:
    world.put(KSERVICES, a_service())
    world.settle(world.reconcile)
    world.edit(
        CONFIGURATIONS,
        "hello",
        lambda o: o["metadata"]["annotations"].update({keys.ROUTES: "hello,other"}),
    )
    world.settle(world.reconcile)
    annotations = world.the(CONFIGURATIONS, "hello")["metadata"]["annotations"]
    assert annotations[keys.ROUTES] == "hello,other"
