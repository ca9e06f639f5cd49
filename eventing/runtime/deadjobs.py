"""Events whose Jobs may fail: kept in files until the Job is over, for a dead letter sink.

Only where a JobSink has one: the file is on disk before the Job is made, and goes when the Job has
done its work, or when the sink has taken the event. After a restart what is kept is looked at
again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import orjson

from eventing.codec import CodecError
from eventing.codec.structured import decode_structured
from eventing.engines.event import RenderedEvent
from eventing.runtime import jobs
from eventing.runtime.client import Answer, DeliveryClient
from eventing.runtime.files import write_durably
from eventing.runtime.intake import prepare_unstamped
from eventing.runtime.policy import Backoff, DeliveryPolicy, Outcome, Retry, is_success, next_step
from eventing.runtime.request import ErrorInfo, common_lines, make_request
from eventing.runtime.target import Target
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.controllerspec import Source
from hearth.kube.manager import Manager
from hearth.kube.meta import Object, name, namespace
from hearth.kube.resources import JOBS
from hearth.kube.timers import pause

log = logging.getLogger(__name__)

JOB_SOURCE = Source(JOBS, label_selector=jobs.NAME_LABEL)
_POLICY = DeliveryPolicy(retries=10, backoff=Backoff.EXPONENTIAL, delay_seconds=0.2)
_PAUSE_SECONDS = 600.0
"""After which a dead letter sink that takes nothing is tried again."""

SinkOf = Callable[[str, str], tuple[str, Target | None]]
"""By namespace and name of a JobSink: its address, and its dead letter sink."""


class DeadJobs:
    """Keeps events of Jobs that run, and sends those of Jobs that failed to a dead letter sink."""

    def __init__(
        self,
        folder: Path,
        manager: Manager,
        client: DeliveryClient,
        sink_of: SinkOf,
        *,
        clock: Clock = wall_clock,
    ) -> None:
        self._folder = folder
        self._manager = manager
        self._client = client
        self._sink_of = sink_of
        self._clock = clock
        self._tasks: dict[Path, asyncio.Task[None]] = {}
        self._follows = False

    def follow(self) -> None:
        """Begin to look at Jobs; once is enough. What is kept of Jobs that are gone goes."""
        if self._follows:
            return
        self._follows = True
        cache = self._manager.cache(JOB_SOURCE)
        self._manager.on_change(JOB_SOURCE, self._changed)
        before = list(self._folder.glob("*.json")) if self._folder.is_dir() else []
        self._manager.spawn("kept-events", self._clean(before, cache.synced))

    @property
    def kept(self) -> bool:
        """Whether anything is kept from an earlier life of the process."""
        return self._folder.is_dir() and any(self._folder.iterdir())

    async def keep(self, started: jobs.Started, event: bytes) -> None:
        """Have an event on disk."""
        self.follow()
        await asyncio.to_thread(write_durably, self._path(started.namespace, started.job), event)

    def release(self, started: jobs.Started) -> None:
        """Keep an event no more: no Job of it will fail."""
        self._path(started.namespace, started.job).unlink(missing_ok=True)

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes that are kept of each namespace. Blocking."""
        found: Counter[str] = Counter()
        for path in self._folder.glob("*.json") if self._folder.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):  # its Job is over
                found[path.name.partition("_")[0]] += path.stat().st_size
        return found

    def _path(self, where: str, job: str) -> Path:
        return self._folder / f"{where}_{job}.json"

    async def _clean(self, before: Iterable[Path], synced: Callable[[], Awaitable[None]]) -> None:
        await synced()
        there = {self._path(*_key(job)) for job in self._manager.list(JOB_SOURCE)}
        for path in before:
            if path not in there:
                path.unlink(missing_ok=True)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        job = new if new is not None else old
        if job is None:
            return
        path, ended = self._path(*_key(job)), jobs.outcome(job)
        if ended == "Failed":
            if path not in self._tasks and path.exists():
                task = asyncio.create_task(self._bury(job, path), name="dead-job")
                self._tasks[path] = task
                task.add_done_callback(lambda _: self._tasks.pop(path, None))
        elif ended or new is None:
            path.unlink(missing_ok=True)

    async def _bury(self, job: Object, path: Path) -> None:
        """Send the event of a failed Job to the dead letter sink, however long that takes."""
        try:
            event = decode_structured(await asyncio.to_thread(path.read_bytes))
        except (OSError, CodecError, orjson.JSONDecodeError) as error:
            log.warning("a kept event cannot be read", extra={"error": str(error)})
            return
        rendered = prepare_unstamped(event, arrival_ns=int(self._clock() * 1e9), headers=())
        while True:
            own, sink = self._sink_of(namespace(job), job["metadata"]["labels"][jobs.NAME_LABEL])
            reason = ErrorInfo.of(own, 500, body=jobs.failure(job).encode())
            if sink is not None and await self._send(sink, namespace(job), rendered, reason):
                await asyncio.to_thread(path.unlink, missing_ok=True)
                return
            if sink is not None:
                facts = {"job": f"{namespace(job)}/{name(job)}", "sink": sink.url}
                log.warning("a dead letter sink takes nothing, tried again later", extra=facts)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _send(
        self, target: Target, where: str, event: RenderedEvent, reason: ErrorInfo
    ) -> bool:
        attempts = 0
        while True:
            attempts += 1
            answer = await self._attempt(target, where, event, reason)
            if is_success(answer.status):
                return True
            now = self._clock()
            step = next_step(_POLICY, attempts, Outcome(answer.status), now=now, jitter=0.5)
            if not isinstance(step, Retry):
                return False
            await pause(step.at - now)

    async def _attempt(
        self, target: Target, where: str, event: RenderedEvent, reason: ErrorInfo
    ) -> Answer:
        common = common_lines(where, wants_reply=False)
        request = make_request(target, event, common, structured=False, failure=reason)
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._client.send(
            target,
            request,
            partial(_resolve, answered),
            timeout_seconds=_POLICY.timeout_seconds,
        )
        return await answered

    async def close(self) -> None:
        """Send no more; what is kept stays."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _resolve(answered: asyncio.Future[Answer], answer: Answer) -> None:
    if not answered.done():
        answered.set_result(answer)


def _key(job: Object) -> tuple[str, str]:
    return namespace(job), name(job)
