"""``hearth rollout``: moves requests between the revisions of a Service."""

from __future__ import annotations

import asyncio
import time

from hearth.cli.deploy.watching import Watch
from hearth.cli.deploy.words import MOVES_ON, Steps
from hearth.cli.errors import UserError
from hearth.cli.services import found_service
from hearth.functions.deploying import traffic
from hearth.functions.deploying.progress import Phase, condition, is_moving
from hearth.knative.resources import KSERVICES, REVISIONS
from hearth.kube import meta
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from serving.api import keys

ROLLED_BACK = "RolledBack"
_FORGIVEN_SECONDS = 10.0


def run_rollout(api: Access, service: str, namespace: str, to: str, wait_seconds: float) -> int:
    """Move requests and wait until they are; return the exit code.

    ``to`` is a share, TAG=SHARE, TAG- (no such tag), promote, back, or back and a revision's name.
    """
    try:
        return asyncio.run(_rollout(api, service, namespace, to, wait_seconds))
    except traffic.TrafficError as error:
        raise UserError(str(error)) from error
    except ApiError as error:
        raise UserError(error.message) from error


async def _rollout(api: Access, name: str, namespace: str, to: str, wait_seconds: float) -> int:
    async with KubeClient(api) as client:
        service = await found_service(client, name, namespace)
        wanted = await _traffic(client, service, to)
        if to == "promote":
            service = await _forgiven(client, service)
        change = {"metadata": {"resourceVersion": meta.resource_version(service)},
                  "spec": {"traffic": wanted}}  # fmt: skip
        service = await client.patch(KSERVICES, name, namespace, change)
        steps = Steps(time.monotonic)
        watch = Watch(client, name, namespace)
        steps.goes_on()  # no revision is made, and no pod
        ended = await watch.until_over(meta.generation(service), wait_seconds, steps.tell)
        service = await client.get(KSERVICES, name, namespace)
        if ended.phase != Phase.SERVES and not is_moving(service):
            steps.failed(name, ended, wait_seconds, ())
            return 1
        for line in shares(service):
            print(line)
        if is_moving(service):
            print(MOVES_ON)
        return 0


async def _traffic(client: KubeClient, service: Object, to: str) -> list[Object]:
    if to.endswith("-"):
        return traffic.untagged(service, to[:-1])
    return traffic.tagged(service, await _shares(client, service, to))


async def _shares(client: KubeClient, service: Object, to: str) -> list[Object]:
    if to == "promote":
        return traffic.promoted()
    tag, equals, share = to.partition("=")
    if equals:
        return traffic.to_tag(service, tag, traffic.percent(share))
    word, _, revision = to.partition(" ")
    if word == "back":
        mine = f"serving.knative.dev/service={meta.name(service)}"
        revisions, _ = await client.list(REVISIONS, meta.namespace(service), label_selector=mine)
        return traffic.back(service, list(revisions), revision)
    return traffic.moved(service, traffic.percent(to))


async def _forgiven(client: KubeClient, service: Object) -> Object:
    """Take the verdict away by which its latest revision was rolled back, and wait until it counts.

    Return the Service as it is then.
    """
    name, namespace = meta.name(service), meta.namespace(service)
    latest = (service.get("status") or {}).get("latestReadyRevisionName") or ""
    if condition(service, "Ready").get("reason") != ROLLED_BACK or not latest:
        return service
    verdict = {keys.ROLLED_BACK: None, keys.ROLLED_BACK_TO: None}
    change: Object = {"metadata": {"annotations": verdict}}
    await client.patch(REVISIONS, latest, namespace, change)
    until = time.monotonic() + _FORGIVEN_SECONDS
    while condition(service, "Ready").get("reason") == ROLLED_BACK and time.monotonic() < until:
        await asyncio.sleep(0.1)
        service = await client.get(KSERVICES, name, namespace)
    return service


def shares(service: Object) -> list[str]:
    """Return a line for each revision that gets requests."""
    lines = []
    for each in (service.get("status") or {}).get("traffic") or ():
        tag = f"  {each['url']}" if each.get("tag") and each.get("url") else ""
        lines.append(f"{each.get('percent') or 0:3}%  {each.get('revisionName')}{tag}")
    return lines
