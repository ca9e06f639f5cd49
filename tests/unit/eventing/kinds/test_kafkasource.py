"""KafkaSource: what is made for it, and what is told."""

from __future__ import annotations

import json
from typing import Any

from eventing.api.settings import Features
from eventing.kinds import kafkasource
from eventing.kinds.kafkasource import Observed, make_adapter
from eventing.kinds.settings import ControlSettings
from hearth.knative.destinations import Resolved, Unresolved
from hearth.kube.plan import Create, Update, UpdateStatus

SETTINGS = ControlSettings("http://ingress", frozenset())
SINK = Resolved("http://sink", ca_certs="one", audience="them")
DEAD = Resolved("http://dead", ca_certs="two")
READY = {"conditions": [{"type": "Available", "status": "True"}], "readyReplicas": 2}
SELECTOR = "eventing.knative.dev/source=kafka-source-controller,eventing.knative.dev/sourceName=k"


def a_source(**spec: Any) -> Any:
    said = {"topics": ["t"], "bootstrapServers": ["k:9092"], "consumerGroup": "g", "consumers": 2}
    head = {"apiVersion": "sources.knative.dev/v1", "kind": "KafkaSource"}
    return {
        **head,
        "metadata": {"name": "k", "namespace": "ns", "uid": "u"},
        "spec": {**said, **spec},
    }


def plan(observed: Observed, settings: ControlSettings = SETTINGS) -> Any:
    return kafkasource.reconcile(observed, settings=settings, now=0)


def told(found: Any) -> Any:
    [update] = found.then
    assert isinstance(update, UpdateStatus)
    status = update.obj["status"]
    shown = {
        each["type"]: (each["status"], each.get("reason"), each.get("message"))
        for each in status["conditions"]
    }
    return status, shown


def made(source: Any, **status: Any) -> Any:
    return {**make_adapter(Observed(source, SINK), SINK, SETTINGS), "status": status or READY}


def test_as_many_pods_are_made_as_there_are_consumers() -> None:
    source = a_source()
    [deployment] = [
        each.obj for each in plan(Observed(source, SINK, DEAD)).actions if isinstance(each, Create)
    ]
    assert deployment["metadata"]["name"] == "kafkasource-k-u"
    assert deployment["spec"]["replicas"] == 2
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["run", "kafkasource"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert env["K_SINK"] == "http://sink"
    assert env["K_CA_CERTS"] == "one\ntwo"
    config = json.loads(env["K_SOURCE_CONFIG"] or "")
    assert (config["group"], config["dead_letter"]) == ("g", "http://dead")


def test_what_is_as_it_should_be_stays() -> None:
    source = a_source()
    there = made(source)
    found = plan(Observed(source, SINK, deployment=there))
    assert found.actions == ()
    status, shown = told(found)
    assert shown["Ready"][0] == shown["ConsumerGroup"][0] == shown["SinkProvided"][0] == "True"
    assert (status["sinkUri"], status["consumers"]) == ("http://sink", 2)
    assert status["selector"] == SELECTOR
    again = {**source, "status": status}
    assert plan(Observed(again, SINK, deployment=there)) == type(found)()


def test_it_is_scaled_by_its_spec() -> None:
    there = made(a_source())
    [update, _] = plan(Observed(a_source(consumers=0), SINK, deployment=there)).actions
    assert isinstance(update, Update)
    assert update.obj["spec"]["replicas"] == 0
    [update, _] = plan(Observed(a_source(topics=["u"]), SINK, deployment=there)).actions
    assert update.obj["spec"]["replicas"] == 2
    assert '"u"' in json.dumps(update.obj["spec"]["template"]).replace('\\"', '"')


def test_a_sink_that_cannot_be_found_is_told() -> None:
    found = plan(Observed(a_source(), Unresolved("services.. not found")))
    assert found.actions == ()
    _, shown = told(found)
    assert shown["SinkProvided"] == ("Unknown", "SinkEmpty", "Sink has resolved to empty.")
    assert (
        shown["ConsumerGroup"]
        == shown["Ready"]
        == (
            "False",
            "ReconcileContract",
            "failed to reconcile contract: failed to reconcile egress: "
            "failed to resolve subscriber: services.. not found",
        )
    )
    _, shown = told(plan(Observed(a_source(), SINK, Unresolved("gone"))))
    assert shown["SinkProvided"][0] == "True"
    assert shown["ConsumerGroup"][2].endswith("Spec.Delivery.DeadLetterSink: gone")


def test_a_deployment_of_somebody_else_is_told() -> None:
    stranger = made(a_source())
    stranger["metadata"]["ownerReferences"] = []
    found = plan(Observed(a_source(consumers=5), SINK, deployment=stranger))
    assert found.actions == ()
    assert told(found)[1]["ConsumerGroup"][:2] == ("False", "NotOwned")


def test_why_its_pods_do_not_run_is_told() -> None:
    said = {"state": {"terminated": {"exitCode": 78, "message": '{"message": "no such topic"}'}}}
    pod = {"metadata": {"name": "p"}, "status": {"containerStatuses": [said]}}
    found = plan(Observed(a_source(), SINK, deployment=made(a_source(), replicas=2), pods=[pod]))
    assert told(found)[1]["ConsumerGroup"] == ("False", "AdapterFailed", "no such topic")


def test_it_shows_a_token_of_an_account_of_its_own_where_senders_say_who_they_are() -> None:
    flags = {**SETTINGS.features.flags, "authentication-oidc": "enabled"}
    settings = ControlSettings("http://ingress", frozenset(), features=Features(flags))
    dead = Resolved("http://dead", audience="others")
    found = plan(Observed(a_source(), SINK, dead), settings)
    account, deployment = (each.obj for each in found.actions if isinstance(each, Create))
    pod = deployment["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    [token] = [each["projected"] for each in pod["volumes"] if "projected" in each]
    tokens = [each["serviceAccountToken"] for each in token["sources"]]
    assert {each["path"]: each["audience"] for each in tokens} == {
        "token": "them",
        "dead-letter-token": "others",
    }
    status, shown = told(found)
    assert status["auth"] == {"serviceAccountName": account["metadata"]["name"]}
    assert shown["OIDCIdentityCreated"][0] == "True"
