from typing import Any

import pytest

from hearth.knative.resources import CONFIGURATIONS, REVISIONS
from hearth.kube.meta import Object, annotations, labels
from hearth.kube.plan import Plan
from serving.api import keys
from serving.kinds.configuration import reconcile as configuration
from serving.kinds.configuration.children import make_revision


def a_configuration(template_name: str = "", *, image: str = "app") -> Object:
    metadata = {"name": template_name} if template_name else {}
    return {
        "metadata": {
            "name": "hello",
            "namespace": "ns",
            "labels": {keys.SERVICE: "hello", keys.SERVICE_UID: "u"},
            "annotations": {keys.LAST_MODIFIER: "jane", keys.ROUTES: "hello"},
        },
        "spec": {"template": {"metadata": metadata, "spec": {"containers": [{"image": image}]}}},
    }


@pytest.fixture
def world(stage: Any) -> Any:
    def observed() -> configuration.Observed:
        found = stage.get(CONFIGURATIONS, "hello")
        chosen = (found or {}).get("spec", {}).get("template", {}).get("metadata", {}).get("name")
        revisions = tuple(stage.all(REVISIONS, **{keys.CONFIGURATION: "hello"}))
        return configuration.Observed(found, revisions, stage.get(REVISIONS, chosen or "-"))

    stage.observed = observed
    stage.reconcile = lambda: configuration.reconcile(observed(), now=stage.now)
    return stage


def change_image(world: Any, image: str) -> None:
    def change(obj: Object) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = image

    world.edit(CONFIGURATIONS, "hello", change)


def test_makes_a_revision_for_its_generation_and_settles(world: Any) -> None:
    world.put(CONFIGURATIONS, a_configuration())
    world.settle(world.reconcile)
    revision = world.the(REVISIONS, "hello-00001")
    assert labels(revision)[keys.CONFIGURATION_GENERATION] == "1"
    assert labels(revision)[keys.ROUTING_STATE] == keys.STATE_ACTIVE
    assert annotations(revision)[keys.CREATOR] == "jane"
    status = world.the(CONFIGURATIONS, "hello")["status"]
    assert status["latestCreatedRevisionName"] == "hello-00001"
    assert world.conditions(CONFIGURATIONS, "hello") == {"Ready": ("Unknown", "")}


def test_a_configuration_of_no_route_makes_pending_revisions(world: Any) -> None:
    alone = a_configuration()
    del alone["metadata"]["annotations"][keys.ROUTES]
    world.put(CONFIGURATIONS, alone)
    world.settle(world.reconcile)
    assert labels(world.the(REVISIONS, "hello-00001"))[keys.ROUTING_STATE] == keys.STATE_PENDING


def test_the_latest_ready_follows_the_newest_ready_revision(world: Any) -> None:
    world.put(CONFIGURATIONS, a_configuration())
    world.settle(world.reconcile)
    world.ready(REVISIONS, "hello-00001")
    world.settle(world.reconcile)
    assert world.conditions(CONFIGURATIONS, "hello")["Ready"] == ("True", "")
    change_image(world, "app:2")
    world.settle(world.reconcile)
    status = world.the(CONFIGURATIONS, "hello")["status"]
    assert status["latestCreatedRevisionName"] == "hello-00002"
    assert status["latestReadyRevisionName"] == "hello-00001"
    assert world.conditions(CONFIGURATIONS, "hello")["Ready"] == ("Unknown", "")
    world.ready(REVISIONS, "hello-00002")
    world.settle(world.reconcile)
    status = world.the(CONFIGURATIONS, "hello")["status"]
    assert status["latestReadyRevisionName"] == "hello-00002"
    assert ("LatestReadyUpdate", 'LatestReadyRevisionName updated to "hello-00002"') in world.events


def test_a_failed_revision_says_why_and_leaves_the_ready_one(world: Any) -> None:
    world.put(CONFIGURATIONS, a_configuration())
    world.settle(world.reconcile)
    world.ready(REVISIONS, "hello-00001")
    change_image(world, "bad")
    world.settle(world.reconcile)
    world.ready(REVISIONS, "hello-00002", "False", reason="ExitCode1", message="boom")
    world.settle(world.reconcile)
    assert world.conditions(CONFIGURATIONS, "hello")["Ready"] == ("False", "RevisionFailed")
    message = 'Revision "hello-00002" failed with message: boom.'
    assert world.message(CONFIGURATIONS, "hello", "Ready") == message
    status = world.the(CONFIGURATIONS, "hello")["status"]
    assert status["latestReadyRevisionName"] == "hello-00001"
    failed = ("LatestCreatedFailed", 'Latest created revision "hello-00002" has failed')
    assert world.events.count(failed) == 1


def test_a_ready_revision_that_fails_later_is_told(world: Any) -> None:
    world.put(CONFIGURATIONS, a_configuration())
    world.settle(world.reconcile)
    world.ready(REVISIONS, "hello-00001")
    world.settle(world.reconcile)
    world.ready(REVISIONS, "hello-00001", "False", message="boom")
    world.settle(world.reconcile)
    assert world.conditions(CONFIGURATIONS, "hello")["Ready"] == ("False", "RevisionFailed")
    assert ("LatestReadyFailed", 'Latest ready revision "hello-00001" has failed') in world.events


def test_a_chosen_name(world: Any) -> None:
    world.put(CONFIGURATIONS, a_configuration("hello-blue"))
    world.settle(world.reconcile)
    world.ready(REVISIONS, "hello-blue")
    world.settle(world.reconcile)
    status = world.the(CONFIGURATIONS, "hello")["status"]
    assert status["latestReadyRevisionName"] == "hello-blue"


def test_going_back_to_a_chosen_name_uses_the_revision_that_is_there(world: Any) -> None:
    for image, chosen in (("app", "hello-a"), ("app:2", "hello-b"), ("app", "hello-a")):
        known = world.get(CONFIGURATIONS, "hello")
        wanted = a_configuration(chosen, image=image)
        if known is not None:
            wanted = {**known, "spec": wanted["spec"]}
        world.put(CONFIGURATIONS, wanted)
        world.settle(world.reconcile)
        world.ready(REVISIONS, chosen)
        world.settle(world.reconcile)
    status = world.the(CONFIGURATIONS, "hello")["status"]
    assert status["latestCreatedRevisionName"] == "hello-a"
    assert status["latestReadyRevisionName"] == "hello-a"
    assert len(world.all(REVISIONS)) == 2


def test_a_chosen_name_that_is_taken(world: Any) -> None:
    world.put(REVISIONS, {"metadata": {"name": "hello-a", "namespace": "ns"}, "spec": {}})
    world.put(CONFIGURATIONS, a_configuration("hello-a"))
    world.settle(world.reconcile)
    assert world.conditions(CONFIGURATIONS, "hello")["Ready"] == ("False", "RevisionFailed")
    assert world.message(CONFIGURATIONS, "hello", "Ready") == (
        "Revision creation failed with message: "
        'revisions.serving.knative.dev "hello-a" already exists.'
    )


def test_a_refused_revision_is_told_once(world: Any) -> None:
    world.put(CONFIGURATIONS, a_configuration())
    error = 'admission webhook "x" denied the request: no'
    world.apply(configuration.creation_failed(world.observed(), error, now=world.now))
    message = f"Revision creation failed with message: {error}."
    assert world.message(CONFIGURATIONS, "hello", "Ready") == message
    assert configuration.creation_failed(world.observed(), error, now=world.now) == Plan()
    assert world.events == [("CreationFailed", f"Failed to create Revision: {error}")]


def test_long_names_are_shortened_with_a_hash(world: Any) -> None:
    long = a_configuration()
    long["metadata"]["name"] = "a" * 60
    made = make_revision({**long, "kind": "Configuration", "apiVersion": "v"}, now=0)
    assert len(made["metadata"]["name"]) <= 63
    assert made["metadata"]["name"].endswith("-00000")
