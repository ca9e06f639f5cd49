"""Which runtime a pod gets: a process where all its images are known as commands, else containers.

Nothing of an engine is opened, started or imported before the first pod that needs it, but for
what an earlier run may have left in one.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from hearth.cluster.node.images.store import ImageStore
from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.records import Record
from hearth.cluster.node.pod.spec import PodSpec
from hearth.cluster.node.runtime.api import (
    Bridge,
    CreateError,
    Instance,
    PrepareError,
    Preparing,
    Runtime,
    StartRequest,
    Usage,
)
from hearth.kube import meta
from hearth.oci.references import InvalidImageName, parse_reference

log = logging.getLogger(__name__)


class OpenError(Exception):
    """There is no engine that answers; the text says why."""


class ChosenRuntime:
    """``Runtime`` of processes and, from the first pod that needs them, of containers."""

    def __init__(
        self,
        processes: Runtime,
        open_containers: Callable[[], Awaitable[Runtime]],
        images: ImageStore,
        *,
        mark: Path,
        runs_originals: bool,
    ) -> None:
        self._processes = processes
        self._open = open_containers
        self._images = images
        self._mark = mark
        self._runs_originals = runs_originals
        self._containers: Runtime | None = None
        self._opening = asyncio.Lock()
        self._opened = asyncio.Event()
        self._by_uid: dict[str, Runtime] = {}

    @property
    def version(self) -> str:
        """That of the containers, once there are some."""
        return (self._containers or self._processes).version

    async def run(self, on_change: Callable[[], None]) -> None:
        """Both, the containers from when they are there."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._processes.run(on_change), name="runtime-processes")
            await self._opened.wait()
            assert self._containers is not None
            group.create_task(self._containers.run(on_change), name="runtime-containers")

    async def open(self) -> Runtime:
        """The runtime of containers; raises OpenError."""
        async with self._opening:
            if self._containers is None:
                self._containers = await self._open()
                self._opened.set()
                await asyncio.to_thread(self._mark.parent.mkdir, parents=True, exist_ok=True)
                await asyncio.to_thread(self._mark.touch)
            return self._containers

    def is_process(self, pod: PodSpec) -> bool:
        """Whether commands are known for all its images.

        A sample that stands for somebody else's image gives way to the image itself where an
        engine serves.
        """
        return all(self._is_command(container.image) for container in pod.containers)

    def _is_command(self, image: str) -> bool:
        try:
            known = self._images.resolve(image)
        except InvalidImageName:
            return True  # it is refused in the same words by both
        return known is not None and not (known.is_stand_in and self._runs_originals)

    # -- pods ------------------------------------------------------------------------------

    async def prepare(self, pod: PodSpec, previous: PodNetwork) -> PodNetwork:
        """By the pod's own runtime; it keeps that for its life."""
        runtime = self._by_uid.get(pod.uid)
        if runtime is None:
            try:
                runtime = self._processes if self.is_process(pod) else await self.open()
            except OpenError as error:
                raise PrepareError("FailedCreatePodSandBox", str(error)) from error
            self._by_uid[pod.uid] = runtime
        return await runtime.prepare(pod, previous)

    async def bridge(self) -> Bridge | None:
        """That of the containers, once there are some."""
        return None if self._containers is None else await self._containers.bridge()

    async def start(self, request: StartRequest) -> Instance:
        """By the pod's own runtime."""
        try:
            return await self._by_uid[meta.uid(request.facts.pod)].start(request)
        except CreateError as error:
            hint = hint_for(request.container.image) if error.reason == "ErrImagePull" else ""
            raise CreateError(error.reason, f"{error}{hint}") from error

    @property
    def preparing(self) -> Preparing | None:
        """Of both, of containers once there are some."""
        return self

    def covers(self, pod: PodSpec) -> bool:
        """By the runtime that the pod would get."""
        runtime = self._processes if self.is_process(pod) else self._containers
        preparing = None if runtime is None else runtime.preparing
        return preparing is not None and preparing.covers(pod)

    async def make_ahead(self, request: StartRequest) -> None:
        """What takes long of its start."""
        preparing = self._preparing(request)
        assert preparing is not None
        await preparing.make_ahead(request)

    async def fits(self, request: StartRequest) -> bool:
        """Of what was made."""
        preparing = self._preparing(request)
        return preparing is not None and await preparing.fits(request)

    def _preparing(self, request: StartRequest) -> Preparing | None:
        """None once the pod has come, which has another uid."""
        runtime = self._by_uid.get(meta.uid(request.facts.pod))
        return None if runtime is None else runtime.preparing

    def hand_over(self, uid: str, to: str) -> None:
        """The pod keeps the runtime that it was foreseen for."""
        runtime = self._by_uid[to] = self._by_uid.pop(uid)
        assert runtime.preparing is not None
        runtime.preparing.hand_over(uid, to)

    async def adopt(self, request: StartRequest, record: Record) -> Instance | None:
        """By the runtime whose scheme is on record."""
        scheme = self._processes.version.partition("://")[0]
        uid = meta.uid(request.facts.pod)
        runtime: Runtime = self._processes
        if not record.container_id.startswith(f"{scheme}://"):
            try:
                runtime = await self.open()
            except OpenError as error:
                log.warning("containers not adopted", extra={"error": str(error)})
                return None
        instance = await runtime.adopt(request, record)
        if instance is not None:
            self._by_uid[uid] = runtime
        return instance

    async def dial(self, uid: str, port: int) -> socket.socket:
        """By the pod's own runtime."""
        return await self._by_uid.get(uid, self._processes).dial(uid, port)

    async def remove(self, uid: str) -> None:
        """By the pod's own runtime."""
        await self._by_uid.pop(uid, self._processes).remove(uid)

    async def sweep(self) -> int:
        """Both; an engine is asked where there has been a container of this node."""
        ended = await self._processes.sweep()
        if not await asyncio.to_thread(self._mark.exists):
            return ended
        try:
            return ended + await (await self.open()).sweep()
        except OpenError as error:
            log.warning("containers not looked through", extra={"error": str(error)})
            return ended

    def usage(self) -> Sequence[Usage]:
        """Of both."""
        mine = self._processes.usage()
        return mine if self._containers is None else [*mine, *self._containers.usage()]

    async def close(self) -> None:
        """Both."""
        await self._processes.close()
        if self._containers is not None:
            await self._containers.close()


def hint_for(image: str) -> str:
    """What else a name without a registry may have been meant as. Pure."""
    try:
        names_registry = image.startswith(str(parse_reference(image).domain) + "/")
    except InvalidImageName:
        return ""
    if names_registry and not image.startswith("localhost/"):
        return ""
    return f" (to have it mean a command of this machine: `hearth image add {image} -- COMMAND`)"
