"""Knative's own objects, taken as observed: our reconcilers must find nothing to say about them.

Each scenario was recorded from a real Knative. Given the recorded parent and children, what a
reconciler makes and the status it works out must be the recorded ones, except for what comes from
Knative's sidecar, its ServerlessService or another ingress.
"""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from hearth.kube.meta import Object, annotations, labels, name
from hearth.kube.plan import Create, Event, Plan, Update, UpdateStatus
from serving.api import keys
from serving.api.config.domain import DomainConfig
from serving.api.config.network import NetworkConfig
from serving.api.settings import Settings
from serving.kinds import labeler
from serving.kinds.configuration import reconcile as configuration
from serving.kinds.configuration.children import make_revision
from serving.kinds.domainmapping import reconcile as domainmapping
from serving.kinds.podautoscaler import kpa as podautoscaler
from serving.kinds.podautoscaler.services import make_revision_services
from serving.kinds.revision import reconcile as revision
from serving.kinds.revision.children import (
    deployment_name,
    make_deployment,
    make_podautoscaler,
)
from serving.kinds.route import reconcile as route
from serving.kinds.service import reconcile as service
from serving.kinds.service.children import make_configuration, make_route
from tests.recordings import SERVING_WORLD, scenarios

MOMENT = "2026-11-20T16:40:00Z"
NOW = 1795192801.0  # a second later
KOURIER = "kourier.ingress.networking.knative.dev"
SETTINGS = Settings(
    domain=DomainConfig.from_data({"example.com": ""}),
    network=NetworkConfig(ingress_class=KOURIER),
)
SERVING = "serving.knative.dev/v1"


class Recorded:
    """The objects of one scenario by kind and name; tokens of time are a time."""

    def __init__(self, path: Path) -> None:
        text = path.read_text().replace("<time>", f"'{MOMENT}'")
        self.objects: list[Object] = list(yaml.safe_load_all(text))[1:]

    def all(self, api_version: str, kind: str) -> list[Object]:
        return [
            copy.deepcopy(o)
            for o in self.objects
            if (o["apiVersion"], o["kind"]) == (api_version, kind)
        ]

    def get(self, api_version: str, kind: str, wanted: str) -> Object | None:
        found = [o for o in self.all(api_version, kind) if name(o) == wanted]
        return found[0] if found else None

    def named(self, api_version: str, kind: str) -> dict[str, Object]:
        return {name(o): o for o in self.all(api_version, kind)}


@pytest.fixture(params=scenarios(SERVING_WORLD), ids=lambda path: path.stem)
def recorded(request: pytest.FixtureRequest) -> Recorded:
    return Recorded(request.param)


def without_times(status: dict[str, Any]) -> dict[str, Any]:
    status = copy.deepcopy(status)
    for condition in status.get("conditions", ()):
        condition.pop("lastTransitionTime", None)
    return status


def told(plan: Plan, obj: Object) -> dict[str, Any]:
    """The status after the plan."""
    for action in (*plan.actions, *plan.then):
        if isinstance(action, UpdateStatus):
            return without_times(action.obj["status"])
    return without_times(obj["status"])


def writes(plan: Plan) -> list[Any]:
    return [a for a in plan.actions if not isinstance(a, (UpdateStatus, Event))]


def identity(obj: Object) -> dict[str, Any]:
    """What makes a child recognisable: names, labels, annotations, owners."""
    return {
        "name": name(obj),
        "labels": labels(obj),
        "annotations": annotations(obj),
        "owners": obj["metadata"].get("ownerReferences"),
    }


def test_services(recorded: Recorded) -> None:
    for found in recorded.all(SERVING, "Service"):
        observed = service.Observed(
            found,
            recorded.get(SERVING, "Configuration", name(found)),
            recorded.get(SERVING, "Route", name(found)),
        )
        plan = service.reconcile(observed, now=NOW)
        assert writes(plan) == []
        assert told(plan, found) == without_times(found["status"])
        for child, kind in (
            (make_configuration(found), "Configuration"),
            (make_route(found), "Route"),
        ):
            known = recorded.get(SERVING, kind, name(found))
            assert known is not None
            assert identity(child) == identity(known)
            assert child["spec"] == known["spec"]


def test_configurations(recorded: Recorded) -> None:
    for found in recorded.all(SERVING, "Configuration"):
        revisions = tuple(
            r
            for r in recorded.all(SERVING, "Revision")
            if labels(r)[keys.CONFIGURATION] == name(found)
        )
        chosen = found["spec"]["template"]["metadata"].get("name", "")
        named = recorded.get(SERVING, "Revision", chosen)
        plan = configuration.reconcile(configuration.Observed(found, revisions, named), now=NOW)
        assert writes(plan) == []
        assert told(plan, found) == without_times(found["status"])


def test_the_latest_revision_is_what_its_configuration_says(recorded: Recorded) -> None:
    for found in recorded.all(SERVING, "Configuration"):
        made = make_revision(found, now=NOW)
        known = recorded.get(SERVING, "Revision", found["status"]["latestCreatedRevisionName"])
        assert known is not None
        assert name(made) == name(known)
        assert made["spec"] == known["spec"]
        assert made["metadata"]["ownerReferences"] == known["metadata"]["ownerReferences"]
        routing = {keys.ROUTING_STATE, keys.ROUTING_STATE_MODIFIED, keys.ROUTES}
        for mine, theirs in (
            (labels(made), labels(known)),
            (annotations(made), annotations(known)),
        ):
            assert {k: v for k, v in mine.items() if k not in routing} == {
                k: v for k, v in theirs.items() if k not in routing
            }


def crashed_pod(found: Object) -> Object:
    """The pod that the recorded conditions speak of."""
    conditions = {c["type"]: c for c in found["status"]["conditions"]}
    healthy, available = conditions["ContainerHealthy"], conditions["ResourcesAvailable"]
    container: dict[str, Any] = {"name": "user-container", "state": {}}
    if healthy["status"] == "False":
        said = healthy["message"].removeprefix("Container failed with: ")
        code = int(healthy["reason"].removeprefix("ExitCode"))
        container["lastState"] = {"terminated": {"exitCode": code, "message": said}}
    elif available["status"] == "False":
        container["state"] = {
            "waiting": {"reason": available["reason"], "message": available["message"]}
        }
    return {"metadata": {"name": "pod"}, "status": {"containerStatuses": [container]}}


def ours(deployment: Object) -> Object:
    """A recorded Deployment without the sidecar and what comes of it."""
    kept = copy.deepcopy(deployment)
    labels(kept).pop(keys.DEPLOYMENT_HASH)
    annotations(kept).pop("deployment.kubernetes.io/revision")
    spec = kept["spec"]["template"]["spec"]
    spec["containers"] = [c for c in spec["containers"] if c["name"] != "queue-proxy"]
    for container in spec["containers"]:
        container.pop("lifecycle", None)
    return kept


def subset(made: Any, known: Any, path: str = "") -> list[str]:
    """Where what was made is not found in what is known, which may hold the server's defaults."""
    if isinstance(made, dict) and isinstance(known, dict):
        return [
            problem
            for key, value in made.items()
            for problem in (
                subset(value, known[key], f"{path}.{key}") if key in known else [f"{path}.{key} +"]
            )
        ]
    if isinstance(made, list) and isinstance(known, list) and len(made) == len(known):
        pairs = enumerate(zip(made, known, strict=True))
        return [p for i, (a, b) in pairs for p in subset(a, b, f"{path}[{i}]")]
    return [] if made == known else [f"{path}: {made!r} != {known!r}"]


def test_deployments(recorded: Recorded) -> None:
    for found in recorded.all(SERVING, "Revision"):
        known = recorded.get("apps/v1", "Deployment", deployment_name(found))
        assert known is not None
        made = make_deployment(found, SETTINGS)
        labels(made).pop(keys.DEPLOYMENT_HASH)
        for container in made["spec"]["template"]["spec"]["containers"]:
            # The sidecar runs the user's probe in Knative.
            container.pop("readinessProbe", None)
        made["spec"]["replicas"] = known["spec"]["replicas"]  # the autoscaler's
        assert subset(made, ours(known)) == []
        assert identity(made) == identity(ours(known))


def test_revisions(recorded: Recorded, request: pytest.FixtureRequest) -> None:
    for found in recorded.all(SERVING, "Revision"):
        deployment = recorded.get("apps/v1", "Deployment", deployment_name(found))
        assert deployment is not None
        mine = make_deployment(found, SETTINGS)
        labels(deployment)[keys.DEPLOYMENT_HASH] = labels(mine)[keys.DEPLOYMENT_HASH]
        scaler = recorded.get(
            "autoscaling.internal.knative.dev/v1alpha1", "PodAutoscaler", name(found)
        )
        failed = found["status"]["conditions"][2]["status"] == "False"
        pods = (crashed_pod(found),) if failed else ()
        observed = revision.Observed(found, deployment, scaler, pods)
        plan = revision.reconcile(observed, settings=SETTINGS, now=NOW)
        assert writes(plan) == []
        assert told(plan, found) == without_times(found["status"])


def test_podautoscalers(recorded: Recorded) -> None:
    for found in recorded.all("autoscaling.internal.knative.dev/v1alpha1", "PodAutoscaler"):
        parent = recorded.get(SERVING, "Revision", name(found))
        assert parent is not None
        made = make_podautoscaler(
            parent, SETTINGS, reachability=found["spec"].get("reachability", "")
        )
        assert identity(made) == identity(found)
        assert made["spec"] == found["spec"]
        public, private = make_revision_services(found)
        observed = podautoscaler.Observed(
            found,
            public,
            private,
            deployment=recorded.get("apps/v1", "Deployment", deployment_name(parent)),
            ready_pods=found["status"]["actualScale"],
            desired=found["status"]["desiredScale"],
        )
        plan = podautoscaler.reconcile(observed, settings=SETTINGS, now=NOW)
        assert writes(plan) == []
        assert told(plan, found) == without_times(found["status"])


def test_revision_services(recorded: Recorded) -> None:
    for found in recorded.all("autoscaling.internal.knative.dev/v1alpha1", "PodAutoscaler"):
        for made in make_revision_services(found):
            known = recorded.get("v1", "Service", name(made))
            assert known is not None
            mine, theirs = identity(made), identity(known)
            mine.pop("owners"), theirs.pop("owners")  # a ServerlessService owns them in Knative
            assert mine == theirs


def placeholders(recorded: Recorded) -> dict[str, Object]:
    return {
        name(s): s
        for s in recorded.all("v1", "Service")
        if keys.ROUTE in labels(s) or not s["metadata"].get("ownerReferences")
    }


def observed_route(recorded: Recorded, found: Object) -> route.Observed:
    return route.Observed(
        found,
        recorded.named(SERVING, "Configuration"),
        recorded.named(SERVING, "Revision"),
        recorded.get("networking.internal.knative.dev/v1alpha1", "Ingress", name(found)),
        placeholders(recorded),
    )


def test_routes(recorded: Recorded) -> None:
    for found in recorded.all(SERVING, "Route"):
        if keys.ROLLOUT_DURATION.value(annotations(found)):
            continue  # in the middle of a rollout: see below
        plan = route.reconcile(observed_route(recorded, found), settings=SETTINGS, now=NOW)
        assert writes(plan) == []
        assert told(plan, found) == without_times(found["status"])


def test_ingresses_are_made_anew_as_they_are(recorded: Recorded) -> None:
    for found in recorded.all(SERVING, "Route"):
        observed = observed_route(recorded, found)
        if observed.ingress is None or keys.ROLLOUT_DURATION.value(annotations(found)):
            continue
        bare = route.Observed(found, observed.configurations, observed.revisions)
        plan = route.reconcile(bare, settings=SETTINGS, now=NOW)
        made = {(a.obj["kind"], name(a.obj)): a.obj for a in plan.actions if isinstance(a, Create)}
        ingress = made["Ingress", name(found)]
        assert identity(ingress) == identity(observed.ingress)
        assert ingress["spec"] == observed.ingress["spec"]
        services = {n: o for (kind, n), o in made.items() if kind == "Service"}
        assert services.keys() == observed.services.keys()
        for hostname, placeholder in services.items():
            assert identity(placeholder) == identity(observed.services[hostname])
            assert placeholder["spec"]["ports"] == observed.services[hostname]["spec"]["ports"]


def test_a_rollout_goes_on_where_knative_left_it() -> None:
    recorded = Recorded(SERVING_WORLD / "gradual-rollout.yaml")
    (found,) = recorded.all(SERVING, "Route")
    observed = observed_route(recorded, found)
    ingress = observed.ingress
    assert ingress is not None
    ingress["status"]["conditions"] = [
        {"type": t, "status": "True"} for t in ("LoadBalancerReady", "NetworkConfigured", "Ready")
    ]
    waiting = route.reconcile(observed, settings=SETTINGS, now=1795193040.0)
    assert writes(waiting) == []
    assert waiting.requeue_after == pytest.approx(0.347, abs=0.001)
    stepped = route.reconcile(observed, settings=SETTINGS, now=1795193040.4)
    (update,) = writes(stepped)
    assert isinstance(update, Update)
    splits = update.obj["spec"]["rules"][0]["http"]["paths"][0]["splits"]
    assert [(s["serviceName"], s["percent"]) for s in splits] == [
        ("roll-00001", 75),
        ("roll-00002", 25),
    ]
    status = told(stepped, found)
    assert [t["percent"] for t in status["traffic"]] == [75, 25]
    assert {c["type"]: c.get("reason") for c in status["conditions"]} == {
        "AllTrafficAssigned": None,
        "CertificateProvisioned": "TLSNotEnabled",
        "IngressReady": "RolloutInProgress",
        "Ready": "RolloutInProgress",
    }


def test_labels_of_routing(recorded: Recorded) -> None:
    for found in recorded.all(SERVING, "Route"):
        observed = labeler.Observed(
            ("world", name(found)),
            found,
            recorded.named(SERVING, "Configuration"),
            recorded.named(SERVING, "Revision"),
        )
        assert labeler.reconcile(observed, now=NOW) == Plan()


def test_domain_mappings(recorded: Recorded) -> None:
    for found in recorded.all("serving.knative.dev/v1beta1", "DomainMapping"):
        claim: Object = {
            "metadata": {"name": name(found)},
            "spec": {"namespace": "world"},
        }
        ingress = recorded.get("networking.internal.knative.dev/v1alpha1", "Ingress", name(found))
        observed = domainmapping.Observed(
            ("world", name(found)),
            found,
            claim if ingress is not None else None,
            recorded.get(SERVING, "Service", found["spec"]["ref"]["name"]),
            ingress,
        )
        plan = domainmapping.reconcile(observed, settings=SETTINGS, now=NOW)
        assert writes(plan) == []
        assert told(plan, found) == without_times(found["status"])
