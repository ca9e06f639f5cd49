"""A pipeline of three jobs that do nothing: from its event to the end of its run, on one machine.

The event goes to the Broker, a Trigger delivers it, the script begins in a pod of its own and runs
the jobs one after the other. The end is when a watch tells of it. Jobs are commands, then
functions of the script, each of which is a Python of its own.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import httpx

from hearth.knative.resources import BROKERS
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.pipelines.api import keys
from hearth.pipelines.views import Run, run_name
from tests.bench.hearth import RunningHearth
from tests.bench.memory import resident
from tests.bench.rows import Row, row

RUNS = 12
_PAUSE_SECONDS = 0.7  # statuses that may wait have been written by then
_SCRIPT = """
from hearth.pipelines import job, on

def nothing(): ...

@on("bench:{name}")
def go(event):
    for name in ("one", "two", "three"):
        job(name, {job}).run()
"""
KINDS = {"commands": 'command=["true"]', "functions": "nothing"}


def rows() -> list[Row]:
    """The table's rows."""
    found = []
    with RunningHearth() as hearth:
        for name, job in KINDS.items():
            script = hearth.data_dir / f"{name}.py"
            script.write_text(_SCRIPT.format(name=name, job=job))
            hearth.command("pipeline", "create", str(script))
            taken = asyncio.run(_taken(hearth.kubeconfig, name))
            title = f"pipeline of three jobs that do nothing ({name}), event to finished"
            found.append(row(title, taken, "ms", at_most=300, peers={"python": _bare()}))
        pid = hearth.pids()["pipelines"]
        found.append(row("pipelines: memory of the component", [resident(pid) / 1e6], "MB"))
    return found


async def _taken(kubeconfig: Path, pipeline: str) -> Sequence[float]:
    async with KubeClient.from_kubeconfig(kubeconfig) as kube, httpx.AsyncClient() as client:
        broker = await kube.get(BROKERS, "default", "default")
        cache = WatchCache(kube, keys.RUNS, namespace="default")
        changed = asyncio.Event()
        cache.on_change(lambda _old, _new: changed.set())
        watching = asyncio.create_task(cache.run())
        await cache.synced()

        async def once() -> float:
            event = {"id": str(uuid.uuid4()), "source": "bench", "type": pipeline}
            headers = {f"ce-{name}": value for name, value in event.items()}
            name, began = run_name(pipeline, event), time.perf_counter()
            sent = await client.post(
                broker["status"]["address"]["url"],
                content=b"{}",
                headers={**headers, "ce-specversion": "1.0", "content-type": "application/json"},
            )
            sent.raise_for_status()
            while not Run(cache.get("default", name)).is_final:
                changed.clear()
                await changed.wait()
            took = (time.perf_counter() - began) * 1000
            if Run(cache.get("default", name)).phase != keys.SUCCEEDED:
                raise RuntimeError(f"{name}: {Run(cache.get('default', name)).status}")
            await asyncio.sleep(_PAUSE_SECONDS)
            return took

        taken = [await once() for _ in range(RUNS + 1)][1:]
        watching.cancel()
        await asyncio.wait({watching})
    return taken


def _bare() -> float:
    """Milliseconds that a Python takes which does nothing but import what a script begins with."""
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import hearth.pipelines"], check=True)
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)[RUNS // 2]
