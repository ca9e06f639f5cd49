"""WebhookSource: its receiver, its address, and what is told of both."""

from __future__ import annotations

from typing import Any

from eventing.api.keys import ADAPTER_PROBLEM_ANNOTATION, OPENED_ANNOTATION
from eventing.kinds import webhooksource
from eventing.kinds.adapters import Adapters
from eventing.kinds.settings import ControlSettings
from eventing.kinds.webhookaddress import Address
from eventing.kinds.webhooksource import FINALIZER, Observed, make_receiver
from hearth.knative.destinations import Resolved, Unresolved
from hearth.knative.resources import CLUSTERDOMAINCLAIMS, DOMAINMAPPINGS
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object
from hearth.kube.plan import Action, Create, Delete, Patch, Plan, Update, UpdateStatus
from hearth.kube.resources import DEPLOYMENTS

CLUSTER = ControlSettings("http://h", frozenset(), adapters=Adapters("registry/hearth:2"))
MACHINE = ControlSettings("http://h", frozenset(), adapters=Adapters(in_cluster=False))
SINK = Resolved("http://sink")
OURS = {"eventing.hearth.dev/webhooks": "true"}


def source(status: dict[str, str] | None = None, **metadata: Any) -> Object:
    head = {"name": "w", "namespace": "ns", "uid": "u", "generation": 2, "finalizers": [FINALIZER]}
    return {
        "apiVersion": "sources.hearth.dev/v1alpha1",
        "kind": "WebhookSource",
        "metadata": {**head, **metadata},
        "spec": {"sink": {"uri": "http://sink"}},
        "status": {"annotations": status or {}},
    }


def mapping(ready: str = "True", labels: dict[str, str] = OURS) -> Object:
    return {
        "metadata": {"name": "hooks.example.com", "uid": "m", "labels": labels},
        "spec": {"ref": {"name": "webhooksource-receiver"}},
        "status": {
            "url": "https://hooks.example.com",
            "conditions": [{"type": "Ready", "status": ready, "message": "no certificate"}],
        },
    }


def plan(
    obj: Object, address: Address, settings: ControlSettings = MACHINE, **more: Any
) -> tuple[Plan, Conditions]:
    observed = Observed(obj, more.pop("sink", SINK), address, **more)
    found = webhooksource.reconcile(observed, settings=settings, now=0.0)
    told = [each.obj for each in found.then if isinstance(each, UpdateStatus)]
    return found, Conditions.of(told[0] if told else {})


def made(found: Plan) -> list[tuple[type[Action], Any]]:
    return [(type(each), getattr(each, "resource", None)) for each in found.actions]


def test_the_first_one_is_given_a_name_of_the_domain() -> None:
    found, conditions = plan(source(), Address("example.com"))
    claim, name = found.actions
    assert isinstance(claim, Create) and isinstance(name, Create)
    assert (claim.resource, name.resource) == (CLUSTERDOMAINCLAIMS, DOMAINMAPPINGS)
    assert name.obj["metadata"]["name"] == claim.obj["metadata"]["name"] == "hooks.example.com"
    assert name.obj["spec"]["ref"]["name"] == "webhooksource-receiver"
    assert (conditions.get("Addressable") or {})["reason"] == "DomainMappingMissing"
    found, _ = plan(source(), Address("example.com", claim={"metadata": {}}))
    assert made(found) == [(Create, DOMAINMAPPINGS)]


def test_it_is_ready_when_it_is_reached_and_served() -> None:
    address = Address("example.com", mapping())
    _, conditions = plan(source(), address)
    assert (conditions.get("ReceiverReady") or {})["reason"] == "NotServed"
    found, conditions = plan(source({OPENED_ANNOTATION: "2"}), address)
    assert conditions.is_true("Ready") and not found.actions
    [told] = found.then
    assert isinstance(told, UpdateStatus)
    assert told.obj["status"]["url"] == "https://hooks.example.com/ns/w"
    _, conditions = plan(source({OPENED_ANNOTATION: "1"}), address)
    assert not conditions.is_true("Ready")
    problem = {OPENED_ANNOTATION: "2", ADAPTER_PROBLEM_ANNOTATION: '2 there is no Secret "s"'}
    _, conditions = plan(source(problem), address)
    assert (conditions.get("ReceiverReady") or {})["message"] == 'there is no Secret "s"'
    _, conditions = plan(source({OPENED_ANNOTATION: "2"}), Address("e", mapping("False")))
    said = (conditions.get("Addressable") or {})["message"]
    assert said == "DomainMapping hooks.example.com: no certificate"


def test_a_cluster_without_a_domain_is_reached_from_inside() -> None:
    found, conditions = plan(source({OPENED_ANNOTATION: "2"}), Address())
    assert conditions.is_true("Ready") and not found.actions


def test_without_a_sink_nothing_is_sent() -> None:
    _, conditions = plan(source(), Address(), sink=Unresolved("no such thing"))
    assert (conditions.get("SinkProvided") or {})["status"] == "False"


def test_in_a_cluster_it_makes_and_keeps_the_receiver() -> None:
    account = {"metadata": {"name": "webhooksource-receiver", "uid": "a"}}
    found, conditions = plan(source(), Address(), CLUSTER, account=account)
    [create] = found.actions
    assert isinstance(create, Create)
    pod = create.obj["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "webhooksource-receiver"
    assert pod["containers"][0]["ports"][-1] == {"name": "http", "containerPort": 8080}
    assert (conditions.get("ReceiverReady") or {})["reason"] == "DeploymentUnavailable"
    there = make_receiver(CLUSTER, None)
    there["status"] = {"conditions": [{"type": "Available", "status": "True"}]}
    opened = source({OPENED_ANNOTATION: "2"})
    found, conditions = plan(opened, Address(), CLUSTER, receiver=there)
    assert not found.actions and conditions.is_true("Ready")
    asleep = {**there, "spec": {**there["spec"], "replicas": 0}}
    [woken] = plan(opened, Address(), CLUSTER, receiver=asleep)[0].actions
    assert isinstance(woken, Update) and woken.obj["spec"]["replicas"] == 1


def test_the_last_one_takes_all_of_it_along() -> None:
    [kept] = plan(source(finalizers=[]), Address())[0].actions
    assert isinstance(kept, Patch)
    gone = source(deletionTimestamp="now")
    claim: Object = {"metadata": {"name": "hooks.example.com", "uid": "c", "labels": OURS}}
    address, receiver = Address("example.com", mapping(), claim), make_receiver(CLUSTER, None)
    found, _ = plan(gone, address, CLUSTER, receiver=receiver, is_last=True)
    assert made(found) == [
        (Delete, DOMAINMAPPINGS),
        (Delete, CLUSTERDOMAINCLAIMS),
        (Patch, DEPLOYMENTS),
    ]
    assert len(found.then) == 1
    found, _ = plan(gone, address, CLUSTER, receiver=receiver)
    assert [type(each) for each in found.actions] == [Patch]
    # What an administrator has made stays.
    theirs = Address("example.com", mapping(labels={}), claim)
    assert len(plan(gone, theirs, MACHINE, is_last=True)[0].actions) == 1
    assert plan(source(finalizers=[], deletionTimestamp="now"), theirs)[0] == Plan()
