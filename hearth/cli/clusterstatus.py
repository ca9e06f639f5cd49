"""``hearth status --kubeconfig``: the gateway, pods by component, services, what is in trouble.

Exit codes: 0 when everything is well, 1 when something needs a look, 3 when no Hearth is installed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hearth.cli.access import access
from hearth.cli.diagnosis import describe_service
from hearth.cli.errors import UserError
from hearth.cli.services import gateway_of
from hearth.cli.statusparts import containers_in_trouble, print_objects, table
from hearth.install.cluster import STATEFULSETS, Cluster
from hearth.install.order import SELECTOR, VERSION
from hearth.install.progress import missing, troubles
from hearth.knative.resources import KSERVICES
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, Forbidden
from hearth.kube.meta import Object
from hearth.kube.resources import DEPLOYMENTS, LEASES, PODS

_NEEDS_A_LOOK, _NOT_INSTALLED = 1, 3


def show_cluster_status(kubeconfig: Path, output: str) -> int:
    """Print the report as a table or as JSON; return the exit code."""
    try:
        report = asyncio.run(_report(kubeconfig))
    except Forbidden as error:
        raise UserError(f"{error.message}. It takes {error.rule or 'the right to it'}") from error
    except ApiError as error:
        raise UserError(error.message) from error
    if output == "json":
        print(json.dumps(report, indent=2))
    elif report["running"]:
        _print_tables(report)
    else:
        print("No Hearth is installed in this cluster. Install it with: hearth install")
    if not report["running"]:
        return _NOT_INSTALLED
    return 0 if report["healthy"] else _NEEDS_A_LOOK


async def _report(kubeconfig: Path) -> dict[str, Any]:
    async with KubeClient(access(kubeconfig), user_agent="hearth-status") as client:
        cluster = Cluster(client)
        workloads = await _workloads(client)
        if not workloads:
            return {"running": False, "kubeconfig": str(kubeconfig)}
        components = [await _component(cluster, workload) for workload in workloads]
        gateway, remark = await gateway_of(client)
        pods, _ = await client.list(PODS)
        report: dict[str, Any] = {
            "running": True,
            "kubeconfig": str(kubeconfig),
            "gateway": gateway,
            "remark": remark,
            "components": components,
            "containers": await containers_in_trouble(client, pods),
            "services": [],
        }
        try:
            services, _ = await client.list(KSERVICES)
            report["services"] = [describe_service(service) for service in services]
        except ApiError as error:
            report["error"] = error.message
        return {**report, "healthy": _is_healthy(report)}


async def _workloads(client: KubeClient) -> list[Object]:
    found = list[Object]()
    for resource in (DEPLOYMENTS, STATEFULSETS):
        items, _ = await client.list(resource, label_selector=SELECTOR)
        found += items
    return found


async def _component(cluster: Cluster, workload: Object) -> dict[str, Any]:
    pods, claims = await cluster.pods_of(workload), await cluster.claims_of(workload)
    lacks = missing(workload)
    holders = await _lease_holders(cluster.client, meta.namespace(workload))
    status = workload.get("status") or {}
    return {
        "namespace": meta.namespace(workload),
        "name": meta.name(workload),
        "ready": f"{status.get('readyReplicas', 0)}/{workload['spec'].get('replicas', 1)}",
        "version": meta.labels(workload).get(VERSION, ""),
        "restarts": sum(map(_restarts, pods)),
        "leader": ", ".join(sorted(holders & {meta.name(pod) for pod in pods})),
        "trouble": "; ".join([*([lacks] if lacks else ()), *troubles(pods, claims)]),
    }


def _restarts(pod: Object) -> int:
    statuses: Sequence[Mapping[str, Any]] = (pod.get("status") or {}).get("containerStatuses") or ()
    return sum(int(each.get("restartCount", 0)) for each in statuses)


async def _lease_holders(client: KubeClient, namespace: str) -> set[str]:
    """The pods that lead something; none where one may not look."""
    try:
        leases, _ = await client.list(LEASES, namespace)
    except Forbidden:
        return set()
    holders = (str(lease["spec"].get("holderIdentity") or "") for lease in leases)
    return {holder.partition("_")[0] for holder in holders}


def _is_healthy(report: Mapping[str, Any]) -> bool:
    return not (
        report.get("error")
        or report["containers"]
        or any(component["trouble"] for component in report["components"])
        or any(service["ready"] == "False" for service in report["services"])
    )


def _print_tables(report: Mapping[str, Any]) -> None:
    from rich.console import Console  # the command line starts faster without

    console = Console()
    console.print(f"gateway   {report['gateway'] or '-'}", markup=False)
    if report["remark"]:
        console.print(f"          {report['remark']}", markup=False)
    console.print()
    columns = {"COMPONENT": "name", "READY": "ready", "VERSION": "version",
               "RESTARTS": "restarts", "LEADER": "leader"}  # fmt: skip
    if any(component["trouble"] for component in report["components"]):
        columns["TROUBLE"] = "trouble"
    console.print(table(columns, report["components"]))
    console.print()
    print_objects(console, report)
