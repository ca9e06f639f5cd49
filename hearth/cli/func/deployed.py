"""Functions that are deployed: listed, described, deleted."""

from __future__ import annotations

import asyncio
from typing import Any

from hearth.cli.func.outputs import is_printed
from hearth.cli.services import found_service
from hearth.functions.deploying.progress import condition
from hearth.functions.projects.manifest import NAME_LABEL, RUNTIME_LABEL
from hearth.knative.resources import KSERVICES, TRIGGERS
from hearth.kube import meta
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.meta import Object
from hearth.kube.resources import PODS

_SERVICE = "serving.knative.dev/service"


def show_functions(api: Access, namespace: str | None, output: str) -> None:
    """Print all functions of a namespace, or of all, as func's list does."""
    items = asyncio.run(_functions(api, namespace))
    if is_printed(items, output, "plain"):
        return
    if not items and output == "human":
        print("no functions found")
        return
    columns = ("name", "namespace", "runtime", "deployer", "url", "ready", "replicas")
    rows = [[column.upper() for column in columns]]
    rows += [[str(item[column]) for column in columns] for item in items]
    widths = [max(len(row[n]) for row in rows) for n in range(len(columns))]
    for row in rows:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip())


async def _functions(api: Access, namespace: str | None) -> list[dict[str, Any]]:
    async with KubeClient(api) as client:
        found, _ = await client.list(KSERVICES, namespace, label_selector=NAME_LABEL)
        pods, _ = await client.list(PODS, namespace, label_selector=_SERVICE)
    return [_item(service, pods) for service in sorted(found, key=meta.key)]


def _item(service: Object, pods: list[Object]) -> dict[str, Any]:
    labels = meta.labels(service)
    mine = [
        pod
        for pod in pods
        if meta.labels(pod).get(_SERVICE) == meta.name(service)
        and meta.namespace(pod) == meta.namespace(service)
    ]
    return {
        "name": labels.get(NAME_LABEL) or meta.name(service),
        "namespace": meta.namespace(service),
        "runtime": labels.get(RUNTIME_LABEL) or "",
        "deployer": "knative",
        "url": (service.get("status") or {}).get("url") or "",
        "ready": condition(service, "Ready").get("status") or "Unknown",
        "replicas": len(mine),
    }


def describe(api: Access, name: str, namespace: str, output: str) -> None:
    """Print what func's describe does of one function."""
    said = asyncio.run(_described(api, name, namespace))
    if is_printed(said, output, "plain", "url"):
        return
    if output == "url":
        print("\n".join(said["routes"]))
    elif output == "plain":
        _print_plain(said)
    else:
        _print_described(said)


def _print_plain(said: dict[str, Any]) -> None:
    for what in ("name", "image", "namespace"):
        print(what.capitalize(), said[what])
    for route in said["routes"]:
        print("Route", route)
    print("Ready", said["ready"])
    print("Deployer knative")
    for each in said["subscriptions"]:
        print("Subscription", each["source"], each["type"], each["broker"])


def _print_described(said: dict[str, Any]) -> None:
    for title, lines in (
        ("Function name:", [said["name"]]),
        ("Function is built in image:", [said["image"]]),
        ("Function is deployed in namespace:", [said["namespace"]]),
        ("Routes:", said["routes"]),
        ("Function is ready:", [said["ready"]]),
        ("Deployer:", ["knative"]),
    ):
        print(title, *(f"  {line}" for line in lines), sep="\n")
    if said["subscriptions"]:
        print("Subscriptions (Source, Type, Broker):")
        for each in said["subscriptions"]:
            print(f"  {each['source']} {each['type']} {each['broker']}")


async def _described(api: Access, name: str, namespace: str) -> dict[str, Any]:
    async with KubeClient(api) as client:
        service = await found_service(client, name, namespace)
        triggers, _ = await client.list(TRIGGERS, namespace)
    status = service.get("status") or {}
    filters = [
        (each, (each["spec"].get("filter") or {}).get("attributes") or {})
        for each in triggers
        if ((each["spec"].get("subscriber") or {}).get("ref") or {}).get("name") == name
    ]
    return {
        "name": name,
        "image": service["spec"]["template"]["spec"]["containers"][0].get("image") or "",
        "namespace": namespace,
        "routes": [status["url"]] if status.get("url") else [],
        "ready": condition(service, "Ready").get("status") or "Unknown",
        "subscriptions": [
            {
                "source": said.get("source", ""),
                "type": said.get("type", ""),
                "broker": each["spec"].get("broker", ""),
            }
            for each, said in filters
        ],
    }
