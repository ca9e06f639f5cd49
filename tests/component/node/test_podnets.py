"""Networks of pods: real namespaces on a real bridge. They take root."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hearth.cluster.node.runtime.podnets.namespaces import connect_inside, in_namespace
from hearth.cluster.node.runtime.podnets.podnets import PodNets

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="bridges and namespaces take root")


@pytest.fixture
def node_id() -> str:
    return uuid.uuid4().hex


@pytest.fixture
async def nets(node_id: str) -> AsyncIterator[PodNets]:
    made = PodNets(node_id)
    try:
        await made.open()
    except PermissionError as error:
        pytest.skip(f"no bridge can be made here: {error}")
    yield made
    await PodNets(node_id).sweep()  # as the next node does it: nothing stays


def listen_inside(path: Path, address: str) -> socket.socket:
    return in_namespace(path, lambda: socket.create_server((address, 8080)))


async def test_the_machine_and_pods_reach_each_other(nets: PodNets) -> None:
    one, two = await nets.make(), await nets.make()
    assert (one.gateway, two.gateway) == (one.gateway, one.gateway)
    with listen_inside(one.path, "0.0.0.0") as server:
        server.settimeout(5)
        for connect in (
            lambda: socket.create_connection((one.ip, 8080), timeout=5),
            lambda: in_namespace(two.path, lambda: socket.create_connection((one.ip, 8080), 5)),
            lambda: connect_inside(one.path, 8080),
        ):
            client = await asyncio.to_thread(connect)
            server.accept()[0].close()
            client.close()
    with socket.create_server((one.gateway, 0)) as outside:
        port = outside.getsockname()[1]
        await asyncio.to_thread(
            in_namespace,
            two.path,
            lambda: socket.create_connection((two.gateway, port), 5).close(),
        )


async def test_a_thread_comes_home(nets: PodNets) -> None:
    net = await nets.make()
    inside = await asyncio.to_thread(in_namespace, net.path, socket.if_nameindex)
    assert [name for _, name in inside] == ["lo", "eth0"]
    assert nets.bridge in [name for _, name in socket.if_nameindex()]
    with pytest.raises(ZeroDivisionError):
        in_namespace(net.path, lambda: 1 // 0)
    assert nets.bridge in [name for _, name in socket.if_nameindex()]


async def test_the_next_node_keeps_what_lives(nets: PodNets, node_id: str) -> None:
    one, two = await nets.make(), await nets.make()
    after = PodNets(node_id)
    assert await after.keep(one.ip) == one
    assert await after.keep("10.9.9.9") is None
    await after.sweep()
    assert not two.path.exists() and one.path.exists()
    assert await after.make(one.ip) != one
    await after.remove(one.ip)
    assert await after.make(one.ip) == one


async def test_nothing_stays(nets: PodNets, node_id: str) -> None:
    net = await nets.make()
    after = PodNets(node_id)
    await after.sweep()
    assert not net.path.exists()
    assert after.bridge not in [name for _, name in socket.if_nameindex()]
    again = await after.make()  # the bridge comes again
    assert again.path.exists()
