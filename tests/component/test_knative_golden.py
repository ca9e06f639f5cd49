"""The recorded exchanges with real Knative, replayed against the whole of a control plane.

There are no nodes here, so what a running pod would bring about differs; every difference is named.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from eventing import main as eventing
from hearth.cluster.apiserver.testing import running_apiserver
from serving import main as serving
from tests.recordings import EVENTING_EXCHANGES, REPLAY, SERVING_EXCHANGES
from tests.recordings import exchanges as recorded

ServiceRun = Callable[[Callable[[], None]], Coroutine[Any, Any, None]]

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


EXPECTED_OF_EVENTING = {
    # Written by the broker, whose field manager has a name of its own in Knative.
    "trigger subscriber change accepted",
    # Knative takes what it cannot read, and no Broker or channel can be made from then on.
    "configmap config-br-defaults default-br-config=x: [",
    "configmap default-ch-webhook default-ch-config=clusterDefault: [",
    # Stored together with Knative's own example texts, and with what it was installed by.
    "configmap config-features delivery-timeout=perhaps",
    "configmap config-ping-defaults data-max-size=x",
}


@contextlib.asynccontextmanager
async def running(folder: Path, make: Callable[[Path], ServiceRun]) -> AsyncIterator[Path]:
    """The kubeconfig of an API server with the controllers and webhooks of a control plane."""
    async with running_apiserver(folder) as server:
        ready = asyncio.Event()
        task = asyncio.create_task(make(server.kubeconfig)(ready.set), name="control")
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


async def differences(kubeconfig: Path, exchanges: Path, report: Path) -> dict[str, Any]:
    """What was answered otherwise than recorded, by the name of the exchange."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(REPLAY),
        str(kubeconfig),
        str(exchanges),
        "--json",
        str(report),
        stdout=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(120):
        await process.wait()
    rows = json.loads(report.read_text())
    assert len(rows) == len(recorded(exchanges))
    return {row["id"]: row["differences"] for row in rows if not row["equal"]}


async def test_serving(tmp_path: Path) -> None:
    def run(kubeconfig: Path) -> ServiceRun:
        return partial(serving.run, serving.ServingConfig(kubeconfig=kubeconfig))

    async with running(tmp_path / "data", run) as kubeconfig:
        found = await differences(kubeconfig, SERVING_EXCHANGES, tmp_path / "report.json")
    assert {key: value for key, value in found.items() if key not in EXPECTED} == {}


async def test_eventing(tmp_path: Path) -> None:
    def run(kubeconfig: Path) -> ServiceRun:
        config = eventing.EventingConfig(kubeconfig=kubeconfig, broker_url="http://127.0.0.1:9")
        return partial(eventing.run, config)

    async with running(tmp_path / "data", run) as kubeconfig:
        found = await differences(kubeconfig, EVENTING_EXCHANGES, tmp_path / "report.json")
    others = {key: value for key, value in found.items() if key not in EXPECTED_OF_EVENTING}
    assert others == {}
    assert len(EXPECTED_OF_EVENTING) <= 0.05 * len(recorded(EVENTING_EXCHANGES))
