from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from hearth.knative.resources import CONFIGURATIONS, KINGRESSES, REVISIONS, ROUTES
from hearth.kube import meta
from hearth.kube.controllerspec import Index, Source
from hearth.kube.meta import Object, annotations
from hearth.kube.plan import Plan
from hearth.kube.resources import SERVICES
from serving.api import keys
from serving.api.config.domain import DomainConfig
from serving.api.config.features import FeaturesConfig
from serving.api.config.network import NetworkConfig
from serving.api.settings import Settings
from serving.kinds import sources
from serving.kinds.route import kind
from serving.kinds.route import reconcile as route
from serving.kinds.route.placeholder import GATEWAY_HOST

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
    stage.name = "hello"

    def reconcile() -> Plan:
        observed = route.Observed(
            stage.the(ROUTES, stage.name),
            {c["metadata"]["name"]: c for c in stage.all(CONFIGURATIONS)},
            {r["metadata"]["name"]: r for r in stage.all(REVISIONS)},
            stage.get(KINGRESSES, stage.name),
            {s["metadata"]["name"]: s for s in stage.all(SERVICES)},
            stage.holders,
        )
        return route.reconcile(observed, settings=stage.settings, now=stage.now)

    stage.reconcile = reconcile
    stage.holders = {}
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
    assert world.the(SERVICES, "hello")["spec"]["externalName"] == f"{GATEWAY_HOST}.cluster.local"
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


def test_an_option_that_is_none_is_told_and_what_is_served_stays(world: Any) -> None:
    world.put(ROUTES, a_route(annotations={keys.HTTP_PROTOCOL.key: "Redirected"}))
    world.settle(world.reconcile)
    wrong = {keys.HTTP_PROTOCOL.key: "Redirect"}
    world.edit(ROUTES, "hello", lambda o: o["metadata"].update(annotations=wrong))
    world.settle(world.reconcile)
    assert world.the(KINGRESSES, "hello")["spec"]["httpOption"] == "Redirected"
    assert world.conditions(ROUTES, "hello")["AllTrafficAssigned"] == ("False", "ErrorConfig")
    told = world.message(ROUTES, "hello", "AllTrafficAssigned")
    assert told == "incorrect http-protocol annotation: redirect"


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


def hosts(world: Any) -> list[str]:
    return [h for r in world.the(KINGRESSES, "hello")["spec"]["rules"] for h in r["hosts"]]


def test_a_host_of_an_older_route_is_not_served(world: Any) -> None:
    """Both used to be ready, and one served the other's requests."""
    world.put(ROUTES, a_route())
    host = "hello.ns.example.com"
    metadata = {"name": "old", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"}
    world.holders = {host: [{"kind": "Route", "metadata": metadata}]}
    world.settle(world.reconcile)
    assert hosts(world) == ["hello.ns", "hello.ns.svc", "hello.ns.svc.cluster.local"]
    serve(world)
    world.settle(world.reconcile)
    assert world.conditions(ROUTES, "hello")["Ready"] == ("False", "DomainConflict")
    assert world.message(ROUTES, "hello", "IngressReady") == (
        f'The host "{host}" belongs to Route "shop/old".'
    )
    world.holders = {}
    world.settle(world.reconcile)
    assert host in hosts(world)
    serve(world)
    world.settle(world.reconcile)
    assert world.conditions(ROUTES, "hello")["Ready"] == ("True", "")


def test_a_younger_one_gives_the_host_up(world: Any) -> None:
    world.put(ROUTES, a_route())
    metadata = {"name": "new", "namespace": "shop", "creationTimestamp": "2026-12-31T00:00:00Z"}
    world.holders = {"hello.ns.example.com": [{"kind": "DomainMapping", "metadata": metadata}]}
    world.settle(world.reconcile)
    serve(world)
    world.settle(world.reconcile)
    assert world.conditions(ROUTES, "hello")["Ready"] == ("True", "")


def test_a_constant_template_gives_a_tag_no_host_of_its_own(world: Any) -> None:
    world.settings = replace(SETTINGS, network=NetworkConfig(domain_template="one.example.com"))
    world.put(ROUTES, a_route(LATEST, {"revisionName": "two", "tag": "next", "percent": 0}))
    world.settle(world.reconcile)
    assert hosts(world).count("one.example.com") == 1
    assert world.conditions(ROUTES, "hello")["Ready"] == ("False", "DomainConflict")


LONG = "a" * 60


@pytest.mark.parametrize(
    ("network", "problem"),
    [
        (
            NetworkConfig(),
            f'invalid name "preview-{LONG}" of tag "preview": must be no more than 63 characters',
        ),
        (
            NetworkConfig(tag_template="{{.Tag}}", domain_template="{{.Name}}-{{.Tag}}.x"),
            "error executing the DomainTemplate",
        ),
        (
            NetworkConfig(
                tag_template="{{.Tag}}",
                domain_template="{{.Name}}-{{.Namespace}}-" + LONG + ".example.com",
            ),
            "must be no more than 63 characters",
        ),
        (NetworkConfig(tag_template="1-{{.Tag}}"), "a DNS-1035 label must consist of"),
    ],
    ids=["name too long", "no such field", "label too long", "no name of a Service"],
)
def test_a_name_that_cannot_be(world: Any, network: NetworkConfig, problem: str) -> None:
    """Ready it was, with an address nobody can resolve, and events of what never came to be."""
    world.settings = replace(SETTINGS, network=network)
    traffic = ({**LATEST, "configurationName": "hello"}, {"revisionName": "two", "tag": "preview"})
    route_ = a_route(*traffic)
    if network == NetworkConfig():
        route_["metadata"]["name"] = LONG
        world.name = LONG
    world.put(ROUTES, route_)
    world.settle(world.reconcile)
    named = route_["metadata"]["name"]
    assert world.conditions(ROUTES, named)["Ready"] == ("False", "ErrorConfig")
    assert problem in world.message(ROUTES, named, "AllTrafficAssigned")
    assert world.events == []
    assert world.all(SERVICES) == []


class Listed:
    """A lister over a few objects, without caches."""

    def __init__(self, **objects: Sequence[Object]) -> None:
        self._objects = objects

    def list(self, source: Source, namespace: str | None = None) -> Sequence[Object]:
        return self._objects.get(source.resource.kind, [])

    def get(self, source: Source, namespace: str, name: str) -> Object | None:
        found = (o for o in self.list(source) if meta.key(o) == (namespace, name))
        return next(found, None)

    def by_index(self, index: Index, value: str) -> Sequence[Object]:
        return [o for o in self.list(index.source) if value in index.function(o)]

    def count(self, index: Index, value: str) -> int:
        return len(self.by_index(index, value))


def test_who_has_a_host_and_whom_a_change_of_it_concerns() -> None:
    host = "hello.ns.example.com"
    mine, other = a_route(uid="1"), a_route(name="other", uid="2")
    mine["status"] = {"url": f"http://{host}:8080"}
    owner = {"apiVersion": "v1", "kind": "Route", "name": "other", "uid": "2", "controller": True}
    taken: Object = {
        "metadata": {"name": "other", "namespace": "ns", "ownerReferences": [owner]},
        "spec": {"rules": [{"hosts": [host]}]},
    }
    lister = Listed(Route=[mine, other], Ingress=[taken])
    observed = kind.observe(lister, ("ns", "hello"), SETTINGS)
    assert observed is not None
    assert observed.holders == {host: [other]}
    controller = kind.controller(lambda: SETTINGS)
    mapped = {
        key
        for watch in controller.watches
        if watch.source == sources.INGRESSES
        for key in watch.keys(lister, taken)
    }
    assert ("ns", "hello") in mapped


def test_the_host_of_an_owner_that_is_gone_is_free() -> None:
    host = "hello.ns.example.com"
    owner = {"apiVersion": "v1", "kind": "Route", "name": "gone", "uid": "2", "controller": True}
    left: Object = {
        "metadata": {"name": "gone", "namespace": "ns", "ownerReferences": [owner]},
        "spec": {"rules": [{"hosts": [host]}]},
    }
    observed = kind.observe(
        Listed(Route=[a_route(uid="1")], Ingress=[left]), ("ns", "hello"), SETTINGS
    )
    assert observed is not None
    assert observed.holders == {}


def test_a_revision_that_was_rolled_back_gets_nothing_until_somebody_wants_it(world: Any) -> None:
    duration = {keys.ROLLOUT_DURATION.key: "100s"}
    world.put(ROUTES, a_route(annotations=duration))
    world.settle(world.reconcile)
    serve(world)
    world.settle(world.reconcile)
    world.status(CONFIGURATIONS, "hello", latestReadyRevisionName="two")
    world.apply(world.reconcile())
    assert splits(world) == [("one", 99), ("two", 1)]
    why = 'Revision "two" was rolled back to "one": 9.0% of 100 requests failed.'
    verdict = {keys.ROLLED_BACK: why, keys.ROLLED_BACK_TO: "one"}
    world.edit(REVISIONS, "two", lambda o: o["metadata"].update(annotations=verdict))
    world.settle(world.reconcile)
    assert splits(world) == [("one", 100)]  # at once
    serve(world)
    world.settle(world.reconcile)
    assert world.conditions(ROUTES, "hello")["Ready"] == ("False", "RolledBack")
    assert world.message(ROUTES, "hello", "Ready") == why
    (entry,) = world.the(ROUTES, "hello")["status"]["traffic"]
    assert (entry["revisionName"], entry["percent"]) == ("one", 100)
    world.edit(REVISIONS, "two", lambda o: o["metadata"].update(annotations={}))
    world.apply(world.reconcile())
    assert splits(world) == [("one", 99), ("two", 1)]  # by and by again


def test_a_new_revision_is_rolled_out_after_one_that_was_rolled_back(world: Any) -> None:
    world.put(ROUTES, a_route())
    own = {keys.ROLLED_BACK: "why", keys.ROLLED_BACK_TO: "zero"}
    world.edit(REVISIONS, "one", lambda o: o["metadata"].update(annotations=own))
    world.settle(world.reconcile)
    assert splits(world) == [("one", 100)]  # zero is gone: there is nothing to go back to
    world.put(REVISIONS, a_revision("zero"))
    world.settle(world.reconcile)
    assert splits(world) == [("zero", 100)]
    world.status(CONFIGURATIONS, "hello", latestReadyRevisionName="two")
    world.settle(world.reconcile)
    assert splits(world) == [("two", 100)]


PORTS = "[{name: grpc, port: 50051, protocol: h2c}, {name: metrics, port: 9999, counted: false}]"


def with_ports(world: Any, revision: str, text: str = PORTS) -> None:
    mended = world.the(REVISIONS, revision)
    mended["metadata"]["annotations"] = {keys.PORTS: text}
    world.put(REVISIONS, mended)


def rules(world: Any, word: str) -> list[Object]:
    found = world.the(KINGRESSES, "hello")["spec"]["rules"]
    return [rule for rule in found if rule["hosts"][0].startswith(word)]


def test_a_further_port_has_a_host_as_a_tag_has(world: Any) -> None:
    with_ports(world, "one")
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    assert [rule["visibility"] for rule in rules(world, "grpc-hello")] == [
        "ClusterLocal",
        "ExternalIP",
    ]
    public = rules(world, "grpc-hello.ns.example.com")[0]
    [split] = public["http"]["paths"][0]["splits"]
    assert (split["serviceName"], split["servicePort"], split["percent"]) == ("one", 50051, 100)
    assert split["appendHeaders"][keys.HEADER_REVISION] == "one"
    assert world.get(SERVICES, "grpc-hello") is not None
    # Of no scale, and for nobody outside.
    [local] = rules(world, "metrics-hello")
    assert local["visibility"] == "ClusterLocal"
    [split] = local["http"]["paths"][0]["splits"]
    assert keys.HEADER_REVISION not in split["appendHeaders"]
    listed = world.the(ROUTES, "hello")["status"]["traffic"]
    assert [each.get("tag") for each in listed] == [None]


def test_a_port_that_not_all_revisions_have_goes_to_those_that_have_it(world: Any) -> None:
    with_ports(world, "two")
    half = [{"revisionName": name, "percent": 50} for name in ("one", "two")]
    world.put(ROUTES, a_route(*half))
    world.settle(world.reconcile)
    [split] = rules(world, "grpc-hello.ns.example")[0]["http"]["paths"][0]["splits"]
    assert (split["serviceName"], split["percent"]) == ("two", 100)


def test_a_tag_goes_before_a_port_of_its_name(world: Any) -> None:
    with_ports(world, "one")
    world.put(ROUTES, a_route(LATEST, {"revisionName": "two", "tag": "grpc", "percent": 0}))
    world.settle(world.reconcile)
    [split] = rules(world, "grpc-hello.ns.example")[0]["http"]["paths"][0]["splits"]
    assert (split["serviceName"], split["servicePort"]) == ("two", 80)


def test_names_of_ports_that_are_gone_go(world: Any) -> None:
    with_ports(world, "one")
    world.put(ROUTES, a_route())
    world.settle(world.reconcile)
    with_ports(world, "one", "[{name: grpc, port: 50051}]")
    world.settle(world.reconcile)
    assert world.get(SERVICES, "metrics-hello") is None
    assert rules(world, "metrics-hello") == []
