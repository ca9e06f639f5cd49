"""``hearth bindings``: what can be bound, and what is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hearth.cli.binding import local
from hearth.cli.binding.finding import candidates
from hearth.cli.errors import UserError
from hearth.cli.statusparts import table
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object
from hearth.servicebinding.keys import SERVICEBINDINGS


def show_bindings(api: Access, namespace: str, output: str, *, is_here: bool) -> None:
    """Print it as a table or as JSON."""
    try:
        found = asyncio.run(_rows(api, namespace, is_here=is_here))
    except ApiError as error:
        raise UserError(error.message) from error
    if output == "json":
        print(json.dumps(found, indent=2))
        return
    if not found:
        print("Nothing can be bound: make a Secret with an entry `type`, or give a URL to --bind.")
        return
    from rich.console import Console  # the command line starts faster without

    columns = {"NAME": "name", "KIND": "kind", "TYPE": "type", "BOUND TO": "boundTo"}
    rows = [{**each, "boundTo": ", ".join(each["boundTo"])} for each in found]
    Console().print(table(columns, rows))
    print("\nBind one: hearth deploy --bind NAME")


async def _rows(api: Access, namespace: str, *, is_here: bool) -> list[dict[str, Any]]:
    async with KubeClient(api) as client:
        found = await candidates(client, namespace)
        try:
            bindings, _ = await client.list(SERVICEBINDINGS, namespace)
        except NotFound:
            bindings = []
    rows = [{**each, "boundTo": _bound_to(each, list(bindings))} for each in found]
    for server in await local.find() if is_here else ():
        where = f"server at {local.HOST}:{server.port}"
        kind = server.kind.type
        rows.append({"name": kind, "kind": where, "type": kind, "secret": "", "boundTo": []})
    return rows


def _bound_to(candidate: dict[str, str], bindings: list[Object]) -> list[str]:
    """The workloads; those whose binding is not ready yet are told so."""
    found = []
    for each in bindings:
        secret = ((each.get("status") or {}).get("binding") or {}).get("name")
        if secret and secret == candidate["secret"]:
            workload = each["spec"]["workload"]
            title = f"{workload['kind']} {workload.get('name') or 'by labels'}"
            is_ready = Conditions.of(each).is_true("Ready")
            found.append(title if is_ready else f"{title} (not ready)")
    return found
