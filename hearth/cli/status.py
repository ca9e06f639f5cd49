"""``hearth status``: addresses, components, services, and containers that do not get on.

Exit codes: 0 when everything is well, 1 when something needs a look (a component that is down or
was started again a moment ago, a container that does not start or keeps ending, a Service that
failed, an API that does not answer), 3 when Hearth does not run (as init scripts have it).
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hearth.cli.diagnosis import (
    describe_component,
    describe_container,
    describe_service,
    troubled_containers,
)
from hearth.cli.state import is_running, read_state
from hearth.knative.resources import KSERVICES
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from hearth.kube.resources import PODS

_NEEDS_A_LOOK, _NOT_RUNNING = 1, 3
_MAX_LOGS_READ = 20  # last words are asked for one by one


def show_status(data_dir: Path, output: str) -> int:
    """Prints the report as a table or as JSON; returns the exit code."""
    state = read_state(data_dir)
    if not is_running(state):
        if output == "json":
            print(json.dumps({"running": False, "dataDir": str(data_dir)}))
        else:
            print(f"Not running (state folder {data_dir}). Start it with: hearth up")
        return _NOT_RUNNING
    report = asyncio.run(_report(data_dir, state))
    if output == "json":
        print(json.dumps(report, indent=2))
    else:
        _print_tables(report)
    return 0 if report["healthy"] else _NEEDS_A_LOOK


async def _report(data_dir: Path, state: dict[str, Any]) -> dict[str, Any]:
    processes = _processes(state)
    report: dict[str, Any] = {
        "running": True,
        "name": state["name"],
        "dataDir": str(data_dir),
        "kubeconfig": state["kubeconfig"],
        "gateway": state["gateway"],
        "api": state["api"],
        "processes": processes,
        "memoryMiB": round(sum(p["memoryMiB"] for p in processes), 1),
        "services": [],
        "containers": [],
    }
    try:
        async with KubeClient.from_kubeconfig(Path(state["kubeconfig"])) as client:
            services, _ = await client.list(KSERVICES)
            pods, _ = await client.list(PODS)
            report["services"] = [describe_service(service) for service in services]
            report["containers"] = await _containers(client, pods)
    except ApiError as error:
        report["error"] = error.message
    report["healthy"] = _is_healthy(report)
    return report


def _is_healthy(report: Mapping[str, Any]) -> bool:
    return not (
        report.get("error")
        or report["containers"]
        or any(process["trouble"] for process in report["processes"])
        or any(service["ready"] == "False" for service in report["services"])
    )


def _processes(state: dict[str, Any]) -> list[dict[str, Any]]:
    """The supervisor and its components, also those that have no process at the moment."""
    health: dict[str, dict[str, Any]] = state.get("health", {})
    now = time.monotonic()  # Linux counts it from the boot, the same in every process
    found = [{"name": "supervisor", "pid": state["pid"], **describe_component({}, now)}]
    for name, entry in health.items():
        found.append({"name": name, "pid": entry["pid"], **describe_component(entry, now)})
    for process in found:
        port = state["ports"].get(f"metrics-{process['name']}")
        process["metrics"] = f"http://{state['host']}:{port}/metrics" if port else None
        process["memoryMiB"] = round(memory_bytes(process["pid"]) / 2**20, 1)
    return found


def memory_bytes(pid: int) -> int:
    """Proportional set size in bytes: pages shared by n processes count a n-th in each."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return resident * os.sysconf("SC_PAGE_SIZE")


async def _containers(client: KubeClient, pods: list[Object]) -> list[dict[str, Any]]:
    """The containers in trouble, with their last words where the status has none."""
    found: list[dict[str, Any]] = []
    for pod, status in troubled_containers(pods, time.time()):
        container = describe_container(pod, status)
        if not container["lastWords"] and len(found) < _MAX_LOGS_READ:
            container["lastWords"] = await _last_line(client, pod, status)
        found.append(container)
    return found


async def _last_line(client: KubeClient, pod: Object, status: Mapping[str, Any]) -> str:
    query = {"container": status["name"], "tailLines": "1"}
    if "running" in status.get("state", {}):
        query["previous"] = "true"  # what runs now has not ended yet
    last = b""
    try:
        async for line in client.logs(meta.name(pod), meta.namespace(pod), query=query):
            last = line
    except ApiError:  # nothing was ever printed
        return ""
    return last.decode(errors="replace").strip()


# -- printing -----------------------------------------------------------------------------------


def _print_tables(report: dict[str, Any]) -> None:
    from rich.console import Console  # the command line starts faster without
    from rich.table import Table

    console = Console()
    facts = Table.grid(padding=(0, 3))
    for label, field in (("kubeconfig", "kubeconfig"), ("gateway", "gateway"), ("API", "api")):
        facts.add_row(label, str(report[field]))
    console.print(facts)
    console.print()
    console.print(_process_table(report))
    console.print()
    if report["containers"]:
        columns = {"NAMESPACE": "namespace", "POD": "pod", "CONTAINER": "container",
                   "STATE": "state", "RESTARTS": "restarts", "LAST WORDS": "lastWords"}  # fmt: skip
        console.print(_table(columns, report["containers"]))
        console.print()
    if report.get("error"):
        console.print(f"Services cannot be listed: {report['error']}", markup=False)
    elif not report["services"]:
        console.print("No services yet.")
    else:
        columns = {"NAMESPACE": "namespace", "SERVICE": "name", "URL": "url", "READY": "ready",
                   "REASON": "reason"}  # fmt: skip
        console.print(_table(columns, report["services"]))


def _process_table(report: dict[str, Any]) -> Any:
    rows = [
        {
            **process,
            "memory": f"{process['memoryMiB']:.1f} MiB",
            "metrics": process["metrics"] or "",
        }
        for process in report["processes"]
    ]
    total = {"name": "all", "memory": f"{report['memoryMiB']:.1f} MiB"}
    columns = {"PROCESS": "name", "PID": "pid", "STATE": "state", "RESTARTS": "restarts",
               "MEMORY": "memory", "METRICS": "metrics"}  # fmt: skip
    if any(process["trouble"] for process in report["processes"]):
        columns["LAST WORDS"] = "lastWords"
    return _table(columns, [*rows, total])


def _mib(entry: Mapping[str, Any]) -> str:
    return f"{entry['memoryMiB']:.1f} MiB"


def _table(columns: Mapping[str, str], rows: list[dict[str, Any]]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(str(row.get(field, ""))) for field in columns.values()))
    return table
