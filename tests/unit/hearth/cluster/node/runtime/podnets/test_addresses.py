from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.runtime.podnets.addresses import (
    Addresses,
    NoAddress,
    choose_subnet,
    parse_range,
    parse_routes,
)

ROUTES = """Id 11059201:
  |-- 10.96.0.0
     /12 host LOCAL
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
        /1 universe UNICAST
     +-- 10.246.0.0/16 2 0 2
        |-- 10.246.0.0
           /16 link UNICAST
"""


def test_routes_of_all_tables() -> None:
    found = ["10.96.0.0/12", "0.0.0.0/0", "0.0.0.0/1", "10.246.0.0/16"]
    assert list(map(str, parse_routes(ROUTES))) == found


@given(st.text(), st.lists(st.integers(0, 255), max_size=60))
def test_a_network_that_nothing_uses(node_id: str, second: list[int]) -> None:
    taken = [IPv4Network("0.0.0.0/0"), *(IPv4Network(f"10.{n}.0.0/16") for n in second)]
    subnet = choose_subnet(node_id, taken)
    assert subnet.prefixlen == 22
    assert not any(subnet.overlaps(network) for network in taken[1:])
    assert choose_subnet(node_id, taken) == subnet


def test_a_machine_without_a_free_network() -> None:
    with pytest.raises(NoAddress, match="--pod-range"):
        choose_subnet("a", [IPv4Network("10.0.0.0/8")])
    within = IPv4Network("172.30.0.0/21")
    subnet = choose_subnet("a", [IPv4Network("10.0.0.0/8"), IPv4Network("172.30.0.0/24")], within)
    assert subnet == IPv4Network("172.30.4.0/22")


@given(st.text())
def test_other_clusters_find_their_networks_free(node_id: str) -> None:
    """Routes that lead to the world, as with a VPN, are no networks."""
    subnet = choose_subnet(node_id, [IPv4Network("0.0.0.0/1"), IPv4Network("0.0.0.0/0")])
    usual = ["10.42.0.0/15", "10.1.0.0/16", "10.152.183.0/24", "10.244.0.0/16", "10.96.0.0/12"]
    usual += ["10.88.0.0/16", "10.128.0.0/14", "172.16.0.0/12", "192.168.0.0/16", "10.0.0.0/16"]
    assert not any(subnet.overlaps(IPv4Network(each)) for each in usual)


@pytest.mark.parametrize("text", ["", "10.0.0.0", "10.0.0.0/24", "10.0.0.1/16", "fd00::/64"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_range(text)


def test_addresses_come_again_late() -> None:
    addresses = Addresses(IPv4Network("10.1.0.0/29"))
    assert addresses.gateway == "10.1.0.1"
    assert [addresses.take() for _ in range(5)] == [f"10.1.0.{n}" for n in (2, 3, 4, 5, 6)]
    with pytest.raises(NoAddress):
        addresses.take()
    addresses.taken -= {"10.1.0.3", "10.1.0.5"}
    assert addresses.take("10.1.0.5") == "10.1.0.5"
    assert addresses.take("10.1.0.5") == "10.1.0.3"


@pytest.mark.parametrize("wanted", ["10.1.0.1", "10.1.0.7", "10.1.0.0", "127.0.0.1"])
def test_what_is_not_for_pods(wanted: str) -> None:
    assert Addresses(IPv4Network("10.1.0.0/29")).take(wanted) == "10.1.0.2"
