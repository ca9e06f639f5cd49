"""How ``hearth scale`` reaches the processes that decide on scale: control, and keda.

On one machine at the port of statistics; in a cluster at that of each replica, through the API
server, because each revision is decided on by one of them.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlencode

from hearth.cli.access import access
from hearth.cli.asking import TOKEN_FIELD, Json, ask_here, secret_token
from hearth.cli.components import SERVING, STATS_SECRET
from hearth.cli.errors import UserError
from hearth.cli.state import running_state
from hearth.keda.api.keys import NAMESPACE
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, Forbidden, NotFound
from hearth.kube.meta import name
from hearth.kube.resources import PODS

_CONTROL = SERVING, "app.kubernetes.io/name=hearth-control", 8088
_KEDA = NAMESPACE, "app.kubernetes.io/name=keda-operator", 8089
"""Whom questions are for: namespace, label and port of their pods."""
ROLE = "hearth-scale-reader"


def explanations(
    kubeconfig: Path | None, data_dir: Path, *, namespace: str, service: str
) -> list[Json]:
    """Return what is said of a Service's revisions, of one, of a ScaledObject; raise UserError."""
    if kubeconfig is not None:
        asked = explanations_there(access(kubeconfig), namespace=namespace, service=service)
        return asyncio.run(asked)
    target = _target(namespace, service)
    state = running_state(data_dir)
    port, token = state["ports"].get("stats"), state.get("statsToken")
    if not port or not token:
        raise UserError(
            "this Hearth was started by an older version: `hearth down`, then `hearth up`"
        )
    return _here(state, str(token), target)


def _here(state: Json, token: str, target: str) -> list[Json]:
    """Ask control, and the operator of KEDA's kinds where it runs: it starts with the first."""
    found: list[Json] = []
    problems: list[str] = []
    asked = [("control", "stats")]
    if state.get("health", {}).get("keda", {}).get("is_wanted"):
        asked.append(("keda", "keda-stats"))
    for component, purpose in asked:
        try:
            port = int(state["ports"].get(purpose, 0))
            told = ask_here(component, port, token, "GET", target, None)
        except UserError as error:
            problems.append(str(error))
            continue
        if component == "keda" and not told["explanations"]:
            problems = ["its triggers were not read yet: kubectl describe scaledobject says why"]
        found += told["explanations"]
    if problems and not found:
        raise UserError("; ".join(problems))
    return found


def _target(namespace: str, service: str) -> str:
    return f"/scale?{urlencode({'namespace': namespace, 'name': service})}"


async def explanations_there(api: Access, *, namespace: str, service: str) -> list[Json]:
    """Return what the processes of a cluster say; raise UserError."""
    async with KubeClient(api, user_agent="hearth-scale") as client:
        try:
            return await _of_replicas(client, _target(namespace, service))
        except Forbidden as error:
            raise UserError(
                f"{error.message}. Questions about scale take the Role {ROLE} of the namespace "
                f"{SERVING}: kubectl create rolebinding --namespace {SERVING} --role {ROLE} ..."
            ) from error
        except ApiError as error:
            raise UserError(error.message) from error


async def _of_replicas(client: KubeClient, target: str) -> list[Json]:
    fields = {TOKEN_FIELD: await secret_token(client, (SERVING, STATS_SECRET), "control")}
    found: list[Json] = []
    elsewhere: set[str] = set()
    unknown: NotFound | None = None
    for path in [*await _paths(client, *_CONTROL), *await _paths_of_keda(client)]:
        try:
            told = await client.request("GET", f"{path}{target}", fields=fields)
        except NotFound as error:
            unknown = unknown or error
            continue
        found += told["explanations"]
        elsewhere |= set(told["elsewhere"])
    missing = elsewhere - {each["name"] for each in found}
    if missing:
        raise UserError(
            f"no replica of control decides on {', '.join(sorted(missing))} at the moment: "
            "try again, or see `hearth status --kubeconfig FILE`"
        )
    if not found:
        raise unknown or UserError(
            f"no pod of hearth-control in {SERVING}: see `hearth status --kubeconfig FILE`"
        )
    return sorted(found, key=lambda each: str(each["name"]))


async def _paths(client: KubeClient, namespace: str, label: str, port: int) -> list[str]:
    pods, _ = await client.list(PODS, namespace, label_selector=label)
    base = f"/api/v1/namespaces/{namespace}/pods"
    return [f"{base}/{name(pod)}:{port}/proxy" for pod in pods]


async def _paths_of_keda(client: KubeClient) -> list[str]:
    """None where it may not be asked: it need not be there, nor the Role that lets one ask."""
    try:
        return await _paths(client, *_KEDA)
    except (Forbidden, NotFound):
        return []
