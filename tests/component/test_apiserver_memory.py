"""Memory of the API server's process after objects of 1 MB came and went."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from pathlib import Path
from typing import Any

from hearth.kube.client import KubeClient
from hearth.kube.resources import SECRETS

SERVER = """
import asyncio, sys
from pathlib import Path
import uvloop
from hearth.cluster.apiserver.main import ApiServerConfig, run
uvloop.run(run(ApiServerConfig(Path(sys.argv[1]), port=0), lambda: print("ready", flush=True)))
"""
MAX_GROWTH_MB = 35
"""Two objects, 4 MiB of recent changes and what the requests need: 15. It was 60 and more."""
UPDATES = 12


def resident_mb(pid: int) -> int:
    """Anonymous memory of a process that is in use, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) // 1000
    raise AssertionError("no RssAnon")


def a_secret(name: str) -> dict[str, Any]:
    value = base64.b64encode(os.urandom(750_000)).decode()
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"v": value}}


async def churn(client: KubeClient, name: str) -> None:
    await client.create(SECRETS, a_secret(name))
    for _ in range(UPDATES):
        await client.update(SECRETS, a_secret(name))
        await client.get(SECRETS, name, "default")


async def test_large_objects_that_come_and_go_leave_the_process_small(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"ready\n"
        async with KubeClient.from_kubeconfig(next(tmp_path.rglob("kubeconfig*"))) as client:
            before = resident_mb(process.pid)
            await asyncio.gather(churn(client, "one"), churn(client, "two"))
            grown = resident_mb(process.pid) - before
        assert grown < MAX_GROWTH_MB
    finally:
        process.kill()
        await process.wait()
