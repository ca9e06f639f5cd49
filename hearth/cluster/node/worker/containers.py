"""The containers of one pod: starts them, watches them, ends them, and keeps their records.

Told by ``podworker`` what to do; whatever comes of it becomes a record, which wakes the pod's loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hearth.cluster.node.pod import lifecycle, records
from hearth.cluster.node.pod.lifecycle import Deletion, Failure, Observed, Stop
from hearth.cluster.node.pod.listening import describe
from hearth.cluster.node.pod.network import PodNetwork, declared_port
from hearth.cluster.node.pod.records import Record, Running, Terminated
from hearth.cluster.node.pod.spec import Container, PodSpec
from hearth.cluster.node.probes.handlers import Target
from hearth.cluster.node.probes.prober import Prober
from hearth.cluster.node.runtime.api import (
    CreateError,
    Exit,
    Instance,
    StartError,
    StartRequest,
)
from hearth.cluster.node.worker.containerrun import ContainerRun, own_message
from hearth.cluster.node.worker.context import NodeContext
from hearth.cluster.node.worker.folder import PodFolder, SavedPod
from hearth.cluster.node.worker.namedtasks import NamedTasks
from hearth.cluster.node.worker.setup import PodSetup
from hearth.kube.errors import ApiError

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0

Tell = Callable[[str, str, str, str], None]
"""Records an event on the pod: type, reason, message, container."""


@dataclass(slots=True)
class PodState:
    """What is known of a pod at the moment, besides its object."""

    started_at: float
    records: dict[str, Record] = field(default_factory=dict)
    is_prepared: bool = False
    deletion: Deletion | None = None
    failure: Failure | None = None
    is_gone: bool = False
    """The object is not in the API any more."""

    def observed(self, network: PodNetwork) -> Observed:
        """The state as the state machine takes it."""
        return Observed(
            records=self.records,
            network=network,
            is_prepared=self.is_prepared,
            started_at=self.started_at,
            deletion=self.deletion,
            failure=self.failure,
        )


class PodContainers:
    """Acts on containers by name; ``wake`` is called when a record has changed."""

    def __init__(
        self,
        context: NodeContext,
        spec: PodSpec,
        state: PodState,
        *,
        folder: PodFolder,
        setup: PodSetup,
        tasks: NamedTasks,
        wake: Callable[[], None],
        tell: Tell,
    ) -> None:
        self.runs: dict[str, ContainerRun] = {}
        self._context = context
        self._spec = spec
        self._state = state
        self._folder = folder
        self._setup = setup
        self._tasks = tasks
        self._wake = wake
        self._tell = tell
        self._health: dict[str, asyncio.Task[None]] = {}

    # -- told by the worker ----------------------------------------------------------------

    def start(self, name: str) -> None:
        """Begins to start a container."""
        if self._tasks.spawn(f"start-{name}", self._start(self._spec.container(name))):
            self._set(name, records.starting(self._record(name)))

    def stop(self, stop: Stop) -> None:
        """Begins to end a container."""
        if self._tasks.spawn(f"stop-{stop.container}", self._stop(stop)):
            self._set(stop.container, replace(self._record(stop.container), is_stopping=True))

    def shorten(self, deadline: float) -> None:
        """The pod is to go by then: what is being stopped has no longer, starts end at once."""
        for container in self._spec.containers:
            name, record = container.name, self._record(container.name)
            if record.is_stopping and name in self.runs:
                self.runs[name].kill_after(deadline - self._context.clock())
            if self._tasks.cancel(f"start-{name}"):  # an image may take minutes to come
                self._set(name, replace(record, is_starting=False))

    def retry(self) -> None:
        """Something that a container may wait for has changed."""
        for name, record in self._state.records.items():
            if record.waiting is not None:
                self._state.records[name] = records.retry_now(record)
                self._wake()

    async def adopt(self) -> int:
        """Takes over what runs of the records; returns how many containers do."""
        for container in self._spec.containers:
            name = container.name
            record = self._state.records.get(name)
            if record is None:
                continue
            request = self._request(container)
            instance = await self._context.runtime.adopt(request, record)
            if instance is None:
                said = own_message(request.files)
                self._state.records[name] = records.lost(
                    record, now=self._context.clock(), message=said
                )
            else:
                fresh = replace(record, is_stopping=False, is_starting=False)
                self._state.records[name] = fresh
                self._follow(request, instance, is_started=record.is_started)
        return len(self.runs)

    async def end_all(self, grace_seconds: float) -> None:
        """Ends all containers with the node itself; their records say so for its next start."""
        runs = dict(self.runs)
        for run in runs.values():
            run.instance.terminate()
            run.kill_after(min(grace_seconds, float(self._spec.grace_seconds)))
        for name, run in runs.items():
            how = await run.instance.wait()
            await run.close(sweep=False)
            ended = run.terminated(how, now=self._context.clock())
            self._state.records[name] = records.exited(self._record(name), ended)
        self.runs.clear()
        if runs:
            self._save()

    async def cancel_probes(self) -> None:
        """Ends the probes of all containers, and nothing else."""
        probers = list(self._health.values())
        for prober in probers:
            prober.cancel()
        await asyncio.gather(*probers, return_exceptions=True)

    def _record(self, name: str) -> Record:
        return self._state.records.get(name, records.NEW)

    def _set(self, name: str, record: Record) -> None:
        self._state.records[name] = record
        self._wake()

    def _save(self) -> None:
        """Records go to disk; that a full disk refuses them must not end the pod."""
        try:
            self._folder.save(
                SavedPod(
                    self._spec.namespace,
                    self._spec.name,
                    self._spec.uid,
                    self._state.started_at,
                    self._setup.network,
                    self._state.records,
                )
            )
        except OSError as error:
            log.warning(
                "pod state not saved",
                extra={"pod": self._spec.full_name, "error": str(error)},
            )

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
                log.exception("start failed", extra={"pod": self._spec.full_name})
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
            report=lambda kind, reason, message: self._tell(kind, reason, message, name),
        )

    def _not_started(self, container: Container, message: str) -> None:
        """The program did not start: an instance that ended at once, with its back-off."""
        name, now = container.name, self._context.clock()
        record = records.start_failed(self._record(name), message, now=now, container_id="")
        self._set(name, record)
        self._tell("Warning", "Failed", f"Error: {message}", name)
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
            self._tell("Warning", "Failed", text, name)
        if first:
            shown = error.reason if error.reason == "ErrImagePull" else message
            self._tell("Warning", "Failed", f"Error: {shown}", name)
        elif error.reason == "ErrImagePull":
            self._tell("Normal", "BackOff", f'Back-off pulling image "{container.image}"', name)

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
        self._tell("Normal", "Started", f"Started container {name}", name)

    def _follow(self, request: StartRequest, instance: Instance, *, is_started: bool) -> None:
        """Waits for the end of an instance and watches its health."""
        container = request.container
        target = Target(container, request.network, instance)
        run = ContainerRun(container, instance, target, request.files)
        self.runs[container.name] = run
        self._tasks.spawn(f"exit-{container.name}", self._await_end(run))
        self._watch_health(run, is_started=is_started)

    # -- health ----------------------------------------------------------------------------

    def _watch_health(self, run: ContainerRun, *, is_started: bool) -> None:
        """postStart, then the probes. Without either the container is ready as it runs."""
        container = run.container
        hook = container.post_start if not is_started else None
        if not any((hook, container.startup, container.liveness, container.readiness)):
            self.mark(run, is_started=True, is_ready=True)
            return
        prober = Prober(
            container,
            run.target,
            run.instance.started_at,
            self._context.clock,
            _Reports(self, run),
        )
        self._health[container.name] = asyncio.create_task(
            prober.run(is_started=is_started), name=f"{self._spec.name}-health-{container.name}"
        )

    def look_where_it_listens(self, run: ContainerRun, port: int | str) -> None:
        """Begins to, at most once in a while."""
        self._tasks.spawn(f"listening-{run.container.name}", self._find_listening(run, port))

    async def _find_listening(self, run: ContainerRun, port: int | str) -> None:
        name, network = run.container.name, run.target.network
        found = await asyncio.to_thread(run.instance.listening)
        wanted = declared_port(run.container, port)
        if found is not None and not found.is_own_network:
            wanted = network.find_port(run.container, port)
        text = "" if wanted is None or found is None else describe(wanted, found)
        record = self._record(name)
        if self.runs.get(name) is run and record.listening != text:
            self._set(name, replace(record, listening=text))
            if text:
                self._tell("Warning", "OtherPort", text, name)
        await asyncio.sleep(_LOOK_SECONDS)

    def mark(
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

    def tell_unhealthy(self, run: ContainerRun, reason: str, message: str) -> None:
        """An event about a probe or hook."""
        self._tell("Warning", reason, message, run.container.name)

    def request_kill(self, run: ContainerRun, why: str, grace: int | None) -> None:
        """Has the pod's loop end an instance."""
        name = run.container.name
        if self.runs.get(name) is run:
            self._set(name, replace(self._record(name), kill_reason=why, kill_grace=grace))

    # -- ending ----------------------------------------------------------------------------

    async def _stop(self, stop: Stop) -> None:
        """Runs preStop, sends SIGTERM, and SIGKILL at the deadline; waits for the end."""
        name = stop.container
        run = self.runs.get(name)
        if run is None:
            return
        self._end_health(name)
        deadline = self._state.deletion.deadline if self._state.deletion else stop.deadline
        grace = deadline - self._context.clock()
        text = self._record(name).kill_reason or f"Stopping container {name}"
        self._tell("Normal", "Killing", text, name)
        is_serving = self._state.deletion is not None and any(
            c.ports for c in self._spec.containers
        )
        delay = self._context.termination_delay if is_serving else 0.0
        hook = await run.stop(0.0 if self._state.is_gone else grace, delay=delay)
        if hook is not None and not hook.is_success:
            message = f"PreStopHook failed: {hook.message}"
            self._tell("Warning", "FailedPreStopHook", message, name)
        await run.instance.wait()

    async def _await_end(self, run: ContainerRun) -> None:
        """Waits for the end of an instance, cleans up after it, and records the end."""
        container, name = run.container, run.container.name
        how = await run.instance.wait()
        now = self._context.clock()
        is_over = self._state.deletion is not None or self._ends_the_pod(name, how, now)
        await self._clean_up(run, is_over=is_over)
        self.runs.pop(name, None)
        record = records.exited(self._record(name), run.terminated(how, now=now))
        self._set(name, record)
        self._save()
        if self._state.deletion is None:
            self._tell_backoff(container, record, now)

    def _ends_the_pod(self, name: str, how: Exit, now: float) -> bool:
        """Whether nothing of the pod will run once that container has ended."""
        code = records.UNKNOWN_EXIT_CODE if how.code is None else how.code
        ended = records.exited(self._record(name), Terminated(code, "", now))
        after = {**self._state.records, name: ended}
        observed = replace(self._state.observed(self._setup.network), records=after)
        is_finished = lifecycle.phase(self._spec, observed) in ("Succeeded", "Failed")
        return is_finished and not any(record.running for record in after.values())

    async def _clean_up(self, run: ContainerRun, *, is_over: bool) -> None:
        """What the container left behind ends; with the last one, the pod's network is free."""
        self._end_health(run.container.name)
        try:
            await run.close(sweep=not is_over)
            if is_over and self._state.deletion is None:
                await self._context.runtime.remove(self._spec.uid)
                await asyncio.to_thread(self._folder.remove_volumes)
        except Exception:
            log.exception("container not cleaned up", extra={"pod": self._spec.full_name})

    def _end_health(self, name: str) -> None:
        prober = self._health.pop(name, None)
        if prober is not None:
            prober.cancel()

    def _tell_backoff(self, container: Container, record: Record, now: float) -> None:
        if lifecycle.will_restart(self._spec, container, record) and (
            records.restart_at(record) > now
        ):
            text = f"Back-off restarting failed container {container.name} in pod"
            self._tell("Warning", "BackOff", f"{text} {self._spec.full_name}", container.name)


@dataclass(slots=True)
class _Reports:
    """What the probes of one instance come to."""

    containers: PodContainers
    run: ContainerRun

    def started(self) -> None:
        self.containers.mark(self.run, is_started=True)

    def ready(self, is_ready: bool) -> None:
        self.containers.mark(self.run, is_ready=is_ready)

    def unhealthy(self, reason: str, message: str) -> None:
        self.containers.tell_unhealthy(self.run, reason, message)

    def failed(self, why: str, grace: int | None) -> None:
        self.containers.request_kill(self.run, why, grace)

    def unanswered(self, port: int | str) -> None:
        self.containers.look_where_it_listens(self.run, port)
