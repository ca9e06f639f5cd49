"""Broker and Trigger: readiness, defaults, and the data plane's answers."""

from __future__ import annotations

import http.client
import urllib.parse
from typing import Any

import pytest
from kubernetes.dynamic.exceptions import DynamicApiError

from conformance.support import Cluster

GROUP = "eventing.knative.dev/v1"


@pytest.fixture(scope="module")
def broker_url(cluster: Cluster) -> str:
    cluster.create({"apiVersion": GROUP, "kind": "Broker", "metadata": {"name": "default"}})
    broker = cluster.until_ready("Broker", "default", group=GROUP)
    return str(broker["status"]["address"]["url"])


def post(url: str, headers: dict[str, str], body: bytes = b"{}", method: str = "POST") -> int:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request(method, parts.path, body=body, headers=headers)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


BINARY = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "/conformance",
    "ce-type": "test",
    "content-type": "application/json",
}


@pytest.mark.parametrize("version", ["0.3", "1.0"])
def test_binary_events_of_both_versions_are_accepted(broker_url: str, version: str) -> None:
    assert post(broker_url, BINARY | {"ce-specversion": version}) == 202


def test_structured_events_are_accepted(broker_url: str) -> None:
    body = b'{"specversion":"1.0","id":"2","source":"/c","type":"test","data":{"a":1}}'
    assert post(broker_url, {"content-type": "application/cloudevents+json"}, body) == 202


@pytest.mark.parametrize("missing", ["ce-id", "ce-source", "ce-type", "ce-specversion"])
def test_an_event_without_a_required_attribute_is_refused(broker_url: str, missing: str) -> None:
    assert post(broker_url, {k: v for k, v in BINARY.items() if k != missing}) == 400


def test_other_methods_are_not_allowed(broker_url: str) -> None:
    assert post(broker_url, BINARY, method="GET") == 405


def test_an_unknown_broker_is_not_found(broker_url: str) -> None:
    assert post(broker_url.rsplit("/", 1)[0] + "/nobody", BINARY) == 404


def test_the_broker_of_a_trigger_cannot_be_changed(cluster: Cluster, broker_url: str) -> None:
    trigger: dict[str, Any] = {
        "apiVersion": GROUP,
        "kind": "Trigger",
        "metadata": {"name": "fixed"},
        "spec": {"broker": "default", "subscriber": {"uri": "http://sink.example.com"}},
    }
    cluster.create(trigger)
    cluster.until_ready("Trigger", "fixed", group=GROUP)
    with pytest.raises(DynamicApiError) as refused:
        cluster.kind("Trigger", GROUP).patch(
            body={"spec": {"broker": "other"}},
            name="fixed",
            namespace=cluster.namespace,
            content_type="application/merge-patch+json",
        )
    assert "spec" in str(refused.value.body)
