"""What a killed Hearth has left goes where nobody will come back for it, and only there."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hearth.cluster.model.clusterips import CLUSTER_IPS
from hearth.cluster.node.names.routing import Routing
from hearth.cluster.node.runtime.leftovers import remove_leftovers
from hearth.cluster.node.runtime.podnets.networks import OwnNamespaces
from tests.component.node.runtimes.direct_runtime import Harness
from tests.component.node.test_bundles import Node, left
from tests.images import TestImage, is_root

pytestmark = pytest.mark.skipif(not is_root(), reason="what root has left, root removes")


async def said(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE)
    return (await process.communicate())[0].decode()


async def test_a_data_folder_that_is_gone(static_layout: TestImage, tmp_path: Path) -> None:
    harness = Harness(tmp_path / "node", static_layout)
    node = Node(harness, tmp_path / "pods")
    instance = await node.start("left", "forever")
    networks = node.runtime._networks
    assert isinstance(networks, OwnNamespaces)
    nets = networks.nets
    Routing(nets.bridge, CLUSTER_IPS).add()
    name = nets.folder.name
    assert name not in await remove_leftovers()  # its next start may come
    await asyncio.to_thread(shutil.rmtree, tmp_path / "node", ignore_errors=True)
    assert name not in await remove_leftovers()  # its process lives
    assert harness.is_running(instance.handle)
    os.close(nets._owner)  # as the end of the process does
    assert name in await remove_leftovers()
    async with asyncio.timeout(60):
        await instance.wait()
    assert not nets.folder.exists() and left(node.runtime) == set()
    for words in (("ip", "link"), ("ip", "rule"), ("nft", "list", "tables")):
        assert nets.bridge not in await said(*words)
    assert name not in await remove_leftovers()
    await instance.close(sweep=True)
    nets._owner, nets._addresses = -1, None
    await node.runtime.close()
