"""Makes containers up to the last step before their programs, begins and removes them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.runtime.api import CreateError, StartError, StartRequest
from hearth.cluster.node.runtime.bundles import kernel
from hearth.cluster.node.runtime.bundles.bundle import Bundle, terminal_socket
from hearth.cluster.node.runtime.bundles.config import capabilities_of, make_config
from hearth.cluster.node.runtime.bundles.handles import ID, signal_of
from hearth.cluster.node.runtime.bundles.ready import Ready
from hearth.cluster.node.runtime.bundles.runc import ENVIRONMENT, Runc, error_in, read_once
from hearth.cluster.node.runtime.containers.accounts import identity_of
from hearth.cluster.node.runtime.containers.plan import ContainerPlan
from hearth.cluster.node.runtime.containers.waiter import WORD
from hearth.cluster.node.runtime.logs import RotatingFile
from hearth.cluster.node.runtime.podnets.networks import OwnNamespaces
from hearth.cluster.node.runtime.processes.console import Console
from hearth.cluster.node.runtime.processes.fostering import FOSTER
from hearth.cluster.node.runtime.processes.logpump import LogPump
from hearth.cluster.node.runtime.processes.process import Launch, Process, foster, start
from hearth.cluster.node.runtime.shared.waiting import made_to_wait, until_waiting
from hearth.oci.store import ContentStore, StoredImage
from hearth.timeouts import time_limit

_SECONDS = 10.0


class Maker:
    """The containers of one node: ``folder`` in memory, ``writable`` on disk."""

    def __init__(
        self,
        runc: Runc,
        folder: Path,
        writable: Path,
        store: ContentStore,
        networks: OwnNamespaces,
    ) -> None:
        self.runc = runc
        self.making: set[str] = set()
        """Of which something may be there that nobody else knows of."""
        self._cgroup = f"hearth-{folder.name}"
        self._folder = folder
        self._writable = writable
        self._store = store
        self._networks = networks
        self._overlays = kernel.Overlays(store.layers)
        self._able = capabilities_of(kernel.able())
        for each in (folder, writable):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)

    def bundle(self, container: str) -> Bundle:
        """The files of a container."""
        return Bundle(self._folder / container, self._writable / container)

    def key(self, plan: ContainerPlan, image: StoredImage) -> str:
        """What goes into a container but for what is its pod's own."""
        return f"{plan.key}-{image.digest}"

    async def create(
        self,
        request: StartRequest,
        image: StoredImage,
        plan: ContainerPlan,
        network: PodNetwork,
        *,
        ahead: bool = False,
    ) -> Ready:
        """All but the last step; raises CreateError and StartError, and then nothing is left."""
        namespace = self._networks.namespace(network)
        if namespace is None:
            raise CreateError("CreateContainerError", "the pod has no network any more")
        planned = made_to_wait(plan, self._writable.parent) if ahead else plan
        container = uuid.uuid4().hex
        self.making.add(container)
        try:
            await asyncio.to_thread(self._lay_out, container, image, planned, namespace)
            process, console = await self._create(container, request)
        except OSError as error:
            await self.remove(container)
            raise CreateError("CreateContainerError", str(error)) from error
        except BaseException:
            await asyncio.shield(self.remove(container))
            raise
        ready = Ready(
            container,
            process,
            console,
            image=f"{image.repository}@{image.digest}",
            stop_signal=signal_of(plan.stop_signal),
        )
        if ahead:
            await self._let_wait(await self.begin(ready))
        return ready

    async def _let_wait(self, ready: Ready) -> None:
        try:
            await until_waiting(ready.process.pid)
        except BaseException:
            await asyncio.shield(self.drop(ready))
            raise
        ready.waits = True

    def _lay_out(
        self, container: str, image: StoredImage, plan: ContainerPlan, network: Path
    ) -> None:
        bundle = self.bundle(container)
        layers = [self._store.layer(diff_id) for diff_id in image.config.diff_ids]
        identity = identity_of(plan.security.user, *bundle.make(self._overlays, layers))
        config = make_config(
            plan,
            identity,
            network=network,
            cgroup=f"/{self._cgroup}/{container}",
            able=self._able,
            has_swap_limit=kernel.has_swap_limit(),
        )
        bundle.write(config)

    async def _create(self, container: str, request: StartRequest) -> tuple[Process, Console]:
        bundle = self.bundle(container)
        bundle.pipes.mkdir()
        request.files.log.touch()
        console = Console(LogPump(bundle.pipes, RotatingFile(request.files.log)))
        try:
            if request.raw.get("tty"):
                await self._create_in_terminal(container, console, request.raw)
            else:
                given = console.open(request.raw)
                try:
                    await self._run(container, (given.stdin, given.stdout, given.stderr))
                finally:
                    given.close()
            return foster(bundle.pid()), console
        except BaseException:
            console.close()
            await _end(bundle)
            raise

    async def _create_in_terminal(
        self, container: str, console: Console, raw: Mapping[str, Any]
    ) -> None:
        bundle = self.bundle(container)
        with terminal_socket(bundle) as take:
            options = ("--console-socket", str(bundle.terminal))
            await self._run(container, (subprocess.DEVNULL,) * 3, *options)
            console.use_terminal(await asyncio.to_thread(take))
        console.is_stdin_once = bool(raw.get("stdinOnce"))

    async def _run(self, container: str, stdio: tuple[int, int, int], *options: str) -> None:
        """Has runc create the container; its first process is then our child."""
        bundle, (stdin, stdout, stderr) = self.bundle(container), stdio
        files = ("--bundle", str(bundle.folder), "--pid-file", str(bundle.pid_file))
        argv = self.runc.command(bundle.log, "create", *files, *options, container)
        with FOSTER.children():
            made = start(Launch(argv, ENVIRONMENT, "/", stdout, stderr, stdin=stdin))
            try:
                how = await made.wait()
            except asyncio.CancelledError:
                await _finished(made)
                raise
        if how.code != 0:
            raise StartError(error_in(bundle.log) or f"{self.runc.program} ended with {how.code}")

    async def begin(self, ready: Ready) -> Ready:
        """The word that the first process waits for; raises StartError where it has ended.

        Of a container made ahead it is a signal, else a read of a pipe: that is all that runc's
        own ``start`` does, which takes 10 ms.
        """
        pipe = self.runc.state / ready.container / "exec.fifo"
        try:
            if ready.process.has_ended:
                raise ProcessLookupError("it has ended while it waited")
            if ready.waits:
                ready.process.signal(WORD)
            elif Path(self.runc.program).name == "runc":
                await read_once(pipe)
                pipe.unlink()
            else:
                await asyncio.to_thread(self.runc.start, ready.container)
        except BaseException as error:
            await asyncio.shield(self.drop(ready))
            if isinstance(error, (OSError, subprocess.SubprocessError)):  # a time-out is the first
                raise StartError(f"the container did not start: {error}") from error
            raise
        return ready

    async def drop(self, ready: Ready) -> None:
        """Removes one that has not begun."""
        await ready.close()
        await self.remove(ready.container)

    async def remove(self, container: str) -> None:
        """Ends what is left of a container, and removes it."""
        await asyncio.to_thread(self.runc.delete, container)
        await asyncio.to_thread(self.bundle(container).remove)
        self.making.discard(container)

    def found(self) -> set[str]:
        """Ids of all containers of which there is something."""
        both = (*self._folder.iterdir(), *self._writable.iterdir())
        return {path.name for path in both if ID.fullmatch(path.name)} | set(self.runc.known())

    def close(self, *, is_last: bool) -> None:
        """Ends what it holds; where nothing runs, also what containers have in common."""
        self._overlays.close()
        if is_last:
            kernel.remove_groups(self._cgroup)
            for folder in (self.runc.state, self._folder):
                with contextlib.suppress(OSError):
                    folder.rmdir()


async def _finished(made: Process) -> None:
    """Lets runc end by itself: killed under way it leaves a process that nobody can name."""
    try:
        async with time_limit(_SECONDS):
            await made.wait()
    except TimeoutError:
        made.signal_group(signal.SIGKILL)
        await made.wait()


async def _end(bundle: Bundle) -> None:
    """Kills and reaps what came to be of a start that failed."""
    with contextlib.suppress(OSError, ValueError):
        process = foster(bundle.pid())
        process.signal(signal.SIGKILL)
        await process.wait()
