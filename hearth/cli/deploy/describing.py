"""``hearth describe``: a Service in words: who gets its requests, what runs, what went wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hearth.cli.deploy.words import plan_words, summary
from hearth.cli.errors import UserError
from hearth.cli.services import found_service
from hearth.functions.deploying.progress import condition
from hearth.knative.resources import REVISIONS
from hearth.kube import meta
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.meta import Object
from hearth.kube.resources import EVENTS, PODS

_MOST_EVENTS = 5


def describe(api: Access, name: str, namespace: str, output: str = "text") -> None:
    """Print it; raise UserError where there is none."""
    if output not in ("text", "url", "json", "yaml"):
        raise UserError(f"--output {output!r}: give text, url, json or yaml")
    found = asyncio.run(_found(api, name, namespace))
    if output == "url":
        print((found.service.get("status") or {}).get("url") or "")
    elif output == "text":
        print("\n".join(_lines(found)))
    else:
        print(
            json.dumps(_report(found), indent=2) if output == "json" else plan_words(_report(found))
        )


@dataclass(frozen=True, slots=True)
class _Found:
    service: Object
    revisions: Sequence[Object]
    pods: Sequence[Object]
    warnings: Sequence[Object]


def _report(found: _Found) -> Object:
    ready = condition(found.service, "Ready")
    return {
        **summary(found.service),
        "ready": ready.get("status") or "Unknown",
        "reason": ready.get("reason") or "",
        "message": ready.get("message") or "",
        "revisions": [meta.name(each) for each in found.revisions],
        "pods": [{"name": meta.name(pod), "phase": (pod.get("status") or {}).get("phase") or "",
                  "ready": condition(pod, "Ready").get("status") == "True"}
                 for pod in found.pods],
        "warnings": [{"object": _about(each), "reason": each.get("reason") or "",
                      "message": each.get("message") or ""} for each in found.warnings],
    }  # fmt: skip


async def _found(api: Access, name: str, namespace: str) -> _Found:
    mine = f"serving.knative.dev/service={name}"
    async with KubeClient(api) as client:
        service = await found_service(client, name, namespace)
        revisions, _ = await client.list(REVISIONS, namespace, label_selector=mine)
        pods, _ = await client.list(PODS, namespace, label_selector=mine)
        events, _ = await client.list(EVENTS, namespace, field_selector="type=Warning")
    names = {name, *map(meta.name, revisions), *map(meta.name, pods)}
    well = {meta.name(pod) for pod in pods if condition(pod, "Ready").get("status") == "True"}
    warnings = [each for each in events if _about(each) in names and not _is_over(each, well)]
    return _Found(service, revisions, pods, sorted(warnings, key=_seen_at)[-_MOST_EVENTS:])


def _lines(found: _Found) -> Iterator[str]:
    yield from _head(found.service)
    yield from _revisions(found.service, found.revisions)
    yield from _pods(found.pods)
    yield from _warnings(found.warnings)


def _is_over(event: Object, well: set[str]) -> bool:
    """A probe that failed of a pod that is ready by now: a start takes its time."""
    return event.get("reason") == "Unhealthy" and _about(event) in well


def _head(service: Object) -> Iterator[str]:
    status = service.get("status") or {}
    yield f"{meta.namespace(service)}/{meta.name(service)}  {status.get('url') or 'has no URL'}"
    ready = condition(service, "Ready")
    if ready.get("status") == "True":
        yield "ready"
    else:
        reason, message = ready.get("reason") or "", ready.get("message") or ""
        yield f"not ready: {reason or 'not looked at yet'}{': ' if message else ''}{message}"


def _revisions(service: Object, revisions: Sequence[Object]) -> Iterator[str]:
    """Newest first; those that get requests with their share and their own URLs."""
    yield "revisions:"
    traffic = (service.get("status") or {}).get("traffic") or ()
    for revision in sorted(revisions, key=meta.creation_timestamp, reverse=True):
        mine = [each for each in traffic if each.get("revisionName") == meta.name(revision)]
        share = sum(int(each.get("percent") or 0) for each in mine)
        urls = [each["url"] for each in mine if each.get("url")]
        image = revision["spec"]["containers"][0].get("image") or ""
        ready = condition(revision, "Ready")
        state = "" if ready.get("status") == "True" else f"  {ready.get('reason') or 'not ready'}"
        yield f"  {share:3}%  {meta.name(revision)}  {image}{state}"
        yield from (f"        {url}" for url in urls)


def _pods(pods: Sequence[Object]) -> Iterator[str]:
    if not pods:
        yield "pods: none, it sleeps; the next request wakes it"
        return
    yield "pods:"
    for pod in sorted(pods, key=meta.name):
        statuses = (pod.get("status") or {}).get("containerStatuses") or ()
        restarts = sum(int(each.get("restartCount") or 0) for each in statuses)
        ready = condition(pod, "Ready").get("status") == "True"
        phase = (pod.get("status") or {}).get("phase") or "Pending"
        phase = "Ending" if meta.is_deleting(pod) else phase
        again = f", restarted {restarts} times" if restarts else ""
        yield f"  {meta.name(pod)}  {phase}{'' if ready else ', not ready'}{again}"


def _warnings(events: Sequence[Object]) -> Iterator[str]:
    if events:
        yield "warnings, newest last:"
    for event in events:
        yield f"  {_about(event)}  {event.get('reason')}: {event.get('message')}"


def _seen_at(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def _about(event: Object) -> str:
    return str((event.get("involvedObject") or {}).get("name") or "")
