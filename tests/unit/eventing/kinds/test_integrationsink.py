"""IntegrationSink: what is made for it, and what is told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from eventing.api.settings import BrokerTls, Features
from eventing.kinds import integrationsink
from eventing.kinds.integrationsink import (
    Observed,
    certificate_of,
    make_deployment,
    make_service,
)
from eventing.kinds.settings import ControlSettings
from hearth.kube.plan import Create, Update, UpdateStatus

SETTINGS = ControlSettings("http://ingress", frozenset())
OPENED = {"annotations": {"eventing.hearth.dev/opened": "true"}}
READY = {"conditions": [{"type": "Available", "status": "True"}]}


def a_sink(status: Any = None, **spec: Any) -> Any:
    head = {"apiVersion": "sinks.knative.dev/v1alpha1", "kind": "IntegrationSink"}
    metadata = {"name": "s", "namespace": "ns", "uid": "u"}
    return {**head, "metadata": metadata, "spec": spec, "status": status or {}}


def with_flags(**flags: str) -> ControlSettings:
    named = {name.replace("_", "-"): value for name, value in flags.items()}
    features = Features(flags={**SETTINGS.features.flags, **named})
    return ControlSettings("http://ingress", frozenset(), features=features)


def plan(observed: Observed, settings: ControlSettings = SETTINGS) -> Any:
    return integrationsink.reconcile(observed, settings=settings, now=0)


def told(found: Any) -> Any:
    [update] = found.then
    assert isinstance(update, UpdateStatus)
    status = update.obj["status"]
    return status, {c["type"]: (c["status"], c.get("reason")) for c in status["conditions"]}


def made(sink: Any) -> Any:
    return {**make_deployment(sink, SETTINGS), "status": READY}


def test_a_deployment_and_a_service_are_made() -> None:
    sink = a_sink(log={"level": "INFO"})
    created = [each.obj for each in plan(Observed(sink)).actions if isinstance(each, Create)]
    deployment, service = created
    assert deployment["metadata"]["name"] == service["metadata"]["name"] == "s-deployment"
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["run", "integrationsink"]
    assert {"name": "http", "containerPort": 8080} in container["ports"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert json.loads(env["K_SINK_CONFIG"]) == {"log": {"level": "INFO"}}
    observed = Observed(sink, made(sink), make_service(sink))
    assert plan(observed).actions == ()
    changed = Observed(a_sink(log={"level": "WARN"}), made(sink), make_service(sink))
    assert any(isinstance(each, Update) for each in plan(changed).actions)


def test_it_is_ready_when_its_pod_is_and_the_broker_serves_it() -> None:
    sink = a_sink(log={})
    _, shown = told(plan(Observed(sink)))
    assert shown["Addressable"] == ("Unknown", "NotServed")
    assert shown["DeploymentReady"] == ("Unknown", "DeploymentUnavailable")
    served = a_sink(OPENED, log={})
    status, shown = told(plan(Observed(served, made(served))))
    assert shown["Ready"][0] == "True"
    url = "http://ingress/integrationsinks/ns/s"
    assert status["address"] == {"name": "http", "url": url}
    marks = status["annotations"]
    pod = "http://s-deployment.ns.svc.cluster.local/integrationsinks/ns/s"
    assert marks["eventing.hearth.dev/pod-address"] == pod
    assert "eventing.hearth.dev/pod-sender" not in marks


def test_a_deployment_of_somebody_else_is_told() -> None:
    sink = a_sink(log={})
    stranger = made(sink)
    stranger["metadata"]["ownerReferences"] = []
    _, shown = told(plan(Observed(sink, stranger)))
    assert shown["DeploymentReady"] == ("False", "NotOwned")


def test_its_pod_lets_in_the_broker_alone_while_senders_say_who_they_are() -> None:
    sink, settings = a_sink(OPENED, log={}), with_flags(authentication_oidc="enabled")
    found = plan(Observed(sink), settings)
    account, deployment, _ = (each.obj for each in found.actions if isinstance(each, Create))
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    sender = json.loads(env["K_SINK_CONFIG"] or "")["sender"]
    title = account["metadata"]["name"]
    assert sender["subject"] == f"system:serviceaccount:ns:{title}"
    assert sender["audience"] == "sinks.knative.dev/integrationsink/ns/s"
    status, _ = told(found)
    assert status["annotations"]["eventing.hearth.dev/pod-sender"] == title
    assert status["address"]["audience"] == sender["audience"]


STRICT = replace(
    with_flags(transport_encryption="strict"), tls=BrokerTls("https://broker", "an authority")
)


def test_its_pod_speaks_tls_with_a_certificate_that_the_broker_makes() -> None:
    sink = a_sink(OPENED, log={})
    found = plan(Observed(sink), STRICT)
    deployment, service = (each.obj for each in found.actions if isinstance(each, Create))
    status, _ = told(found)
    secret = status["annotations"]["eventing.hearth.dev/pod-certificate"]
    assert secret.startswith("s-deployment-tls-")
    pod = deployment["spec"]["template"]["spec"]
    [volume] = [each for each in pod["volumes"] if "secret" in each]
    assert volume["secret"]["secretName"] == secret
    [container] = pod["containers"]
    [mount] = [each for each in container["volumeMounts"] if each["name"] == volume["name"]]
    assert mount["mountPath"] == "/etc/hearth/certificate" and mount["readOnly"] is True
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert json.loads(env["K_SINK_CONFIG"] or "")["tls"] is True
    [port] = service["spec"]["ports"]
    assert (port["name"], port["port"], port["targetPort"]) == ("https", 443, "http")
    address = status["annotations"]["eventing.hearth.dev/pod-address"]
    assert address == "https://s-deployment.ns.svc.cluster.local/integrationsinks/ns/s"
    # Nothing more to do, and then in time another certificate.
    again = plan(Observed(sink, {**deployment, "status": READY}, service), STRICT)
    assert again.actions == () and 0 < (again.requeue_after or 0) <= 30 * 86400


def test_another_authority_and_another_month_have_another_certificate() -> None:
    sink = a_sink(log={})
    names = {
        certificate_of(sink, settings, now)
        for settings in (STRICT, replace(STRICT, tls=BrokerTls("https://broker", "another")))
        for now in (0.0, 31 * 86400.0)
    }
    assert len(names) == 4
    # And so has another object of the same name: the Secret of the last one may be going.
    other = a_sink(log={})
    other["metadata"]["uid"] = "v"
    assert certificate_of(other, STRICT, 0.0) not in names


def test_nothing_is_made_before_it_is_known_who_vouches_for_certificates() -> None:
    found = plan(Observed(a_sink(log={})), with_flags(transport_encryption="permissive"))
    assert not [each for each in found.actions if isinstance(each, Create)]


def test_a_pod_that_was_encrypted_is_plain_again_when_that_is_switched_off() -> None:
    sink = a_sink(OPENED, log={})
    found = plan(Observed(sink), STRICT)
    deployment, service = (each.obj for each in found.actions if isinstance(each, Create))
    sink["status"] = told(found)[0]
    after = plan(Observed(sink, {**deployment, "status": READY}, service))
    changed = [each.obj for each in after.actions if isinstance(each, Update)]
    assert [each["kind"] for each in changed] == ["Deployment", "Service"]
    assert changed[1]["spec"]["ports"][0]["port"] == 80
    marks = told(after)[0]["annotations"]
    assert "eventing.hearth.dev/pod-certificate" not in marks
    assert marks["eventing.hearth.dev/pod-address"].startswith("http://")
