"""What revisions at zero cost whose next pods wait: three containers each, one of them for init.

Containers by runc, through ``hearth up``. The processor's time is that of what waits and, beside
that, what all of Hearth takes more than before it had these Services. Then one of them is woken.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from hearth.cluster.node.runtime.bundles.runc import find_program
from hearth.kube.client import KubeClient
from hearth.kube.meta import Object
from hearth.kube.resources import CONFIGMAPS
from tests.bench.containers import IMAGE, Bench, service, until_waiting, waiting_bytes
from tests.bench.direct import bring_images
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, row

COUNT, CONTAINERS, SECONDS = 10, 3, 15.0
_TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(*pids: int) -> float:
    """Of processes and what they have waited for."""
    stats = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(sum(map(int, fields[11:15])) for fields in stats) / _TICKS


def described(number: int) -> Object:
    """A Service as real ones are: a sidecar, an init container, files from a ConfigMap."""
    made = service(f"s-{number}", IMAGE)
    spec = made["spec"]["template"]["spec"]
    name = "settings" if number == 0 else "others"
    mounts = [{"name": "files", "mountPath": "/files"}, {"name": "data", "mountPath": "/data"}]
    spec["containers"][0] |= {"ports": [{"containerPort": 8080}], "volumeMounts": mounts}
    spec["containers"].append({"name": "beside", "image": IMAGE, "args": ["forever"]})
    spec["initContainers"] = [{"name": "first", "image": IMAGE, "args": ["exit", "0"]}]
    spec["volumes"] = [
        {"name": "files", "configMap": {"name": name}},
        {"name": "data", "emptyDir": {}},
    ]
    return made


async def _spent(pids: list[int]) -> float:
    """Milliseconds of processor time in each second."""
    before = processor_seconds(*pids)
    began = time.perf_counter()
    await asyncio.sleep(SECONDS)
    return (processor_seconds(*pids) - before) / (time.perf_counter() - began) * 1000


async def _rows(hearth: RunningHearth, bench: Bench) -> list[Row]:
    own = list(hearth.pids().values())
    before = await _spent(own)
    await bench.create(*map(described, range(COUNT)))
    held = await until_waiting(COUNT * CONTAINERS)
    waiting, after = await asyncio.gather(_spent(held), _spent(own))
    memory = [waiting_bytes(pid) * CONTAINERS for pid in held]
    began = time.perf_counter()
    if await bench.ask("s-1") != 200:
        raise RuntimeError("a Service with everything did not answer")
    took = (time.perf_counter() - began) * 1000
    more = (after - before) / COUNT
    return [
        row("sleeping: memory of a pod of three containers that waits", memory, "MiB", at_most=3),
        row("sleeping: processor time of what waits", [waiting], "ms/s", at_most=0),
        row("sleeping: of Hearth, for each such Service", [more], "ms/s", at_most=1),
        row("sleeping: a wake with init container, sidecar, volumes", [took], "ms"),
    ]


async def _measure(hearth: RunningHearth) -> list[Row]:
    async with KubeClient.from_kubeconfig(hearth.kubeconfig) as client:
        grace = {"data": {"scale-to-zero-grace-period": "1s"}}
        await client.patch(CONFIGMAPS, "config-autoscaler", "knative-serving", grace)
        features = {"data": dict.fromkeys(_FEATURES, "enabled")}
        await client.patch(CONFIGMAPS, "config-features", "knative-serving", features)
        for name in ("settings", "others"):
            metadata = {"name": name, "namespace": "default"}
            made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
            await client.create(CONFIGMAPS, {**made, "data": {"a": "b"}})
        async with aiohttp.ClientSession() as http:
            return await _rows(hearth, Bench(hearth, client, http))


_FEATURES = ("kubernetes.podspec-init-containers", "kubernetes.podspec-volumes-emptydir")


def rows() -> list[Row]:
    """Skipped, and said, where containers cannot be run directly."""
    if not find_program(os.environ.get("PATH", "")):
        print("skipped, containers without an engine take root and runc", file=sys.stderr)
        return []
    with RunningHearth("--runtime", "runc") as hearth, tempfile.TemporaryDirectory() as folder:
        bring_images(hearth, Path(folder))
        return asyncio.run(_measure(hearth))
