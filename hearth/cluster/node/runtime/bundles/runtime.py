"""The runtime that needs no engine: containers by runc or crun from unpacked layers, as root.

What runs is found again by the id and the first process of a record; whatever else lies in this
node's folders belongs to nobody and is removed. Nothing waits for a daemon: a first start is an
overlay mount and one command, and a start of what was made ahead is one word to a process.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.records import Record
from hearth.cluster.node.pod.spec import PodSpec
from hearth.cluster.node.runtime.api import (
    Bridge,
    CreateError,
    PrepareError,
    StartError,
    StartRequest,
    Usage,
)
from hearth.cluster.node.runtime.bundles.images import Images
from hearth.cluster.node.runtime.bundles.instance import BundleInstance
from hearth.cluster.node.runtime.bundles.maker import ID, Maker, Ready, key_of
from hearth.cluster.node.runtime.bundles.runc import Runc, version_of
from hearth.cluster.node.runtime.cgroups.group import Group
from hearth.cluster.node.runtime.containers.ahead import can_be_ahead
from hearth.cluster.node.runtime.containers.plan import plan_container
from hearth.cluster.node.runtime.engine.spares import IsAsleep, Parting, Spares
from hearth.cluster.node.runtime.logs import RotatingFile
from hearth.cluster.node.runtime.podnets.networks import NetworkError, OwnNamespaces
from hearth.cluster.node.runtime.podnets.podnets import PodNets
from hearth.cluster.node.runtime.processes.console import Console
from hearth.cluster.node.runtime.processes.logpump import LogPump
from hearth.cluster.node.runtime.processes.process import adopt
from hearth.kube import meta
from hearth.kube.clock import Clock
from hearth.oci.references import parse_reference

log = logging.getLogger(__name__)

_FOLDER = Path("/run/hearth-containers")
_IMAGE_CHECK_SECONDS, _CLEAR_UP_SECONDS = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class BundleSettings:
    """``data_dir`` is on disk, ``folder`` in memory; ``program`` is runc or crun."""

    node_id: str
    data_dir: Path
    program: str
    is_asleep: IsAsleep
    folder: Path = _FOLDER


@dataclass(frozen=True, slots=True)
class Handle:
    """What a record keeps of a container: enough to find it and to know it for the same."""

    container: str
    pid: int
    ticks: int
    stop_signal: signal.Signals = signal.SIGTERM

    def __str__(self) -> str:
        return f"{self.container}:{self.pid}:{self.ticks}:{self.stop_signal.value}"

    @classmethod
    def parse(cls, text: str) -> Handle | None:
        """None for one that somebody has broken."""
        container, *numbers = text.split(":")
        try:
            pid, ticks, number = map(int, numbers)
            stop_signal = signal.Signals(number)
        except ValueError:
            return None
        return cls(container, pid, ticks, stop_signal) if ID.fullmatch(container) else None


class BundleRuntime:
    """``Runtime`` by runc or crun."""

    def __init__(
        self, settings: BundleSettings, images: Images, nets: PodNets, clock: Clock
    ) -> None:
        own = hashlib.sha256(settings.node_id.encode()).hexdigest()[:16]
        self._scheme = Path(settings.program).name
        self._version = version_of(settings.program)
        folder = settings.folder / own
        runc = Runc(settings.program, folder / "state")
        store = images.puller.store
        self._maker = Maker(runc, folder, settings.data_dir / "writable", store)
        self._images = images
        self._networks = OwnNamespaces(nets)
        self._clock = clock
        self._by_uid: dict[str, PodNetwork] = {}
        self._running: dict[str, BundleInstance] = {}  # by id
        self._tasks: set[asyncio.Task[None]] = set()
        self._last: dict[str, StartRequest] = {}  # by pod, what can be made ahead of its successor
        self._spares: Spares[Ready] = Spares(
            settings.data_dir / "spares",
            self._networks,
            make=self.make_ahead,
            drop=self._drop,
            is_asleep=settings.is_asleep,
        )

    @property
    def version(self) -> str:
        """That of the program."""
        return f"{self._scheme}://{self._version}"

    async def run(self, on_change: Callable[[], None]) -> None:
        """Looks once a second for images that are waited for, where any are."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._clear_up(), name="containers-clear-up")
            while True:
                await asyncio.sleep(_IMAGE_CHECK_SECONDS)
                if await self._images.have_come():
                    on_change()

    async def _clear_up(self) -> None:
        while True:
            await asyncio.sleep(_CLEAR_UP_SECONDS)
            await self._spares.check()
            gone = await self._images.make_room(())
            if gone:
                log.info("images removed from a disk that is nearly full", extra={"images": gone})

    # -- pods ------------------------------------------------------------------------------

    async def prepare(self, pod: PodSpec, previous: PodNetwork) -> PodNetwork:
        """An address of its own; that of the container that waits for the pod, where one does."""
        network = self._by_uid.get(pod.uid) or self._spares.claim(pod)
        if network is None:
            try:
                network = await self._networks.make(pod, previous)
            except NetworkError as error:
                raise PrepareError("FailedCreatePodSandBox", str(error)) from error
        self._by_uid[pod.uid] = network
        return network

    async def bridge(self) -> Bridge | None:
        """What the pods hang on."""
        return await self._networks.bridge()

    async def dial(self, uid: str, port: int) -> socket.socket:
        """A connection to the pod's loopback address."""
        network = self._by_uid.get(uid)
        if network is None:
            raise ConnectionRefusedError("the pod has no address")
        return await self._networks.dial(network, port)

    async def remove(self, uid: str) -> None:
        """Ends what is left of a pod and frees its network; makes the next one's container."""
        left = [each for each in list(self._running.values()) if each.pod_uid == uid]
        for instance in left:
            instance.kill()
        for instance in left:
            await instance.wait()
            await instance.close(sweep=True)
            await self._maker.remove(instance.id)
        await self._spares.abandon(uid)
        last = self._last.pop(uid, None)
        if last is not None:
            self._spawn(self._spares.make_after(last, Parting.of(last)))
        network = self._by_uid.pop(uid, None)
        if network is not None:
            await self._networks.release(network)

    async def sweep(self) -> int:
        """Removes what lies in this node's folders and is not known here."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._spares.drop_all()
        known = self._running.keys() | self._maker.making
        running = set(self._maker.runc.known()) - known
        found = await asyncio.to_thread(self._maker.found) - known
        await asyncio.gather(*map(self._maker.remove, found))
        await self._networks.sweep()
        return len(running)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="containers-aside")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- containers ------------------------------------------------------------------------

    async def start(self, request: StartRequest) -> BundleInstance:
        """Image, root filesystem, program; or the last alone, where the rest was made ahead."""
        image = await self._images.ensure(request)
        plan = plan_container(request, image.config)
        uid = meta.uid(request.facts.pod)
        ready = await self._start_spare(request, key_of(plan, image))
        if ready is None:
            ready = await self._maker.create(request, image, plan, self._namespace(request))
            await self._maker.begin(ready)
        request.report("Normal", "Created", f"Created container: {request.container.name}")
        if can_be_ahead(request, plan):
            self._last[uid] = request
        process = ready.process
        handle = Handle(ready.container, process.pid, process.start_ticks, ready.stop_signal)
        instance = self._track(request, handle, ready)
        self._maker.making.discard(ready.container)
        return instance

    def _namespace(self, request: StartRequest) -> Path:
        path = self._networks.namespace(request.network)
        if path is None:
            raise CreateError("CreateContainerError", "the pod has no network any more")
        return path

    async def _start_spare(self, request: StartRequest, key: str) -> Ready | None:
        ready = await self._spares.take(request, key)
        if ready is None:
            return None
        try:
            await self._maker.begin(ready)
        except StartError as error:  # it may have ended while it waited
            log.info("a container made ahead did not start", extra={"error": str(error)})
            return None
        return ready

    async def make_ahead(self, request: StartRequest) -> Ready:
        """A container made to the last step before its program."""
        reference = parse_reference(request.container.image)
        image = await asyncio.to_thread(self._images.puller.store.find, reference)
        if image is None:
            raise CreateError("ErrImagePull", "the image is not there")
        plan = plan_container(request, image.config)
        return await self._maker.create(request, image, plan, self._namespace(request))

    async def _drop(self, ready: Ready) -> None:
        await ready.close()
        await self._maker.remove(ready.container)

    async def adopt(self, request: StartRequest, record: Record) -> BundleInstance | None:
        """The container on record, where it runs and still has its network."""
        handle = Handle.parse(record.running.handle) if record.running is not None else None
        uid = meta.uid(request.facts.pod)
        if handle is None or record.running is None:
            return None
        if uid not in self._by_uid and not await self._networks.keep(request.network):
            return None
        process = adopt(handle.pid, handle.ticks)
        if process is None:
            return None
        self._by_uid[uid] = request.network
        pipes = self._maker.bundle(handle.container).pipes
        console = Console(LogPump(pipes, RotatingFile(request.files.log)))
        console.pump.reopen()
        found = Ready(
            handle.container, process, console, record.image_id, handle.stop_signal, key=""
        )
        instance = self._track(request, handle, found)
        instance.started_at = record.running.started_at
        return instance

    def _track(self, request: StartRequest, handle: Handle, ready: Ready) -> BundleInstance:
        pod, container = request.facts.pod, ready.container
        group = Group.of(ready.process.pid)

        def on_close() -> None:
            if self._running.pop(container, None) is not None:
                self._maker.making.add(container)
                self._spawn(self._maker.remove(container))

        instance = self._running[container] = BundleInstance(
            id=container,
            scheme=self._scheme,
            image_id=ready.image,
            handle=str(handle),
            started_at=self._clock(),
            pod_uid=meta.uid(pod),
            names=(meta.namespace(pod), meta.name(pod), request.container.name),
            runc=self._maker.runc,
            bundle=self._maker.bundle(container),
            process=ready.process,
            console=ready.console,
            stop_signal=ready.stop_signal,
            group=group,
            memory=group.watch_memory() if group is not None else None,
            on_close=on_close,
        )
        return instance

    def usage(self) -> Sequence[Usage]:
        """By control groups; from any thread."""
        found = (instance.usage() for instance in list(self._running.values()))
        return [usage for usage in found if usage is not None]

    async def close(self) -> None:
        """Ends what it still does; networks, where nothing runs in them."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self._running:
            for uid in list(self._by_uid):
                await self._networks.release(self._by_uid.pop(uid))
            await self._networks.sweep()
        self._maker.close(is_last=not self._running)
        await self._images.puller.http.aclose()
