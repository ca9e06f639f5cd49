"""The rules, on objects made here and on clusters that real Knative made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from hearth.keda.scalers.catalog import TYPES
from hearth.knative import resources as knative
from hearth.kube.meta import Object
from hearth.kube.resources import CONFIGMAPS, Resource
from hearth.migrate.findings import Finding, Outcome
from hearth.migrate.rules import check
from hearth.migrate.snapshot import Snapshot
from tests.recordings import EVENTING_WORLD, SERVING_WORLD, scenarios

KNOWN = {
    (resource.api_version, resource.kind): resource
    for resource in vars(knative).values()
    if isinstance(resource, Resource)
}


def snapshot_of(objects: Sequence[Object], minor: int = 34) -> Snapshot:
    by_resource: dict[Resource, list[Object]] = {}
    for obj in objects:
        group, slash, version = obj["apiVersion"].rpartition("/")
        if not slash or not group.endswith(".knative.dev"):
            continue
        plural = obj["kind"].lower() + "s"
        other = Resource(group, version, plural, obj["kind"])
        by_resource.setdefault(KNOWN.get((obj["apiVersion"], obj["kind"]), other), []).append(obj)
    return Snapshot(minor, by_resource, [o for o in objects if o["kind"] == CONFIGMAPS.kind])


def found(*objects: Object, minor: int = 34) -> list[Finding]:
    return check(snapshot_of(objects, minor), TYPES)


def made(path: Path) -> list[Object]:
    """The objects of a recorded scenario; its first document says how they were made."""
    return list(yaml.safe_load_all(path.read_text()))[1:]


def config(name: str, data: Mapping[str, str], namespace: str = "knative-serving") -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


OURS = config("config-network", {"ingress-class": "hearth.ingress.networking.knative.dev"})


def a_revision(image: str = "a@sha256:1", port: str = "", **annotations: str) -> Object:
    container: dict[str, Any] = {"image": image, "name": "user-container"}
    if port:
        container["ports"] = [{"name": port, "containerPort": 8080}]
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {
            "name": "r",
            "namespace": "n",
            "labels": {"serving.knative.dev/routingState": "active"},
            "annotations": annotations,
            "ownerReferences": [{"controller": True, "kind": "Configuration", "uid": "u"}],
        },
        "spec": {"containers": [container]},
    }


def a_broker(of_class: str) -> Object:
    return {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Broker",
        "metadata": {
            "name": "b",
            "namespace": "n",
            "annotations": {"eventing.knative.dev/broker.class": of_class},
        },
        "spec": {},
    }


def a_trigger(**spec: Any) -> Object:
    subscriber = {"uri": "http://s.n.svc.cluster.local"}
    return {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Trigger",
        "metadata": {"name": "t", "namespace": "n"},
        "spec": {"broker": "b", "subscriber": subscriber, **spec},
    }


def test_an_empty_cluster_needs_nothing() -> None:
    assert found() == []


def test_a_cluster_may_be_too_old() -> None:
    (finding,) = found(minor=29)
    assert finding.outcome is Outcome.STOPS
    assert "1.29" in finding.what and "1.30" in finding.what


@pytest.mark.parametrize(
    ("obj", "outcome", "words"),
    [
        pytest.param(
            config("config-network", {"ingress-class": "kourier.ingress.networking.knative.dev"}),
            Outcome.CHANGES,
            "kourier",
            id="another gateway",
        ),
        pytest.param(
            config("config-network", {**OURS["data"], "external-domain-tls": "Enabled"}),
            Outcome.STOPS,
            "external-domain-tls",
            id="TLS",
        ),
        pytest.param(
            config("config-network", {**OURS["data"], "system-internal-tls": "Enabled"}),
            Outcome.CHANGES,
            "sidecar",
            id="TLS to pods",
        ),
        pytest.param(
            config("config-observability", {"logging.enable-request-log": "true"}),
            Outcome.CHANGES,
            "request logs",
            id="request logs",
        ),
        pytest.param(
            config("config-autoscaler", {"max-scale": "NaN"}),
            Outcome.STOPS,
            "max-scale",
            id="a setting that cannot be read",
        ),
        pytest.param(a_revision("nginx:1.27"), Outcome.CHANGES, "nginx:1.27", id="no digest"),
        pytest.param(
            a_revision(**{"queue.sidecar.serving.knative.dev/cpu-resource-request": "1"}),
            Outcome.CHANGES,
            "sidecar",
            id="resources of the sidecar",
        ),
        pytest.param(
            a_broker("RabbitMQBroker"), Outcome.STOPS, "RabbitMQBroker", id="another engine"
        ),
        pytest.param(a_broker("MTChannelBasedBroker"), Outcome.CHANGES, "channel", id="broker"),
        pytest.param(
            a_trigger(delivery={"retry": -1}), Outcome.STOPS, "retry", id="refused by admission"
        ),
    ],
)
def test_one_thing(obj: Object, outcome: Outcome, words: str) -> None:
    (finding,) = found(obj)
    assert finding.outcome is outcome
    assert words in finding.what


def test_who_does_nothing_special_is_not_named() -> None:
    assert found(a_revision(port="h2c")) == []
    assert found(OURS, a_revision(), a_trigger(filter={"attributes": {"type": "a"}})) == []


def test_a_revision_that_gets_no_traffic_does_not_count() -> None:
    retired = a_revision("nginx:1.27")
    retired["metadata"]["labels"]["serving.knative.dev/routingState"] = "reserve"
    assert found(retired) == []


def not_served(world: str) -> set[str]:
    return {"Broker"} if world == "broker-other-class" else set()


@pytest.mark.parametrize("path", scenarios(EVENTING_WORLD), ids=lambda path: path.stem)
def test_worlds_of_eventing(path: Path) -> None:
    """What a user made and Hearth does not serve is named; what was made for it is not."""
    stops = [
        each for each in check(snapshot_of(made(path)), TYPES) if each.outcome is Outcome.STOPS
    ]
    assert {each.where.split(" ")[0] for each in stops} == not_served(path.stem)


@pytest.mark.parametrize("path", scenarios(SERVING_WORLD), ids=lambda path: path.stem)
def test_worlds_of_serving_move_as_they_are(path: Path) -> None:
    findings = check(snapshot_of(made(path)), TYPES)
    assert [each for each in findings if each.outcome is Outcome.STOPS] == []
