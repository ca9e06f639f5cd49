"""Runs one pod: carries out what the state machine decides and reports the status.

One task per pod looks (``lifecycle.step``), acts, offers the status and waits for the next change.
Everything slow runs in tasks of its own, which change a record and wake the loop. All decisions
are in ``lifecycle``; all knowledge is in the records, which are written to disk as they change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from hearth.cluster.node.pod import lifecycle, records
from hearth.cluster.node.pod.lifecycle import (
    Action,
    Deletion,
    Fail,
    Failure,
    Observed,
    Prepare,
    Remove,
    Start,
    Stop,
)
from hearth.cluster.node.pod.payload import effective_pod
from hearth.cluster.node.pod.records import Record, Running, Terminated
from hearth.cluster.node.pod.spec import Container, PodSpec, parse_pod
from hearth.cluster.node.pod.status import changes_at
from hearth.cluster.node.probes.handlers import Target
from hearth.cluster.node.probes.prober import Prober, Reports
from hearth.cluster.node.runtime.api import (
    CreateError,
    Exit,
    Instance,
    PrepareError,
    StartError,
    StartRequest,
)
from hearth.cluster.node.worker.containerrun import ContainerRun
from hearth.cluster.node.worker.context import NodeContext
from hearth.cluster.node.worker.folder import PodFolder, SavedPod
from hearth.cluster.node.worker.setup import PodSetup
from hearth.cluster.node.worker.statuswriter import StatusWriter
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object

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
        pod: Object,
        *,
        is_bound: bool,
        known: dict[str, Record] | None = None,
    ) -> None:
        self.pod = pod
        self.spec: PodSpec = parse_pod(effective_pod(pod))
        self.records: dict[str, Record] = known or {}
        self.runs: dict[str, ContainerRun] = {}
        self._context = context
        self._folder = PodFolder.of(context.pods_dir, self.spec)
        self._setup = PodSetup(context, self.spec, self._folder, pod)
        self._is_prepared = False
        self._started_at = context.clock()
        self._deletion: Deletion | None = None
        self._failure: Failure | None = None
        self._is_gone = False
        self._is_over = False
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._health: dict[str, asyncio.Task[None]] = {}
        self._wakeup = asyncio.Event()
        self._last_failure = ""
        self._writer = StatusWriter(context, self.spec, pod, is_bound=is_bound)
        self._note_deletion()

    # -- told from outside -----------------------------------------------------------------

    @property
    def uid(self) -> str:
        """The uid of the pod's object: another pod of the name has another."""
        return self.spec.uid

    @property
    def is_idle(self) -> bool:
        """Finished: it counts for nothing and only waits to be deleted."""
        return lifecycle.phase(self.spec, self._observed()) in ("Succeeded", "Failed")

    def update(self, pod: Object) -> None:
        """Takes over the object as it is now; it has changed."""
        is_relabelled = meta.metadata(pod) != meta.metadata(self.pod)
        self.pod = pod
        self._setup.update(pod)
        self._writer.seen(pod)
        self._note_deletion()
        if is_relabelled and self._is_prepared and pod["spec"].get("volumes"):
            self.refresh()
        self._wakeup.set()

    def gone(self) -> None:
        """The object was removed by somebody else: end quickly."""
        self._is_gone = True
        deadline = self._context.clock() + _FORCED_GRACE_SECONDS
        if self._deletion is None or deadline < self._deletion.deadline:
            self._shorten(deadline)
        self._wakeup.set()

    def retry(self) -> None:
        """Something a container may wait for has changed: an image, a ConfigMap, a Secret."""
        for name, record in self.records.items():
            if record.waiting is not None:
                self.records[name] = records.retry_now(record)
                self._wakeup.set()

    def refresh(self) -> None:
        """Brings the files of volumes up to date."""
        if self._is_prepared and self._setup.follows_sources:
            self._spawn("refresh", self._setup.refresh())

    async def restore(self, saved: SavedPod) -> int:
        """Takes over what a former node process left; returns how many containers run on."""
        self._started_at = saved.started_at or self._started_at
        self._setup.network = saved.network
        self.records = dict(saved.records)
        for container in self.spec.containers:
            record = self.records.get(container.name)
            if record is None:
                continue
            request = self._request(container)
            instance = await self._context.runtime.adopt(request, record)
            if instance is None:
                self.records[container.name] = records.lost(record, now=self._context.clock())
            else:
                self._adopt(request, instance, record)
        self._is_prepared = bool(self.runs)
        return len(self.runs)

    def _adopt(self, request: StartRequest, instance: Instance, record: Record) -> None:
        name = request.container.name
        self.records[name] = replace(record, is_stopping=False, is_starting=False)
        self._follow(request, instance, is_started=record.is_started)

    # -- the loop --------------------------------------------------------------------------

    async def run(self) -> None:
        """Until the pod is gone, or cancelled: then its processes are left to ``stop``."""
        writing = asyncio.create_task(self._writer.run(), name=f"status-{self.spec.name}")
        try:
            while not self._is_over:
                self._wakeup.clear()
                now = self._context.clock()
                observed = self._observed()
                step = lifecycle.step(self.spec, observed, now)
                for action in step.actions:
                    self._begin(action)
                observed = self._observed()
                settled_at = self._settled_at(now)
                if settled_at is None:
                    self._writer.offer(observed, now=now)
                times = (step.wake_at, settled_at, changes_at(observed, now))
                wake_at = min((t for t in times if t is not None), default=None)
                await self._sleep(None if wake_at is None else wake_at - now)
        finally:
            writing.cancel()
            tasks = (*self._tasks.values(), *self._health.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(writing, *tasks, return_exceptions=True)

    def _settled_at(self, now: float) -> float | None:
        """Until when a new pod's first status waits: its process is about to start.

        So the first thing that is written is a running process with its port, not the intention.
        """
        is_young = now < self._started_at + _SETTLE_SECONDS
        if is_young and any(name.startswith(("prepare", "start-")) for name in self._tasks):
            return self._started_at + _SETTLE_SECONDS
        return None

    async def _sleep(self, seconds: float | None) -> None:
        if self._setup.has_tokens:
            seconds = min(seconds or _REFRESH_TOKENS_SECONDS, _REFRESH_TOKENS_SECONDS)
        try:
            async with asyncio.timeout(None if seconds is None else max(seconds, 0.0)):
                await self._wakeup.wait()
        except TimeoutError:
            if self._setup.has_tokens:
                self.refresh()

    def _observed(self) -> Observed:
        return Observed(
            records=self.records,
            network=self._setup.network,
            is_prepared=self._is_prepared,
            started_at=self._started_at,
            deletion=self._deletion,
            failure=self._failure,
        )

    def _begin(self, action: Action) -> None:
        match action:
            case Prepare():
                self._spawn("prepare", self._prepare())
            case Start(name):
                if self._spawn(f"start-{name}", self._start(self.spec.container(name))):
                    self._set(name, records.starting(self._record(name)))
            case Stop(name):
                if self._spawn(f"stop-{name}", self._stop(self.spec.container(name), action)):
                    self._set(name, replace(self._record(name), is_stopping=True))
            case Fail(failure):
                self._failure = failure
                self._event("Normal", failure.reason, failure.message)
                self._wakeup.set()
            case Remove():
                self._spawn("remove", self._remove())

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> bool:
        """Runs work beside the loop, one of each name at a time; False where that is under way.

        Only work that was taken on may mark a record, or the mark would stay for good.
        """
        if name in self._tasks:
            work.close()
            return False
        task = asyncio.create_task(self._perform(name, work), name=f"{self.spec.name}-{name}")
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._forget_task(name, done, work))
        return True

    async def _perform(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """The name is free again in the step in which the work has recorded what came of it."""
        try:
            await work
        except Exception:
            log.exception("pod work failed", extra={"pod": self.spec.full_name, "work": name})
            await asyncio.sleep(_RETRY_SECONDS)  # what fails at once is not tried without a pause
        finally:
            del self._tasks[name]
            self._wakeup.set()

    def _forget_task(
        self, name: str, done: asyncio.Task[None], work: Coroutine[Any, Any, None]
    ) -> None:
        """For a task that was cancelled before its first step: none of it has run."""
        if self._tasks.get(name) is done:
            del self._tasks[name]
            work.close()

    def _record(self, name: str) -> Record:
        return self.records.get(name, records.NEW)

    def _set(self, name: str, record: Record) -> None:
        self.records[name] = record
        self._wakeup.set()

    def _event(self, kind: str, reason: str, message: str, container: str = "") -> None:
        self._context.events.record(self.pod, kind, reason, message=message, container=container)

    def _save(self) -> None:
        """Records go to disk; that a full disk refuses them must not end the pod."""
        try:
            self._folder.save(
                SavedPod(
                    self.spec.namespace,
                    self.spec.name,
                    self.spec.uid,
                    self._started_at,
                    self._setup.network,
                    self.records,
                )
            )
        except OSError as error:
            log.warning(
                "pod state not saved",
                extra={"pod": self.spec.full_name, "error": str(error)},
            )

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
        if self._deletion is None or deadline < self._deletion.deadline - 1:
            self._shorten(deadline)

    def _shorten(self, deadline: float) -> None:
        self._deletion = Deletion(deadline)
        for name, run in self.runs.items():
            if self._record(name).is_stopping:
                run.kill_after(deadline - self._context.clock())
        for name, task in self._tasks.items():
            if name.startswith("start-"):  # an image may take minutes to come
                task.cancel()
                container = name.removeprefix("start-")
                self._set(container, replace(self._record(container), is_starting=False))

    async def _remove(self) -> None:
        """The last status, the end of the object, and of everything on this machine."""
        if not self._is_gone:
            await self._writer.finish(self._observed())
        others = [task for name, task in self._tasks.items() if name != "remove"]
        for task in others:  # what they would still write must not outlive the folder
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
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
                self._event("Warning", error.reason, str(error))
                if error.__cause__ is not None:
                    facts = {"pod": self.spec.full_name}
                    log.warning("pod not prepared", extra=facts, exc_info=error.__cause__)
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            self._is_prepared = True

    # -- starting --------------------------------------------------------------------------

    async def _start(self, container: Container) -> None:
        """Starts a container. However that fails, the record says so: nothing may stay starting."""
        try:
            request, instance = await self._try_start(container)
        except CreateError as error:
            self._not_created(container, error)
        except ApiError as error:  # for a while we do not know what it refers to
            self._not_created(container, CreateError("CreateContainerConfigError", error.message))
        except Exception as error:
            if not isinstance(error, StartError | OSError):
                log.exception("start failed", extra={"pod": self.spec.full_name})
            self._not_started(container, str(error) or type(error).__name__)
        else:
            self._began(request, instance)

    async def _try_start(self, container: Container) -> tuple[StartRequest, Instance]:
        record = self._record(container.name)
        if record.waiting is not None or record.ended is not None:
            await self._setup.look_up()
        request = self._request(container)
        self._folder.prepare_instance(container.name, request.restarts)
        return request, await self._context.runtime.start(request)

    def _request(self, container: Container) -> StartRequest:
        name = container.name
        return self._setup.start_request(
            container,
            self._record(name),
            report=lambda kind, reason, message: self._event(kind, reason, message, name),
        )

    def _not_started(self, container: Container, message: str) -> None:
        """The program did not start: an instance that ended at once, with its back-off."""
        name, now = container.name, self._context.clock()
        record = records.start_failed(self._record(name), message, now=now, container_id="")
        self._set(name, record)
        self._event("Warning", "Failed", f"Error: {message}", name)
        self._save()
        self._tell_backoff(container, record, now)

    def _not_created(self, container: Container, error: CreateError) -> None:
        name, message = container.name, str(error)
        record = self._record(name)
        first = record.waiting is None or record.waiting.message != message
        self._set(
            name,
            records.creation_failed(record, error.reason, message, now=self._context.clock()),
        )
        if error.reason == "ErrImagePull" and first:
            text = f'Failed to pull image "{container.image}": {message}'
            self._event("Warning", "Failed", text, name)
        if first:
            shown = error.reason if error.reason == "ErrImagePull" else message
            self._event("Warning", "Failed", f"Error: {shown}", name)
        elif error.reason == "ErrImagePull":
            self._event("Normal", "BackOff", f'Back-off pulling image "{container.image}"', name)

    def _began(self, request: StartRequest, instance: Instance) -> None:
        name = request.container.name
        running = Running(instance.started_at, instance.handle)
        record = records.began(
            self._record(name),
            running,
            container_id=instance.container_id,
            image_id=instance.image_id,
        )
        self._set(name, record)
        self._follow(request, instance, is_started=False)
        self._save()
        self._event("Normal", "Started", f"Started container {name}", name)

    def _follow(self, request: StartRequest, instance: Instance, *, is_started: bool) -> None:
        """Waits for the end of an instance and watches its health."""
        container = request.container
        target = Target(container, request.network, instance)
        run = ContainerRun(container, instance, target, request.files)
        self.runs[container.name] = run
        self._spawn(f"exit-{container.name}", self._await_end(run))
        self._watch_health(run, is_started=is_started)

    # -- health ----------------------------------------------------------------------------

    def _watch_health(self, run: ContainerRun, *, is_started: bool) -> None:
        """postStart, then the probes. Without either the container is ready as it runs."""
        container = run.container
        hook = container.post_start if not is_started else None
        if not any((hook, container.startup, container.liveness, container.readiness)):
            self._mark(run, is_started=True, is_ready=True)
            return
        prober = Prober(
            container,
            run.target,
            run.instance.started_at,
            self._context.clock,
            self._reports(run),
        )
        self._health[container.name] = asyncio.create_task(
            prober.run(is_started=is_started), name=f"{self.spec.name}-health-{container.name}"
        )

    def _reports(self, run: ContainerRun) -> Reports:
        name = run.container.name
        return Reports(
            started=lambda: self._mark(run, is_started=True),
            ready=lambda ready: self._mark(run, is_ready=ready),
            unhealthy=lambda reason, message: self._event("Warning", reason, message, name),
            failed=lambda why, grace: self._request_kill(run, why, grace),
        )

    def _mark(
        self, run: ContainerRun, *, is_started: bool | None = None, is_ready: bool | None = None
    ) -> None:
        """Notes what the probes say, of the instance that they asked."""
        name = run.container.name
        record = self._record(name)
        if self.runs.get(name) is not run or record.running is None:
            return
        changed = replace(
            record,
            is_started=record.is_started if is_started is None else is_started,
            is_ready=record.is_ready if is_ready is None else is_ready,
        )
        if changed != record:
            self._set(name, changed)

    def _request_kill(self, run: ContainerRun, why: str, grace: int | None) -> None:
        name = run.container.name
        if self.runs.get(name) is run:
            self._set(name, replace(self._record(name), kill_reason=why, kill_grace=grace))

    # -- ending ----------------------------------------------------------------------------

    async def _stop(self, container: Container, stop: Stop) -> None:
        """Runs preStop, sends SIGTERM, and SIGKILL at the deadline; waits for the end."""
        name = container.name
        run = self.runs.get(name)
        if run is None:
            return
        self._end_health(name)
        deadline = self._deletion.deadline if self._deletion else stop.deadline
        grace = deadline - self._context.clock()
        text = self._record(name).kill_reason or f"Stopping container {name}"
        self._event("Normal", "Killing", text, name)
        is_serving = self._deletion is not None and any(c.ports for c in self.spec.containers)
        delay = self._context.termination_delay if is_serving else 0.0
        hook = await run.stop(0.0 if self._is_gone else grace, delay=delay)
        if hook is not None and not hook.is_success:
            message = f"PreStopHook failed: {hook.message}"
            self._event("Warning", "FailedPreStopHook", message, name)
        await run.instance.wait()

    async def _await_end(self, run: ContainerRun) -> None:
        """Waits for the end of an instance, cleans up after it, and records the end."""
        container, name = run.container, run.container.name
        how = await run.instance.wait()
        now = self._context.clock()
        is_over = self._deletion is not None or self._ends_the_pod(name, how, now)
        await self._clean_up(run, is_over=is_over)
        self.runs.pop(name, None)
        record = records.exited(self._record(name), run.terminated(how, now=now))
        self._set(name, record)
        self._save()
        if self._deletion is None:
            self._tell_backoff(container, record, now)

    def _ends_the_pod(self, name: str, how: Exit, now: float) -> bool:
        """Whether nothing of the pod will run once that container has ended."""
        code = records.UNKNOWN_EXIT_CODE if how.code is None else how.code
        ended = records.exited(self._record(name), Terminated(code, "", now))
        after = {**self.records, name: ended}
        observed = replace(self._observed(), records=after)
        return lifecycle.phase(self.spec, observed) in ("Succeeded", "Failed")

    async def _clean_up(self, run: ContainerRun, *, is_over: bool) -> None:
        """What the container left behind ends; with the last one, the pod's network is free."""
        self._end_health(run.container.name)
        try:
            await run.close(sweep=not is_over)
            if is_over and self._deletion is None:
                await self._context.runtime.remove(self.uid)
        except Exception:
            log.exception("container not cleaned up", extra={"pod": self.spec.full_name})

    def _end_health(self, name: str) -> None:
        prober = self._health.pop(name, None)
        if prober is not None:
            prober.cancel()

    def _tell_backoff(self, container: Container, record: Record, now: float) -> None:
        if lifecycle.will_restart(self.spec, container, record) and (
            records.restart_at(record) > now
        ):
            text = f"Back-off restarting failed container {container.name} in pod"
            self._event("Warning", "BackOff", f"{text} {self.spec.full_name}", container.name)

    async def stop(self, grace_seconds: float) -> None:
        """The node goes down: ends the containers and keeps the pod for the next start.

        For a worker whose ``run`` was cancelled; no status is written.
        """
        runs = dict(self.runs)
        for run in runs.values():
            run.instance.terminate()
            run.kill_after(min(grace_seconds, float(self.spec.grace_seconds)))
        for name, run in runs.items():
            how = await run.instance.wait()
            await run.close(sweep=False)
            ended = run.terminated(how, now=self._context.clock())
            self.records[name] = records.exited(self._record(name), ended)
        self.runs.clear()
        if runs:
            self._save()
