from __future__ import annotations

from collections.abc import Callable

import pytest

from hearth.cluster.node.pod.spec import PodSpec
from hearth.cluster.node.runtime.processes import ports

ASpec = Callable[..., PodSpec]
TWO = {"ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 9090, "name": "admin"}]}


def test_port_is_the_first_declared_one(a_spec: ASpec) -> None:
    container = a_spec(TWO).container("c0")
    assert ports.port_environment(container, {8080: 20001, 9090: 20002}) == {
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
    env = ports.with_real_port({"PORT": given}, container, {8080: 20001, 9090: 20002})
    assert env["PORT"] == expected


@pytest.mark.parametrize(
    ("asked", "found"),
    [(8080, 20001), ("admin", 20002), ("9090", 20002), ("none", None), (3000, 3000), (0, None)],
)
def test_ports_of_probes(a_spec: ASpec, asked: int | str, found: int | None) -> None:
    container = a_spec(TWO).container("c0")
    assert ports.resolve_port(container, asked, {8080: 20001, 9090: 20002}) == found


def test_a_pod_that_declares_no_port_is_given_one(a_spec: ASpec) -> None:
    pod = a_spec({}, {})
    assert ports.port_environment(pod.container("c0"), {8080: 20001})["PORT"] == "20001"
    assert ports.port_environment(pod.container("c1"), {8080: 20001}) == {}


def test_beside_a_declared_port_nothing_is_added(a_spec: ASpec) -> None:
    pod = a_spec({}, {"ports": [{"containerPort": 80}]})
    assert pod.container("c0").ports == ()


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"a": 1}', '{"1": null}'])
def test_a_broken_annotation_maps_nothing(text: str | None) -> None:
    assert ports.parse_annotation(text) == {}


def test_the_annotation_is_read_back() -> None:
    assert ports.annotation_text({8080: 20001}) == '{"8080":20001}'
    assert ports.parse_annotation('{"8080":20001}') == {8080: 20001}
