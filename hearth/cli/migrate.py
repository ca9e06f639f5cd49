"""``hearth migrate check``: prints what would become of a cluster with Knative or KEDA."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hearth.cli.access import access
from hearth.cli.errors import UserError
from hearth.keda.scalers.catalog import TYPES
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, Forbidden, NotFound
from hearth.kube.resources import DEPLOYMENTS
from hearth.migrate.findings import Finding, Outcome
from hearth.migrate.reading import NotAllowed, read
from hearth.migrate.rules import check
from hearth.migrate.snapshot import Snapshot

_WORDS = {Outcome.STOPS: "does not work", Outcome.CHANGES: "works otherwise"}


def run_check(kubeconfig: Path | None, output: str) -> int:
    """Read the cluster and report; return 1 if something would not work, else 0."""
    try:
        snapshot = asyncio.run(_read(kubeconfig))
    except (ApiError, NotAllowed) as error:
        raise UserError(str(error)) from error
    findings = check(snapshot, TYPES)
    if output == "json":
        print(json.dumps(_as_json(snapshot, findings), indent=2))
    else:
        _print(snapshot, findings)
    return 1 if any(each.outcome is Outcome.STOPS for each in findings) else 0


async def _read(kubeconfig: Path | None) -> Snapshot:
    async with KubeClient(access(kubeconfig), user_agent="hearth-migrate") as client:
        await _is_of_another(client)
        return await read(client)


async def _is_of_another(client: KubeClient) -> None:
    """Raise UserError where the cluster runs Hearth itself."""
    try:
        await client.get(DEPLOYMENTS, "hearth-control", "knative-serving")
    except (Forbidden, NotFound):
        return
    raise UserError("this cluster runs Hearth already: there is nothing to come over")


def _counts(snapshot: Snapshot) -> dict[str, int]:
    return {
        f"{resource.plural}.{resource.group}": len(objects)
        for resource, objects in snapshot.objects.items()
        if objects
    }


def _as_json(snapshot: Snapshot, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "objects": _counts(snapshot),
        "findings": [
            {
                "outcome": _WORDS[each.outcome],
                "where": each.where,
                "what": each.what,
                "remedy": each.remedy,
            }
            for each in findings
        ],
    }


def _print(snapshot: Snapshot, findings: Sequence[Finding]) -> None:
    from rich.console import Console  # the command line starts faster without
    from rich.markup import escape
    from rich.table import Table

    counts = _counts(snapshot)
    if not counts:
        print("There is nothing of Knative or KEDA in this cluster.")
        return
    print(f"Looked at {sum(counts.values())} objects of {len(counts)} kinds.\n")
    table = Table("", "WHERE", "WHAT", "WHAT TO DO", box=None, pad_edge=False)
    for each in findings:
        cells = (_WORDS[each.outcome], each.where, each.what, each.remedy)
        table.add_row(*(escape(cell) for cell in cells))
    if findings:
        Console().print(table)
        print()
    stops = sum(each.outcome is Outcome.STOPS for each in findings)
    print(f"{stops} would not work, {len(findings) - stops} would work otherwise, the rest as now.")
