from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hearth.cluster.node.pod import network as ports
from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.spec import PodSpec

ASpec = Callable[..., PodSpec]
BOTH = PodNetwork(ports={8080: 20001, 9090: 20002})
TWO = {"ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 9090, "name": "admin"}]}


def test_port_is_the_first_declared_one(a_spec: ASpec) -> None:
    container = a_spec(TWO).container("c0")
    assert ports.port_environment(container, PodNetwork(ports={8080: 20001, 9090: 20002})) == {
        "PORT": "20001",
        "HEARTH_PORT_8080": "20001",
        "HEARTH_PORT_9090": "20002",
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [("8080", "20001"), ("9090", "20002"), ("3000", "3000")],
)
def test_an_explicit_port_that_is_declared_becomes_the_real_one(
    a_spec: ASpec, given: str, expected: str
) -> None:
    container = a_spec(TWO).container("c0")
    env = ports.with_real_port({"PORT": given}, container, BOTH)
    assert env["PORT"] == expected


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (8080, 20001),
        ("admin", 20002),
        ("9090", 20002),
        ("none", None),
        (3000, 3000),
        (0, None),
        ("８０８０", None),
    ],
)
def test_ports_of_probes(a_spec: ASpec, asked: int | str, found: int | None) -> None:
    container = a_spec(TWO).container("c0")
    assert BOTH.find_port(container, asked) == found


def test_a_pod_that_declares_no_port_is_given_one(a_spec: ASpec) -> None:
    pod = a_spec({}, {})
    assert (
        ports.port_environment(pod.container("c0"), PodNetwork(ports={8080: 20001}))["PORT"]
        == "20001"
    )
    assert ports.port_environment(pod.container("c1"), PodNetwork(ports={8080: 20001})) == {}


def test_beside_a_declared_port_nothing_is_added(a_spec: ASpec) -> None:
    pod = a_spec({}, {"ports": [{"containerPort": 80}]})
    assert pod.container("c0").ports == ()


def test_the_annotation() -> None:
    assert ports.annotation_text({8080: 20001}) == '{"8080":20001}'


def test_on_an_address_of_its_own_a_port_is_itself(a_spec: ASpec) -> None:
    container = a_spec(TWO).container("c0")
    network = PodNetwork("10.1.2.3")
    assert network.find_port(container, "admin") == 9090
    assert ports.port_environment(container, network)["PORT"] == "8080"


def test_a_network_is_read_back() -> None:
    assert PodNetwork.from_json(json.loads(json.dumps(BOTH.to_json()))) == BOTH
