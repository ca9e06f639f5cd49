"""``hearth status``: addresses, processes with memory, services."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from hearth.cli.state import is_running, read_state
from hearth.knative.resources import KSERVICES
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError


def show_status(data_dir: Path, output: str) -> int:
    """Exit code 0 when Hearth runs, 3 when it does not (as init scripts have it)."""
    state = read_state(data_dir)
    if not is_running(state):
        if output == "json":
            print(json.dumps({"running": False, "dataDir": str(data_dir)}))
        else:
            print(f"Not running (state folder {data_dir}). Start it with: hearth up")
        return 3
    report = asyncio.run(_report(data_dir, state))
    if output == "json":
        print(json.dumps(report, indent=2))
    else:
        _print_tables(report)
    return 0


async def _report(data_dir: Path, state: dict[str, Any]) -> dict[str, Any]:
    components = {"supervisor": state["pid"], **state["components"]}
    processes = [_process(name, pid, state) for name, pid in components.items()]
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
    }
    try:
        async with KubeClient.from_kubeconfig(Path(state["kubeconfig"])) as client:
            found, _ = await client.list(KSERVICES)
    except ApiError as error:
        report["error"] = error.message
        return report
    report["services"] = [_service(service) for service in found]
    return report


def _process(name: str, pid: int, state: dict[str, Any]) -> dict[str, Any]:
    port = state["ports"].get(f"metrics-{name}")
    metrics = f"http://{state['host']}:{port}/metrics" if port else None
    memory = round(memory_bytes(pid) / 2**20, 1)
    return {"name": name, "pid": pid, "memoryMiB": memory, "metrics": metrics}


def memory_bytes(pid: int) -> int:
    """Proportional set size: pages shared by n processes count a n-th in each."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return resident * os.sysconf("SC_PAGE_SIZE")


def _service(service: meta.Object) -> dict[str, Any]:
    status = service.get("status") or {}
    conditions = status.get("conditions") or ()
    ready: dict[str, Any] = next((c for c in conditions if c["type"] == "Ready"), {})
    return {
        "namespace": meta.namespace(service),
        "name": meta.name(service),
        "url": status.get("url", ""),
        "ready": ready.get("status", "Unknown"),
        "reason": ready.get("reason", ""),
    }


def _print_tables(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    facts = Table.grid(padding=(0, 3))
    for label, field in (("kubeconfig", "kubeconfig"), ("gateway", "gateway"), ("API", "api")):
        facts.add_row(label, str(report[field]))
    console.print(facts)
    table = Table("PROCESS", "PID", "MEMORY", "METRICS", box=None, pad_edge=False)
    for process in report["processes"]:
        memory = f"{process['memoryMiB']:.1f} MiB"
        table.add_row(process["name"], str(process["pid"]), memory, process["metrics"] or "")
    table.add_row("all", "", f"{report['memoryMiB']:.1f} MiB", "")
    console.print()
    console.print(table)
    console.print()
    if report.get("error"):
        console.print(f"Services cannot be listed: {report['error']}")
        return
    if not report["services"]:
        console.print("No services yet.")
        return
    services = Table("NAMESPACE", "SERVICE", "URL", "READY", "REASON", box=None, pad_edge=False)
    for service in report["services"]:
        services.add_row(*(service[f] for f in ("namespace", "name", "url", "ready", "reason")))
    console.print(services)
