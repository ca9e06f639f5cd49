"""The runtime that needs nothing installed: a container is a process of this machine.

Pods share the loopback address, so each declared port gets a free real one. A container is a
session of its own with marks in its environment; the node finds it again by pid and start time,
and what left its session by the marks.
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hearth.cluster.node.images.store import ImageStore, stand_in_message
from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.records import Record
from hearth.cluster.node.pod.spec import PodSpec, is_warm
from hearth.cluster.node.runtime.api import PrepareError, StartRequest, Usage
from hearth.cluster.node.runtime.dialing import connect_locally
from hearth.cluster.node.runtime.logs import RotatingFile
from hearth.cluster.node.runtime.ports import NoPort, PortAllocator
from hearth.cluster.node.runtime.processes.console import Console
from hearth.cluster.node.runtime.processes.environment import (
    CONTAINER_MARK,
    NODE_MARK,
    POD_MARK,
    seen_from,
)
from hearth.cluster.node.runtime.processes.instance import SCHEME, ProcessInstance, parse_handle
from hearth.cluster.node.runtime.processes.isolation.isolation import Isolation
from hearth.cluster.node.runtime.processes.kernel import OutOfMemoryWatch, usage_by_session
from hearth.cluster.node.runtime.processes.launch import (
    Command,
    find_image,
    make_command,
    make_image_id,
    running_command,
)
from hearth.cluster.node.runtime.processes.logpump import LogPump
from hearth.cluster.node.runtime.processes.marks import Sweeps, kill_marked
from hearth.cluster.node.runtime.processes.mounter import Mounter
from hearth.cluster.node.runtime.processes.process import Process, adopt
from hearth.cluster.node.runtime.processes.starting import launch, make_pump, pipes_of
from hearth.cluster.node.runtime.processes.warm.keeping import WarmInterpreters
from hearth.kube import meta
from hearth.kube.clock import Clock

_IMAGE_CHECK_SECONDS = 1.0
_ISOLATED = "processes are isolated on this node, each in namespaces of its own"


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """``node_id`` marks the processes of this node; ``scratch`` is a folder for trials."""

    node_id: str
    scratch: Path
    base_environment: Mapping[str, str]
    http_proxy: str = ""
    isolation: Isolation | None = None


class ProcessRuntime:
    """``Runtime`` by processes."""

    version = f"{SCHEME}1"

    def __init__(
        self, settings: ProcessSettings, images: ImageStore, ports: PortAllocator, clock: Clock
    ) -> None:
        self._settings = settings
        self._images = images
        self._ports = ports
        self._clock = clock
        self._mounter = Mounter(settings.scratch)
        self._memory = OutOfMemoryWatch()
        self._sweeps = Sweeps()
        self._networks: dict[str, PodNetwork] = {}  # by pod uid
        self._running: dict[str, ProcessInstance] = {}  # by container id
        self.preparing = WarmInterpreters(
            self._command,
            self._release,
            why_not=_ISOLATED if settings.isolation is not None else "",
        )

    async def run(self, on_change: Callable[[], None]) -> None:
        """Looks once a second whether the image store has changed."""
        stamp = self._images.stamp()
        while True:
            await asyncio.sleep(_IMAGE_CHECK_SECONDS)
            fresh = self._images.stamp()
            if fresh != stamp:
                stamp = fresh
                on_change()

    # -- pods ------------------------------------------------------------------------------

    async def prepare(self, pod: PodSpec, previous: PodNetwork) -> PodNetwork:
        """A free port for each declared one."""
        network = self._networks.get(pod.uid)
        if network is None:
            try:
                ports = self._ports.allocate(pod, preferred=previous.ports)
            except NoPort as error:
                raise PrepareError("FailedCreatePodSandBox", str(error)) from error
            network = self._networks[pod.uid] = PodNetwork(ports=ports)
        return network

    async def dial(self, uid: str, port: int) -> socket.socket:
        """A connection to what listens on the loopback address for the pod."""
        network = self._networks.get(uid, PodNetwork())
        return await connect_locally(network.real_port(port))

    async def bridge(self) -> None:
        """Processes have the machine's own network."""

    async def remove(self, uid: str) -> None:
        """Kills what bears the pod's mark and gives its ports back."""
        await self._sweeps.kill(f"{POD_MARK}={uid}")
        for instance in [i for i in self._running.values() if i.pod_uid == uid]:
            await instance.close(sweep=False)  # of a worker that failed
        self._release(uid)
        self.preparing.forget(uid)

    def _release(self, uid: str) -> None:
        network = self._networks.pop(uid, None)
        if network is not None:
            self._ports.release(network.ports)

    async def sweep(self) -> int:
        """Kills what bears the node's mark and runs in no session known here."""
        sessions = frozenset(instance.process.pid for instance in self._running.values())
        mark = f"{NODE_MARK}={self._settings.node_id}"
        ended = await asyncio.to_thread(kill_marked, mark, but=sessions)
        if self._settings.isolation is not None:
            known = [container_id.removeprefix(SCHEME) for container_id in self._running]
            await asyncio.to_thread(self._settings.isolation.sweep, known)
        return ended

    async def close(self) -> None:
        """Ends the interpreters that are kept warm, and gives all ports back."""
        await self.preparing.close()
        self._ports.close()

    # -- containers ------------------------------------------------------------------------

    async def start(self, request: StartRequest) -> ProcessInstance:
        """Resolves the image and starts its command."""
        image = find_image(self._images, request.container)
        mark = uuid.uuid4().hex
        command = await self._command(request, mark)
        console = Console(make_pump(request.files))
        fork = None
        if is_warm(request.facts.pod):
            fork = partial(self.preparing.start, request, command)
        process = await launch(command, console, request.raw, fork)
        instance = self._track(
            request,
            process,
            console,
            command,
            container_id=SCHEME + mark,
            image_id=make_image_id(request.container, image),
            started_at=self._clock(),
        )
        name = request.container.image
        text = f'Container image "{name}" already present on machine'
        request.report("Normal", "Pulled", text)
        if image.is_stand_in:
            request.report("Normal", "StandIn", stand_in_message(name, image))
        request.report("Normal", "Created", f"Created container: {request.container.name}")
        if command.warning:
            request.report("Warning", "VolumeNotMounted", command.warning)
        return instance

    async def _command(self, request: StartRequest, mark: str = "") -> Command:
        """What a request starts; ``mark`` names the container."""
        marks = {
            NODE_MARK: self._settings.node_id,
            POD_MARK: meta.uid(request.facts.pod),
            CONTAINER_MARK: mark,
        }
        return await make_command(
            request,
            find_image(self._images, request.container),
            self._mounter,
            base=seen_from(self._settings.base_environment, meta.namespace(request.facts.pod)),
            marks=marks,
            isolation=self._settings.isolation,
        )

    async def adopt(self, request: StartRequest, record: Record) -> ProcessInstance | None:
        """The process on record, unless it uses another proxy or is isolated otherwise."""
        pid, ticks, kind = parse_handle(record.running.handle if record.running else "")
        if record.running is None or kind != self._kind:
            return None
        process = adopt(pid, ticks)
        if process is None:
            return None
        pump = LogPump(pipes_of(request.files), RotatingFile(request.files.log))
        pump.reopen()
        network, uid = request.network, meta.uid(request.facts.pod)
        self._networks[uid] = network
        self._ports.keep(network.ports)
        return self._track(
            request,
            process,
            Console(pump),
            running_command(
                request, process, self._mounter, is_isolated=self._settings.isolation is not None
            ),
            container_id=record.container_id,
            image_id=record.image_id,
            started_at=record.running.started_at,
        )

    def _track(
        self,
        request: StartRequest,
        process: Process,
        console: Console,
        command: Command,
        *,
        container_id: str,
        image_id: str,
        started_at: float,
    ) -> ProcessInstance:
        pod, mark = request.facts.pod, container_id.removeprefix(SCHEME)
        isolation = self._settings.isolation
        prefix = command.prefix
        if isolation is not None:
            prefix = isolation.entering(process.pid, mark, command.cwd)
        group = isolation.group(mark) if isolation else None
        instance = ProcessInstance(
            container_id=container_id,
            image_id=image_id,
            handle=f"{process.pid}:{process.start_ticks}:{self._kind}",
            started_at=started_at,
            pod_uid=meta.uid(pod),
            names=(meta.namespace(pod), meta.name(pod), request.container.name),
            process=process,
            console=console,
            env=command.env,
            cwd=command.cwd if isolation is None else "/",
            prefix=prefix,
            isolation=isolation,
            group=group,
            has_run_out_of_memory=self._memory.has_killed,
            on_close=lambda: self._running.pop(container_id, None),
        )
        self._running[container_id] = instance
        return instance

    def usage(self) -> Sequence[Usage]:
        """CPU and memory by session; a copy is walked, since scrapes come from a thread."""
        sessions = usage_by_session()
        return [instance.usage(sessions) for instance in list(self._running.values())]

    @property
    def _kind(self) -> str:
        """What a process must have been started with to be adopted."""
        is_isolated = self._settings.isolation is not None
        return self._settings.http_proxy + (" isolated" if is_isolated else "")
