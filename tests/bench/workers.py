"""Two activators against one, on all cores, load generator and application beside them.

Through ``hearth up`` and a real Service, in turns. Nobody is pinned, so where there are two cores
the load generator and the application take from both what they need: with ``a`` for an activator
and ``b`` for all else, microseconds of CPU for each request, one activator is at its end at ``1/a``
and two cores at ``2/(a+b)``. Both are measured, and what they allow stands beside the result.
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from hearth.knative.resources import KSERVICES
from hearth.kube.client import KubeClient
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, row
from tests.bench.targets import cpu_seconds

RUNS, SECONDS = 5, 4
CONNECTIONS = 64
_ROOT = Path(__file__).resolve().parents[2]
_SERVICE = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "warm", "namespace": "default"},
    "spec": {
        "template": {
            "metadata": {
                "annotations": {
                    "autoscaling.knative.dev/min-scale": "1",
                    "autoscaling.knative.dev/max-scale": "1",
                }
            },
            "spec": {"containers": [{"image": "bench/warm"}]},
        }
    },
}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of wrk: requests a second, and microseconds of CPU for each."""

    rate: float
    activators_us: float
    others_us: float
    """Of the load generator and the application."""
    busiest: float
    """The share of the requests' CPU time that the busiest activator had."""
    errors: int


async def _deploy(hearth: RunningHearth) -> None:
    hearth.command(
        "image", "add", "bench/warm", "--workdir", str(_ROOT), "--",
        sys.executable, "-m", "tests.bench.warm_app",
    )  # fmt: skip
    async with KubeClient.from_kubeconfig(hearth.kubeconfig) as client, asyncio.timeout(60):
        await client.create(KSERVICES, _SERVICE)
        while True:
            found = await client.get(KSERVICES, "warm", "default")
            conditions = (found.get("status") or {}).get("conditions") or ()
            if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
                return
            await asyncio.sleep(0.05)


def _application(hearth: RunningHearth) -> int:
    """The process of the Service's pod: a child of this Hearth's node, somewhere."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            is_app = b"tests.bench.warm_app" in path.read_bytes()
            environment = (path.parent / "environ").read_bytes()
        except OSError:
            continue
        if is_app and str(hearth.data_dir).encode() in environment:
            return int(path.parent.name)
    raise RuntimeError("the application does not run")


def _measure(hearth: RunningHearth, application: int) -> Run:
    pids = [pid for name, pid in hearth.pids().items() if name.startswith("activator")]
    before = {pid: cpu_seconds(pid) for pid in (*pids, application)}
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s",
         "-H", f"Host: warm.default.localhost:{hearth.port}", f"http://127.0.0.1:{hearth.port}/"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    wrk = now.ru_utime + now.ru_stime - children.ru_utime - children.ru_stime
    spent = {pid: cpu_seconds(pid) - at for pid, at in before.items()}
    activators = [spent[pid] for pid in pids]
    found = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout)
    assert found is not None, done.stdout
    count = int(found[1])
    failed = re.findall(r"(?:Non-2xx or 3xx responses:|timeout|read|write) (\d+)", done.stdout)
    return Run(
        rate=count / float(found[2]),
        activators_us=sum(activators) / count * 1e6,
        others_us=(wrk + spent[application]) / count * 1e6,
        busiest=max(activators) / sum(activators),
        errors=sum(map(int, failed)),
    )


def rows() -> list[Row]:
    if shutil.which("wrk") is None:
        print("workers: skipped, there is no wrk (Debian: apt-get install wrk)", file=sys.stderr)
        return []
    found: dict[int, list[Run]] = {1: [], 2: []}
    with RunningHearth() as one, RunningHearth("--workers", "2") as two:
        hearths = {1: one, 2: two}
        for hearth in hearths.values():
            asyncio.run(_deploy(hearth))
        applications = {workers: _application(hearth) for workers, hearth in hearths.items()}
        for number in range(RUNS + 1):
            for workers in (1, 2) if number % 2 else (2, 1):
                run = _measure(hearths[workers], applications[workers])
                print(f"workers: {workers} {run}", file=sys.stderr)
                if number:  # the first one warms up
                    found[workers].append(run)
    return _rows(found[1], found[2])


def _rows(one: list[Run], two: list[Run]) -> list[Row]:
    def median(runs: list[Run], field: str) -> float:
        return float(statistics.median(getattr(run, field) for run in runs))

    cores = len(os.sched_getaffinity(0))
    spent = median(one, "activators_us"), median(one, "others_us")
    allowed = min(2.0, cores * spent[0] / sum(spent))
    title = f"two activators on {cores} cores"
    peers = {
        "one, requests/s": median(one, "rate"),
        "two, requests/s": median(two, "rate"),
        "an activator, us of CPU a request": spent[0],
        "load generator and application, us": spent[1],
        "at most, by these": allowed,
    }
    ratios = [second.rate / first.rate for first, second in zip(one, two, strict=True)]
    return [
        row(f"{title}, by one", ratios, "x", at_least=1.5, peers=peers),
        row(f"{title}, share of the busier", [run.busiest for run in two], ""),
        row(f"{title}, requests failed", [float(run.errors) for run in two], "", at_most=0),
    ]
