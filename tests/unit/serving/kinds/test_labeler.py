from typing import Any

import pytest

from hearth.knative.resources import CONFIGURATIONS, REVISIONS, ROUTES
from hearth.kube.meta import Object, annotations, labels
from hearth.kube.plan import Plan
from serving.api import keys
from serving.kinds import labeler


@pytest.fixture
def world(stage: Any) -> Any:
    def reconcile() -> Plan:
        observed = labeler.Observed(
            ("ns", "hello"),
            stage.get(ROUTES, "hello"),
            {c["metadata"]["name"]: c for c in stage.all(CONFIGURATIONS)},
            {r["metadata"]["name"]: r for r in stage.all(REVISIONS)},
        )
        return labeler.reconcile(observed, now=stage.now)

    stage.reconcile = reconcile
    configuration: Object = {"metadata": {"name": "cfg", "namespace": "ns"}, "spec": {}}
    stage.put(CONFIGURATIONS, configuration)
    stage.status(CONFIGURATIONS, "cfg", latestCreatedRevisionName="two")
    for name in ("one", "two"):
        stage.put(
            REVISIONS,
            {
                "metadata": {
                    "name": name,
                    "namespace": "ns",
                    "labels": {keys.ROUTING_STATE: keys.STATE_PENDING},
                    "ownerReferences": [
                        {"kind": "Configuration", "name": "cfg", "controller": True, "uid": "u"}
                    ],
                },
                "spec": {},
            },
        )
    return stage


def route_to(world: Any, *traffic: Object, ready: str = "True") -> None:
    known = world.get(ROUTES, "hello") or {"metadata": {"name": "hello", "namespace": "ns"}}
    world.put(ROUTES, {**known, "spec": {"traffic": list(traffic)}})
    world.ready(ROUTES, "hello", ready)


def state(world: Any, revision: str) -> tuple[str | None, str | None]:
    found = world.the(REVISIONS, revision)
    return labels(found).get(keys.ROUTING_STATE), annotations(found).get(keys.ROUTES)


ONE = {"revisionName": "one", "percent": 100, "latestRevision": False}
LATEST = {"configurationName": "cfg", "percent": 100, "latestRevision": True}


def test_a_routed_revision_is_active_with_its_configuration_marked(world: Any) -> None:
    route_to(world, ONE)
    world.settle(world.reconcile)
    assert state(world, "one") == ("active", "hello")
    assert state(world, "two") == ("pending", None)
    assert annotations(world.the(CONFIGURATIONS, "cfg"))[keys.ROUTES] == "hello"
    modified = annotations(world.the(REVISIONS, "one"))[keys.ROUTING_STATE_MODIFIED]
    assert modified == "2026-11-20T16:40:00Z"


def test_the_latest_created_revision_is_marked_before_it_is_ready(world: Any) -> None:
    route_to(world, LATEST)
    world.settle(world.reconcile)
    assert state(world, "two") == ("active", "hello")


def test_one_that_was_rolled_back_is_not_kept_running(world: Any) -> None:
    own = {keys.ROLLED_BACK_TO: "one", keys.ROUTES: "hello"}
    world.edit(REVISIONS, "two", lambda o: o["metadata"].update(annotations=own))
    route_to(world, LATEST)
    world.settle(world.reconcile)
    assert state(world, "two") == ("reserve", None)


def test_marks_move_with_the_traffic(world: Any) -> None:
    route_to(world, ONE)
    world.settle(world.reconcile)
    route_to(world, {**ONE, "revisionName": "two"})
    world.settle(world.reconcile)
    assert state(world, "one") == ("reserve", None)
    assert state(world, "two") == ("active", "hello")


def test_marks_stay_while_the_route_is_not_settled(world: Any) -> None:
    route_to(world, ONE)
    world.settle(world.reconcile)
    route_to(world, {**ONE, "revisionName": "two"}, ready="Unknown")
    world.settle(world.reconcile)
    assert state(world, "one") == ("active", "hello")
    assert state(world, "two") == ("active", "hello")


def test_a_route_that_is_gone_takes_its_marks_along(world: Any) -> None:
    route_to(world, ONE)
    world.settle(world.reconcile)
    world.edit(
        REVISIONS,
        "one",
        lambda o: o["metadata"]["annotations"].update({keys.ROUTES: "hello,other"}),
    )
    world.objects = {k: v for k, v in world.objects.items() if not k[0].startswith("routes")}
    world.settle(world.reconcile)
    assert state(world, "one") == ("active", "other")
    assert keys.ROUTES not in annotations(world.the(CONFIGURATIONS, "cfg"))


def test_the_configuration_of_the_same_service_keeps_its_mark(world: Any) -> None:
    for resource, name in ((CONFIGURATIONS, "cfg"),):
        world.edit(
            resource,
            name,
            lambda o: o["metadata"].update(
                labels={keys.SERVICE: "hello"}, annotations={keys.ROUTES: "hello"}
            ),
        )
    route_to(world, {"revisionName": "lost", "percent": 100}, ready="False")
    world.edit(ROUTES, "hello", lambda o: o["metadata"].update(labels={keys.SERVICE: "hello"}))
    world.settle(world.reconcile)
    assert annotations(world.the(CONFIGURATIONS, "cfg"))[keys.ROUTES] == "hello"


def test_a_mark_that_was_there_before_the_route_stays(world: Any) -> None:
    for resource, name in ((CONFIGURATIONS, "cfg"), (REVISIONS, "one")):
        world.edit(
            resource,
            name,
            lambda o: o["metadata"].update(
                labels={keys.SERVICE: "hello"}, annotations={keys.ROUTES: "hello"}
            ),
        )
    assert world.reconcile() == Plan()
