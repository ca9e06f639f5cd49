from dataclasses import replace
from typing import Any

import pytest

from hearth.knative.resources import CONFIGURATIONS, KINGRESSES, REVISIONS, ROUTES
from hearth.kube.meta import Object, annotations
from hearth.kube.plan import Plan
from hearth.kube.resources import SERVICES
from serving.api import keys
from serving.api.config.domain import DomainConfig
from serving.api.config.features import FeaturesConfig
from serving.api.config.network import NetworkConfig
from serving.api.settings import Settings
from serving.kinds.route import reconcile as route
from serving.kinds.services import GATEWAY_HOST

LATEST = {"configurationName": "hello", "latestRevision": True, "percent": 100}
SETTINGS = Settings(domain=DomainConfig.from_data({"example.com": ""}), external_port=8080)


def a_route(*traffic: Object, **metadata: Any) -> Object:
    own = {"name": "hello", "namespace": "ns", **metadata}
    return {"metadata": own, "spec": {"traffic": list(traffic) or [LATEST]}}


def a_revision(name: str, ready: str = "True") -> Object:
    return {
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"containers": [{"image": "app"}]},
        "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": ready}]},
    }


@pytest.fixture
def world(stage: Any) -> Any:
    stage.settings = SETTINGS

    def reconcile() -> Plan:
        observed = route.Observed(
            stage.get(ROUTES, "hello"),
            {c["metadata"]["name"]: c for c in stage.all(CONFIGURATIONS)},
            {r["metadata"]["name"]: r for r in stage.all(REVISIONS)},
            stage.get(KINGRESSES, "hello"),
            {s["metadata"]["name"]: s for s in stage.all(SERVICES)},
        )
        return route.reconcile(observed, settings=stage.settings, now=stage.now)

    stage.reconcile = reconcile
    configuration: Object = {"metadata": {"name": "hello", "namespace": "ns"}, "spec": {}}
    stage.put(CONFIGURATIONS, configuration)
    stage.status(CONFIGURATIONS, "hello", latestReadyRevisionName="one")
    stage.put(REVISIONS, a_revision("one"))
    stage.put(REVISIONS, a_revision("two"))
    return stage


def serve(world: Any) -> None:
    """The activator takes the KIngress over."""
    world.ready(KINGRESSES, "hello")
    balancer = {"ingress": [{"domainInternal": GATEWAY_HOST}]}
    world.status(KINGRESSES, "hello", privateLoadBalancer=balancer)


def splits(world: Any, rule: int = 0) -> list[tuple[str, int]]:
    path = world.the(KINGRESSES, "hello")["spec"]["rules"][rule]["http"]["paths"][-1]
    return [(s["serviceName"], s["percent"]) for s in path["splits"]]


def test_programs_an_ingress_and_becomes_ready(world: Any) -> None:
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    assert world.conditions(ROUTES, "hello") == {
        "AllTrafficAssigned": ("True", ""),
        "CertificateProvisioned": ("True", "TLSNotEnabled"),
        "IngressReady": ("Unknown", "IngressNotConfigured"),
        "Ready": ("Unknown", "IngressNotConfigured"),
    }
    serve(world)
    world.settle(world.reconcile)
    assert world.conditions(ROUTES, "hello")["Ready"] == ("True", "")
    status = world.the(ROUTES, "hello")["status"]
    assert status["url"] == "http://hello.ns.example.com:8080"
    assert status["address"] == {"url": "http://hello.ns.svc.cluster.local"}
    assert splits(world) == [("one", 100)]
    hosts = [rule["hosts"] for rule in world.the(KINGRESSES, "hello")["spec"]["rules"]]
    assert hosts == [
        ["hello.ns", "hello.ns.svc", "hello.ns.svc.cluster.local"],
        ["hello.ns.example.com"],
    ]


def test_a_new_spec_is_not_ready_before_the_ingress_has_it(world: Any) -> None:
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    serve(world)
    world.settle(world.reconcile)
    named = {"revisionName": "two", "percent": 100, "latestRevision": False}
    world.edit(ROUTES, "hello", lambda o: o["spec"].update(traffic=[named]))
    world.settle(world.reconcile)
    assert world.conditions(ROUTES, "hello")["Ready"] == ("Unknown", "IngressNotConfigured")
    assert splits(world) == [("two", 100)]


def test_what_was_programmed_stays_while_a_target_is_missing(world: Any) -> None:
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    serve(world)
    world.settle(world.reconcile)
    lost = {"revisionName": "lost", "percent": 100, "latestRevision": False}
    world.edit(ROUTES, "hello", lambda o: o["spec"].update(traffic=[lost]))
    world.settle(world.reconcile)
    assert world.conditions(ROUTES, "hello")["Ready"] == ("False", "RevisionMissing")
    assert splits(world) == [("one", 100)]


def test_tags_have_names_hosts_and_urls_and_go_again(world: Any) -> None:
    tagged = {"revisionName": "two", "tag": "next", "percent": 0, "latestRevision": False}
    world.put(ROUTES, a_route(LATEST, tagged))
    world.settle(world.reconcile)
    assert {s["metadata"]["name"] for s in world.all(SERVICES)} == {"hello", "next-hello"}
    traffic = world.the(ROUTES, "hello")["status"]["traffic"]
    assert traffic[1]["url"] == "http://next-hello.ns.example.com:8080"
    assert splits(world, rule=2) == [("two", 100)]
    world.edit(ROUTES, "hello", lambda o: o["spec"].update(traffic=[LATEST]))
    world.settle(world.reconcile)
    assert {s["metadata"]["name"] for s in world.all(SERVICES)} == {"hello"}


def test_cluster_local_by_label_and_one_tag_by_its_service(world: Any) -> None:
    tagged = {"revisionName": "two", "tag": "next", "percent": 0, "latestRevision": False}
    world.put(ROUTES, a_route(LATEST, tagged))
    world.settle(world.reconcile)
    local = {keys.VISIBILITY: keys.VISIBILITY_CLUSTER_LOCAL}
    world.edit(SERVICES, "next-hello", lambda o: o["metadata"]["labels"].update(local))
    world.settle(world.reconcile)
    rules = world.the(KINGRESSES, "hello")["spec"]["rules"]
    assert [rule["visibility"] for rule in rules] == ["ClusterLocal", "ExternalIP", "ClusterLocal"]
    world.edit(ROUTES, "hello", lambda o: o["metadata"].update(labels=local))
    world.settle(world.reconcile)
    rules = world.the(KINGRESSES, "hello")["spec"]["rules"]
    assert [rule["visibility"] for rule in rules] == ["ClusterLocal", "ClusterLocal"]
    assert world.the(ROUTES, "hello")["status"]["url"] == "http://hello.ns.svc.cluster.local"


def test_a_name_that_is_taken(world: Any) -> None:
    foreign: Object = {"metadata": {"name": "hello", "namespace": "ns"}, "spec": {"mine": 1}}
    world.put(SERVICES, foreign)
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    assert world.conditions(ROUTES, "hello")["Ready"] == ("False", "NotOwned")
    assert world.get(KINGRESSES, "hello") is None
    assert world.the(SERVICES, "hello")["spec"] == {"mine": 1}


def test_a_placeholder_follows_the_gateway(world: Any) -> None:
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    assert world.the(SERVICES, "hello")["spec"]["externalName"] == GATEWAY_HOST
    serve(world)
    balancer = {"ingress": [{"domainInternal": "elsewhere.svc.cluster.local"}]}
    world.status(KINGRESSES, "hello", privateLoadBalancer=balancer)
    world.settle(world.reconcile)
    spec = world.the(SERVICES, "hello")["spec"]
    assert spec["externalName"] == "elsewhere.svc.cluster.local"


def test_redirect_to_https(world: Any) -> None:
    world.put(ROUTES, a_route(annotations={keys.HTTP_PROTOCOL.key: "Redirected"}))
    world.settle(world.reconcile)
    assert world.the(KINGRESSES, "hello")["spec"]["httpOption"] == "Redirected"


def test_an_unusable_domain_template(world: Any) -> None:
    network = NetworkConfig(domain_template="{{.Name}}_{{.Domain}}")
    world.settings = replace(world.settings, network=network)
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    assert world.conditions(ROUTES, "hello")["AllTrafficAssigned"] == ("False", "ErrorConfig")


def test_tags_by_header(world: Any) -> None:
    features = FeaturesConfig(tag_header_based_routing="Enabled")
    world.settings = replace(world.settings, features=features)
    tagged = {"revisionName": "two", "tag": "next", "percent": 0, "latestRevision": False}
    world.put(ROUTES, a_route(LATEST, tagged))
    world.settle(world.reconcile)
    rules = world.the(KINGRESSES, "hello")["spec"]["rules"]
    chosen, default = rules[1]["http"]["paths"]
    assert chosen["headers"] == {keys.HEADER_TAG: {"exact": "next"}}
    assert default["appendHeaders"] == {keys.HEADER_DEFAULT_ROUTE: "true"}
    assert rules[3]["http"]["paths"][0]["appendHeaders"] == {keys.HEADER_TAG: "next"}


def test_certificates_are_asked_for_and_nobody_makes_them(world: Any) -> None:
    world.settings = replace(world.settings, network=NetworkConfig(external_domain_tls=True))
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    condition = world.conditions(ROUTES, "hello")["CertificateProvisioned"]
    assert condition == ("True", "HTTPDowngrade")


def test_a_gradual_rollout_from_start_to_end(world: Any) -> None:
    world.put(ROUTES, a_route(annotations={keys.ROLLOUT_DURATION.key: "20s"}))
    world.settle(world.reconcile)
    serve(world)
    world.settle(world.reconcile)
    assert splits(world) == [("one", 100)]
    world.status(CONFIGURATIONS, "hello", latestReadyRevisionName="two")
    world.apply(world.reconcile())
    assert splits(world) == [("one", 99), ("two", 1)]
    assert world.conditions(ROUTES, "hello")["Ready"] == ("Unknown", "RolloutInProgress")
    shares = []
    for _ in range(60):
        serve(world)
        plan = world.reconcile()
        world.apply(plan)
        world.now += plan.requeue_after or 0.5
        shares.append(splits(world)[-1][1])
    assert shares == sorted(shares)
    assert splits(world) == [("two", 100)]
    assert world.conditions(ROUTES, "hello")["Ready"] == ("True", "")
    traffic = world.the(ROUTES, "hello")["status"]["traffic"]
    assert [(t["revisionName"], t["percent"]) for t in traffic] == [("two", 100)]
    assert '"revisionName":"two"' in annotations(world.the(KINGRESSES, "hello"))[keys.ROLLOUT]
