from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hearth.knative.resources import (
    CERTIFICATES,
    CLUSTERDOMAINCLAIMS,
    DOMAINMAPPINGS,
    KINGRESSES,
    KSERVICES,
)
from hearth.kube.meta import Object
from hearth.kube.plan import Plan
from serving.api import keys
from serving.api.config.network import NetworkConfig
from serving.api.settings import Settings
from serving.kinds.domainmapping import reconcile as domainmapping

NAME = "app.example.org"


def a_mapping(**spec: Any) -> Object:
    reference = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "hello"}
    return {"metadata": {"name": NAME, "namespace": "ns"}, "spec": {"ref": reference, **spec}}


@pytest.fixture
def world(stage: Any) -> Any:
    stage.settings = Settings(
        network=NetworkConfig(autocreate_cluster_domain_claims=True), external_port=8080
    )

    def reconcile() -> Plan:
        observed = domainmapping.Observed(
            ("ns", NAME),
            stage.get(DOMAINMAPPINGS, NAME),
            stage.get(CLUSTERDOMAINCLAIMS, NAME, ""),
            stage.get(KSERVICES, "hello"),
            stage.get(KINGRESSES, NAME),
            stage.holders,
            stage.get(CERTIFICATES, NAME),
            stage.services,
        )
        return domainmapping.reconcile(observed, settings=stage.settings, now=stage.now)

    stage.reconcile = reconcile
    stage.holders = {}
    stage.services = frozenset()
    stage.put(KSERVICES, {"metadata": {"name": "hello", "namespace": "ns"}, "spec": {}})
    stage.status(KSERVICES, "hello", address={"url": "http://hello.ns.svc.cluster.local"})
    stage.put(DOMAINMAPPINGS, a_mapping())
    return stage


def test_claims_maps_and_becomes_ready(world: Any) -> None:
    world.settle(world.reconcile)
    assert world.the(CLUSTERDOMAINCLAIMS, NAME, "")["spec"] == {"namespace": "ns"}
    world.ready(KINGRESSES, NAME)
    world.settle(world.reconcile)
    assert world.conditions(DOMAINMAPPINGS, NAME)["Ready"] == ("True", "")
    assert world.the(DOMAINMAPPINGS, NAME)["status"]["url"] == f"http://{NAME}:8080"
    path = world.the(KINGRESSES, NAME)["spec"]["rules"][0]["http"]["paths"][0]
    assert path["rewriteHost"] == "hello.ns.svc.cluster.local"
    assert path["splits"][0]["appendHeaders"] == {"K-Original-Host": NAME}


def test_a_claim_of_another_namespace(world: Any) -> None:
    world.put(CLUSTERDOMAINCLAIMS, {"metadata": {"name": NAME}, "spec": {"namespace": "other"}})
    world.settle(world.reconcile)
    assert world.conditions(DOMAINMAPPINGS, NAME)["Ready"] == ("False", "DomainAlreadyClaimed")
    assert world.get(KINGRESSES, NAME) is None


def test_without_autocreation_a_claim_is_needed(world: Any) -> None:
    world.settings = replace(world.settings, network=NetworkConfig())
    world.settle(world.reconcile)
    assert world.conditions(DOMAINMAPPINGS, NAME)["Ready"] == ("False", "DomainAlreadyClaimed")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param(None, "address not set for Service ns/hello", id="no address yet"),
        pytest.param(
            "http://hello.ns.svc.cluster.local/path",
            'resolved URI "http://hello.ns.svc.cluster.local/path" contains a path',
            id="path",
        ),
        pytest.param(
            "http://example.com",
            'resolved URI "http://example.com" must be of the form '
            "{name}.{namespace}.svc.cluster.local",
            id="outside",
        ),
        pytest.param(
            "http://hello.other.svc.cluster.local",
            'resolved URI "http://hello.other.svc.cluster.local" must be in same namespace '
            "as DomainMapping",
            id="another namespace",
        ),
    ],
)
def test_references_that_do_not_resolve(world: Any, url: str | None, message: str) -> None:
    world.status(KSERVICES, "hello", address={"url": url} if url else None)
    world.settle(world.reconcile)
    assert world.conditions(DOMAINMAPPINGS, NAME)["Ready"] == ("False", "ResolveFailed")
    assert world.message(DOMAINMAPPINGS, NAME, "ReferenceResolved") == message


def test_a_certificate_of_the_user(world: Any) -> None:
    world.edit(DOMAINMAPPINGS, NAME, lambda o: o["spec"].update(tls={"secretName": "mine"}))
    world.settle(world.reconcile)
    assert world.the(DOMAINMAPPINGS, NAME)["status"]["url"] == f"https://{NAME}"
    assert world.the(KINGRESSES, NAME)["spec"]["tls"][0]["secretName"] == "mine"
    certificate = world.conditions(DOMAINMAPPINGS, NAME)["CertificateProvisioned"]
    assert certificate == ("True", "CertificateExternallyProvided")
    world.ready(KINGRESSES, NAME)
    world.settle(world.reconcile)
    assert world.conditions(DOMAINMAPPINGS, NAME)["Ready"] == ("True", "")
    world.edit(DOMAINMAPPINGS, NAME, lambda o: o["spec"].pop("tls"))
    world.settle(world.reconcile)
    assert world.the(DOMAINMAPPINGS, NAME)["status"]["url"] == f"http://{NAME}:8080"
    assert "tls" not in world.the(KINGRESSES, NAME)["spec"]


def test_a_certificate_that_the_gateway_cannot_show(world: Any) -> None:
    world.settings = replace(world.settings, external_tls_port=8443)
    world.edit(DOMAINMAPPINGS, NAME, lambda o: o["spec"].update(tls={"secretName": "mine"}))
    world.settle(world.reconcile)
    text = "Secret ns/mine: has no tls.key"
    world.ready(KINGRESSES, NAME, "False", reason="CertificateNotServed", message=text)
    world.settle(world.reconcile)
    assert world.conditions(DOMAINMAPPINGS, NAME)["Ready"] == ("False", "CertificateNotServed")
    assert world.message(DOMAINMAPPINGS, NAME, "IngressReady") == text
    status = world.the(DOMAINMAPPINGS, NAME)["status"]
    assert status["url"] == status["address"]["url"] == f"https://{NAME}:8443"


def test_an_option_that_is_none(world: Any) -> None:
    annotations = {keys.HTTP_PROTOCOL.key: "x"}
    world.edit(DOMAINMAPPINGS, NAME, lambda o: o["metadata"].update(annotations=annotations))
    world.settle(world.reconcile)
    assert world.conditions(DOMAINMAPPINGS, NAME)["IngressReady"] == ("False", "ErrorConfig")
    told = world.message(DOMAINMAPPINGS, NAME, "IngressReady")
    assert told == "incorrect http-protocol annotation: x"


def asks_for_certificates(world: Any, **network: Any) -> None:
    asked = NetworkConfig(
        autocreate_cluster_domain_claims=True, external_domain_tls=True, **network
    )
    world.settings = replace(world.settings, network=asked)


def provisioned(world: Any) -> tuple[str, str]:
    found: tuple[str, str] = world.conditions(DOMAINMAPPINGS, NAME)["CertificateProvisioned"]
    return found


def test_a_certificate_is_asked_for(world: Any) -> None:
    asks_for_certificates(world)
    world.settle(world.reconcile)
    certificate = world.the(CERTIFICATES, NAME)
    assert certificate["spec"] == {"dnsNames": [NAME], "domain": NAME, "secretName": NAME}
    assert certificate["metadata"]["labels"] == {
        "serving.knative.dev/domainMappingUID": NAME,
        "networking.knative.dev/certificate-type": "external-domain",
    }
    assert provisioned(world) == ("True", "HTTPDowngrade")
    assert world.the(DOMAINMAPPINGS, NAME)["status"]["url"] == f"http://{NAME}:8080"
    world.ready(CERTIFICATES, NAME)
    world.settle(world.reconcile)
    assert provisioned(world) == ("True", "")
    assert world.the(DOMAINMAPPINGS, NAME)["status"]["url"] == f"https://{NAME}"
    [entry] = world.the(KINGRESSES, NAME)["spec"]["tls"]
    assert entry == {"hosts": [NAME], "secretName": NAME, "secretNamespace": "ns"}


def test_https_alone_waits_for_a_certificate_and_lets_challenges_in(world: Any) -> None:
    asks_for_certificates(world, http_protocol="redirected")
    world.settle(world.reconcile)
    assert provisioned(world) == ("Unknown", "CertificateNotReady")
    assert world.the(DOMAINMAPPINGS, NAME)["status"]["url"] == f"https://{NAME}"
    solver = {"serviceName": "solver", "serviceNamespace": "ns", "servicePort": 8089}
    path = "/.well-known/acme-challenge/token"
    challenges = [{"url": f"http://{host}{path}", **solver} for host in (NAME, f"k.{NAME}")]
    world.status(CERTIFICATES, NAME, http01Challenges=challenges)
    world.settle(world.reconcile)
    first, second = world.the(KINGRESSES, NAME)["spec"]["rules"]
    assert [each.get("path") for each in first["http"]["paths"]] == [path, None]
    assert second["hosts"] == [f"k.{NAME}"]
    assert [each.get("path") for each in second["http"]["paths"]] == [path]


def test_a_certificate_of_somebody_else(world: Any) -> None:
    asks_for_certificates(world)
    world.put(CERTIFICATES, {"metadata": {"name": NAME, "namespace": "ns"}, "spec": {}})
    world.settle(world.reconcile)
    assert provisioned(world) == ("False", "CertificateNotOwned")


def test_a_name_that_is_the_host_of_an_older_route(world: Any) -> None:
    world.settle(world.reconcile)
    metadata = {"name": "app", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"}
    world.holders = {NAME: [{"kind": "Route", "metadata": metadata}]}
    world.settle(world.reconcile)
    assert world.conditions(DOMAINMAPPINGS, NAME)["Ready"] == ("False", "DomainConflict")
    assert world.message(DOMAINMAPPINGS, NAME, "IngressReady") == (
        f'The host "{NAME}" belongs to Route "shop/app".'
    )
    assert world.get(KINGRESSES, NAME) is None
    world.holders = {}
    world.settle(world.reconcile)
    world.ready(KINGRESSES, NAME)
    world.settle(world.reconcile)
    assert world.conditions(DOMAINMAPPINGS, NAME)["Ready"] == ("True", "")


def test_a_claim_goes_with_the_mapping_it_was_made_for(world: Any) -> None:
    world.settle(world.reconcile)
    world.objects = {k: v for k, v in world.objects.items() if "domainmappings" not in k[0]}
    world.settle(world.reconcile)
    assert world.get(CLUSTERDOMAINCLAIMS, NAME, "") is None


def test_a_users_claim_stays(world: Any) -> None:
    world.put(CLUSTERDOMAINCLAIMS, {"metadata": {"name": NAME}, "spec": {"namespace": "ns"}})
    world.settle(world.reconcile)
    world.objects = {k: v for k, v in world.objects.items() if "domainmappings" not in k[0]}
    world.settle(world.reconcile)
    assert world.get(CLUSTERDOMAINCLAIMS, NAME, "") is not None


def annotated(world: Any, annotations: dict[str, str], *services: str) -> None:
    mapping = world.the(DOMAINMAPPINGS, NAME)
    mapping["metadata"]["annotations"] = annotations
    world.put(DOMAINMAPPINGS, mapping)
    world.services = frozenset(services)


def test_paths_lead_to_services_and_the_rest_to_the_reference(world: Any) -> None:
    text = "[{path: /api, service: api, rewrite: /}, {path: /api/old, service: old}]"
    annotated(world, {keys.DOMAIN_PATHS: text}, "api", "old")
    world.settle(world.reconcile)
    ingress = world.the(KINGRESSES, NAME)
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    assert [(each.get("path"), each["rewriteHost"]) for each in paths] == [
        ("/api/old", "old.ns.svc.cluster.local"),
        ("/api", "api.ns.svc.cluster.local"),
        (None, "hello.ns.svc.cluster.local"),
    ]
    assert paths[1]["splits"][0]["serviceName"] == "api"
    assert ingress["metadata"]["annotations"][keys.DOMAIN_PATHS] == text


def test_a_path_to_a_service_that_is_missing_waits_for_it(world: Any) -> None:
    annotated(world, {keys.DOMAIN_PATHS: "[{path: /api, service: api}]"})
    world.settle(world.reconcile)
    assert world.conditions(DOMAINMAPPINGS, NAME)["Ready"] == ("False", "ResolveFailed")
    world.services = frozenset({"api"})
    world.settle(world.reconcile)
    assert world.get(KINGRESSES, NAME) is not None


def test_a_wildcard_is_another_host_with_the_same_paths(world: Any) -> None:
    asks_for_certificates(world)
    annotated(world, {keys.DOMAIN_WILDCARD: "true"})
    world.settle(world.reconcile)
    rules = world.the(KINGRESSES, NAME)["spec"]["rules"]
    assert [rule["hosts"] for rule in rules] == [[NAME], [f"*.{NAME}"]]
    assert rules[1]["http"]["paths"][0]["splits"][0]["appendHeaders"] == {
        "K-Original-Host": f"*.{NAME}"
    }
    assert world.the(CERTIFICATES, NAME)["spec"]["dnsNames"] == [NAME, f"*.{NAME}"]
    assert world.the(CLUSTERDOMAINCLAIMS, NAME, "")["spec"] == {"namespace": "ns"}
