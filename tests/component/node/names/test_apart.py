"""Names in a thread of their own."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.cluster.node.names.apart import NamesApart
from hearth.cluster.node.names.service import NamesConfig
from hearth.kube.client import KubeClient

CONFIG = NamesConfig(("127.0.0.1", 6443), ("127.0.0.1", 8081))


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "node-names"]


async def test_a_thread_begins_with_the_first_bridge_and_ends(tmp_path: Path) -> None:
    connected = []

    def connect() -> KubeClient:
        connected.append(threading.current_thread().name)
        return KubeClient.from_kubeconfig(server.kubeconfig)

    async with running_apiserver(tmp_path) as server:
        names = NamesApart(CONFIG, connect)
        assert threads() == []
        way = await names.attach("", "127.0.0.1")
        assert way.proxy == "http://127.0.0.1:8081" and await names.attach("", "127.0.0.1") is way
        assert threads() == connected == ["node-names"]
        await names.close()
    assert threads() == []


async def test_a_thread_that_cannot_begin_is_told(tmp_path: Path) -> None:
    def refuse() -> KubeClient:
        raise OSError("no connection")

    names = NamesApart(CONFIG, refuse)
    for _ in range(2):
        with pytest.raises(OSError, match="no connection"):
            await names.attach("", "127.0.0.1")
    await names.close()
    assert threads() == []


async def test_who_attached_nothing_closes_nothing() -> None:
    await NamesApart(CONFIG, lambda: KubeClient.from_kubeconfig(Path("none"))).close()
    assert threads() == []
