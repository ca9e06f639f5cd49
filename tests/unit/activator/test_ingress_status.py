"""The status of a KIngress: complete, settled, and honest about what cannot be routed."""

from __future__ import annotations

from typing import Any

from activator.ingress_status import LoadBalancers, refused_status, routed_status

ADDRESSES = LoadBalancers(public="out.local", private="in.local")


def an_ingress(status: dict[str, Any] | None = None, generation: int = 3) -> dict[str, Any]:
    made: dict[str, Any] = {"metadata": {"name": "i", "generation": generation}}
    return made if status is None else {**made, "status": status}


def states(status: dict[str, Any]) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in status["conditions"]}


def test_routed() -> None:
    status = routed_status(an_ingress(), ADDRESSES, now=0.0)
    assert states(status) == {
        "LoadBalancerReady": "True",
        "NetworkConfigured": "True",
        "Ready": "True",
    }
    assert status["observedGeneration"] == 3
    assert status["publicLoadBalancer"] == {"ingress": [{"domainInternal": "out.local"}]}
    assert status["privateLoadBalancer"] == {"ingress": [{"domainInternal": "in.local"}]}


def test_its_own_result_is_settled() -> None:
    first = routed_status(an_ingress(), ADDRESSES, now=0.0)
    assert routed_status(an_ingress(first), ADDRESSES, now=99.0) == first
    refused = refused_status(an_ingress(first), "why", now=5.0)
    assert refused_status(an_ingress(refused), "why", now=99.0) == refused


def test_refused_and_routed_again() -> None:
    refused = refused_status(an_ingress(), "why", now=0.0)
    assert states(refused)["Ready"] == states(refused)["NetworkConfigured"] == "False"
    [network] = [c for c in refused["conditions"] if c["type"] == "NetworkConfigured"]
    assert (network["reason"], network["message"]) == ("InvalidIngress", "why")
    again = routed_status(an_ingress(refused, generation=4), ADDRESSES, now=1.0)
    assert states(again)["Ready"] == "True"
    assert again["observedGeneration"] == 4
