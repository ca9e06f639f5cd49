"""The recorded exchanges with real Knative, replayed against the whole of serving's control plane.

There are no nodes here, so what a running pod would bring about differs; every difference is named.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from hearth.cluster.apiserver.testing import running_apiserver
from serving import main as serving
from tests.recordings import REPLAY, SERVING_EXCHANGES

EXPECTED = {
    # A probe without a port means the user's port here; in Knative only some probes do.
    "valid startupProbe http",
    # Status of a Service and Revision that run: they need a node, and Knative's domain.
    "same template accepted",
    "revision label accepted",
    # Stored together with Knative's own example texts.
    "configmap config-autoscaler scale-to-zero-grace-period=1s",
    "configmap config-features multi-container=perhaps",
}


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Path]:
    """The kubeconfig of an API server with serving's controllers and webhooks."""
    async with running_apiserver(folder) as server:
        ready = asyncio.Event()
        config = serving.ServingConfig(kubeconfig=server.kubeconfig)
        task = asyncio.create_task(serving.run(config, ready.set), name="serving")
        waiting = asyncio.create_task(ready.wait(), name="waiting")
        try:
            async with asyncio.timeout(30):
                await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            yield server.kubeconfig
        finally:
            for each in (task, waiting):
                each.cancel()
            await asyncio.gather(task, waiting, return_exceptions=True)


async def test_replay(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    async with running(tmp_path / "data") as kubeconfig:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(REPLAY),
            str(kubeconfig),
            str(SERVING_EXCHANGES),
            "--json",
            str(report),
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(120):
            await process.wait()
    rows = json.loads(report.read_text())
    different = {row["id"]: row["differences"] for row in rows if not row["equal"]}
    assert {key: value for key, value in different.items() if key not in EXPECTED} == {}
