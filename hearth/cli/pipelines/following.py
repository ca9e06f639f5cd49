"""A run as it goes: phases as they come, output of script and jobs, the summary."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection, Mapping
from typing import Any

from hearth.cli.errors import UserError
from hearth.cli.pipelines.place import Place, found_run
from hearth.cli.pipelines.words import coloured, summary_words, took
from hearth.kube import meta
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from hearth.kube.resources import PODS
from hearth.kube.views import Pod
from hearth.pipelines.api import keys
from hearth.pipelines.views import Run
from hearth.timeouts import time_limit

_APPEARS_SECONDS = 15.0
_LAST_LINES_SECONDS = 5.0


def follow_run(place: Place, name: str) -> int:
    """Print what a run says until it is over; 0 where it succeeded, else 1."""
    try:
        return place.run(lambda client: _Following(client, place, name).until_over())
    except KeyboardInterrupt:
        return 130


class _Following:
    def __init__(self, client: KubeClient, place: Place, name: str) -> None:
        self._client, self._place, self._name = client, place, name
        named = f"metadata.name={name}"
        mine = f"{keys.RUN_LABEL}={name}"
        self._runs = WatchCache(client, keys.RUNS, namespace=place.namespace, field_selector=named)
        self._pods = WatchCache(client, PODS, namespace=place.namespace, label_selector=mine)
        self._changed = asyncio.Event()
        self._told: dict[str, str] = {}
        self._waits: dict[str, str] = {}
        self._said: set[str] = set()
        self._streams: dict[str, asyncio.Task[None]] = {}

    async def until_over(self) -> int:
        caches = (self._runs, self._pods)
        watching = [asyncio.create_task(cache.run()) for cache in caches]
        try:
            for cache in caches:
                await cache.synced()
                cache.on_change(lambda _old, _new: self._changed.set())
            run = await self._over()
            await self._last_lines()
        finally:
            for task in (*watching, *self._streams.values()):
                task.cancel()
            await asyncio.gather(*watching, *self._streams.values(), return_exceptions=True)
        _print_end(run, self._said)
        return 0 if Run(run).phase == keys.SUCCEEDED else 1

    async def _over(self) -> Object:
        run: Object | None = None
        try:
            async with time_limit(_APPEARS_SECONDS):
                while (run := self._runs.get(self._place.namespace, self._name)) is None:
                    await self._next()
        except TimeoutError:
            return await found_run(self._client, self._place, self._name)
        while True:
            self._tell(run)
            if Run(run).is_final:
                return run
            await self._next()
            found = self._runs.get(self._place.namespace, self._name)
            if found is None:
                raise UserError(f"run {self._name} was deleted")
            run = found

    async def _next(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    def _tell(self, run: Object) -> None:
        now, jobs = wall_clock(), Run(run).jobs
        self._phase("", Run(run).phase)
        if not Run(run).is_final:
            self._wait("", Run(run).status)
        for name, job in jobs.items():
            attempt = int(job.get("attempt") or 0)
            again = f", attempt {attempt}" if attempt > 1 else ""
            done = f" in {took(job, now)}{again}" if job.get("finishedAt") else again
            self._phase(name, str(job.get("phase")), done)
            self._wait(name, job)
        for pod in self._pods.list():
            if meta.uid(pod) not in self._streams and _has_begun(pod):
                work = asyncio.create_task(self._stream(pod))
                self._streams[meta.uid(pod)] = work

    def _phase(self, job: str, phase: str, more: str = "") -> None:
        is_told = phase in (keys.PENDING, keys.STARTING) or (not job and phase in keys.FINAL)
        if self._told.get(job) != phase and not is_told:
            print(f"{job or self._name}: {coloured(phase)}{more}", flush=True)
        self._told[job] = phase

    def _wait(self, job: str, status: Mapping[str, Any]) -> None:
        """Why it does not begin, once for each reason."""
        why = str(status.get("message") or "")
        if why and not status.get("finishedAt") and self._waits.get(job) != why:
            self._waits[job] = why
            print(f"{job or self._name}: waits: {why}", flush=True)

    async def _stream(self, pod: Object) -> None:
        head = f"[{meta.labels(pod).get(keys.JOB_LABEL, 'script')}] ".encode()
        query = {"container": pod["spec"]["containers"][0]["name"], "follow": "true"}
        try:
            async for line in self._client.logs(meta.name(pod), meta.namespace(pod), query=query):
                self._said.add(line.decode(errors="replace"))
                sys.stdout.buffer.write(head + line + b"\n")
                sys.stdout.buffer.flush()
        except ApiError as error:
            print(f"{meta.name(pod)}: {error.message}", file=sys.stderr)

    async def _last_lines(self) -> None:
        """What pods said at their ends may come after the run is over."""
        for pod in self._pods.list():
            if meta.uid(pod) not in self._streams and _has_begun(pod):
                self._streams[meta.uid(pod)] = asyncio.create_task(self._stream(pod))
        if self._streams:
            await asyncio.wait(self._streams.values(), timeout=_LAST_LINES_SECONDS)


def _has_begun(pod: Object) -> bool:
    return Pod(pod).is_finished or any(each.waiting is None for each in Pod(pod).container_statuses)


def _print_end(run: Object, said: Collection[str]) -> None:
    """``said`` are lines that stand above already: a script prints why it failed."""
    status = Run(run).status
    phase = Run(run).phase
    print(f"{meta.name(run)}: {coloured(phase)} in {took(status, wall_clock())}")
    lines = str(status.get("message") or "").splitlines()
    if lines and lines[-1] not in said:
        print(*lines, sep="\n")
    if status.get("summary") is not None:
        print(summary_words(status["summary"]))
