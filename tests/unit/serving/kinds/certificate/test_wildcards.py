"""Wildcard certificates of the namespaces that config-network picks."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.knative.resources import CERTIFICATES
from hearth.kube.plan import Event, Plan
from hearth.kube.resources import NAMESPACES
from serving.api import keys
from serving.api.config.domain import DomainConfig
from serving.api.config.network import NetworkConfig
from serving.api.settings import Settings
from serving.kinds.certificate import wildcards

SELECTOR = {"namespace-wildcard-cert-selector": "matchExpressions: [{key: tls, operator: Exists}]"}


def settings(*domains: str, **network: str) -> Settings:
    return Settings(
        network=NetworkConfig.from_data(
            {**SELECTOR, **{k.replace("_", "-"): v for k, v in network.items()}}
        ),
        domain=DomainConfig.from_data(dict.fromkeys(domains, "")),
    )


@pytest.fixture
def world(stage: Any) -> Any:
    stage.put(NAMESPACES, {"metadata": {"name": "ns", "labels": {"tls": "yes"}}})
    stage.settings = settings("example.com")

    def reconcile() -> Plan:
        found = tuple(c for c in stage.all(CERTIFICATES) if keys.WILDCARD_DOMAIN in labels(c))
        observed = wildcards.Observed(stage.the(NAMESPACES, "ns", ""), found)
        return wildcards.reconcile(observed, settings=stage.settings, now=stage.now)

    stage.reconcile = reconcile
    return stage


def labels(obj: Any) -> dict[str, str]:
    return dict(obj["metadata"].get("labels") or {})


def names(world: Any) -> list[str]:
    return [host for c in world.all(CERTIFICATES) for host in c["spec"]["dnsNames"]]


def test_a_namespace_that_is_picked_gets_one_for_each_domain(world: Any) -> None:
    world.settings = settings("example.com", "example.org")
    world.settle(world.reconcile)
    assert names(world) == ["*.ns.example.com", "*.ns.example.org"]
    made = world.the(CERTIFICATES, "ns.example.com")
    assert labels(made) == {keys.WILDCARD_DOMAIN: "example.com"}
    assert made["spec"] == {"dnsNames": ["*.ns.example.com"], "secretName": "ns.example.com"}
    assert made["metadata"]["annotations"] == {
        keys.CERTIFICATE_CLASS.key: "cert-manager.certificate.networking.knative.dev"
    }
    assert world.events[0] == ("Created", "Created Knative Certificate ns/ns.example.com")


def test_without_the_setting_or_the_label_they_go(world: Any) -> None:
    world.settle(world.reconcile)
    namespace = world.the(NAMESPACES, "ns", "")
    namespace["metadata"]["labels"] = {}
    world.put(NAMESPACES, namespace)
    world.settle(world.reconcile)
    assert names(world) == []
    assert world.events[-1] == ("Deleted", "Deleted Knative Certificate ns/ns.example.com")


def test_a_domain_that_is_gone_takes_its_certificate_along(world: Any) -> None:
    world.settings = settings("example.com", "example.org")
    world.settle(world.reconcile)
    world.settings = settings("example.org")
    world.settle(world.reconcile)
    assert names(world) == ["*.ns.example.org"]


def test_another_template_gives_the_certificate_another_name(world: Any) -> None:
    world.settle(world.reconcile)
    world.settings = settings(
        "example.com", domain_template="{{.Name}}.x.{{.Namespace}}.{{.Domain}}"
    )
    world.settle(world.reconcile)
    made = world.the(CERTIFICATES, "ns.example.com")
    assert made["spec"] == {"dnsNames": ["*.x.ns.example.com"], "secretName": "x.ns.example.com"}


def test_what_somebody_else_made_is_enough_and_stays(world: Any) -> None:
    theirs = {
        "metadata": {"name": "o", "namespace": "ns", "labels": {keys.WILDCARD_DOMAIN: "other"}},
        "spec": {"dnsNames": ["*.ns.example.com"], "secretName": "o"},
    }
    world.put(CERTIFICATES, theirs)
    world.settle(world.reconcile)
    assert names(world) == ["*.ns.example.com"]


def test_a_template_without_a_place_for_a_wildcard_is_told(world: Any) -> None:
    world.settings = settings("example.com", domain_template="{{.Name}}-{{.Namespace}}.{{.Domain}}")
    (event,) = world.reconcile().actions
    assert isinstance(event, Event)
    assert event.message == (
        "failed to apply domain template {{.Name}}-{{.Namespace}}.{{.Domain}} to domain "
        "example.com and namespace ns: invalid DomainTemplate: *-ns.example.com"
    )


def test_domains_of_the_cluster_have_its_name() -> None:
    assert (
        wildcards.wildcard_host("ns", "svc.cluster.local", Settings(cluster_domain="c.local"))
        == "*.ns.svc.c.local"
    )
