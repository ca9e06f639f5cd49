"""What both kinds of ``hearth status`` show of objects: containers in trouble, services; tables."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from hearth.kube.troubles import describe_container, troubled_containers

if TYPE_CHECKING:
    from rich.console import Console

_MAX_LOGS_READ = 20  # last words are asked for one by one


async def containers_in_trouble(client: KubeClient, pods: Sequence[Object]) -> list[dict[str, Any]]:
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


def print_objects(console: Console, report: Mapping[str, Any]) -> None:
    """Print containers in trouble, where there are any, and the services."""
    if report["containers"]:
        columns = {"NAMESPACE": "namespace", "POD": "pod", "CONTAINER": "container",
                   "STATE": "state", "RESTARTS": "restarts", "LAST WORDS": "lastWords"}  # fmt: skip
        console.print(table(columns, report["containers"]))
        console.print()
    if report.get("error"):
        console.print(f"Services cannot be listed: {report['error']}", markup=False)
    elif not report["services"]:
        console.print("No services yet.")
    else:
        columns = {"NAMESPACE": "namespace", "SERVICE": "name", "URL": "url", "READY": "ready",
                   "REASON": "reason"}  # fmt: skip
        console.print(table(columns, report["services"]))


def table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> Any:
    """Rows as columns of text, each under its heading."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(str(row.get(field, ""))) for field in columns.values()))
    return table
