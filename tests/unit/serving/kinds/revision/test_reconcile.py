from dataclasses import replace
from typing import Any

import pytest

from hearth.knative.resources import KSERVICES, PODAUTOSCALERS, REVISIONS
from hearth.kube.meta import Object, annotations, labels
from hearth.kube.plan import Plan
from hearth.kube.resources import DEPLOYMENTS, PODS
from serving.api import keys
from serving.api.config.deployment import DeploymentConfig
from serving.api.settings import Settings
from serving.kinds.revision import reconcile as revision

NAME, DEPLOYMENT = "hello-00001", "hello-00001-deployment"


def a_revision(**spec: Any) -> Object:
    container = {"name": "user-container", "image": "app", "readinessProbe": {"tcpSocket": {}}}
    return {
        "metadata": {
            "name": NAME,
            "namespace": "ns",
            "labels": {keys.CONFIGURATION: "hello", keys.ROUTING_STATE: "active"},
            "annotations": {keys.MIN_SCALE.key: "1", "mine": "x", keys.ROUTES: "hello"},
        },
        "spec": {"containers": [container], "timeoutSeconds": 30, **spec},
    }


@pytest.fixture
def world(stage: Any) -> Any:
    stage.settings = Settings()
    stage.replaced = None

    def reconcile() -> Plan:
        observed = revision.Observed(
            stage.get(REVISIONS, NAME),
            stage.get(DEPLOYMENTS, DEPLOYMENT),
            stage.get(PODAUTOSCALERS, NAME),
            tuple(stage.all(PODS)),
            stage.get(KSERVICES, "hello"),
            stage.replaced,
        )
        return revision.reconcile(observed, settings=stage.settings, now=stage.now)

    stage.reconcile = reconcile
    stage.put(REVISIONS, a_revision())
    return stage


def deployed(world: Any, *, ready: int = 0, **progressing: str) -> None:
    condition = {"type": "Progressing", "status": "True", **progressing}
    world.status(
        DEPLOYMENTS,
        DEPLOYMENT,
        conditions=[condition],
        readyReplicas=ready,
        availableReplicas=ready,
    )


def scaled(world: Any, status: str = "True", *, initialized: bool = True, **ready: str) -> None:
    conditions = [
        {"type": "Ready", "status": status, **ready},
        {"type": "ScaleTargetInitialized", "status": "True" if initialized else "Unknown"},
    ]
    world.status(
        PODAUTOSCALERS,
        NAME,
        conditions=conditions,
        serviceName=NAME,
        actualScale=1 if status == "True" else 0,
        desiredScale=1 if status == "True" else 0,
    )


def test_first_words_that_are_written_late_are_the_same(world: Any) -> None:
    plan = world.reconcile()
    world.apply(replace(plan, actions=tuple(plan.actions[:1])))
    world.settle(world.reconcile)
    assert world.conditions(REVISIONS, NAME)["ContainerHealthy"] == ("Unknown", "Deploying")
    assert world.conditions(REVISIONS, NAME)["Ready"] == ("Unknown", "Deploying")


def test_makes_deployment_and_podautoscaler_together_and_settles(world: Any) -> None:
    world.settle(world.reconcile)
    deployment = world.the(DEPLOYMENTS, DEPLOYMENT)
    template = deployment["spec"]["template"]
    assert template["spec"]["terminationGracePeriodSeconds"] == 30
    probe = template["spec"]["containers"][0]["readinessProbe"]
    assert probe == {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    assert keys.MIN_SCALE.key not in annotations(deployment)
    scaler = world.the(PODAUTOSCALERS, NAME)
    assert annotations(scaler)[keys.MIN_SCALE.key] == "1"
    assert keys.ROUTES not in annotations(scaler)
    assert scaler["spec"]["reachability"] == "Reachable"
    assert world.conditions(REVISIONS, NAME) == {
        "Active": ("Unknown", "Deploying"),
        "ContainerHealthy": ("Unknown", "Deploying"),
        "Ready": ("Unknown", "Deploying"),
        "ResourcesAvailable": ("Unknown", "Deploying"),
    }


@pytest.mark.parametrize(
    ("asked", "timeout", "sleep"),
    [
        pytest.param(0, 30, None, id="left to the node"),
        pytest.param(3, 30, 3, id="as asked"),
        pytest.param(3, 2, 1, id="shorter than the grace period"),
        pytest.param(3, 1, None, id="no time for it"),
        pytest.param(60, None, 29, id="the usual grace period"),
    ],
)
def test_pods_wait_before_they_are_told_to_end(
    world: Any, asked: int, timeout: int | None, sleep: int | None
) -> None:
    side = {"name": "side", "image": "s"}
    user = {"name": "user", "image": "u", "ports": [{"containerPort": 80}]}
    spec = {"containers": [user, side], "timeoutSeconds": timeout}
    world.edit(REVISIONS, NAME, lambda revision: revision.update(spec=spec))
    world.settings = replace(world.settings, pre_stop_seconds=asked)
    world.settle(world.reconcile)
    made = world.the(DEPLOYMENTS, DEPLOYMENT)["spec"]["template"]["spec"]
    wanted = None if sleep is None else {"preStop": {"sleep": {"seconds": sleep}}}
    assert [container.get("lifecycle") for container in made["containers"]] == [wanted] * 2
    assert made.get("terminationGracePeriodSeconds") == timeout


def test_ready_when_the_podautoscaler_has_seen_its_pods(world: Any) -> None:
    world.settle(world.reconcile)
    deployed(world)
    scaled(world)
    world.settle(world.reconcile)
    assert {status for status, _ in world.conditions(REVISIONS, NAME).values()} == {"True"}
    assert (
        "RevisionReady",
        "Revision becomes ready upon all resources being ready",
    ) in world.events
    status = world.the(REVISIONS, NAME)["status"]
    assert (status["actualReplicas"], status["desiredReplicas"]) == (1, 1)
    assert status["containerStatuses"] == [{"name": "user-container"}]


def test_a_revision_at_zero_stays_ready(world: Any) -> None:
    world.settle(world.reconcile)
    deployed(world)
    scaled(world)
    world.settle(world.reconcile)
    scaled(world, "False", reason="NoTraffic")
    world.settle(world.reconcile)
    assert world.conditions(REVISIONS, NAME)["Ready"] == ("True", "")
    assert world.conditions(REVISIONS, NAME)["Active"] == ("False", "NoTraffic")


def test_an_initial_scale_that_was_never_reached(world: Any) -> None:
    world.settle(world.reconcile)
    deployed(world)
    scaled(world, "False", initialized=False, reason="TimedOut")
    world.settle(world.reconcile)
    assert world.conditions(REVISIONS, NAME)["Ready"] == ("False", "ProgressDeadlineExceeded")
    message = "Initial scale was never achieved"
    assert world.message(REVISIONS, NAME, "ResourcesAvailable") == message


def a_pod(name: str = "pod", **status: Any) -> Object:
    return {"metadata": {"name": name, "namespace": "ns"}, "status": status}


@pytest.mark.parametrize(
    ("terminated", "reason", "message"),
    [
        pytest.param(
            {"exitCode": 7, "message": "100% broken"},
            "ExitCode7",
            "Container failed with: 100% broken",
            id="exit code",
        ),
        pytest.param(
            {"exitCode": 0},
            "ExitCode0",
            "Container failed with: container exited with no error",
            id="clean exit",
        ),
    ],
)
def test_a_container_that_exits(
    world: Any, terminated: dict[str, Any], reason: str, message: str
) -> None:
    world.settle(world.reconcile)
    deployed(world)
    container = {"name": "user-container", "lastState": {"terminated": terminated}, "state": {}}
    world.put(PODS, a_pod(containerStatuses=[container]))
    world.settle(world.reconcile)
    assert world.conditions(REVISIONS, NAME)["ContainerHealthy"] == ("False", reason)
    assert world.message(REVISIONS, NAME, "Ready") == message
    assert world.the(PODAUTOSCALERS, NAME)["spec"]["reachability"] == "Unreachable"


def test_a_waiting_container_counts_once_the_deadline_is_over(world: Any) -> None:
    world.settle(world.reconcile)
    reason = "CreateContainerConfigError"
    waiting = {"waiting": {"reason": reason, "message": "configmap not found"}}
    container = {"name": "user-container", "state": waiting}
    world.put(PODS, a_pod(containerStatuses=[container]))
    deployed(world)
    world.settle(world.reconcile)
    assert world.conditions(REVISIONS, NAME)["Ready"] == ("Unknown", "Deploying")
    deployed(world, status="False", reason="ProgressDeadlineExceeded", message="timed out")
    world.settle(world.reconcile)
    assert world.conditions(REVISIONS, NAME)["Ready"] == ("False", reason)
    assert world.message(REVISIONS, NAME, "Ready") == "configmap not found"


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_a_missing_image_is_told_at_once_and_forgotten_when_it_comes(
    world: Any, reason: str
) -> None:
    world.settle(world.reconcile)
    waiting = {"waiting": {"reason": reason, "message": "no such image"}}
    container = {"name": "user-container", "state": waiting}
    world.put(PODS, a_pod(containerStatuses=[container]))
    deployed(world)
    world.settle(world.reconcile)
    assert world.conditions(REVISIONS, NAME)["Ready"] == ("False", reason)
    assert world.message(REVISIONS, NAME, "Ready") == "no such image"
    deployed(world, ready=1)
    scaled(world)
    world.settle(world.reconcile)
    assert world.conditions(REVISIONS, NAME)["Ready"] == ("True", "")


def test_a_pod_that_cannot_be_scheduled(world: Any) -> None:
    world.settle(world.reconcile)
    deployed(world)
    unscheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available",
    }
    world.put(PODS, a_pod(conditions=[unscheduled]))
    world.settle(world.reconcile)
    assert world.conditions(REVISIONS, NAME)["ResourcesAvailable"] == ("False", "Unschedulable")
    world.settings = replace(
        world.settings, deployment=DeploymentConfig(pod_is_always_schedulable=True)
    )
    world.settle(world.reconcile)
    assert world.conditions(REVISIONS, NAME)["ResourcesAvailable"] == ("Unknown", "Deploying")


def test_a_quota_that_allows_no_pod(world: Any) -> None:
    world.settle(world.reconcile)
    failure = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "exceeded quota",
    }
    progressing = {"type": "Progressing", "status": "True"}
    world.status(DEPLOYMENTS, DEPLOYMENT, conditions=[progressing, failure])
    world.settle(world.reconcile)
    assert world.conditions(REVISIONS, NAME)["Ready"] == ("False", "FailedCreate")


def test_recovers_after_a_crash(world: Any) -> None:
    test_a_container_that_exits(world, {"exitCode": 7}, "ExitCode7", "Container failed with: ")
    deployed(world, ready=1)
    scaled(world)
    world.settle(world.reconcile)
    assert world.conditions(REVISIONS, NAME)["Ready"] == ("True", "")


def test_a_setting_that_changes_the_pods_updates_the_deployment(world: Any) -> None:
    world.settle(world.reconcile)
    world.edit(DEPLOYMENTS, DEPLOYMENT, lambda o: o["spec"].update(replicas=5))
    before = labels(world.the(DEPLOYMENTS, DEPLOYMENT))[keys.DEPLOYMENT_HASH]
    world.settings = replace(world.settings, deployment=DeploymentConfig(progress_deadline=60))
    world.settle(world.reconcile)
    deployment = world.the(DEPLOYMENTS, DEPLOYMENT)
    assert deployment["spec"]["progressDeadlineSeconds"] == 60
    assert deployment["spec"]["replicas"] == 5, "the autoscaler's number stays"
    assert labels(deployment)[keys.DEPLOYMENT_HASH] != before


def test_autoscaling_annotations_follow_the_revision(world: Any) -> None:
    world.settle(world.reconcile)

    def change(obj: Object) -> None:
        del obj["metadata"]["annotations"][keys.MIN_SCALE.key]
        obj["metadata"]["annotations"][keys.MAX_SCALE.key] = "3"

    world.edit(REVISIONS, NAME, change)
    world.settle(world.reconcile)
    found = annotations(world.the(PODAUTOSCALERS, NAME))
    assert keys.MIN_SCALE.key not in found
    assert found[keys.MAX_SCALE.key] == "3"
    assert found[keys.CLASS.key] == keys.KPA_CLASS


@pytest.mark.parametrize(
    ("resource", "name", "kind"),
    [
        pytest.param(DEPLOYMENTS, DEPLOYMENT, "Deployment", id="deployment"),
        pytest.param(PODAUTOSCALERS, NAME, "PodAutoscaler", id="podautoscaler"),
    ],
)
def test_another_ones_child(world: Any, resource: Any, name: str, kind: str) -> None:
    world.put(resource, {"metadata": {"name": name, "namespace": "ns"}, "spec": {"mine": 1}})
    world.settle(world.reconcile)
    assert world.conditions(REVISIONS, NAME)["Ready"] == ("False", "NotOwned")
    message = f'There is an existing {kind} "{name}" that we do not own.'
    assert world.message(REVISIONS, NAME, "ResourcesAvailable") == message


def test_an_image_digest_is_told_when_a_pod_knows_it(world: Any) -> None:
    world.settle(world.reconcile)
    digest = "example.com/app@sha256:" + "a" * 64
    container = {"name": "user-container", "imageID": f"docker-pullable://{digest}"}
    ready = [{"type": "Ready", "status": "True"}]
    world.put(PODS, a_pod(containerStatuses=[container], conditions=ready))
    world.settle(world.reconcile)
    expected = [{"name": "user-container", "imageDigest": digest}]
    assert world.the(REVISIONS, NAME)["status"]["containerStatuses"] == expected


def test_h2c_and_sidecars(world: Any) -> None:
    serving = {"name": "app", "image": "a", "ports": [{"name": "h2c", "containerPort": 9000}]}
    side = {"name": "side", "image": "b", "env": [{"name": "X", "value": "1"}]}
    world.edit(REVISIONS, NAME, lambda o: o["spec"].update(containers=[side, serving]))
    world.settle(world.reconcile)
    containers = world.the(DEPLOYMENTS, DEPLOYMENT)["spec"]["template"]["spec"]["containers"]
    assert "ports" not in containers[0]
    assert [e["name"] for e in containers[0]["env"]] == [
        "X",
        "K_REVISION",
        "K_CONFIGURATION",
        "K_SERVICE",
    ]
    assert containers[1]["ports"] == [
        {"name": "user-port", "containerPort": 9000, "protocol": "TCP"}
    ]
    assert {"name": "PORT", "value": "9000"} in containers[1]["env"]
    assert world.the(PODAUTOSCALERS, NAME)["spec"]["protocolType"] == "h2c"


def test_a_refused_deployment_is_told_once_until_it_is_made(world: Any) -> None:
    def refused() -> Plan:
        observed = revision.Observed(world.get(REVISIONS, NAME))
        return revision.creation_failed(observed, "no such runtime", now=world.now)

    world.apply(refused())
    assert world.conditions(REVISIONS, NAME)["ResourcesAvailable"] == ("False", "FailedCreate")
    assert world.conditions(REVISIONS, NAME)["Ready"] == ("False", "FailedCreate")
    assert world.message(REVISIONS, NAME, "Ready") == "no such runtime"
    assert world.events == [("InternalError", "failed to create deployment: no such runtime")]
    again = refused()
    assert not again
    assert again.requeue_after
    world.settle(world.reconcile)
    deployed(world, ready=1)
    scaled(world)
    world.settle(world.reconcile)
    assert {status for status, _ in world.conditions(REVISIONS, NAME).values()} == {"True"}


def test_a_refused_deployment_is_tried_again_ever_less_often(world: Any) -> None:
    def again() -> float:
        observed = revision.Observed(world.get(REVISIONS, NAME))
        plan = revision.creation_failed(observed, "no room", now=world.now)
        world.apply(plan)
        assert plan.requeue_after is not None
        return plan.requeue_after

    assert again() == 1.0
    world.now += 10
    assert again() == pytest.approx(10, abs=1)
    world.now += 600
    assert again() == 60.0


def test_a_name_that_is_taken_is_said_so(world: Any) -> None:
    observed = revision.Observed(world.get(REVISIONS, NAME))
    taken = 'There is an existing Deployment "x" that we do not own.'
    world.apply(revision.creation_failed(observed, taken, now=world.now))
    assert world.conditions(REVISIONS, NAME)["ResourcesAvailable"] == ("False", "NotOwned")


def test_schemes_of_probes_are_written_as_pods_want_them(world: Any) -> None:
    check = {"path": "/ready", "scheme": "https"}
    world.edit(
        REVISIONS,
        NAME,
        lambda o: o["spec"]["containers"][0].update(readinessProbe={"httpGet": check}),
    )
    world.settle(world.reconcile)
    template = world.the(DEPLOYMENTS, DEPLOYMENT)["spec"]["template"]
    made = template["spec"]["containers"][0]["readinessProbe"]["httpGet"]
    assert made == {"path": "/ready", "scheme": "HTTPS", "port": 8080}
    assert check["scheme"] == "https"


def a_ksvc(**own: str) -> Object:
    given = {f"autoscaling.hearth.dev/{key.replace('_', '-')}": text for key, text in own.items()}
    return {"metadata": {"name": "hello", "namespace": "ns", "annotations": given}, "spec": {}}


def test_what_the_service_says_of_scale_is_at_the_podautoscaler_until_it_is_taken_away(
    world: Any,
) -> None:
    world.put(KSERVICES, a_ksvc(min_scale="3", max_scale="9"))
    world.settle(world.reconcile)
    own = annotations(world.the(PODAUTOSCALERS, NAME))
    assert (own[keys.MIN_SCALE.key], own[keys.MAX_SCALE.key]) == ("3", "9")
    before = world.the(DEPLOYMENTS, DEPLOYMENT)
    world.put(KSERVICES, a_ksvc())
    world.settle(world.reconcile)
    own = annotations(world.the(PODAUTOSCALERS, NAME))
    assert own[keys.MIN_SCALE.key] == "1"
    assert keys.MAX_SCALE.key not in own
    assert world.the(DEPLOYMENTS, DEPLOYMENT)["spec"] == before["spec"]  # no pod is made anew


def test_what_no_route_leads_to_keeps_what_its_template_says(world: Any) -> None:
    revision = world.the(REVISIONS, NAME)
    revision["metadata"]["labels"][keys.ROUTING_STATE] = keys.STATE_RESERVE
    world.put(REVISIONS, revision)
    world.put(KSERVICES, a_ksvc(min_scale="3"))
    world.settle(world.reconcile)
    assert annotations(world.the(PODAUTOSCALERS, NAME))[keys.MIN_SCALE.key] == "1"


@pytest.mark.parametrize(
    "replaced, bounds, begins",
    [
        (7, {}, 7),
        (7, {"max_scale": "4"}, 4),
        (0, {}, 1),
        (None, {"min_scale": "3"}, 3),
        (None, {}, 1),
    ],
)
def test_it_begins_with_as_many_pods_as_what_it_replaces_within_its_bounds(
    world: Any, replaced: int | None, bounds: dict[str, str], begins: int
) -> None:
    own = {keys.INITIAL_SCALE.key: keys.CURRENT}
    world.edit(REVISIONS, NAME, lambda o: o["metadata"].update(annotations=own))
    world.put(KSERVICES, a_ksvc(**bounds))
    world.replaced = replaced
    world.settle(world.reconcile)
    assert world.the(DEPLOYMENTS, DEPLOYMENT)["spec"]["replicas"] == begins
    world.replaced = 50  # what comes later is of no account
    world.settle(world.reconcile)
    assert annotations(world.the(PODAUTOSCALERS, NAME))[keys.INITIAL_SCALE.key] == str(begins)
    assert world.the(DEPLOYMENTS, DEPLOYMENT)["spec"]["replicas"] == begins
    assert world.reconcile().actions == ()
