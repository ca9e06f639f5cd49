"""Looks at services and pods again and again, and shows what changed."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from hearth.cli.access import access
from hearth.cli.errors import UserError
from hearth.cli.state import running_state
from hearth.cli.statusparts import table
from hearth.cli.top.figures import Look, pod_rows, service_rows, traffic_of, usage_of
from hearth.install.bundle import NAMESPACE
from hearth.knative.resources import KSERVICES
from hearth.kube import meta
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.kubeconfig import access_of
from hearth.kube.meta import Object
from hearth.kube.resources import PODS

Scrape = Callable[[KubeClient], Awaitable[Sequence[str]]]
"""Reads the metrics of every activator; raises OSError or ApiError."""
_USAGE = "/apis/metrics.k8s.io/v1beta1/pods"
_ACTIVATORS = "app.kubernetes.io/name=hearth-activator"
_METRICS_PORT = "metrics"
_SECONDS = 5.0
_WIDE = 200
"""Columns where nobody looks through a terminal: names stay whole."""


@dataclass(frozen=True, slots=True)
class TopOptions:
    """What the command line of ``hearth top`` says; ``namespace`` None: of all."""

    namespace: str | None
    pods: bool
    once: bool
    interval_seconds: float
    output: str


def run_top(data_dir: Path, kubeconfig: Path | None, options: TopOptions) -> int:
    """Show it until Ctrl-C, or once; return the exit code."""
    if options.interval_seconds < 0.1:
        raise UserError("--interval: give at least 0.1 seconds")
    api, scrape = _of_cluster(kubeconfig) if kubeconfig else _of_here(data_dir)
    try:
        asyncio.run(_top(api, scrape, options))
    except ApiError as error:
        raise UserError(error.message) from error
    except KeyboardInterrupt:
        return 0
    return 0


def _of_here(data_dir: Path) -> tuple[Access, Scrape]:
    state = running_state(data_dir)
    ports = [port for name, port in state["ports"].items() if name.startswith("metrics-activator")]
    host = state.get("host", "127.0.0.1")

    async def scrape(_client: KubeClient) -> Sequence[str]:
        urls = [f"http://{host}:{port}/metrics" for port in ports]
        return await asyncio.gather(*(asyncio.to_thread(_read, url) for url in urls))

    return access_of(Path(state["kubeconfig"])), scrape


def _read(url: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        url, timeout=_SECONDS
    ) as answer:
        return str(answer.read().decode())


def _of_cluster(kubeconfig: Path) -> tuple[Access, Scrape]:
    async def scrape(client: KubeClient) -> Sequence[str]:
        """Through the API server, which takes the right to get pods/proxy."""
        pods, _ = await client.list(PODS, NAMESPACE, label_selector=_ACTIVATORS)
        return await asyncio.gather(*(_read_of_pod(client, pod) for pod in pods))

    return access(kubeconfig), scrape


async def _read_of_pod(client: KubeClient, pod: Object) -> str:
    ports = [port for each in pod["spec"]["containers"] for port in each.get("ports") or ()]
    port = next(each["containerPort"] for each in ports if each.get("name") == _METRICS_PORT)
    path = PODS.path(NAMESPACE, f"{meta.name(pod)}:{port}", "proxy/metrics")
    lines = client.stream_lines(path, {}, timeout=aiohttp.ClientTimeout(total=_SECONDS))
    return "\n".join([line.decode() async for line in lines])


async def _top(api: Access, scrape: Scrape, options: TopOptions) -> None:
    async with KubeClient(api, user_agent="hearth-top") as client:
        look = await _look(client, scrape, options)
        if options.once or options.output == "json" or not sys.stdout.isatty():
            await asyncio.sleep(options.interval_seconds)
            _print(look, await _look(client, scrape, options), options)
            return
        await _live(client, scrape, look, options)


async def _live(client: KubeClient, scrape: Scrape, look: Look, options: TopOptions) -> None:
    from rich.live import Live

    with Live(auto_refresh=False, screen=True) as live:
        live.update("one moment ...", refresh=True)
        while True:
            await asyncio.sleep(options.interval_seconds)
            before, look = look, await _look(client, scrape, options)
            live.update(_shown(before, look, options), refresh=True)


async def _look(client: KubeClient, scrape: Scrape, options: TopOptions) -> Look:
    remarks: list[str] = []
    services, _ = await client.list(KSERVICES, options.namespace)
    pods, _ = await client.list(PODS, options.namespace)
    texts: Sequence[str] = ()
    try:
        texts = await scrape(client)
    except (OSError, ApiError) as error:
        remarks.append(f"requests are not known: {getattr(error, 'message', error)}")
    at = time.monotonic()
    usage = {}
    try:
        usage = usage_of((await client.request("GET", _USAGE)).get("items") or ())
    except NotFound:
        remarks.append("CPU and memory are not known: this cluster has no metrics-server")
    except ApiError as error:
        remarks.append(f"CPU and memory are not known: {error.message}")
    traffic = {
        place: counted
        for place, counted in traffic_of(texts).items()
        if options.namespace in (None, place[0])
    }
    return Look(at, traffic, list(services), list(pods), usage, remarks)


# -- printing --------------------------------------------------------------------------------------


def _print(before: Look, after: Look, options: TopOptions) -> None:
    if options.output == "json":
        report = {
            "seconds": round(after.at - before.at, 3),
            "services": service_rows(before, after),
            "pods": list(pod_rows(after)),
            "remarks": list(after.remarks),
        }
        print(json.dumps(report, indent=2))
        return
    from rich.console import Console  # the command line starts faster without

    width = None if sys.stdout.isatty() else _WIDE
    Console(width=width).print(_shown(before, after, options))


def _shown(before: Look, after: Look, options: TopOptions) -> Any:
    from rich.console import Group

    rows = list(pod_rows(after)) if options.pods else service_rows(before, after)
    columns = _POD_COLUMNS if options.pods else _SERVICE_COLUMNS
    what = "No pods." if options.pods else "No services yet: hearth deploy"
    shown = table(columns, [_words(row) for row in rows]) if rows else what
    return Group(shown, *(f"\n{remark}" for remark in after.remarks))


_SERVICE_COLUMNS = {
    "NAMESPACE": "namespace", "SERVICE": "name", "READY": "ready", "REQ/S": "rate",
    "ACTIVE": "active", "PODS": "pods", "P50": "p50", "P99": "p99", "CPU": "cpu",
    "MEMORY": "memory", "COLD STARTS": "coldStarts",
}  # fmt: skip
_POD_COLUMNS = {
    "NAMESPACE": "namespace", "POD": "name", "SERVICE": "service", "PHASE": "phase",
    "READY": "ready", "RESTARTS": "restarts", "CPU": "cpu", "MEMORY": "memory",
}  # fmt: skip


def _words(row: Mapping[str, Any]) -> dict[str, Any]:
    cores, octets = row["cores"], row["memoryBytes"]
    words = {
        **row,
        "cpu": "-" if cores is None else f"{cores * 1000:.0f}m",
        "memory": "-" if octets is None else f"{octets / 2**20:.0f} MiB",
    }
    if "requestsPerSecond" in row:
        words["rate"] = f"{row['requestsPerSecond']:.1f}"
        words["pods"] = f"{row['readyPods']}/{row['pods']}"
        words["p50"], words["p99"] = (_seconds(row[f"{each}Seconds"]) for each in ("p50", "p99"))
    return words


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
