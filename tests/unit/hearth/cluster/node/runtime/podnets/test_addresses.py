from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.runtime.podnets.addresses import (
    Addresses,
    NoAddress,
    choose_subnet,
    parse_routes,
)

ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
lab0\t0000F60A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_routes() -> None:
    assert list(parse_routes(ROUTES)) == [IPv4Network("0.0.0.0/0"), IPv4Network("10.246.0.0/16")]


@given(st.text(), st.lists(st.integers(0, 255), max_size=60))
def test_a_network_that_nothing_uses(node_id: str, second: list[int]) -> None:
    taken = [IPv4Network("0.0.0.0/0"), *(IPv4Network(f"10.{n}.0.0/16") for n in second)]
    subnet = choose_subnet(node_id, taken)
    assert subnet.prefixlen == 22
    assert not any(subnet.overlaps(network) for network in taken[1:])
    assert choose_subnet(node_id, taken) == subnet


def test_a_machine_without_a_free_network() -> None:
    with pytest.raises(NoAddress):
        choose_subnet("a", [IPv4Network("10.0.0.0/8")])


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
