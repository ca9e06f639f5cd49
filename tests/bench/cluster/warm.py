"""Warm requests: what all of Hearth costs a request, how many pass, how long they take beside none.

Load comes from wrk on this machine, in turns through the gateway and straight to the pod.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import statistics
import sys
from dataclasses import dataclass

from hearth.kube.client import KubeClient
from hearth.kube.resources import PODS
from hearth.kube.views import Pod
from tests.bench.cluster.installation import Installation
from tests.bench.cluster.served import NAMESPACE, Served
from tests.bench.rows import Row, row

RUNS, SECONDS, CONNECTIONS = 5, 5, 32
_NAME = "warm"
_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk saw."""

    requests: int
    rate: float
    p50_us: float


async def measured(
    client: KubeClient, installation: Installation, served: Served, gateway: str
) -> list[Row]:
    """Rows for throughput, CPU a request and added latency."""
    if shutil.which("wrk") is None:
        print("warm: skipped, there is no wrk (Debian: apt-get install wrk)", file=sys.stderr)
        return []
    await served.create(_NAME, {"autoscaling.knative.dev/min-scale": "1"})
    host = served.host(_NAME)
    selector = f"serving.knative.dev/service={_NAME}"
    [pod], _ = await client.list(PODS, NAMESPACE, label_selector=selector)
    direct = f"{Pod(pod).ip}:{Pod(pod).containers[0]['ports'][0]['containerPort']}"
    full, alone, path, everything = list[Load](), list[Load](), list[float](), list[float]()
    single, bare = list[float](), list[float]()
    for _ in range(RUNS):
        before = await installation.used()
        full.append(await _wrk(gateway, host, CONNECTIONS))
        after = await installation.used()
        spent = {title: after[title][0] - before[title][0] for title in before}
        gateways = sum(each for title, each in spent.items() if title.startswith("activator/"))
        path.append(gateways / full[-1].requests * 1e6)
        everything.append(sum(spent.values()) / full[-1].requests * 1e6)
        alone.append(await _wrk(direct, host, CONNECTIONS))
        single.append((await _wrk(gateway, host, 1)).p50_us)
        bare.append((await _wrk(direct, host, 1)).p50_us)
    peer = {"application alone": statistics.median(load.rate for load in alone)}
    rates = [load.rate for load in full]
    added = [through - straight for through, straight in zip(single, bare, strict=True)]
    return [
        row(f"warm requests, {CONNECTIONS} connections", rates, "requests/s", peers=peer),
        row("CPU of activators per warm request", path, "us"),
        row("CPU of all of Hearth's pods per warm request", everything, "us", at_most=619 / 12),
        row("added p50 at 1 connection", added, "us", at_most=120),
    ]


async def _wrk(address: str, host: str, connections: int) -> Load:
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{SECONDS}s",
        "--latency",
        "-H",
        f"Host: {host}",
    ]
    process = await asyncio.create_subprocess_exec(
        *command, f"http://{address}/", stdout=asyncio.subprocess.PIPE
    )
    text = (await process.communicate())[0].decode()
    failed = re.search(r"(?:Non-2xx or 3xx responses:|Socket errors:).*", text)
    if failed is not None:
        raise RuntimeError(failed[0])
    [(count, seconds)] = re.findall(r"(\d+) requests in ([\d.]+)s", text)
    [(number, unit)] = re.findall(r"^\s+50%\s+([\d.]+)(us|ms|s)", text, re.M)
    return Load(int(count), int(count) / float(seconds), float(number) * _UNITS[unit])
