"""EndpointSlices: which address, which port, which state."""

from __future__ import annotations

from typing import Any

import pytest

from activator.endpoints import Endpoint, State, endpoints_of


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
    [found] = endpoints_of([a_slice(an_endpoint(**conditions))], None, 80).values()
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
    assert list(endpoints_of([item], None, 80)) == [("127.0.0.1", 1)]
    assert list(endpoints_of([item], None, "metrics")) == [("127.0.0.1", 2)]


def test_a_pod_in_two_slices_is_as_ready_as_the_more_careful_one_says() -> None:
    slices = [a_slice(an_endpoint(ready=True)), a_slice(an_endpoint(ready=False))]
    for order in (slices, slices[::-1]):
        assert [e.state for e in endpoints_of(order, None, 80).values()] == [State.NOT_READY]


def test_a_port_given_to_a_new_pod_is_the_new_pods() -> None:
    slices = [
        a_slice(an_endpoint("old", ready=False, terminating=True)),
        a_slice(an_endpoint("new", ready=False)),
    ]
    for order in (slices, slices[::-1]):
        assert [e.pod for e in endpoints_of(order, None, 80).values()] == ["new"]


def test_slices_without_ports_or_endpoints_give_nothing() -> None:
    assert endpoints_of([{"endpoints": None, "ports": None}], None, 80) == {}
    assert endpoints_of([a_slice({"addresses": []})], None, 80) == {}
    assert endpoints_of([a_slice(an_endpoint(), name="x")], a_service((80, "http")), 80) == {}
