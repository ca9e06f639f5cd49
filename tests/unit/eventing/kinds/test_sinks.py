"""JobSink and EventTransform: what is told of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eventing.api import keys
from eventing.api.settings import BrokerTls, Features
from eventing.kinds import eventtransform, jobsink
from eventing.kinds.settings import ControlSettings
from hearth.knative.destinations import Resolution, Resolved, Unresolved
from hearth.kube.plan import Create, UpdateStatus

SETTINGS = ControlSettings("http://h", frozenset())
OIDC = replace(SETTINGS, features=Features.from_data({"authentication-oidc": "enabled"}))
OPENED = {"annotations": {keys.OPENED_ANNOTATION: "true"}}


def an_object(**spec: Any) -> Any:
    head = {"apiVersion": "eventing.knative.dev/v1alpha1", "kind": "EventTransform"}
    return {**head, "metadata": {"name": "x", "namespace": "ns"}, "spec": spec, "status": OPENED}


def written(plan: Any) -> Any:
    [update] = [each for each in plan.actions if isinstance(each, UpdateStatus)]
    status = update.obj["status"]
    return status, {c["type"]: (c["status"], c.get("reason")) for c in status["conditions"]}


@pytest.mark.parametrize(
    ("sink", "state", "url"),
    [
        (None, None, None),
        (Resolved("http://dead"), ("True", None), "http://dead"),
        (Unresolved("why"), ("False", "Unable to get the dead letter sink's URI"), None),
    ],
)
def test_a_jobsink_is_ready_with_or_without_its_dead_letter_sink(
    sink: Resolution | None, state: Any, url: str | None
) -> None:
    observed = jobsink.Observed(an_object(job={"spec": {}}), sink)
    status, shown = written(jobsink.reconcile(observed, settings=SETTINGS, now=0))
    assert shown["Ready"][0] == "True"
    assert shown.get(keys.DEAD_LETTER_SINK_RESOLVED) == state
    assert status["annotations"].get(keys.DEAD_LETTER_SINK_ANNOTATION) == url
    assert status["address"] == {"name": "http", "url": "http://h/jobsinks/ns/x"}
    done = jobsink.Observed({**observed.sink, "status": status}, sink)
    assert not jobsink.reconcile(done, settings=SETTINGS, now=0)


def test_nothing_is_ready_that_nobody_serves() -> None:
    bare = {**an_object(job={}), "status": {}}
    _, shown = written(jobsink.reconcile(jobsink.Observed(bare), settings=SETTINGS, now=0))
    assert shown["Ready"] == ("Unknown", "NotServed")
    observed = eventtransform.Observed(bare, None)
    _, shown = written(eventtransform.reconcile(observed, settings=SETTINGS, now=0))
    assert shown["Ready"] == ("Unknown", "NotServed")


def test_a_transform_tells_its_sink_and_who_it_sends_as() -> None:
    sink = Resolved("http://s", "PEM", "aud")
    observed = eventtransform.Observed(an_object(sink={"uri": "http://s"}), sink)
    plan = eventtransform.reconcile(observed, settings=OIDC, now=0)
    status, shown = written(plan)
    assert shown["Ready"][0] == "True"
    assert [status[field] for field in ("sinkUri", "sinkCACerts", "sinkAudience")] == [
        "http://s",
        "PEM",
        "aud",
    ]
    account = "x-oidc-eventing.knative.dev-eventtransform"
    assert status["auth"] == {"serviceAccountName": account}
    assert status["address"]["audience"] == "eventing.knative.dev/eventtransform/ns/x"
    [made] = [each for each in plan.actions if isinstance(each, Create)]
    assert made.obj["metadata"]["name"] == account


@pytest.mark.parametrize(
    ("sink", "problem", "reason"),
    [
        (None, "spec.jsonata.expression: bad", "JsonataExpressionInvalid"),
        (Unresolved("why"), "", "SinkNotResolved"),
    ],
)
def test_a_transform_that_cannot_work_says_so(
    sink: Resolution | None, problem: str, reason: str
) -> None:
    observed = eventtransform.Observed(an_object(), sink, problem)
    _, shown = written(eventtransform.reconcile(observed, settings=SETTINGS, now=0))
    assert shown["Ready"] == shown["TransformationReady"] == ("False", reason)


TLS = BrokerTls("https://h:1", "PEM")
HTTPS = {"name": "https", "url": "https://h:1/jobsinks/ns/x", "CACerts": "PEM"}
HTTP = {"name": "http", "url": "http://h/jobsinks/ns/x"}


@pytest.mark.parametrize(
    ("mode", "tls", "address", "addresses"),
    [
        ("disabled", TLS, HTTP, None),
        ("Permissive", TLS, HTTP, [HTTPS, HTTP]),
        ("strict", TLS, HTTPS, [HTTPS]),
        ("disabled", BrokerTls(), HTTP, None),
        ("permissive", BrokerTls(), None, None),
        ("strict", BrokerTls(), None, None),
    ],
)
def test_addresses_are_encrypted_as_asked(
    mode: str, tls: BrokerTls, address: Any, addresses: Any
) -> None:
    features = Features.from_data({"transport-encryption": mode})
    settings = replace(SETTINGS, features=features, tls=tls)
    before = {**OPENED, "address": HTTP, "addresses": [HTTP]}
    observed = jobsink.Observed({**an_object(job={}), "status": before})
    status, shown = written(jobsink.reconcile(observed, settings=settings, now=0))
    assert (status.get("address"), status.get("addresses")) == (address, addresses)
    assert shown["Ready"] == (("True", None) if address else ("Unknown", "NotEncrypted"))
