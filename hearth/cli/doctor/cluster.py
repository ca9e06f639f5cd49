"""Looks at a cluster that Hearth is, or is to be, installed in."""

from __future__ import annotations

import asyncio
import base64
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryptography import x509

from hearth.cli.access import access
from hearth.cli.doctor import verdicts
from hearth.cli.doctor.check import Check, State, fail, ok, warn
from hearth.cli.doctor.machine import kubectl_version
from hearth.install.bundle import NAMESPACE, Choice, objects_of
from hearth.install.cluster import STATEFULSETS, Cluster
from hearth.install.order import SELECTOR, VERSION
from hearth.install.preflight import OLDEST_MINOR
from hearth.install.progress import gateway_address, missing, troubles
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.install import config_folder
from hearth.kube.meta import Object
from hearth.kube.resources import (
    CRDS,
    DEPLOYMENTS,
    ENDPOINTSLICES,
    MUTATING_WEBHOOKS,
    SERVICES,
    VALIDATING_WEBHOOKS,
)

_DAYS = 14
_INSTALL = "hearth install"


async def checks(kubeconfig: Path) -> list[Check]:
    """Return all of a cluster; what may not be looked at is a finding of its own."""
    async with KubeClient(access(kubeconfig), user_agent="hearth-doctor") as client:
        try:
            served = await client.request("GET", "/version")
        except ApiError as error:
            text = "is the address right, and does the cluster run? kubectl version"
            return [fail("cluster", error.message, text)]
        parts = (_installation(client), _definitions(client), _webhooks(client), _ingress(client))
        found = await asyncio.gather(*(_allowed(part) for part in parts))
        kubectl = await asyncio.to_thread(kubectl_version)
        return [
            cluster_version(served),
            verdicts.kubectl(kubectl, str(served.get("gitVersion", "v1.0"))),
            *(check for part in found for check in part),
        ]


async def _allowed(part: Any) -> list[Check]:
    try:
        return list(await part)
    except ApiError as error:
        return [warn("rights", error.message, "a kubeconfig with more rights shows more")]


def cluster_version(served: Mapping[str, Any]) -> Check:
    """Whether Kubernetes is new enough."""
    found = f"Kubernetes {served.get('gitVersion')}"
    minor = int("".join(filter(str.isdecimal, str(served.get("minor", "")))) or 0)
    if minor < OLDEST_MINOR:
        return fail("cluster", found, f"Hearth needs 1.{OLDEST_MINOR} or newer: upgrade it")
    return ok("cluster", found)


async def _installation(client: KubeClient) -> list[Check]:
    cluster, found, mine = Cluster(client), list[Check](), version("hearth-serving")
    for resource in (DEPLOYMENTS, STATEFULSETS):
        for workload in (await client.list(resource, label_selector=SELECTOR))[0]:
            name, lacks = meta.name(workload), missing({"kind": resource.kind, **workload})
            why = [*troubles(await cluster.pods_of(workload))]
            there = meta.labels(workload).get(VERSION, "")
            if lacks or why:
                text = f"kubectl -n {meta.namespace(workload)} describe pods"
                found.append(fail(name, "; ".join([*([lacks] if lacks else ()), *why]), text))
            elif there != mine:
                text = f"{_INSTALL} --upgrade, or the command of that version"
                found.append(warn(name, f"version {there}, this command is {mine}", text))
            else:
                found.append(ok(name, f"version {there}, all pods ready"))
    return found or [warn("installation", "no Hearth is installed", _INSTALL)]


async def _definitions(client: KubeClient) -> list[Check]:
    wanted = {
        meta.name(obj) for obj in objects_of(config_folder(), Choice()) if obj["kind"] == CRDS.kind
    }
    there = {meta.name(crd): crd for crd in (await client.list(CRDS))[0]}
    gone = sorted(wanted - there.keys())
    broken = [n for n in sorted(wanted & there.keys()) if missing({"kind": CRDS.kind, **there[n]})]
    if gone and len(gone) < len(wanted):
        return [fail("definitions", f"missing: {', '.join(gone)}", f"{_INSTALL} makes them")]
    if broken:
        text = "kubectl describe crd says why"
        return [fail("definitions", f"not established: {', '.join(broken)}", text)]
    return [ok("definitions", f"{len(wanted)} kinds")] if not gone else []


async def _webhooks(client: KubeClient) -> list[Check]:
    """Each asks a Service of ours, by an authority whose certificate ends some day."""
    found: list[tuple[str, Check]] = []
    ready: dict[tuple[str, str], bool] = {}
    for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS):
        for hook in (await client.list(resource, label_selector=SELECTOR))[0]:
            for each in hook.get("webhooks") or ():
                service = each["clientConfig"].get("service") or {}
                place = service.get("namespace", ""), service.get("name", "")
                if place not in ready:
                    ready[place] = await _has_endpoints(client, *place)
                found.append((meta.name(hook), webhook(each, has_endpoints=ready[place])))
    return together(found)


def together(found: Sequence[tuple[str, Check]]) -> list[Check]:
    """Return one check for all webhooks that are the same way."""
    names: dict[Check, list[str]] = {}
    for name, check in found:
        names.setdefault(check, []).append(name)
    return [
        check if check.state == "ok" else replace(check, found=f"{check.found}: {', '.join(of)}")
        for check, of in names.items()
    ]


def webhook(each: Mapping[str, Any], *, has_endpoints: bool) -> Check:
    """Whether an API server can ask it, and for how long."""
    name, config = "webhooks", each["clientConfig"]
    if not has_endpoints:
        text = "writes of their kinds are refused meanwhile: hearth status --kubeconfig FILE"
        if each.get("failurePolicy") == "Ignore":
            text = "writes of their kinds pass unasked meanwhile: hearth status --kubeconfig FILE"
        return fail(name, "no pod is ready that answers", text)
    bundle = base64.b64decode(config.get("caBundle") or "")
    if not bundle:
        return fail(name, "nobody is trusted yet", "hearth-control fills it in: is it running?")
    state, text = ends(bundle, datetime.datetime.fromtimestamp(wall_clock(), datetime.UTC))
    advice = "" if state == "ok" else "hearth-control renews it: is it running?"
    return Check(name, state, text, advice)


def ends(bundle: bytes, now: datetime.datetime) -> tuple[State, str]:
    """Whether the certificates of a bundle hold for long enough: the last one to end counts."""
    try:
        certificates = x509.load_pem_x509_certificates(bundle)
    except ValueError:
        return "fail", "its authority is no certificate"
    end = max(each.not_valid_after_utc for each in certificates)
    if end <= now:
        return "fail", f"its authority ended on {end:%Y-%m-%d}"
    state: State = "warn" if end - now < datetime.timedelta(days=_DAYS) else "ok"
    return state, f"reachable, its authority holds until {end:%Y-%m-%d}"


async def _has_endpoints(client: KubeClient, namespace: str, name: str) -> bool:
    slices, _ = await client.list(
        ENDPOINTSLICES, namespace, label_selector=f"kubernetes.io/service-name={name}"
    )
    return any(_is_ready(each) for each in slices)


def _is_ready(part: Object) -> bool:
    return any(
        (endpoint.get("conditions") or {}).get("ready") is not False
        for endpoint in part.get("endpoints") or ()
    )


async def _ingress(client: KubeClient) -> list[Check]:
    try:
        service = await client.get(SERVICES, "hearth-gateway", NAMESPACE)
    except NotFound:
        return []
    address, remark = gateway_address(service, await Cluster(client).nodes())
    if address is None:
        return [warn("gateway", "not reached from outside", remark)]
    return [ok("gateway", f"{address}{f' ({remark})' if remark else ''}")]
