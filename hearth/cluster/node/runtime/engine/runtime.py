"""The runtime that has a container engine run pods.

What runs is found again by labels with the node's id, so several Hearths share an engine; whatever
bears this node's id and belongs to no pod is removed. An engine that is away or starts anew ends no
container: a container's first process is watched by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.records import Record
from hearth.cluster.node.pod.spec import Container, PodSpec
from hearth.cluster.node.runtime.api import (
    Bridge,
    CreateError,
    PrepareError,
    StartError,
    StartRequest,
    Usage,
)
from hearth.cluster.node.runtime.containers.ahead import can_be_ahead
from hearth.cluster.node.runtime.containers.plan import ContainerPlan, plan_container
from hearth.cluster.node.runtime.engine.client import EngineError
from hearth.cluster.node.runtime.engine.commands import Commands, launch_text
from hearth.cluster.node.runtime.engine.console import Console
from hearth.cluster.node.runtime.engine.images import EngineImage, Images
from hearth.cluster.node.runtime.engine.instance import EngineInstance, Ready, Watched
from hearth.cluster.node.runtime.engine.logfetch import LogFetcher
from hearth.cluster.node.runtime.engine.seam import Dialect, Making
from hearth.cluster.node.runtime.engine.service import PodmanService
from hearth.cluster.node.runtime.engine.spares import IsAsleep, Parting, Spares
from hearth.cluster.node.runtime.podnets.networks import NetworkError, Networks
from hearth.kube import meta
from hearth.kube.clock import Clock
from hearth.oci.references import parse_reference

log = logging.getLogger(__name__)

NODE_LABEL = "dev.hearth.node"
_AT_ONCE = 8  # an engine takes no more at a time without making all of them wait
_IMAGE_CHECK_SECONDS, _SPARE_CHECK_SECONDS = 1.0, 60.0
_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose a container is."""

    uid: str
    namespace: str
    pod: str
    container: str

    @classmethod
    def of(cls, request: StartRequest) -> _Owner:
        pod = request.facts.pod
        return cls(meta.uid(pod), meta.namespace(pod), meta.name(pod), request.container.name)


class EngineRuntime:
    """``Runtime`` by an engine."""

    def __init__(
        self,
        node_id: str,
        engine: Dialect,
        images: Images,
        networks: Networks,
        *,
        clock: Clock,
        spares: Path,
        is_asleep: IsAsleep,
        service: PodmanService | None = None,
    ) -> None:
        self._node_id = node_id
        self._engine = engine
        self._images = images
        self._networks = networks
        self._clock = clock
        self._service = service
        self._by_uid: dict[str, PodNetwork] = {}
        self._running: dict[str, EngineInstance] = {}  # by container id
        self._joined: dict[str, str] = {}  # container -> the one whose network it shares
        self._making: set[str] = set()  # ids of containers that are being started
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._last: dict[str, StartRequest] = {}  # by pod, what can be made ahead of its successor
        self._spares = Spares(
            spares,
            networks,
            make=self.make_ahead,
            drop=self._drop,
            is_asleep=is_asleep,
        )

    @property
    def version(self) -> str:
        """The engine's."""
        return f"{self._engine.scheme}://{self._engine.version}"

    async def run(self, on_change: Callable[[], None]) -> None:
        """Looks once a second for images that are waited for; keeps a service of ours alive."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_for_images(on_change), name="engine-images")
            group.create_task(self._check_spares(), name="engine-spares")
            if self._service is not None:
                group.create_task(self._service.keep(self._engine.client), name="engine-service")

    async def _check_spares(self) -> None:
        while True:
            await asyncio.sleep(_SPARE_CHECK_SECONDS)
            await self._spares.check()

    async def _look_for_images(self, on_change: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(_IMAGE_CHECK_SECONDS)
            with contextlib.suppress(CreateError):
                if await self._images.have_come():
                    on_change()

    # -- pods ------------------------------------------------------------------------------

    async def prepare(self, pod: PodSpec, previous: PodNetwork) -> PodNetwork:
        """An address of its own, or published ports."""
        network = self._by_uid.get(pod.uid)
        if network is None:
            network = self._spares.claim(pod)
        if network is None:
            try:
                network = await self._networks.make(pod, previous)
            except NetworkError as error:
                raise PrepareError("FailedCreatePodSandBox", str(error)) from error
        self._by_uid[pod.uid] = network
        return network

    async def bridge(self) -> Bridge | None:
        """What the engine's containers hang on."""
        return await self._networks.bridge()

    async def dial(self, uid: str, port: int) -> socket.socket:
        """A connection from inside the pod."""
        network = self._by_uid.get(uid)
        if network is None:
            raise ConnectionRefusedError("the pod has no address")
        return await self._networks.dial(network, port)

    async def remove(self, uid: str) -> None:
        """Removes its containers and frees its network; to the end, once it has begun."""
        await asyncio.shield(self._spawn(self._remove_pod(uid)))

    async def _remove_pod(self, uid: str) -> None:
        left = [i for i in list(self._running.values()) if i.pod_uid == uid]
        for instance in left:
            instance.kill()
        await asyncio.gather(*(instance.wait() for instance in left))
        await asyncio.gather(*(self._remove(instance.handle) for instance in left))
        await self._spares.abandon(uid)
        last = self._last.pop(uid, None)
        if last is not None:
            self._spawn(self._spares.make_after(last, Parting.of(last)))
        network = self._by_uid.pop(uid, None)
        if network is not None:
            await self._networks.release(network)

    async def sweep(self) -> int:
        """Removes what bears the node's label and is not known here."""
        await self._settle()
        try:
            found = await self._engine.find(f"{NODE_LABEL}={self._node_id}")
        except EngineError as error:
            log.warning("containers not looked through", extra={"error": str(error)})
            return 0
        strange = [i for i in found if i not in self._running and i not in self._making]
        await asyncio.gather(*(self._remove(container) for container in strange))
        await self._networks.sweep()
        return len(strange)

    async def _remove(self, container: str) -> None:
        try:
            async with self._turns:
                await self._engine.remove(container)
        except EngineError as error:
            facts = {"container": container[:12], "error": str(error)}
            log.warning("container not removed", extra=facts)

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        async def done() -> None:
            await work

        task = asyncio.create_task(done(), name="engine-aside")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _settle(self) -> None:
        """Waits for what is done aside, and drops what it has made ahead meanwhile."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._spares.drop_all()

    # -- containers ------------------------------------------------------------------------

    async def start(self, request: StartRequest) -> EngineInstance:
        """Image, container, program; or the last step alone, where the rest was made ahead."""
        image = await self._images.ensure(request)
        plan = plan_container(request, image.config)
        ready = await self._start_spare(request, _key(plan, image))
        if ready is None:
            network = self._by_uid.get(meta.uid(request.facts.pod), request.network)
            ready = await self._begin(await self._create(request, image, plan, network=network))
        request.report("Normal", "Created", f"Created container: {request.container.name}")
        if can_be_ahead(request, plan):
            self._last[meta.uid(request.facts.pod)] = request
        return self._track(_Owner.of(request), ready, request.files.log)

    async def _start_spare(self, request: StartRequest, key: str) -> Ready | None:
        ready = await self._spares.take(request, key)
        if ready is None:
            return None
        try:
            return await self._begin(ready)
        except StartError as error:  # it may have ended while it waited
            log.info("a container made ahead did not start", extra={"error": str(error)})
            return None

    async def make_ahead(self, request: StartRequest) -> Ready:
        """A container made to the last step before its program."""
        reference = parse_reference(request.container.image)
        image = await self._images.find(reference)
        if image is None:
            raise CreateError("ErrImagePull", "the image is not there")
        plan = plan_container(request, image.config)
        return await self._create(request, image, plan, network=request.network)

    async def _create(
        self, request: StartRequest, image: EngineImage, plan: ContainerPlan, *, network: PodNetwork
    ) -> Ready:
        """A container that is ready, if the engine can do that; else one that is only made."""
        owner = _Owner.of(request)
        joins = self._owner_of_network(owner.uid)
        making = Making(
            name=f"hearth-{owner.uid[:8]}-{owner.container}-{secrets.token_hex(4)}",
            image=image.id,
            plan=plan,
            labels=self._labels(owner),
            log=request.files.log,
            joins=joins,
            **self._networks.place(network),
        )
        async with self._turns:
            try:
                made = await self._engine.create(making)
            except EngineError as error:
                raise CreateError("CreateContainerError", str(error)) from error
            self._making.add(made)
            if joins:
                self._joined[made] = joins
            try:
                if self._engine.can_init:
                    await self._engine.init(made)
                ready = await self._look(request.container, made)
            except BaseException as error:
                self._give_up(made)
                if isinstance(error, EngineError):
                    raise StartError(launch_text(str(error))) from error
                raise
        return replace(ready, image=image.digest, key=_key(plan, image))

    async def _begin(self, ready: Ready) -> Ready:
        """The program begins, watched from its first step where that can be; or StartError."""
        made = ready.state.container
        try:
            await self._engine.start(made)
            return ready if ready.watched.is_seen else await self._seen(ready)
        except BaseException as error:
            await ready.close()
            self._give_up(made)
            if isinstance(error, EngineError):
                raise StartError(launch_text(str(error))) from error
            raise

    async def _seen(self, ready: Ready) -> Ready:
        """Of an engine that makes the first process with the start."""
        state = await self._engine.inspect(ready.state.container)
        if state is None:
            raise StartError("the container was removed while it started")
        return replace(ready, state=state, watched=Watched(state.pid))

    def _give_up(self, made: str) -> None:
        self._making.discard(made)
        self._spawn(self._remove(made))

    async def _drop(self, ready: Ready) -> None:
        await ready.close()
        self._making.discard(ready.state.container)
        await self._remove(ready.state.container)

    def _labels(self, owner: _Owner) -> dict[str, str]:
        return {
            NODE_LABEL: self._node_id,
            "io.kubernetes.pod.namespace": owner.namespace,
            "io.kubernetes.pod.name": owner.pod,
            "io.kubernetes.pod.uid": owner.uid,
            "io.kubernetes.container.name": owner.container,
        }

    async def _look(self, container: Container, made: str) -> Ready:
        state = await self._engine.inspect(made)
        if state is None:
            raise StartError("the container was removed while it started")
        watched = Watched(state.pid)
        try:
            console = await Console.open(Commands(self._engine.client, made), container)
        except BaseException:
            watched.close()
            raise
        return Ready(state, watched, console)

    def _owner_of_network(self, uid: str) -> str:
        """The container whose network another of its pod joins, where pods have none of ours."""
        if self._engine.can_init:
            return ""
        return next((i.handle for i in self._running.values() if i.pod_uid == uid), "")

    def _track(self, owner: _Owner, ready: Ready, path: Path) -> EngineInstance:
        state = ready.state
        log_of = None
        if not self._engine.writes_log:
            client = self._engine.client
            log_of = LogFetcher(client, state.container, path, tty=state.tty)
        self._making.discard(state.container)

        async def on_close() -> None:
            if self._running.pop(state.container, None) is not None:
                self._spawn(self._remove(state.container))
            self._joined.pop(state.container, None)
            for other in list(self._running.values()):  # its network has gone: kubelet's way, too
                if self._joined.get(other.handle) == state.container:
                    other.kill()

        instance = EngineInstance(
            engine=self._engine,
            handle=state.container,
            image_id=ready.image,
            started_at=state.started_at or self._clock(),
            pod_uid=owner.uid,
            names=(owner.namespace, owner.pod, owner.container),
            watched=ready.watched,
            stop_signal=state.stop_signal,
            tty=state.tty,
            console=ready.console,
            log=log_of,
            spawn=self._spawn,
            on_close=on_close,
        )
        self._running[state.container] = instance
        return instance

    async def adopt(self, request: StartRequest, record: Record) -> EngineInstance | None:
        """The container on record, where it runs, is ours and still has its network."""
        handle = record.running.handle if record.running is not None else ""
        if not _ID.fullmatch(handle):
            return None
        try:
            state = await self._engine.inspect(handle)
        except EngineError as error:
            log.warning("container not asked for", extra={"error": str(error)})
            return None
        is_ours = state is not None and state.labels.get(NODE_LABEL) == self._node_id
        if state is None or not is_ours or state.code is not None or not state.pid:
            return None
        owner = _Owner.of(request)
        if owner.uid not in self._by_uid:
            if not await self._networks.keep(request.network):
                return None
            self._by_uid[owner.uid] = request.network
        ready = await self._look(request.container, handle)
        instance = self._track(owner, replace(ready, image=record.image_id), request.files.log)
        instance.started_at = record.running.started_at if record.running else state.started_at
        return instance

    def usage(self) -> Sequence[Usage]:
        """By control groups; from any thread."""
        return [
            Usage(*instance.names, counters.cpu_seconds, counters.memory_bytes)
            for instance in list(self._running.values())
            if not instance.has_ended and (counters := instance.watched.usage()) is not None
        ]

    async def close(self) -> None:
        """Ends what it still does, and its connections; networks, where nothing runs in them."""
        await self._settle()
        if not self._running:
            for uid in list(self._by_uid):
                await self._networks.release(self._by_uid.pop(uid))
            await self._networks.sweep()
        await self._images.close()
        await self._engine.client.close()
        if self._service is not None:
            await self._service.stop()


def _key(plan: ContainerPlan, image: EngineImage) -> str:
    return f"{plan.key}@{image.id}"
