"""The runtime that needs no engine: containers by runc or crun from unpacked layers, as root.

What runs is found again by the id and the first process of a record; whatever else lies in this
node's folders belongs to nobody and is removed. Nothing waits for a daemon: a first start is an
overlay mount and one command.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
import signal
import socket
import subprocess
import uuid
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
from hearth.cluster.node.runtime.bundles import kernel
from hearth.cluster.node.runtime.bundles.bundle import Bundle, terminal_socket
from hearth.cluster.node.runtime.bundles.config import capabilities_of, make_config
from hearth.cluster.node.runtime.bundles.images import Images
from hearth.cluster.node.runtime.bundles.instance import BundleInstance
from hearth.cluster.node.runtime.bundles.runc import ENVIRONMENT, Runc, error_in, version_of
from hearth.cluster.node.runtime.cgroups.group import Group
from hearth.cluster.node.runtime.containers.accounts import identity_of
from hearth.cluster.node.runtime.containers.plan import ContainerPlan, plan_container
from hearth.cluster.node.runtime.logs import RotatingFile
from hearth.cluster.node.runtime.podnets.namespaces import connect_inside
from hearth.cluster.node.runtime.podnets.podnets import PodNet, PodNets
from hearth.cluster.node.runtime.processes.console import Console
from hearth.cluster.node.runtime.processes.logpump import LogPump
from hearth.cluster.node.runtime.processes.process import Launch, Process, adopt, foster, start
from hearth.kube import meta
from hearth.kube.clock import Clock
from hearth.oci.store import StoredImage

log = logging.getLogger(__name__)

_FOLDER = Path("/run/hearth-containers")
_IMAGE_CHECK_SECONDS = 1.0
_ID = re.compile(r"[0-9a-f]{32}")
_STREAMS = ("stdout", "stderr")


@dataclass(frozen=True, slots=True)
class BundleSettings:
    """``data_dir`` is on disk, ``folder`` in memory; ``program`` is runc or crun."""

    node_id: str
    data_dir: Path
    program: str
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
        return cls(container, pid, ticks, stop_signal) if _ID.fullmatch(container) else None


def _signal(name: str) -> signal.Signals:
    """``SIGQUIT`` or ``QUIT`` or ``3``; what is none is SIGTERM."""
    text = name.upper()
    with contextlib.suppress(ValueError):
        return signal.Signals(int(text))
    full = text if text.startswith("SIG") else f"SIG{text}"
    return signal.Signals.__members__.get(full, signal.SIGTERM)


class BundleRuntime:
    """``Runtime`` by runc or crun."""

    def __init__(
        self, settings: BundleSettings, images: Images, nets: PodNets, clock: Clock
    ) -> None:
        own = hashlib.sha256(settings.node_id.encode()).hexdigest()[:16]
        self._scheme = Path(settings.program).name
        self._version = version_of(settings.program)
        self._folder = settings.folder / own
        self._writable = settings.data_dir / "writable"
        self._runc = Runc(settings.program, self._folder / "state")
        self._cgroup = f"hearth-{own}"
        self._images = images
        self._nets = nets
        self._clock = clock
        self._overlays = kernel.Overlays(images.puller.store.layers)
        self._foster = kernel.Foster()
        self._able = capabilities_of(kernel.able())
        self._by_uid: dict[str, PodNet] = {}
        self._running: dict[str, BundleInstance] = {}  # by id
        self._making: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._writable.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def version(self) -> str:
        """That of the program."""
        return f"{self._scheme}://{self._version}"

    async def run(self, on_change: Callable[[], None]) -> None:
        """Looks once a second for images that are waited for, where any are."""
        while True:
            await asyncio.sleep(_IMAGE_CHECK_SECONDS)
            if await self._images.have_come():
                on_change()

    # -- pods ------------------------------------------------------------------------------

    async def prepare(self, pod: PodSpec, previous: PodNetwork) -> PodNetwork:
        """An address of its own."""
        if pod.uid not in self._by_uid:
            try:
                self._by_uid[pod.uid] = await self._nets.make(previous.ip)
            except OSError as error:
                raise PrepareError("FailedCreatePodSandBox", str(error)) from error
        return PodNetwork(self._by_uid[pod.uid].ip)

    async def bridge(self) -> Bridge | None:
        """What the pods hang on."""
        addresses = await self._nets.open()
        return Bridge(self._nets.bridge, addresses.gateway)

    async def dial(self, uid: str, port: int) -> socket.socket:
        """A connection to the pod's loopback address."""
        net = self._by_uid.get(uid)
        if net is None:
            raise ConnectionRefusedError("the pod has no address")
        made = await asyncio.to_thread(connect_inside, net.path, port)
        made.setblocking(False)
        return made

    async def remove(self, uid: str) -> None:
        """Kills what is left of a pod and frees its network."""
        left = [each for each in list(self._running.values()) if each.pod_uid == uid]
        for instance in left:
            instance.kill()
        for instance in left:
            await instance.wait()
            await instance.close(sweep=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        net = self._by_uid.pop(uid, None)
        if net is not None:
            await self._nets.remove(net.ip)

    async def sweep(self) -> int:
        """Removes what lies in this node's folders and is not known here."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        known = self._running.keys() | self._making
        found = {path.name for path in await asyncio.to_thread(self._all_folders)}
        running = set(await asyncio.to_thread(self._runc.known)) - known
        await asyncio.gather(*(self._remove(each) for each in (found | running) - known))
        await self._nets.sweep()
        return len(running)

    def _all_folders(self) -> list[Path]:
        both = (*self._folder.iterdir(), *self._writable.iterdir())
        return [path for path in both if _ID.fullmatch(path.name)]

    async def _remove(self, container: str) -> None:
        await asyncio.to_thread(self._runc.delete, container)
        await asyncio.to_thread(self._bundle(container).remove)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="container-removal")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _bundle(self, container: str) -> Bundle:
        return Bundle(self._folder / container, self._writable / container)

    # -- containers ------------------------------------------------------------------------

    async def start(self, request: StartRequest) -> BundleInstance:
        """Image, root filesystem, program."""
        image = await self._images.ensure(request)
        plan = plan_container(request, image.config)
        container = uuid.uuid4().hex
        self._making.add(container)
        try:
            bundle = await self._lay_out(container, request, image, plan=plan)
            request.report("Normal", "Created", f"Created container: {request.container.name}")
            process, console = await self._launch(container, bundle, request)
        except BaseException:
            self._spawn(self._remove(container))
            raise
        finally:
            self._making.discard(container)
        handle = Handle(container, process.pid, process.start_ticks, _signal(plan.stop_signal))
        name = f"{image.repository}@{image.digest}"
        return self._track(request, handle, process, console=console, image=name)

    async def _lay_out(
        self, container: str, request: StartRequest, image: StoredImage, *, plan: ContainerPlan
    ) -> Bundle:
        bundle = self._bundle(container)
        store = self._images.puller.store
        net = self._by_uid[meta.uid(request.facts.pod)]

        def make() -> None:
            texts = bundle.make(self._overlays, [store.layer(d) for d in image.config.diff_ids])
            identity = identity_of(plan.security.user, *texts)
            config = make_config(
                plan,
                identity,
                network=net.path,
                cgroup=f"/{self._cgroup}/{container}",
                able=self._able,
                has_swap_limit=kernel.has_swap_limit(),
            )
            bundle.write(config)

        try:
            await asyncio.to_thread(make)
        except OSError as error:
            raise CreateError("CreateContainerError", str(error)) from error
        return bundle

    async def _launch(
        self, container: str, bundle: Bundle, request: StartRequest
    ) -> tuple[Process, Console]:
        console = Console(_make_pump(request.files.folder / "io", request.files.log))
        is_terminal = bool(request.container.raw.get("tty"))
        try:
            if is_terminal:
                await self._run_in_terminal(container, bundle, console, request)
            else:
                given = console.open(request.container)
                try:
                    stdio = (given.stdin, given.stdout, given.stderr)
                    await self._run(container, bundle, stdio)
                finally:
                    given.close()
            return foster(bundle.pid()), console
        except BaseException:
            console.close()
            await _end(bundle)
            raise

    async def _run_in_terminal(
        self, container: str, bundle: Bundle, console: Console, request: StartRequest
    ) -> None:
        nothing = (subprocess.DEVNULL,) * 3
        with terminal_socket(bundle) as take:
            await self._run(container, bundle, nothing, "--console-socket", str(bundle.terminal))
            console.use_terminal(await asyncio.to_thread(take))
            console.is_stdin_once = bool(request.container.raw.get("stdinOnce"))

    async def _run(
        self, container: str, bundle: Bundle, stdio: tuple[int, int, int], *options: str
    ) -> None:
        """Has runc start the container; its first process is then our child."""
        files = ("--bundle", str(bundle.folder), "--pid-file", str(bundle.pid_file))
        words = ("run", "--detach", *files, *options, container)
        stdin, stdout, stderr = stdio
        argv = self._runc.command(bundle.log, *words)
        with self._foster.children():
            made = start(Launch(argv, ENVIRONMENT, "/", stdout, stderr, stdin=stdin))
            try:
                how = await made.wait()
            except asyncio.CancelledError:
                made.signal_group(signal.SIGKILL)
                await made.wait()
                raise
        if how.code != 0:
            raise StartError(error_in(bundle.log) or f"{self._scheme} ended with {how.code}")

    async def adopt(self, request: StartRequest, record: Record) -> BundleInstance | None:
        """The container on record, where it runs and still has its network."""
        if record.running is None:
            return None
        handle = Handle.parse(record.running.handle)
        uid = meta.uid(request.facts.pod)
        net = self._by_uid.get(uid) or await self._nets.keep(request.network.ip)
        process = (
            adopt(handle.pid, handle.ticks) if handle is not None and net is not None else None
        )
        if handle is None or net is None or process is None:
            return None
        self._by_uid[uid] = net
        console = Console(LogPump(request.files.folder / "io", RotatingFile(request.files.log)))
        console.pump.reopen()
        instance = self._track(request, handle, process, console=console, image=record.image_id)
        instance.started_at = record.running.started_at
        return instance

    def _track(
        self,
        request: StartRequest,
        handle: Handle,
        process: Process,
        *,
        console: Console,
        image: str,
    ) -> BundleInstance:
        pod, container = request.facts.pod, handle.container
        group = Group.of(process.pid)

        def on_close() -> None:
            if self._running.pop(container, None) is not None:
                self._spawn(self._remove(container))

        instance = self._running[container] = BundleInstance(
            id=container,
            scheme=self._scheme,
            image_id=image,
            handle=str(handle),
            started_at=self._clock(),
            pod_uid=meta.uid(pod),
            names=(meta.namespace(pod), meta.name(pod), request.container.name),
            runc=self._runc,
            bundle=self._bundle(container),
            process=process,
            console=console,
            stop_signal=handle.stop_signal,
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
                await self._nets.remove(self._by_uid.pop(uid).ip)
            await self._nets.sweep()
            kernel.remove_groups(self._cgroup)
            for folder in (self._runc.state, self._folder):
                with contextlib.suppress(OSError):
                    folder.rmdir()
        self._overlays.close()
        await self._images.puller.http.aclose()


async def _end(bundle: Bundle) -> None:
    """Kills and reaps what came to be of a start that failed."""
    with contextlib.suppress(OSError, ValueError):
        process = foster(bundle.pid())
        process.signal(signal.SIGKILL)
        await process.wait()


def _make_pump(pipes: Path, file: Path) -> LogPump:
    """Fresh pipes: what an earlier instance left in its own is not this one's output."""
    pipes.mkdir(parents=True, exist_ok=True)
    for stream in _STREAMS:
        (pipes / stream).unlink(missing_ok=True)
    return LogPump(pipes, RotatingFile(file))
