from __future__ import annotations

import pytest

from hearth.knative.views import KIngress, KnativeView


@pytest.mark.parametrize(
    ("status", "observed", "told"),
    [
        pytest.param("True", 2, "True", id="ready"),
        pytest.param("True", 1, "Unknown", id="ready-of-an-older-generation"),
        pytest.param("False", 1, "False", id="failed-is-said-at-once"),
        pytest.param("Unknown", 2, "Unknown", id="unknown"),
    ],
)
def test_ready_counts_for_its_own_generation(status: str, observed: int, told: str) -> None:
    conditions = [{"type": "Ready", "status": status}]
    obj = {
        "metadata": {"generation": 2},
        "status": {"observedGeneration": observed, "conditions": conditions},
    }
    assert KnativeView(obj).ready_status == told


def test_an_address_is_there_or_not() -> None:
    assert KnativeView({}).address_url == ""
    assert KnativeView({"status": {"address": {"url": "http://a"}}}).address_url == "http://a"


def test_the_private_load_balancer_goes_first() -> None:
    public = {"publicLoadBalancer": {"ingress": [{"domain": "public"}]}}
    private = {"privateLoadBalancer": {"ingress": [{"domain": "private"}]}}
    assert KIngress({"status": {**public, **private}}).load_balancer == {"domain": "private"}
    assert KIngress({"status": public}).load_balancer == {"domain": "public"}
    assert KIngress({"status": {"privateLoadBalancer": {"ingress": []}}}).load_balancer is None


def test_hosts_of_all_rules() -> None:
    rules = [{"hosts": ["a", "b"]}, {}, {"hosts": ["c"]}]
    assert list(KIngress({"spec": {"rules": rules}}).hosts) == ["a", "b", "c"]
