"""Which Revision a request goes to, over which protocol, and how long it waits."""

from __future__ import annotations

import http.client
import socket
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conformance import http2
from conformance.rules import rule
from conformance.support import Cluster, until

Make = Callable[..., dict[str, Any]]
TIMES = 200
FAIR = range(20, 81)
"""Of 200 requests at 25 percent: five standard deviations and more."""


@pytest.fixture(scope="module")
def split(cluster: Cluster) -> str:
    """The host of a Service with a quarter of its requests at Green, the rest at Blue."""

    def service(target: str) -> dict[str, Any]:
        container = {"image": cluster.image, "env": [{"name": "TARGET", "value": target}]}
        # Blue has two instances and three quarters of the requests, whatever that makes for each.
        scale = {"autoscaling.knative.dev/min-scale": "2" if target == "Blue" else "1"}
        metadata = {"name": f"weighed-{target.lower()}", "annotations": scale}
        return {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": "weighed"},
            "spec": {"template": {"metadata": metadata, "spec": {"containers": [container]}}},
        }

    cluster.create(service("Blue"))
    cluster.until_ready("Service", "weighed")
    traffic = [
        {"revisionName": "weighed-blue", "percent": 75},
        {"revisionName": "weighed-green", "percent": 25},
    ]
    cluster.patch("Service", "weighed", {"spec": {**service("Green")["spec"], "traffic": traffic}})
    url = cluster.until_ready("Service", "weighed")["status"]["url"]
    until(lambda: "Green" in cluster.request(url).body, what="an answer of Green")
    return str(urllib.parse.urlsplit(url).netloc)


@rule("SA-37", "SA-42", "SA-45")
def test_requests_of_one_connection_are_shared_by_weight(cluster: Cluster, split: str) -> None:
    connection = http.client.HTTPConnection(cluster.gateway, timeout=60)
    bodies = []
    for _ in range(TIMES):
        connection.request("GET", "/", headers={"Host": split})
        bodies.append(connection.getresponse().read())
    connection.close()
    assert set(bodies) == {b"Hello Blue!\n", b"Hello Green!\n"}
    assert bodies.count(b"Hello Green!\n") in FAIR


@rule("SA-38")
def test_streams_of_one_connection_are_shared_by_weight(cluster: Cluster, split: str) -> None:
    answers = http2.get(cluster.gateway, split, "/", times=80)
    if answers is None:
        pytest.skip("the gateway speaks no HTTP/2 without TLS")
    bodies = [each.body for each in answers]
    assert set(bodies) == {b"Hello Blue!\n", b"Hello Green!\n"}
    assert bodies.count(b"Hello Green!\n") in range(2, 45)


@rule("RC-24")
def test_http2_of_a_client_becomes_what_the_container_speaks(cluster: Cluster, split: str) -> None:
    answers = http2.get(cluster.gateway, split, "/")
    if answers is None:
        pytest.skip("the gateway speaks no HTTP/2 without TLS")
    assert answers[0].status == 200


@rule("SA-39")
def test_each_route_has_a_host_of_its_own(cluster: Cluster, split: str) -> None:
    routes = cluster.kind("Route").get(namespace=cluster.namespace).items
    hosts = [
        urllib.parse.urlsplit(each.status.url).netloc
        for each in routes
        if each.status and each.status.url
    ]
    assert split in hosts
    assert len(hosts) == len(set(hosts))


@rule("SA-40", "SA-41")
def test_hosts_of_routes_resolve(split: str) -> None:
    name = split.partition(":")[0]
    suffix = name.partition(".")[2]
    try:
        socket.getaddrinfo(name, 80)
    except socket.gaierror:
        pytest.skip(f"no DNS here knows {suffix}: the cluster's domain is not set up")
    # A name that nobody asked for is known as well: the record is a wildcard.
    assert socket.getaddrinfo(f"nobody-asked-for-this.{suffix}", 80)


@pytest.fixture(scope="module")
def asleep(cluster: Cluster) -> Iterator[str]:
    """The host of a Service with half of its requests at a Revision that has no instances."""
    window = {"autoscaling.knative.dev/window": "6s"}
    keep = {"autoscaling.knative.dev/min-scale": "1"}

    def service(target: str, annotations: dict[str, str]) -> dict[str, Any]:
        container = {"image": cluster.image, "env": [{"name": "TARGET", "value": target}]}
        metadata = {"name": f"halves-{target.lower()}", "annotations": annotations}
        template = {"metadata": metadata, "spec": {"containers": [container]}}
        return {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": "halves"},
            "spec": {"template": template},
        }

    cluster.create(service("Asleep", window))
    cluster.until_ready("Service", "halves")
    traffic = [
        {"revisionName": "halves-asleep", "percent": 50},
        {"revisionName": "halves-awake", "percent": 50},
    ]
    cluster.patch(
        "Service", "halves", {"spec": {**service("Awake", keep)["spec"], "traffic": traffic}}
    )
    url = cluster.until_ready("Service", "halves")["status"]["url"]
    yield urllib.parse.urlsplit(url).netloc


@rule("SA-43", "SA-44")
def test_who_wakes_a_revision_is_answered_by_it(cluster: Cluster, asleep: str) -> None:
    selector = "serving.knative.dev/revision=halves-asleep"
    until(lambda: not cluster.pods(selector), seconds=150, what="no instances of the Revision")
    bodies = [cluster.request(f"http://{asleep}").body for _ in range(40)]
    assert set(bodies) == {"Hello Asleep!\n", "Hello Awake!\n"}
    assert bodies.count("Hello Asleep!\n") in range(5, 36)
