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

from hearth.cli.diagnosis import NOT_NEEDED, describe_component, describe_service
from hearth.cli.state import is_running, read_state
from hearth.cli.statusparts import containers_in_trouble, print_objects, table
from hearth.knative.resources import KSERVICES
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.resources import PODS

_NEEDS_A_LOOK, _NOT_RUNNING = 1, 3


def show_status(data_dir: Path, output: str) -> int:
    """Prints the report as a table or as JSON; returns the exit code."""
    state = read_state(data_dir)
    if not is_running(state):
        if output == "json":
            print(json.dumps({"running": False, "dataDir": str(data_dir)}))
        else:
            print(
                f"Not running (state folder {data_dir}). Start it with: hearth up. "
                "Of a cluster: hearth status --kubeconfig FILE"
            )
        return _NOT_RUNNING
    report = asyncio.run(report_of(data_dir, state))
    if output == "json":
        print(json.dumps(report, indent=2))
    else:
        _print_tables(report)
    return 0 if report["healthy"] else _NEEDS_A_LOOK


async def report_of(data_dir: Path, state: dict[str, Any]) -> dict[str, Any]:
    """Return all that is shown of a Hearth that runs."""
    processes = _processes(state)
    report: dict[str, Any] = {
        "running": True,
        "name": state["name"],
        "dataDir": str(data_dir),
        "kubeconfig": state["kubeconfig"],
        "gateway": state["gateway"],
        "api": state["api"],
        "https": state.get("https"),
        "authority": state.get("authority"),
        "pods": state.get("pods"),
        "isolation": state.get("isolation") or None,
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
            report["containers"] = await containers_in_trouble(client, pods)
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
        runs = process["state"] != NOT_NEEDED
        port = runs and state["ports"].get(f"metrics-{process['name']}")
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


# -- printing -----------------------------------------------------------------------------------


def _print_tables(report: dict[str, Any]) -> None:
    from rich.console import Console  # the command line starts faster without
    from rich.table import Table

    console = Console()
    facts = Table.grid(padding=(0, 3))
    titles = {"api": "API", "isolation": "processes"}
    for field in ("kubeconfig", "gateway", "https", "authority", "api", "pods", "isolation"):
        if report[field]:
            facts.add_row(titles.get(field, field), str(report[field]))
    console.print(facts)
    console.print()
    console.print(_process_table(report))
    console.print()
    print_objects(console, report)


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
    return table(columns, [*rows, total])
