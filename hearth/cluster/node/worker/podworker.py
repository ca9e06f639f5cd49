"""Runs one pod: carries out what the state machine decides and reports the status.

One task per pod looks (``machine.step``), acts, offers the status and waits for the next change.
Everything slow runs in tasks of its own, which change a record and wake the loop. All decisions
are in ``machine``; all knowledge is in the records, which are written to disk as they change.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from hearth.cluster.node.pod import lifecycle as machine
from hearth.cluster.node.pod import records
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
from hearth.cluster.node.pod.records import Record, Running
from hearth.cluster.node.pod.spec import Container, PodSpec, parse_pod
from hearth.cluster.node.pod.status import changes_at
from hearth.cluster.node.probes.prober import HealthWatch, Reports
from hearth.cluster.node.runtime.processes.kernel import OutOfMemoryWatch
from hearth.cluster.node.runtime.processes.process import LaunchError, kill_marked
from hearth.cluster.node.runtime.processes.starter import (
    Refused,
    Started,
    adopt_container,
    start_container,
)
from hearth.cluster.node.worker.context import POD_MARK, NodeContext
from hearth.cluster.node.worker.folder import PodFolder, SavedPod
from hearth.cluster.node.worker.instance import Instance
from hearth.cluster.node.worker.setup import PodSetup, SetupError
from hearth.cluster.node.worker.statuswriter import StatusWriter
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object

log = logging.getLogger(__name__)

_RETRY_PREPARE_SECONDS = 1.0
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
        memory: OutOfMemoryWatch,
        is_bound: bool,
        known: dict[str, Record] | None = None,
    ) -> None:
        self.pod = pod
        self.spec: PodSpec = parse_pod(effective_pod(pod))
        self.records: dict[str, Record] = known or {}
        self.instances: dict[str, Instance] = {}
        self._context = context
        self._memory = memory
        self._folder = PodFolder.of(context.pods_dir, self.spec)
        self._setup = PodSetup(context, self.spec, self._folder, pod)
        self._is_prepared = False
        self._started_at = context.clock()
        self._deletion: Deletion | None = None
        self._failure: Failure | None = None
        self._is_gone = False
        self._is_over = False
        self._busy: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._health: dict[str, asyncio.Task[None]] = {}
        self._wakeup = asyncio.Event()
        self._last_complaint = ""
        self._writer = StatusWriter(context, self.spec, pod, is_bound=is_bound)
        self._note_deletion()

    # -- told from outside -----------------------------------------------------------------

    @property
    def uid(self) -> str:
        return self.spec.uid

    @property
    def is_idle(self) -> bool:
        """Finished: it counts for nothing and only waits to be deleted."""
        return machine.phase(self.spec, self._observed()) in ("Succeeded", "Failed")

    def update(self, pod: Object) -> None:
        """The object changed."""
        relabelled = meta.metadata(pod) != meta.metadata(self.pod)
        self.pod = pod
        self._setup.update(pod)
        self._writer.seen(pod)
        self._note_deletion()
        if relabelled and self._is_prepared and pod["spec"].get("volumes"):
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
            if record.complaint is not None:
                self.records[name] = records.retry_now(record)
                self._wakeup.set()

    def refresh(self) -> None:
        """Brings the files of volumes up to date."""
        if self._is_prepared and "refresh" not in self._busy and self._setup.follows_sources:
            self._spawn("refresh", self._setup.refresh())

    def restore(self, saved: SavedPod) -> set[int]:
        """Takes over what a former node process left; returns the sessions that run on."""
        self._started_at = saved.started_at or self._started_at
        self._setup.ports = dict(saved.ports)
        self.records = dict(saved.records)
        keep = saved.http_proxy == self._context.http_proxy
        for container in self.spec.containers:
            record = self.records.get(container.name)
            if record is None:
                continue
            order = self._setup.order(container, record)
            instance = adopt_container(order, record) if keep else None
            if instance is None:
                self.records[container.name] = records.lost(record, now=self._context.clock())
            else:
                self._adopt(container, instance, record)
        if self.instances:
            self._is_prepared = True
            self._setup.keep_ports()
            self._writer.ports = self._setup.ports
        return {instance.process.pid for instance in self.instances.values()}

    def _adopt(self, container: Container, instance: Instance, record: Record) -> None:
        self.records[container.name] = replace(record, is_stopping=False, is_starting=False)
        self.instances[container.name] = instance
        self._spawn(f"exit-{container.name}", self._await_end(container, instance))
        self._watch_health(container, instance, is_started=record.is_started)

    # -- the loop --------------------------------------------------------------------------

    async def run(self) -> None:
        """Until the pod is gone, or cancelled: then its processes are left to ``stop``."""
        if not self.is_idle and self._deletion is None:
            with contextlib.suppress(SetupError):  # tried again, and told, when preparing
                self._setup.take_ports()  # before the writer binds: the binding carries them
                self._writer.ports = self._setup.ports
        writing = asyncio.create_task(self._writer.run(), name=f"status-{self.spec.name}")
        try:
            while not self._is_over:
                self._wakeup.clear()
                now = self._context.clock()
                observed = self._observed()
                step = machine.step(self.spec, observed, now)
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
            for task in (*self._tasks, *self._health.values()):
                task.cancel()
            await asyncio.gather(writing, *self._tasks, *self._health.values(),
                                 return_exceptions=True)  # fmt: skip

    def _settled_at(self, now: float) -> float | None:
        """Until when a new pod's first status waits: its process is about to start.

        So the first thing that is written is a running process with its port, not the intention.
        """
        is_young = now < self._started_at + _SETTLE_SECONDS
        if is_young and any(name.startswith(("prepare", "start-")) for name in self._busy):
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
                self._set(name, records.starting(self._record(name)))
                self._spawn(f"start-{name}", self._start(self.spec.container(name)))
            case Stop(name):
                self._set(name, replace(self._record(name), is_stopping=True))
                self._spawn(f"stop-{name}", self._stop(self.spec.container(name), action))
            case Fail(failure):
                self._failure = failure
                self._event("Normal", failure.reason, failure.message)
                self._wakeup.set()
            case Remove():
                self._spawn("remove", self._remove())

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Runs work beside the loop, one of each name at a time."""
        if name in self._busy:
            work.close()
            return
        self._busy.add(name)
        task = asyncio.create_task(work, name=f"{self.spec.name}-{name}")
        self._tasks.add(task)

        def done(finished: asyncio.Task[None]) -> None:
            self._tasks.discard(finished)
            self._busy.discard(name)
            self._wakeup.set()
            if not finished.cancelled() and finished.exception() is not None:
                log.error(
                    "pod work failed",
                    extra={"pod": self.spec.full_name, "work": name},
                    exc_info=finished.exception(),
                )

        task.add_done_callback(done)

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
                    self._context.http_proxy,
                    self._setup.ports,
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
        for name, instance in self.instances.items():
            if self._record(name).is_stopping:
                instance.kill_after(deadline - self._context.clock())

    async def _remove(self) -> None:
        """The last status, the end of the object, and of everything on this machine."""
        if not self._is_gone:
            await self._writer.finish(self._observed())
        self._setup.release()
        await asyncio.to_thread(kill_marked, f"{POD_MARK}={self.uid}")
        await asyncio.to_thread(self._folder.remove)
        self._is_over = True

    # -- preparing -------------------------------------------------------------------------

    async def _prepare(self) -> None:
        """Folder, ports and volumes. What cannot be made yet is tried again."""
        try:
            await self._setup.prepare()
        except SetupError as error:
            if str(error) != self._last_complaint:  # the same one is tried again quietly
                self._last_complaint = str(error)
                self._event("Warning", error.reason, str(error))
            await asyncio.sleep(_RETRY_PREPARE_SECONDS)
        else:
            self._writer.ports = self._setup.ports
            self._is_prepared = True

    # -- starting --------------------------------------------------------------------------

    async def _start(self, container: Container) -> None:
        name = container.name
        record = self._record(name)
        try:
            if record.complaint is not None or record.ended is not None:
                await self._setup.look_up()
            started = await start_container(self._setup.order(container, record))
        except Refused as error:
            self._refused(container, error)
        except ApiError as error:  # for a while we do not know what it refers to
            self._refused(container, Refused("CreateContainerConfigError", error.message))
        except (LaunchError, OSError) as error:
            now = self._context.clock()
            self._set(name, records.start_failed(record, str(error), now=now, container_id=""))
            self._event("Warning", "Failed", f"Error: {error}", name)
            self._save()
        else:
            self._began(container, record, started)

    def _refused(self, container: Container, error: Refused) -> None:
        name, message = container.name, str(error)
        record = self._record(name)
        first = record.complaint is None or record.complaint.message != message
        self._set(
            name,
            records.complained(record, error.reason, message, now=self._context.clock()),
        )
        if error.reason == "ErrImagePull" and first:
            text = f'Failed to pull image "{container.image}": {message}'
            self._event("Warning", "Failed", text, name)
        if first:
            shown = error.reason if error.reason == "ErrImagePull" else message
            self._event("Warning", "Failed", f"Error: {shown}", name)
        elif error.reason == "ErrImagePull":
            self._event("Normal", "BackOff", f'Back-off pulling image "{container.image}"', name)

    def _began(self, container: Container, record: Record, started: Started) -> None:
        name, instance = container.name, started.instance
        running = Running(instance.started_at, instance.process.pid, instance.process.start_ticks)
        self.instances[name] = instance
        self._set(
            name,
            records.began(
                record,
                running,
                container_id=instance.container_id,
                image_id=started.image_id,
            ),
        )
        self._save()
        self._spawn(f"exit-{name}", self._await_end(container, instance))
        self._watch_health(container, instance, is_started=False)
        text = f'Container image "{container.image}" already present on machine'
        self._event("Normal", "Pulled", text, name)
        self._event("Normal", "Created", f"Created container: {name}", name)
        self._event("Normal", "Started", f"Started container {name}", name)
        if started.warning:
            self._event("Warning", "VolumeNotMounted", started.warning, name)

    # -- health ----------------------------------------------------------------------------

    def _watch_health(self, container: Container, instance: Instance, *, is_started: bool) -> None:
        """postStart, then the probes. Without either the container is ready as it runs."""
        hooks = container.post_start if not is_started else None
        if not any((hooks, container.startup, container.liveness, container.readiness)):
            self._mark(container.name, instance, is_started=True, is_ready=True)
            return
        watch = HealthWatch(
            container,
            instance.target,
            instance.started_at,
            self._context.clock,
            self._reports(container.name, instance),
        )
        self._health[container.name] = asyncio.create_task(
            watch.run(is_started=is_started), name=f"{self.spec.name}-health-{container.name}"
        )

    def _reports(self, name: str, instance: Instance) -> Reports:
        return Reports(
            started=lambda: self._mark(name, instance, is_started=True),
            ready=lambda ready: self._mark(name, instance, is_ready=ready),
            unhealthy=lambda reason, message: self._event("Warning", reason, message, name),
            doomed=lambda why, grace: self._doom(instance, why, grace),
        )

    def _mark(
        self,
        name: str,
        instance: Instance,
        *,
        is_started: bool | None = None,
        is_ready: bool | None = None,
    ) -> None:
        """Notes what the probes say, of the instance that they asked."""
        record = self._record(name)
        if self.instances.get(name) is not instance or record.running is None:
            return
        changed = replace(
            record,
            is_started=record.is_started if is_started is None else is_started,
            is_ready=record.is_ready if is_ready is None else is_ready,
        )
        if changed != record:
            self._set(name, changed)

    def _doom(self, instance: Instance, why: str, grace: int | None) -> None:
        name = instance.container.name
        if self.instances.get(name) is instance:
            self._set(name, replace(self._record(name), doomed=why, doomed_grace=grace))

    # -- ending ----------------------------------------------------------------------------

    async def _stop(self, container: Container, stop: Stop) -> None:
        """preStop, SIGTERM, and SIGKILL at the deadline; waits for the end."""
        instance = self.instances.get(container.name)
        if instance is None:
            return
        health = self._health.pop(container.name, None)
        if health is not None:
            health.cancel()
        deadline = self._deletion.deadline if self._deletion else stop.deadline
        grace = deadline - self._context.clock()
        text = self._record(container.name).doomed or f"Stopping container {container.name}"
        self._event("Normal", "Killing", text, container.name)
        turn_away = self._deletion is not None and bool(self._setup.ports)
        delay = self._context.termination_delay if turn_away else 0.0
        hook = await instance.stop(0.0 if self._is_gone else grace, delay=delay)
        if hook is not None and not hook.is_success:
            message = f"PreStopHook failed: {hook.message}"
            self._event("Warning", "FailedPreStopHook", message, container.name)
        await instance.process.wait()

    async def _await_end(self, container: Container, instance: Instance) -> None:
        name = container.name
        how = await instance.process.wait()
        if self._deletion is None:  # else all that is of the pod ends with it
            await asyncio.to_thread(kill_marked, instance.mark)
        instance.close()
        health = self._health.pop(name, None)
        if health is not None:
            health.cancel()
        oom = how.signal == 9 and not instance.was_killed and self._memory.has_killed()
        now = self._context.clock()
        ended = instance.terminated(how, now=now, is_out_of_memory=oom)
        self.instances.pop(name, None)
        record = records.exited(self._record(name), ended)
        self._set(name, record)
        self._save()
        if self.is_idle:
            self._context.ports.release(self._setup.ports)
        if (
            self._deletion is None
            and machine.will_restart(self.spec, container, record)
            and records.restart_at(record) > now
        ):
            text = f"Back-off restarting failed container {name} in pod {self.spec.full_name}"
            self._event("Warning", "BackOff", text, name)

    async def stop(self, grace_seconds: float) -> None:
        """The node goes down: ends the processes and keeps the pod for the next start.

        For a worker whose ``run`` was cancelled; no status is written.
        """
        instances = dict(self.instances)
        for instance in instances.values():
            instance.terminate()
            instance.kill_after(min(grace_seconds, float(self.spec.grace_seconds)))
        for name, instance in instances.items():
            how = await instance.process.wait()
            instance.close()
            ended = instance.terminated(how, now=self._context.clock(), is_out_of_memory=False)
            self.records[name] = records.exited(self._record(name), ended)
        self.instances.clear()
        if instances:
            self._save()
