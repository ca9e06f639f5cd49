"""``hearth logs``: the logs of all pods of a service, followed across scaling."""

from __future__ import annotations

import asyncio
import math
import sys
from dataclasses import dataclass

from hearth.cli.errors import UserError
from hearth.cli.services import found_service
from hearth.kube import meta
from hearth.kube.access import Access
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.durations import parse_go_duration
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from hearth.kube.resources import PODS

_SERVICE_LABEL = "serving.knative.dev/service"


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What the command line of ``hearth logs`` says.

    ``tail`` counts lines of each pod; ``since`` is a duration as Go writes them, or nothing.
    """

    service: str
    namespace: str
    follow: bool
    tail: int | None
    since: str = ""

    def query(self) -> dict[str, str]:
        """Return what the API is asked; raise UserError."""
        said = {"follow": "true" if self.follow else "", "tailLines": self.tail}
        return {k: str(v) for k, v in {**said, **self._since()}.items() if v not in ("", None)}

    def _since(self) -> dict[str, int]:
        try:
            seconds = parse_go_duration(self.since) if self.since else None
        except ValueError as error:
            raise UserError(f"--since {self.since}: give a time as 5s, 2m or 3h") from error
        if seconds is not None and seconds <= 0:
            raise UserError(f"--since {self.since}: give a time that has passed, as 5s, 2m or 3h")
        return {} if seconds is None else {"sinceSeconds": math.ceil(seconds)}


def print_logs(api: Access, options: LogOptions) -> int:
    """Prints the logs of a service's pods; returns the exit code."""
    options.query()
    try:
        asyncio.run(_print(api, options))
    except ApiError as error:
        raise UserError(error.message) from error
    except KeyboardInterrupt:
        return 130
    return 0


async def _print(api: Access, options: LogOptions) -> None:
    selector = f"{_SERVICE_LABEL}={options.service}"
    async with KubeClient(api) as client:
        await found_service(client, options.service, options.namespace)
        if options.follow:
            await _follow(client, selector, options)
            return
        pods, _ = await client.list(PODS, options.namespace, label_selector=selector)
        if not pods:
            print(f"No pod of {options.service} runs (it may sleep at zero).", file=sys.stderr)
        for pod in sorted(pods, key=meta.name):
            await _stream(client, pod, options, prefix=len(pods) > 1)


async def _follow(client: KubeClient, selector: str, options: LogOptions) -> None:
    cache = WatchCache(client, PODS, namespace=options.namespace, label_selector=selector)
    started: set[str] = set()
    async with asyncio.TaskGroup() as group:

        def changed(_old: Object | None, new: Object | None) -> None:
            if new is not None and _has_started(new) and meta.uid(new) not in started:
                started.add(meta.uid(new))
                group.create_task(_stream(client, new, options, prefix=True))

        cache.on_change(changed)
        await cache.run()


def _has_started(pod: Object) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any("waiting" not in (status.get("state") or {}) for status in statuses)


async def _stream(client: KubeClient, pod: Object, options: LogOptions, *, prefix: bool) -> None:
    query = {"container": pod["spec"]["containers"][0]["name"], **options.query()}
    head = f"[{meta.name(pod)}] ".encode() if prefix else b""
    try:
        async for line in client.logs(meta.name(pod), meta.namespace(pod), query=query):
            sys.stdout.buffer.write(head + line + b"\n")
            sys.stdout.buffer.flush()
    except ApiError as error:
        print(f"{meta.name(pod)}: {error.message}", file=sys.stderr)
