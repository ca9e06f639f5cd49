"""What names stand for: Kubernetes' DNS specification, from Services and EndpointSlices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.names.zone import (
    GATEWAY_SERVICE,
    Found,
    destinations,
    find,
    machine_ports,
    tcp_ports,
)

Object = dict[str, Any]
DOMAIN = "cluster.local"


@dataclass
class Known:
    services: dict[tuple[str, str], Object] = field(default_factory=dict)
    by_service: dict[tuple[str, str], list[Object]] = field(default_factory=dict)

    def service(self, key: tuple[str, str]) -> Object | None:
        return self.services.get(key)

    def slices(self, key: tuple[str, str]) -> Sequence[Object]:
        return self.by_service.get(key, [])


def service(**spec: Any) -> Object:
    return {"metadata": {"uid": "u", "namespace": "ns", "name": "web"}, "spec": spec}


def endpoints(*addresses: str, port: int = 8080, name: str = "", **each: Any) -> Object:
    return {
        "addressType": "IPv4",
        "ports": [{"name": name, "port": port}],
        "endpoints": [{"addresses": [a], "conditions": {"ready": True}, **each} for a in addresses],
    }


def look(name: str, spec: Object, *slices: Object) -> Found | None:
    key = ("ns", "web")
    return find(name, Known({key: service(**spec)}, {key: list(slices)}), DOMAIN)


def test_a_service_is_at_its_cluster_ip() -> None:
    found = look("web.ns.svc.cluster.local", {"clusterIP": "10.96.1.2"})
    assert found == Found(addresses=("10.96.1.2",), service=("ns", "web"))


@pytest.mark.parametrize("given", ["", "10.96.0.1", "192.168.1.1", "nonsense"])
def test_a_cluster_ip_that_is_none_of_ours_is_replaced(given: str) -> None:
    found = look("web.ns.svc.cluster.local", {"clusterIP": given})
    assert found is not None and found.addresses == ("10.111.82.222",)


def test_a_headless_service_is_its_pods() -> None:
    ready = endpoints("10.0.0.5", "10.0.0.6")
    waiting = endpoints("10.0.0.7", conditions={"ready": False})
    found = look("web.ns.svc.cluster.local", {"clusterIP": "None"}, ready, waiting)
    assert found == Found(addresses=("10.0.0.5", "10.0.0.6"))


def test_processes_behind_a_headless_service_are_reached_by_an_address_of_its_own() -> None:
    found = look("web.ns.svc.cluster.local", {"clusterIP": "None"}, endpoints("127.0.0.1"))
    assert found is not None and found.service == ("ns", "web")


def test_a_pod_of_a_service_by_its_host_name() -> None:
    slices = endpoints("10.0.0.5", hostname="web-0")
    assert look("web-0.web.ns.svc.cluster.local", {}, slices) == Found(addresses=("10.0.0.5",))
    assert look("web-1.web.ns.svc.cluster.local", {}, slices) is None


def test_a_pod_by_its_address() -> None:
    assert look("10-0-0-5.ns.pod.cluster.local", {}) == Found(addresses=("10.0.0.5",))
    assert look("10-0-0.ns.pod.cluster.local", {}) is None


def test_a_service_that_is_a_name_is_followed() -> None:
    gateway = ("knative-serving", "gateway")
    known = Known(
        {
            ("ns", "web"): service(
                type="ExternalName", externalName="gateway.knative-serving.svc.cluster.local"
            ),
            gateway: service(clusterIP="10.96.1.2"),
            ("ns", "far"): service(type="ExternalName", externalName="WWW.example.com."),
        }
    )
    assert find("web.ns.svc.cluster.local", known, DOMAIN) == Found(
        ("gateway.knative-serving.svc.cluster.local",), ("10.96.1.2",), service=gateway
    )
    far = Found(("www.example.com",), outside="www.example.com")
    assert find("far.ns.svc.cluster.local", known, DOMAIN) == far


def test_services_that_name_each_other_have_no_address() -> None:
    one, two = (f"{name}.ns.svc.cluster.local" for name in ("one", "two"))
    known = Known(
        {
            ("ns", "one"): service(type="ExternalName", externalName=two),
            ("ns", "two"): service(type="ExternalName", externalName=one),
        }
    )
    assert find(one, known, DOMAIN) == Found((two, one))


@pytest.mark.parametrize("name", ["cluster.local", "svc.cluster.local", "ns.svc.cluster.local"])
def test_what_is_above_names_is_there_and_empty(name: str) -> None:
    assert look(name, {}) == Found()


def test_a_resolvers_tries_of_its_search_list_stay_here() -> None:
    assert look("web.ns.svc.cluster.local.corp.example", {}) is None
    assert look("www.example.com", {}) == Found(outside="www.example.com")


@given(st.lists(st.sampled_from(["web", "ns", "svc", "pod", "1-2-3-4", "", "*"]), max_size=7))
def test_any_name_has_an_answer(labels: list[str]) -> None:
    found = look(".".join([*labels, "cluster.local"]), {"clusterIP": "10.96.1.2"})
    assert found is None or not found.outside


def test_ports_lead_to_the_endpoints_of_the_same_name() -> None:
    web = service(
        ports=[
            {"name": "http", "port": 80},
            {"name": "admin", "port": 81, "protocol": "TCP"},
            {"name": "dns", "port": 53, "protocol": "UDP"},
        ]
    )
    slices = [
        endpoints("10.0.0.5", port=8080, name="http"),
        endpoints("10.0.0.5", port=9090, name="admin"),
        endpoints("10.0.0.6", port=8081, name="http", conditions={"ready": False}),
        endpoints("127.0.0.1", port=20001, name="http"),
    ]
    assert tcp_ports(web) == (80, 81)
    assert destinations(web, slices, 80) == [("10.0.0.5", 8080), ("127.0.0.1", 20001)]
    assert destinations(web, slices, 81) == [("10.0.0.5", 9090)]
    assert destinations(web, slices, 82) == []


def test_urls_for_the_machines_browsers_lead_to_the_gateway() -> None:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    gateway = service(clusterIP="10.96.1.3", ports=ports)
    known = Known({GATEWAY_SERVICE: gateway})
    found = Found(addresses=("10.96.1.3",), service=GATEWAY_SERVICE)
    assert find("hello.default.localhost", known, DOMAIN) == found
    assert find("hello.default.localhost", Known(), DOMAIN) is None
    assert machine_ports(gateway) == (80, 8080)
    slices = [endpoints("127.0.0.1", port=8080, name="http")]
    for port in (80, 8080):
        assert destinations(gateway, slices, port) == [("127.0.0.1", 8080)]
