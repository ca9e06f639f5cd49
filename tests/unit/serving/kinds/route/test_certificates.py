"""Certificates of a Route: what is asked for, what its status says, what its KIngress gets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hearth.knative.resources import CERTIFICATES, CONFIGURATIONS, KINGRESSES, REVISIONS, ROUTES
from hearth.kube import meta
from hearth.kube.meta import Object, labels
from hearth.kube.plan import Plan
from hearth.kube.resources import SERVICES
from serving.api import keys
from serving.api.config.domain import DomainConfig
from serving.api.config.network import NetworkConfig
from serving.api.settings import Settings
from serving.kinds.route import reconcile as route

HOST = "hello.ns.example.com"
LATEST = {"configurationName": "hello", "latestRevision": True, "percent": 100}
EXTERNAL = NetworkConfig(external_domain_tls=True)
REDIRECTED = replace(EXTERNAL, http_protocol="redirected")


def a_route(*traffic: Object, **metadata: Any) -> Object:
    own = {"name": "hello", "namespace": "ns", **metadata}
    return {"metadata": own, "spec": {"traffic": list(traffic) or [LATEST]}}


@pytest.fixture
def world(stage: Any) -> Any:
    stage.settings = Settings(
        domain=DomainConfig.from_data({"example.com": ""}),
        external_port=8080,
        external_tls_port=8443,
        network=EXTERNAL,
    )
    stage.wildcards = []

    def reconcile() -> Plan:
        observed = route.Observed(
            stage.the(ROUTES, "hello"),
            {c["metadata"]["name"]: c for c in stage.all(CONFIGURATIONS)},
            {r["metadata"]["name"]: r for r in stage.all(REVISIONS)},
            stage.get(KINGRESSES, "hello"),
            {s["metadata"]["name"]: s for s in stage.all(SERVICES)},
            certificates={c["metadata"]["name"]: c for c in stage.all(CERTIFICATES)},
            wildcards=stage.wildcards,
        )
        return route.reconcile(observed, settings=stage.settings, now=stage.now)

    stage.reconcile = reconcile
    stage.put(CONFIGURATIONS, {"metadata": {"name": "hello", "namespace": "ns"}, "spec": {}})
    stage.status(CONFIGURATIONS, "hello", latestReadyRevisionName="one")
    stage.put(REVISIONS, {"metadata": {"name": "one", "namespace": "ns"}, "spec": {}})
    stage.ready(REVISIONS, "one")
    return stage


def provisioned(world: Any) -> tuple[str, str, str]:
    kind = "CertificateProvisioned"
    status, reason = world.conditions(ROUTES, "hello")[kind]
    return status, reason, world.message(ROUTES, "hello", kind)


def the_name(world: Any) -> str:
    return f"route-{world.the(ROUTES, 'hello')['metadata']['uid']}"


def test_one_is_asked_for_and_http_goes_on_meanwhile(world: Any) -> None:
    world.put(ROUTES, a_route(annotations={"kubectl.kubernetes.io/last-applied-configuration": ""}))
    world.settle(world.reconcile)
    [certificate] = world.all(CERTIFICATES)
    title = the_name(world)
    assert certificate["metadata"]["name"] == title
    assert certificate["spec"] == {
        "dnsNames": [HOST],
        "domain": "example.com",
        "secretName": title,
    }
    assert labels(certificate) == {keys.ROUTE: "hello", keys.CERTIFICATE_TYPE: "external-domain"}
    assert meta.annotations(certificate) == {
        keys.CERTIFICATE_CLASS.key: "cert-manager.certificate.networking.knative.dev"
    }
    message = f"Certificate {title} is not ready downgrade HTTP."
    assert provisioned(world) == ("True", "HTTPDowngrade", message)
    assert world.the(ROUTES, "hello")["status"]["url"] == f"http://{HOST}:8080"
    assert "tls" not in world.the(KINGRESSES, "hello")["spec"]
    assert ("Created", f"Created Certificate ns/{title}") in world.events


def test_a_ready_one_is_shown(world: Any) -> None:
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    title = the_name(world)
    world.ready(CERTIFICATES, title)
    world.settle(world.reconcile)
    assert provisioned(world) == ("True", "", "")
    status = world.the(ROUTES, "hello")["status"]
    assert status["url"] == f"https://{HOST}:8443"
    assert status["address"] == {"url": "http://hello.ns.svc.cluster.local"}
    assert world.the(KINGRESSES, "hello")["spec"]["tls"] == [
        {"hosts": [HOST], "secretName": title, "secretNamespace": "ns"}
    ]


def test_https_alone_waits_for_it(world: Any) -> None:
    world.settings = replace(world.settings, network=REDIRECTED)
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    title = the_name(world)
    message = f"Certificate {title} is not ready: "
    assert provisioned(world) == ("Unknown", "CertificateNotReady", message)
    assert world.the(ROUTES, "hello")["status"]["url"] == f"https://{HOST}:8443"
    world.ready(CERTIFICATES, title, "False", reason="Denied")
    world.settle(world.reconcile)
    message = f"Certificate {title} fails to be provisioned: Denied"
    assert provisioned(world) == ("False", "CertificateProvisionFailed", message)


def test_each_tag_has_one_and_loses_it(world: Any) -> None:
    tagged = {"revisionName": "one", "percent": 0, "tag": "next"}
    world.put(ROUTES, a_route(LATEST, tagged))
    world.settle(world.reconcile)
    found = {c["spec"]["dnsNames"][0]: c["metadata"]["name"] for c in world.all(CERTIFICATES)}
    # adler32 of "next", as upstream has it.
    assert found == {HOST: the_name(world), f"next-{HOST}": f"{the_name(world)}-72286656"}
    for title in found.values():
        world.ready(CERTIFICATES, title)
    world.settle(world.reconcile)
    [entry] = [e for e in world.the(ROUTES, "hello")["status"]["traffic"] if e.get("tag")]
    assert entry["url"] == f"https://next-{HOST}:8443"
    assert len(world.the(KINGRESSES, "hello")["spec"]["tls"]) == 2
    world.edit(ROUTES, "hello", lambda o: o["spec"].update(traffic=[LATEST]))
    world.settle(world.reconcile)
    assert [c["spec"]["dnsNames"] for c in world.all(CERTIFICATES)] == [[HOST]]


def test_one_that_belongs_to_somebody_else(world: Any) -> None:
    world.put(ROUTES, a_route())
    own = {"name": the_name(world), "namespace": "ns"}
    world.put(CERTIFICATES, {"metadata": own, "spec": {"dnsNames": ["x"], "secretName": "x"}})
    world.settle(world.reconcile)
    message = f"There is an existing certificate {the_name(world)} that we don't own."
    assert provisioned(world) == ("False", "CertificateNotOwned", message)
    assert world.the(CERTIFICATES, the_name(world))["spec"]["dnsNames"] == ["x"]


def test_a_new_domain_changes_it(world: Any) -> None:
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    world.ready(CERTIFICATES, the_name(world))
    domain = DomainConfig.from_data({"example.org": ""})
    world.settings = replace(world.settings, domain=domain)
    world.settle(world.reconcile)
    [certificate] = world.all(CERTIFICATES)
    assert certificate["spec"]["dnsNames"] == ["hello.ns.example.org"]
    assert provisioned(world)[:2] == ("True", "HTTPDowngrade")


@pytest.mark.parametrize("network", [NetworkConfig(), EXTERNAL])
def test_a_route_of_the_cluster_needs_none(world: Any, network: NetworkConfig) -> None:
    world.settings = replace(world.settings, network=network)
    local = {keys.VISIBILITY: keys.VISIBILITY_CLUSTER_LOCAL}
    world.put(ROUTES, a_route(labels=local))
    world.settle(world.reconcile)
    assert world.all(CERTIFICATES) == []
    message = "external-domain-tls is not enabled"
    if network.external_domain_tls:
        message = "TLS is not enabled for cluster-local"
    assert provisioned(world) == ("True", "TLSNotEnabled", message)


def test_a_route_that_wants_none(world: Any) -> None:
    disabled = {"networking.knative.dev/disable-external-domain-tls": "true"}
    world.put(ROUTES, a_route(annotations=disabled))
    world.settle(world.reconcile)
    assert world.all(CERTIFICATES) == []
    assert provisioned(world)[:2] == ("True", "TLSNotEnabled")


def test_a_wildcard_takes_its_place(world: Any) -> None:
    wildcard = {
        "metadata": {
            "name": "ns.example.com",
            "namespace": "ns",
            "generation": 1,
            "labels": {keys.WILDCARD_DOMAIN: "example.com"},
        },
        "spec": {"dnsNames": ["*.ns.example.com"], "secretName": "wild"},
        "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]},
    }
    world.wildcards = [wildcard]
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    assert world.all(CERTIFICATES) == []
    assert world.the(KINGRESSES, "hello")["spec"]["tls"] == [
        {"hosts": [HOST], "secretName": "wild", "secretNamespace": "ns"}
    ]
    assert world.the(ROUTES, "hello")["status"]["url"] == f"https://{HOST}:8443"


def test_challenges_go_to_their_solvers(world: Any) -> None:
    world.settings = replace(world.settings, network=REDIRECTED)
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    challenge = {
        "url": f"http://{HOST}/.well-known/acme-challenge/token",
        "serviceName": "solver",
        "serviceNamespace": "ns",
        "servicePort": 8089,
    }
    world.status(CERTIFICATES, the_name(world), http01Challenges=[challenge])
    world.settle(world.reconcile)
    rules = world.the(KINGRESSES, "hello")["spec"]["rules"]
    split = {"serviceName": "solver", "serviceNamespace": "ns", "servicePort": 8089}
    assert rules[1]["http"]["paths"][0] == {
        "path": "/.well-known/acme-challenge/token",
        "splits": [{**split, "percent": 100}],
    }
    assert len(rules[0]["http"]["paths"]) == 1
    # Once it is there nobody asks any more, until it is renewed.
    world.ready(CERTIFICATES, the_name(world))
    world.settle(world.reconcile)
    assert len(world.the(KINGRESSES, "hello")["spec"]["rules"][1]["http"]["paths"]) == 1
    renewed = {"type": "Renewing", "status": "True"}
    ready = {"type": "Ready", "status": "True"}
    world.status(CERTIFICATES, the_name(world), conditions=[ready, renewed])
    world.settle(world.reconcile)
    assert len(world.the(KINGRESSES, "hello")["spec"]["rules"][1]["http"]["paths"]) == 2


def test_names_of_the_cluster(world: Any) -> None:
    world.settings = replace(world.settings, network=NetworkConfig(cluster_local_domain_tls=True))
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    [certificate] = world.all(CERTIFICATES)
    title = f"{the_name(world)}-local"
    names = ["hello.ns", "hello.ns.svc", "hello.ns.svc.cluster.local"]
    assert certificate["spec"] == {
        "dnsNames": names,
        "domain": "svc.cluster.local",
        "secretName": title,
    }
    assert labels(certificate)[keys.CERTIFICATE_TYPE] == "cluster-local-domain"
    # Plain http does not help those who ask for https: it is waited for.
    assert provisioned(world)[:2] == ("Unknown", "CertificateNotReady")
    assert world.the(ROUTES, "hello")["status"]["address"]["url"].startswith("http://")
    world.ready(CERTIFICATES, title)
    world.settle(world.reconcile)
    assert provisioned(world) == ("True", "", "")
    status = world.the(ROUTES, "hello")["status"]
    assert status["address"]["url"] == "https://hello.ns.svc.cluster.local"
    assert status["url"] == f"http://{HOST}:8080"
    assert world.the(KINGRESSES, "hello")["spec"]["tls"] == [
        {"hosts": names, "secretName": title, "secretNamespace": "ns"}
    ]
