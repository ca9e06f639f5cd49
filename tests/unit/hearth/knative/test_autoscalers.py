"""Whom an activator reports to: the holder of the Lease that a revision's bucket has."""

from __future__ import annotations

from hearth.knative.autoscalers import ElectedAutoscalers, EveryAutoscaler, OneAutoscaler
from hearth.knative.leaderelection import LeaderElectionConfig
from hearth.kube.meta import Object

LEASES = LeaderElectionConfig().leases("hearth-serving")


def lease(holder: str, name: str = "hearth-serving.00-of-01") -> Object:
    return {"metadata": {"name": name}, "spec": {"holderIdentity": holder}}


def test_the_only_one_decides_on_everything() -> None:
    one = OneAutoscaler(("127.0.0.1", 9090))
    assert one.decides(("127.0.0.1", 9090), "ns", "rev")
    assert not one.decides(("127.0.0.1", 9091), "ns", "rev")
    assert one.addresses() == {("127.0.0.1", 9090)}


def test_the_holder_is_followed() -> None:
    told: list[None] = []
    found = ElectedAutoscalers(LEASES)
    found.on_change(lambda: told.append(None))
    assert not found.decides(("10.0.0.1", 9090), "ns", "rev")
    found.lease_changed(None, lease("a_10.0.0.1:9090"))
    found.lease_changed(lease("a_10.0.0.1:9090"), lease("a_10.0.0.1:9090"))  # renewed
    assert found.decides(("10.0.0.1", 9090), "ns", "rev")
    found.lease_changed(lease("a_10.0.0.1:9090"), lease("b_10.0.0.2:9090"))
    assert found.addresses() == {("10.0.0.2", 9090)}
    assert len(told) == 2


def test_until_there_is_another_holder_the_last_one_is_told() -> None:
    found = ElectedAutoscalers(LEASES)
    found.lease_changed(None, lease("a_10.0.0.1:9090"))
    found.lease_changed(lease("a_10.0.0.1:9090"), lease(""))
    found.lease_changed(lease(""), None)
    assert found.addresses() == {("10.0.0.1", 9090)}


def test_leases_of_others_and_holders_without_an_address_are_passed_over() -> None:
    found = ElectedAutoscalers(LEASES)
    found.lease_changed(None, lease("a_10.0.0.1:9090", name="kube-scheduler"))
    found.lease_changed(None, lease("somebody"))
    assert found.addresses() == set()


def test_each_bucket_has_its_own_holder() -> None:
    found = ElectedAutoscalers(LeaderElectionConfig(buckets=2).leases("hearth-serving"))
    found.lease_changed(None, lease("a_10.0.0.1:9090", "hearth-serving.00-of-02"))
    found.lease_changed(None, lease("b_10.0.0.2:9090", "hearth-serving.01-of-02"))
    first, second = ("10.0.0.1", 9090), ("10.0.0.2", 9090)
    assert found.addresses() == {first, second}
    decided = [
        (found.decides(first, "ns", f"rev-{n}"), found.decides(second, "ns", f"rev-{n}"))
        for n in range(40)
    ]
    assert set(decided) == {(True, False), (False, True)}


def test_all_replicas_of_who_scales_routes_are_told() -> None:
    told: list[None] = []
    found = EveryAutoscaler()
    found.on_change(lambda: told.append(None))
    for _ in range(2):
        found.listed("operator", {"10.0.0.1:8089", "10.0.0.2:8089"})
    assert found.addresses() == {("10.0.0.1", 8089), ("10.0.0.2", 8089)}
    assert all(found.decides(address, "ns", "route") for address in found.addresses())
    assert len(told) == 1
    found.listed("external scaler", {"10.0.0.3:8089"})
    found.listed("operator", set())
    assert found.addresses() == {("10.0.0.3", 8089)}
