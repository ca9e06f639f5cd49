"""Ports that tests get: two of them, in one process or in two, never get the same."""

from tests.ports import free_ports, own_ports


def test_workers_have_ports_of_their_own():
    shares = [set(own_ports(f"gw{i}", 3)) for i in range(3)]
    assert set().union(*shares) == set(own_ports("", 1))
    assert sum(map(len, shares)) == len(own_ports("", 1))


def test_a_port_is_not_given_twice():
    assert len(set(free_ports(200))) == 200
