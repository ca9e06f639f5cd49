"""What would become of KEDA's objects."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.keda.api import keys
from hearth.kube.meta import Object
from hearth.kube.resources import Resource
from hearth.migrate.findings import Finding, Outcome
from hearth.migrate.kedarules import check
from hearth.migrate.snapshot import Snapshot

KNOWN = ("redis", "cron", "external-push")


def found(resource: Resource, **spec: Any) -> list[Finding]:
    obj: Object = {"metadata": {"name": "it", "namespace": "shop"}, "spec": spec}
    return list(check(Snapshot(34, {resource: [obj]}), KNOWN))


def scaled(*types: str, **more: Any) -> dict[str, Any]:
    triggers = [{"type": each, "metadata": {}} for each in types or ("redis",)]
    return {"scaleTargetRef": {"name": "web"}, "triggers": triggers} | more


def test_what_works_is_not_mentioned() -> None:
    assert found(keys.SCALEDOBJECTS, **scaled("redis", "cron")) == []
    assert found(keys.SCALEDJOBS, jobTargetRef={}, triggers=scaled()["triggers"]) == []
    assert found(keys.TRIGGERAUTHENTICATIONS, secretTargetRef=[]) == []


def test_events_that_are_not_sent() -> None:
    assert found(keys.CLOUDEVENTSOURCES, destination={"http": {"uri": "http://a.test"}}) == []
    topic = {"azureEventGridTopic": {"endpoint": "https://a.test"}}
    [one] = found(keys.CLOUDEVENTSOURCES, destination=topic)
    assert one.outcome is Outcome.STOPS and "not to Azure Event Grid" in one.what


@pytest.mark.parametrize("resource", [keys.SCALEDOBJECTS, keys.SCALEDJOBS])
def test_scalers_that_are_not_there(resource: Resource) -> None:
    spec = scaled("ibmmq", "redis", "ibmmq", "pigeon") | {"jobTargetRef": {}}
    one, other = found(resource, **spec)
    assert (one.outcome, one.where) == (Outcome.STOPS, f"{resource.kind} shop/it")
    assert one.what == "Hearth has no scaler for triggers of the type ibmmq"
    assert "pigeon" in other.what


def test_what_admission_refuses() -> None:
    [one] = found(keys.SCALEDOBJECTS, **scaled(idleReplicaCount=3))
    assert one.what == "IdleReplicaCount=3 must be less than MinReplicaCount=0"
    [two] = found(keys.SCALEDOBJECTS, **scaled(pollingInterval="soon"))
    assert "int32" in two.what
    [three] = found(keys.TRIGGERAUTHENTICATIONS, podIdentity={"provider": "aws", "externalID": "x"})
    assert "requires roleArn" in three.what
    assert {each.outcome for each in (one, two, three)} == {Outcome.STOPS}


def test_a_target_of_knatives() -> None:
    ref = {"name": "web", "apiVersion": "serving.knative.dev/v1", "kind": "Service"}
    [one] = found(keys.SCALEDOBJECTS, **scaled(scaleTargetRef=ref))
    assert one.outcome is Outcome.CHANGES and "one decision" in one.what


@pytest.mark.parametrize("store", ["azureKeyVault", "gcpSecretManager", "awsSecretManager"])
def test_stores_that_are_not_read(store: str) -> None:
    [one] = found(keys.CLUSTERTRIGGERAUTHENTICATIONS, **{store: {"secrets": []}})
    assert one.outcome is Outcome.STOPS and store in one.what


def test_tokens_of_accounts() -> None:
    token = {"parameter": "token", "serviceAccountName": "a"}
    [one] = found(keys.TRIGGERAUTHENTICATIONS, boundServiceAccountToken=[token])
    assert one.outcome is Outcome.CHANGES and "serviceaccounts/token" in one.remedy


@pytest.mark.parametrize("resource", [keys.INTERCEPTORROUTES, keys.HTTPSCALEDOBJECTS])
def test_requests_come_by_another_way(resource: Resource) -> None:
    [one] = found(resource)
    assert one.outcome is Outcome.CHANGES and "hearth-gateway" in one.remedy
