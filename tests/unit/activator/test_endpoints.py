"""EndpointSlices: which address, which port, which state."""

from __future__ import annotations

from typing import Any

import pytest

from activator.endpoints import (
    Endpoint,
    State,
    addresses_of,
    endpoints_of,
    endpoints_of_pods,
    trimmed,
    trimmed_with_probes,
)
from activator.probing import ProbeKind


def a_slice(*endpoints: dict[str, Any], port: int = 41000, name: str = "http") -> dict[str, Any]:
    return {"endpoints": list(endpoints), "ports": [{"name": name, "port": port}]}


def an_endpoint(pod: str = "p", address: str = "127.0.0.1", **conditions: bool) -> dict[str, Any]:
    return {
        "addresses": [address],
        "conditions": conditions,
        "targetRef": {"kind": "Pod", "name": pod},
    }


def a_service(*ports: tuple[int, str]) -> dict[str, Any]:
    return {"spec": {"ports": [{"port": port, "name": name} for port, name in ports]}}


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        pytest.param({}, State.READY, id="nothing-said-means-ready"),
        pytest.param({"ready": True}, State.READY, id="ready"),
        pytest.param({"ready": False}, State.NOT_READY, id="not-ready"),
        pytest.param(
            {"ready": False, "serving": True, "terminating": True}, State.TERMINATING, id="ending"
        ),
        pytest.param({"ready": True, "terminating": True}, State.TERMINATING, id="ready-ending"),
    ],
)
def test_conditions(conditions: dict[str, Any], state: State) -> None:
    [found] = endpoints_of([a_slice(an_endpoint(**conditions))], {}, 80).values()
    assert found == Endpoint(("127.0.0.1", 41000), state, "p")


def test_one_slice_per_port_on_one_machine() -> None:
    slices = [a_slice(an_endpoint("p1"), port=41000), a_slice(an_endpoint("p2"), port=41001)]
    assert set(endpoints_of(slices, a_service((80, "http")), 80)) == {
        ("127.0.0.1", 41000),
        ("127.0.0.1", 41001),
    }


def test_the_services_port_names_the_slices_port() -> None:
    item = {
        "endpoints": [an_endpoint()],
        "ports": [{"name": "http", "port": 1}, {"name": "metrics", "port": 2}],
    }
    service = a_service((80, "http"), (9090, "metrics"))
    for port, number in ((80, 1), (9090, 2), ("metrics", 2)):
        assert list(endpoints_of([item], service, port)) == [("127.0.0.1", number)]
    # Before the Service is seen, usual names leave no doubt.
    assert list(endpoints_of([item], {}, 80)) == [("127.0.0.1", 1)]
    assert list(endpoints_of([item], {}, "metrics")) == [("127.0.0.1", 2)]


def test_a_pod_in_two_slices_is_as_ready_as_the_more_careful_one_says() -> None:
    slices = [a_slice(an_endpoint(ready=True)), a_slice(an_endpoint(ready=False))]
    for order in (slices, slices[::-1]):
        assert [e.state for e in endpoints_of(order, {}, 80).values()] == [State.NOT_READY]


def test_a_port_given_to_a_new_pod_is_the_new_pods() -> None:
    slices = [
        a_slice(an_endpoint("old", ready=False, terminating=True)),
        a_slice(an_endpoint("new", ready=False)),
    ]
    for order in (slices, slices[::-1]):
        assert [e.pod for e in endpoints_of(order, {}, 80).values()] == ["new"]


def test_slices_without_ports_or_endpoints_give_nothing() -> None:
    assert endpoints_of([{"endpoints": None, "ports": None}], {}, 80) == {}
    assert endpoints_of([a_slice({"addresses": []})], {}, 80) == {}
    assert endpoints_of([a_slice(an_endpoint(), name="x")], a_service((80, "http")), 80) == {}


def test_a_service_of_two_families_has_each_pod_once() -> None:
    service = a_service((80, "http"))
    service["spec"]["ipFamilies"] = ["IPv6", "IPv4"]
    slices = [
        a_slice(an_endpoint("p", "10.0.0.7"), port=8080) | {"addressType": "IPv4"},
        a_slice(an_endpoint("p", "fd00::7"), port=8080) | {"addressType": "IPv6"},
    ]
    assert list(endpoints_of(slices, service, 80)) == [("fd00::7", 8080)]
    # Its first family has no slices yet, or a slice of somebody's own says another: all count.
    assert list(endpoints_of(slices[:1], service, 80)) == [("10.0.0.7", 8080)]


# -- by the pods' own word ---------------------------------------------------------------------


def a_revisions_service(**spec: Any) -> dict[str, Any]:
    port = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": "user-port"}
    return {"spec": {"selector": {"revision": "r1"}, "ports": [port]} | spec}


def a_pod(ip: str | None = "10.246.0.10", *, ready: bool = False, **about: Any) -> dict[str, Any]:
    """A pod as a kubelet tells of it: its own address, and the port that it declares."""
    return {
        "metadata": {
            "name": "p",
            "namespace": "default",
            "uid": "u",
            "resourceVersion": "7",
            "labels": {"revision": "r1", "app": "x"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "r1"}],
            **about,
        },
        "spec": {
            "nodeName": "n",
            "containers": [
                {"name": "side", "image": "s"},
                {"name": "main", "ports": [{"name": "user-port", "containerPort": 8080}]},
            ],
        },
        "status": {
            "phase": "Running",
            "podIP": ip,
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": str(ready)},
            ],
        },
    }


_ENDING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("pod", "state"),
    [
        pytest.param(a_pod(), State.NOT_READY, id="an-address-is-enough-to-probe"),
        pytest.param(a_pod(ready=True), State.READY, id="ready-by-the-kubelets-word"),
        pytest.param(a_pod(ready=True, **_ENDING), State.TERMINATING, id="ending-though-ready"),
    ],
)
def test_what_a_pod_says_of_itself(pod: dict[str, Any], state: State) -> None:
    found = endpoints_of_pods([pod], a_revisions_service(), 80)
    assert found == {("10.246.0.10", 8080): Endpoint(("10.246.0.10", 8080), state, "p")}
    assert endpoints_of_pods([trimmed(pod)], a_revisions_service(), 80) == found


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod(None), id="no-address-yet"),
        pytest.param(a_pod(labels={"revision": "r2"}), id="another-revision"),
        pytest.param(a_pod() | {"status": {"podIP": "1.1.1.1", "phase": "Failed"}}, id="finished"),
        pytest.param(a_pod() | {"spec": {"containers": [{}]}}, id="no-such-port"),
    ],
)
def test_pods_that_stand_behind_nothing(pod: dict[str, Any]) -> None:
    assert endpoints_of_pods([pod, trimmed(pod)], a_revisions_service(), 80) == {}


def test_a_service_may_publish_pods_that_are_not_ready() -> None:
    service = a_revisions_service(publishNotReadyAddresses=True)
    [found] = endpoints_of_pods([a_pod()], service, "http").values()
    assert found.state is State.READY


def test_on_one_machine_a_pod_has_other_ports_than_it_declares() -> None:
    pod = a_pod("127.0.0.1", annotations={"hearth.dev/ports": '{"8080":20007}', "other": "x"})
    found = endpoints_of_pods([pod], a_revisions_service(), 80)
    assert list(found) == [("127.0.0.1", 20007)]
    assert endpoints_of_pods([trimmed(pod)], a_revisions_service(), 80) == found


def test_an_unknown_port_of_the_service_leads_nowhere() -> None:
    assert endpoints_of_pods([a_pod()], a_revisions_service(), 81) == {}


def test_what_is_kept_of_a_pod() -> None:
    assert trimmed(a_pod(ready=True)) == {
        "metadata": {
            "name": "p",
            "namespace": "default",
            "uid": "u",
            "resourceVersion": "7",
            "labels": {"revision": "r1", "app": "x"},
        },
        "spec": {
            "containers": [
                {"ports": None},
                {"ports": [{"name": "user-port", "containerPort": 8080}]},
            ]
        },
        "status": {
            "phase": "Running",
            "podIP": "10.246.0.10",
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def test_pods_may_say_how_to_see_that_they_are_ready() -> None:
    pod = a_pod()
    pod["spec"]["containers"][1]["readinessProbe"] = {"httpGet": {"port": "user-port"}}
    [found] = endpoints_of_pods([pod], a_revisions_service(), 80, has_probes=True).values()
    assert found.probe is not None and found.probe.kind is ProbeKind.HTTP
    kept = trimmed_with_probes(pod)
    assert endpoints_of_pods([kept], a_revisions_service(), 80, has_probes=True) == {
        found.address: found
    }
    sidecar = {"name": "s", "image": "i", "startupProbe": {"exec": {"command": ["true"]}}}
    pod["spec"]["initContainers"] = [{"name": "once", "image": "i"}, sidecar]
    pod["spec"]["readinessGates"] = [{"conditionType": "x"}]
    kept = trimmed_with_probes(pod)
    assert kept["spec"]["readinessGates"] == pod["spec"]["readinessGates"]
    assert [each["startupProbe"] for each in kept["spec"]["initContainers"]] == [
        sidecar["startupProbe"]
    ]


def test_every_address_of_a_headless_service_is_listed_ready_or_not() -> None:
    ready, starting = an_endpoint(address="10.0.0.1"), an_endpoint(address="10.0.0.2", ready=False)
    slices = [
        a_slice(ready, starting, port=8082),
        {"ports": None, "endpoints": [an_endpoint(address="10.0.0.3")]},
        {"ports": [{"port": 8082}], "endpoints": None},
    ]
    slices.append(a_slice(an_endpoint(address="fd00::1"), port=8082))
    listed = addresses_of(slices, ("10.0.0.9", 8082))
    assert listed == {"10.0.0.1:8082", "10.0.0.2:8082", "10.0.0.3:8082"}
    assert addresses_of(slices, ("fd00::9", 8082)) == {"fd00::1:8082"}


@pytest.mark.parametrize(
    ("port", "speaks_http2"),
    [
        pytest.param({"name": "http"}, False, id="http"),
        pytest.param({"name": "http2"}, True, id="revision-with-h2c"),
        pytest.param({"name": "h2c"}, True, id="h2c"),
        pytest.param({"name": "web", "appProtocol": "kubernetes.io/h2c"}, True, id="app-protocol"),
        pytest.param({"name": "http2", "appProtocol": "http"}, False, id="app-protocol-first"),
    ],
)
def test_ports_for_http2(port: dict[str, Any], speaks_http2: bool) -> None:
    service = {"spec": {"ports": [{"port": 80, **port}], "selector": {"a": "b"}}}
    item = {"endpoints": [an_endpoint()], "ports": [{"port": 41000, **port}]}
    for known in (service, {}):
        [found] = endpoints_of([item], known, 80).values()
        assert found.speaks_http2 is speaks_http2
    pod = {
        "metadata": {"name": "p", "labels": {"a": "b"}},
        "spec": {"containers": [{}]},
        "status": {"podIP": "10.0.0.1"},
    }
    [found] = endpoints_of_pods([pod], service, 80).values()
    assert found.speaks_http2 is speaks_http2


def test_a_port_for_https_is_one_whose_name_has_to_be_shown() -> None:
    service = {
        "metadata": {"namespace": "ns", "name": "app"},
        "spec": {"ports": [{"name": "web", "port": 443, "appProtocol": "https"}]},
    }
    slices = [
        {
            "addressType": "IPv4",
            "ports": [{"name": "web", "port": 8443}],
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
        }
    ]
    [endpoint] = endpoints_of(slices, service, 443).values()
    assert endpoint.tls_name == "app.ns.svc"
    plain = {**service, "spec": {"ports": [{"name": "web", "port": 443}]}}
    [endpoint] = endpoints_of(slices, plain, 443).values()
    assert endpoint.tls_name == ""
