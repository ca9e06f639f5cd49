"""The runtime that needs no engine: containers by runc or crun from unpacked layers, as root.

What runs is found again by the id and the first process of a record; whatever else lies in this
node's folders belongs to nobody and is removed. Nothing waits for a daemon: a first start is an
overlay mount and one command, and a start of what was made ahead is one word to a process.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hearth.cluster.node.pod.records import Record
from hearth.cluster.node.runtime.api import StartRequest
from hearth.cluster.node.runtime.bundles import kernel
from hearth.cluster.node.runtime.bundles.handles import Handle
from hearth.cluster.node.runtime.bundles.images import Images
from hearth.cluster.node.runtime.bundles.instance import BundleInstance
from hearth.cluster.node.runtime.bundles.maker import Maker
from hearth.cluster.node.runtime.bundles.ready import Ready
from hearth.cluster.node.runtime.bundles.runc import Runc, version_of
from hearth.cluster.node.runtime.cgroups.group import Group
from hearth.cluster.node.runtime.logs import RotatingFile
from hearth.cluster.node.runtime.podnets.networks import OwnNamespaces
from hearth.cluster.node.runtime.podnets.podnets import PodNets
from hearth.cluster.node.runtime.processes.console import Console
from hearth.cluster.node.runtime.processes.logpump import LogPump
from hearth.cluster.node.runtime.processes.process import adopt
from hearth.cluster.node.runtime.shared.aside import Aside
from hearth.cluster.node.runtime.shared.base import ContainerRuntime
from hearth.kube import meta
from hearth.kube.clock import Clock
from hearth.oci.store import StoredImage

log = logging.getLogger(__name__)

_IMAGE_CHECK_SECONDS, _CLEAR_UP_SECONDS = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class BundleSettings:
    """``data_dir`` is on disk, ``folder`` in memory; ``program`` is runc or crun."""

    node_id: str
    data_dir: Path
    program: str
    folder: Path = kernel.FOLDER


class BundleRuntime(ContainerRuntime[StoredImage, Ready, BundleInstance]):
    """``Runtime`` by runc or crun."""

    _images: Images
    _maker: Maker

    def __init__(
        self, settings: BundleSettings, images: Images, nets: PodNets, clock: Clock
    ) -> None:
        own = hashlib.sha256(settings.node_id.encode()).hexdigest()[:16]
        self._scheme = Path(settings.program).name
        self._version = version_of(settings.program)
        self._clock = clock
        folder, data = settings.folder / own, settings.data_dir
        runc, networks = Runc(settings.program, folder / "state"), OwnNamespaces(nets)
        super().__init__(
            images,
            Maker(runc, folder, data / "writable", images.puller.store, networks),
            networks,
            aside=Aside(),
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
            gone = await self._images.make_room(())
            if gone:
                log.info("images removed from a disk that is nearly full", extra={"images": gone})

    async def _remove_killed(self, instance: BundleInstance) -> None:
        await instance.wait()
        await instance.close(sweep=True)
        await self._maker.remove(instance.id)

    async def sweep(self) -> int:
        """Removes what lies in this node's folders and is not known here."""
        await self._settle()
        known = self._running.keys() | self._maker.making
        running = set(self._maker.runc.known()) - known
        found = await asyncio.to_thread(self._maker.found) - known
        await asyncio.gather(*map(self._maker.remove, found))
        await self._networks.sweep()
        return len(running)

    async def start(self, request: StartRequest) -> BundleInstance:
        """A container, made now or made ahead."""
        ready = await self._begun(request)
        process = ready.process
        handle = Handle(ready.container, process.pid, process.start_ticks, ready.stop_signal)
        instance = self._track(request, handle, ready)
        self._maker.making.discard(ready.container)
        return instance

    async def adopt(self, request: StartRequest, record: Record) -> BundleInstance | None:
        """The container on record, where it runs and still has its network."""
        handle = Handle.parse(record.running.handle) if record.running is not None else None
        if handle is None or record.running is None or not await self._keep_network(request):
            return None
        process = adopt(handle.pid, handle.ticks)
        if process is None:
            return None
        pipes = self._maker.bundle(handle.container).pipes
        console = Console(LogPump(pipes, RotatingFile(request.files.log)))
        console.pump.reopen()
        found = Ready(handle.container, process, console, record.image_id, handle.stop_signal)
        instance = self._track(request, handle, found)
        instance.started_at = record.running.started_at
        return instance

    def _track(self, request: StartRequest, handle: Handle, ready: Ready) -> BundleInstance:
        pod, container = request.facts.pod, ready.container
        group = Group.of(ready.process.pid)

        def on_close() -> None:
            if self._running.pop(container, None) is not None:
                self._maker.making.add(container)
                self._aside.spawn(self._maker.remove(container))

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

    async def close(self) -> None:
        """Ends what it still does; networks, where nothing runs in them."""
        await self._settle()
        await self._release_networks()
        self._maker.close(is_last=not self._running)
        await self._images.puller.http.aclose()
