"""The Services of the gateway: what leads where."""

from __future__ import annotations

import pytest

from hearth.cli.gateways import gateway_objects, page_route


def test_a_service_leads_to_its_listener() -> None:
    service, endpoints = gateway_objects("hearth-gateway", "127.0.0.1", (8080, 8443))
    assert service["metadata"] == {"name": "hearth-gateway", "namespace": "knative-serving"}
    assert service["spec"]["ports"] == [
        {"name": "http", "port": 80, "targetPort": 8080},
        {"name": "https", "port": 443, "targetPort": 8443},
    ]
    labels = endpoints["metadata"]["labels"]
    assert labels == {"kubernetes.io/service-name": "hearth-gateway"}
    assert endpoints["endpoints"][0]["addresses"] == ["127.0.0.1"]
    assert endpoints["ports"] == [
        {"name": "http", "port": 8080, "protocol": "TCP"},
        {"name": "https", "port": 8443, "protocol": "TCP"},
    ]


@pytest.mark.parametrize(
    ("host", "kind", "address"),
    [
        ("10.1.2.3", "IPv4", "10.1.2.3"),
        ("0.0.0.0", "IPv4", "127.0.0.1"),
        ("::", "IPv6", "::1"),
        ("::1", "IPv6", "::1"),
    ],
)
def test_an_address_that_is_every_address_is_reached_through_loopback(
    host: str, kind: str, address: str
) -> None:
    _, endpoints = gateway_objects("g", host, (80, 443))
    assert endpoints["addressType"] == kind
    assert endpoints["endpoints"][0]["addresses"] == [address]


def test_the_gateway_leads_to_the_page_by_a_name_of_this_machine() -> None:
    route = page_route()
    [rule] = route["spec"]["rules"]
    assert (rule["hosts"], rule["visibility"]) == (["hearth.localhost"], "ExternalIP")
    [split] = rule["http"]["paths"][0]["splits"]
    assert (split["serviceNamespace"], split["serviceName"]) == ("knative-serving", "hearth-page")
