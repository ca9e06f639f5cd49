"""An ApiServerSource's adapter, and what its account may not see; beyond the recorded world."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.api.apiserveradapter import AdapterConfig, Watched
from eventing.api.settings import Features
from eventing.kinds import apiserversource
from eventing.kinds.apiserversource import Observed, accesses, missing_text
from eventing.kinds.permissions import Access
from eventing.kinds.settings import ControlSettings
from hearth.knative.destinations import Resolved, Unresolved
from hearth.kube.meta import Object
from hearth.kube.plan import Create, Event, Plan, Update, UpdateStatus

SETTINGS = ControlSettings("http://h", frozenset(), api_server="https://api")
SINK = Resolved("http://sink")
PODS = {"apiVersion": "v1", "kind": "Pod"}


def source(**spec: Any) -> Object:
    return {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "ApiServerSource",
        "metadata": {"name": "a", "namespace": "ns", "uid": "u", "generation": 1},
        "spec": {
            "resources": [PODS],
            "mode": "Reference",
            "serviceAccountName": "who",
            "sink": {"uri": "http://sink"},
            **spec,
        },
    }


def plan(of: Object, sink: Any = SINK, namespaces: Any = ("ns",), **more: Any) -> Plan:
    observed = Observed(of, sink, namespaces, **more)
    return apiserversource.reconcile(observed, settings=SETTINGS, now=0.0)


def writes(found: Plan) -> list[Any]:
    return [each for each in found.actions if not isinstance(each, Event)]


def status(found: Plan) -> Any:
    [update] = found.then
    assert isinstance(update, UpdateStatus)
    return update.obj["status"]


def conditions(found: Plan) -> dict[str, tuple[str, str]]:
    return {e["type"]: (e["status"], e.get("message", "")) for e in status(found)["conditions"]}


def made(of: Object, **more: Any) -> Any:
    [create] = writes(plan(of, **more))
    assert isinstance(create, Create)
    return create.obj


def variables(deployment: Any) -> dict[str, str]:
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}


def test_the_adapter_is_beside_the_source_with_its_account() -> None:
    adapter = made(source())
    assert adapter["metadata"]["name"] == "apiserversource-a-u"
    assert adapter["metadata"]["namespace"] == "ns"
    assert adapter["metadata"]["labels"] == {
        "eventing.knative.dev/source": "apiserver-source-controller",
        "eventing.knative.dev/sourceName": "a",
    }
    pod = adapter["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "who"
    assert pod["containers"][0]["args"] == ["run", "apiserversource"]


def test_it_is_told_what_to_watch_and_where_to_send() -> None:
    of = source(
        mode="Resource",
        resources=[{**PODS, "selector": {"matchLabels": {"a": "b"}}}],
        owner={"apiVersion": "apps/v1", "kind": "ReplicaSet"},
        filters=[{"exact": {"name": "x"}}],
        ceOverrides={"extensions": {"team": "one"}},
    )
    env = variables(made(of, sink=Resolved("https://sink", "PEM"), namespaces=["one", "two"]))
    assert (env["K_SINK"], env["K_CA_CERTS"]) == ("https://sink", "PEM")
    assert env["K_CE_OVERRIDES"] == '{"extensions":{"team":"one"}}'
    assert AdapterConfig.from_json(env["K_SOURCE_CONFIG"]) == AdapterConfig(
        "https://api",
        [Watched("", "v1", "pods", "a=b")],
        namespaces=["one", "two"],
        whole=True,
        owner={"apiVersion": "apps/v1", "kind": "ReplicaSet"},
        filters=[{"exact": {"name": "x"}}],
    )


@pytest.mark.parametrize(
    ("selector", "all_of_them"),
    [(None, False), ({}, True), ({"matchLabels": {"a": "b"}}, False)],
)
def test_an_empty_selector_is_all_namespaces_also_those_to_come(
    selector: Any, all_of_them: bool
) -> None:
    config = variables(made(source(namespaceSelector=selector)))["K_SOURCE_CONFIG"]
    assert AdapterConfig.from_json(config).all_namespaces is all_of_them


def test_what_is_asked_of_the_api_server() -> None:
    of = source(resources=[PODS, {"apiVersion": "apps/v1", "kind": "Deployment"}])
    asked = accesses(of, ["one"])
    assert [each.verb for each in asked] == ["get", "list", "watch"] * 2
    assert asked[3] == Access("get", "apps", "deployments", "one")


def test_what_is_missing_is_told_and_no_adapter_made() -> None:
    missing = [Access("list", "", "pods", "ns"), Access("watch", "", "pods", "ns")]
    found = plan(source(), missing=missing)
    assert writes(found) == [] and found.requeue_after
    text = (
        "User system:serviceaccount:ns:who cannot list, watch resource "
        '"pods" in API group "" in Namespace "ns"'
    )
    assert conditions(found)["SufficientPermissions"] == ("False", text)
    assert conditions(found)["Ready"] == ("False", text)
    assert "ceAttributes" not in status(found)
    two = [*missing, Access("get", "apps", "deployments", "other")]
    assert missing_text(two).endswith(
        ', get resource "deployments" in API group "apps" in Namespace "other"'
    )


def test_while_nobody_knows_nothing_is_done() -> None:
    found = plan(source(), missing=None)
    assert writes(found) == []
    assert conditions(found)["SufficientPermissions"] == ("Unknown", "")


def test_without_a_sink_nothing_is_made() -> None:
    found = plan(source(), sink=Unresolved("no"))
    assert writes(found) == []
    assert conditions(found)["SinkProvided"][0] == "False"


def test_other_namespaces_are_told_to_the_adapter() -> None:
    [changed] = writes(plan(source(), namespaces=["other"], deployment=made(source())))
    assert isinstance(changed, Update)


def test_reconciling_the_outcome_does_nothing() -> None:
    available = {"conditions": [{"type": "Available", "status": "True"}]}
    deployment = {**made(source()), "status": available}
    found = plan(source(), deployment=deployment)
    assert conditions(found)["Ready"] == ("True", "")
    told = status(found)
    assert told["namespaces"] == ["ns"]
    assert told["ceAttributes"][0] == {
        "type": "dev.knative.apiserver.ref.add",
        "source": "https://api",
    }
    assert not plan({**source(), "status": told}, deployment=deployment)


def test_where_senders_must_say_who_they_are_it_sends_as_it_watches() -> None:
    features = Features.from_data({"authentication-oidc": "enabled"})
    settings = ControlSettings("http://h", frozenset(), features=features)
    observed = Observed(source(), Resolved("http://sink", audience="it"), ["ns"])
    found = apiserversource.reconcile(observed, settings=settings, now=0.0)
    [create] = writes(found)
    pod = create.obj["spec"]["template"]["spec"]
    [token] = [each for each in pod["volumes"] if each["name"] == "oidc-token"]
    [projected] = token["projected"]["sources"]
    assert projected["serviceAccountToken"]["audience"] == "it"
    assert "oidc-token" in {each["name"] for each in pod["containers"][0]["volumeMounts"]}
    assert status(found)["auth"] == {"serviceAccountName": "who"}


def test_the_adapter_finds_copies_of_the_trust_bundles() -> None:
    labels = {"networking.knative.dev/trust-bundle": "true"}
    metadata = {"name": "ours", "namespace": "knative-eventing", "labels": labels}
    found = writes(plan(source(), trusted=[{"metadata": metadata, "data": {"ca.crt": "x"}}]))
    copy, deployment, *_ = [each.obj for each in found if isinstance(each, Create)]
    assert (copy["kind"], copy["metadata"]["name"]) == ("ConfigMap", "ourskne-bundle")
    [volume] = [
        each
        for each in deployment["spec"]["template"]["spec"]["volumes"]
        if each["name"] == "kne-bundle-volume"
    ]
    assert volume["projected"]["sources"] == [
        {"configMap": {"name": "ourskne-bundle", "optional": True}}
    ]
