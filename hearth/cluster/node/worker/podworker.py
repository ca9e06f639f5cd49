"""Runs one pod: carries out what the state machine decides and reports the status.

One task per pod looks (``lifecycle.step``), acts, offers the status and waits for the next change.
Everything slow runs in tasks of its own, which change the state and wake the loop. All decisions
are in ``lifecycle``; all knowledge is in the records, which are written to disk as they change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from hearth.cluster.node.pod import lifecycle
from hearth.cluster.node.pod.lifecycle import (
    Action,
    Deletion,
    Fail,
    Observed,
    Prepare,
    Remove,
    Start,
    Stop,
)
from hearth.cluster.node.pod.payload import effective_pod
from hearth.cluster.node.pod.records import Record
from hearth.cluster.node.pod.recovery import failure_of
from hearth.cluster.node.pod.sizes import SizeLimit, eviction, size_limits
from hearth.cluster.node.pod.spec import PodSpec, parse_pod
from hearth.cluster.node.pod.status import changes_at
from hearth.cluster.node.runtime.api import Instance, PrepareError
from hearth.cluster.node.worker.containers import PodContainers, PodState
from hearth.cluster.node.worker.context import NodeContext
from hearth.cluster.node.worker.folder import PodFolder, SavedPod
from hearth.cluster.node.worker.namedtasks import NamedTasks
from hearth.cluster.node.worker.podobject import PodObject
from hearth.cluster.node.worker.setup import PodSetup
from hearth.cluster.node.worker.sizes import until_outgrown
from hearth.cluster.node.worker.statuswriter import StatusWriter
from hearth.cluster.node.worker.wakeup import Wakeup
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339
from hearth.kube.meta import Object
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_REFRESH_TOKENS_SECONDS = 60.0
_FORCED_GRACE_SECONDS = 2.0  # for a pod that was taken out of the API without a word
_SETTLE_SECONDS = 0.02


class PodWorker:
    """``run`` until the pod is gone; ``update``, ``gone`` and ``retry`` tell it what changed."""

    def __init__(
        self,
        context: NodeContext,
        found: PodObject,
        *,
        is_bound: bool,
        known: dict[str, Record] | None = None,
    ) -> None:
        self._object = found
        pod = found()
        self.spec: PodSpec = parse_pod(effective_pod(pod))
        self._context = context
        self._state = PodState(context.clock(), records=known or {})
        self._is_over = False
        self._wakeup = Wakeup()
        self._last_failure = ""
        self._folder = PodFolder.of(context.pods_dir, self.spec)
        self._setup = PodSetup(context, self.spec, self._folder, found)
        self._tasks = NamedTasks(self.spec.full_name, self._wakeup.set)
        self._containers = PodContainers(
            context,
            self.spec,
            self._state,
            folder=self._folder,
            setup=self._setup,
            tasks=self._tasks,
            wake=self._wakeup.set,
            tell=self._tell,
        )
        self._writer = StatusWriter(context, self.spec, found, is_bound=is_bound)
        self._state.failure = failure_of(pod)
        self._note_deletion()

    # -- told from outside -----------------------------------------------------------------

    @property
    def pod(self) -> Object:
        """The object as it is now, or was at last."""
        return self._object()

    @property
    def uid(self) -> str:
        """The uid of the pod's object: another pod of the name has another."""
        return self.spec.uid

    @property
    def is_idle(self) -> bool:
        """Finished: it counts for nothing and only waits to be deleted."""
        return lifecycle.phase(self.spec, self._observe()) in ("Succeeded", "Failed")

    @property
    def is_busy(self) -> bool:
        """It is being set up, or a container of it is being started."""
        return self._tasks.is_any("prepare", "start-")

    def instance(self, container: str) -> Instance | None:
        """What runs of a container."""
        run = self._containers.runs.get(container)
        return None if run is None else run.instance

    def update(self, pod: Object, before: Object | None) -> None:
        """Takes over the object as it is now; ``before`` is None when it is told the first time."""
        is_relabelled = meta.metadata(pod) != meta.metadata(before or self.pod)
        self._object.followed()
        # Of a spec the one thing that may change and is not of a container: a time limit.
        limit = pod["spec"].get("activeDeadlineSeconds")
        self.spec = replace(self.spec, active_deadline=None if limit is None else float(limit))
        self._note_deletion()
        if is_relabelled and self._state.is_prepared and pod["spec"].get("volumes"):
            self.refresh()
        self._wakeup.set()

    def gone(self, last: Object) -> None:
        """The object was removed by somebody else: end quickly."""
        self._object.gone(last)
        self._state.is_gone = True
        deadline = self._context.clock() + _FORCED_GRACE_SECONDS
        if self._state.deletion is None or deadline < self._state.deletion.deadline:
            self._shorten(deadline)
        self._wakeup.set()

    def retry(self) -> None:
        """Something a container may wait for has changed: an image, a ConfigMap, a Secret."""
        self._containers.retry()

    def refresh(self) -> None:
        """Brings the files of volumes up to date."""
        if self._state.is_prepared and self._setup.follows_sources:
            self._tasks.spawn("refresh", self._setup.refresh())

    async def restore(self, saved: SavedPod) -> int:
        """Takes over what a former node process left; returns how many containers run on."""
        self._state.started_at = saved.started_at or self._state.started_at
        self._setup.network = saved.network
        self._state.records = dict(saved.records)
        adopted = await self._containers.adopt()
        self._state.is_prepared = bool(adopted)
        if adopted:
            await self._context.reach.find()
            self._watch_sizes()
        return adopted

    # -- the loop --------------------------------------------------------------------------

    async def run(self) -> None:
        """Until the pod is gone, or cancelled: then its processes are left to ``stop``."""
        writing = asyncio.create_task(self._writer.run(), name=f"status-{self.spec.name}")
        try:
            while not self._is_over:
                self._wakeup.clear()
                now = self._context.clock()
                observed = self._observe()
                step = lifecycle.step(self.spec, observed, now)
                for action in step.actions:
                    self._begin(action)
                observed = self._observe()
                settled_at = self._settled_at(now)
                if settled_at is None:
                    self._writer.offer(observed, now=now)
                times = (step.wake_at, settled_at, changes_at(observed, now))
                wake_at = min((t for t in times if t is not None), default=None)
                await self._sleep(None if wake_at is None else wake_at - now)
        finally:
            writing.cancel()
            await asyncio.gather(
                writing,
                self._tasks.cancel_all(),
                self._containers.cancel_probes(),
                return_exceptions=True,
            )

    def _settled_at(self, now: float) -> float | None:
        """Until when a new pod's first status waits: its process is about to start.

        So the first thing that is written is a running process with its port, not the intention.
        """
        is_young = now < self._state.started_at + _SETTLE_SECONDS
        if is_young and self.is_busy:
            return self._state.started_at + _SETTLE_SECONDS
        return None

    async def _sleep(self, seconds: float | None) -> None:
        if self._setup.has_tokens:
            seconds = min(seconds or _REFRESH_TOKENS_SECONDS, _REFRESH_TOKENS_SECONDS)
        try:
            async with time_limit(None if seconds is None else max(seconds, 0.0)):
                await self._wakeup.wait()
        except TimeoutError:
            if self._setup.has_tokens:
                self.refresh()

    def _observe(self) -> Observed:
        return self._state.observed(self._setup.network)

    def _begin(self, action: Action) -> None:
        match action:
            case Prepare():
                self._tasks.spawn("prepare", self._prepare())
            case Start(name):
                self._containers.start(name)
            case Stop():
                self._containers.stop(action)
            case Fail(failure):
                self._state.failure = failure
                self._tell("Normal", failure.reason, failure.message)
                self._wakeup.set()
            case Remove():
                self._tasks.spawn("remove", self._remove())

    def _tell(self, kind: str, reason: str, message: str, container: str = "") -> None:
        self._context.events.tell(self.pod, kind, reason, message=message, container=container)

    # -- deletion --------------------------------------------------------------------------

    def _note_deletion(self) -> None:
        """Starts the clock at first sight of a deletion; a later one may shorten it."""
        if not meta.is_deleting(self.pod):
            return
        grace = float(meta.metadata(self.pod).get("deletionGracePeriodSeconds") or 0)
        asked_at = parse_rfc3339(meta.metadata(self.pod)["deletionTimestamp"]) - grace
        now = self._context.clock()
        # The timestamp has whole seconds; a pod deleted just now gets its whole grace period.
        deadline = (now if now - asked_at < 2 else asked_at) + grace
        if self._state.deletion is None or deadline < self._state.deletion.deadline - 1:
            self._shorten(deadline)

    def _shorten(self, deadline: float) -> None:
        self._state.deletion = Deletion(deadline)
        self._containers.shorten(deadline)

    async def _remove(self) -> None:
        """The last status, the end of the object, and of everything on this machine."""
        if not self._state.is_gone:
            await self._writer.finish(self._observe())
        await self._tasks.cancel_all(but="remove")  # what it still writes must not outlive us
        await self._setup.release()
        await asyncio.to_thread(self._folder.remove)
        self._is_over = True

    # -- preparing -------------------------------------------------------------------------

    async def _prepare(self) -> None:
        """Makes address, folder and volumes. What cannot be made yet is tried again."""
        try:
            await self._setup.prepare()
        except PrepareError as error:
            if str(error) != self._last_failure:  # the same one is tried again quietly
                self._last_failure = str(error)
                self._tell("Warning", error.reason, str(error))
                if error.__cause__ is not None:
                    facts = {"pod": self.spec.full_name}
                    log.warning("pod not prepared", extra=facts, exc_info=error.__cause__)
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            self._state.is_prepared = True
            self._watch_sizes()

    def _watch_sizes(self) -> None:
        limits = size_limits(self.pod)
        if limits:
            self._tasks.spawn("sizes", self._evict_if_outgrown(limits))

    async def _evict_if_outgrown(self, limits: Sequence[SizeLimit]) -> None:
        period = self._context.measure_seconds
        outgrown = await until_outgrown(
            self._folder, limits, period=period, is_over=lambda: self.is_idle
        )
        if outgrown is not None:
            failure = self._state.failure = eviction(outgrown)
            self._tell("Warning", failure.reason, failure.message)

    async def stop(self, grace_seconds: float) -> None:
        """The node goes down: ends the containers and keeps the pod for the next start.

        For a worker whose ``run`` was cancelled; no status is written.
        """
        await self._containers.end_all(grace_seconds)
        self._folder.forget_memory()
