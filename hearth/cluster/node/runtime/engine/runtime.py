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
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hearth.cluster.node.pod.records import Record
from hearth.cluster.node.runtime.api import CreateError, StartRequest
from hearth.cluster.node.runtime.containers.limits import limits_of
from hearth.cluster.node.runtime.engine.client import EngineError
from hearth.cluster.node.runtime.engine.images import EngineImage, Images
from hearth.cluster.node.runtime.engine.instance import EngineInstance
from hearth.cluster.node.runtime.engine.logfetch import LogFetcher
from hearth.cluster.node.runtime.engine.maker import NODE_LABEL, Maker, Owner
from hearth.cluster.node.runtime.engine.seam import Dialect
from hearth.cluster.node.runtime.engine.service import PodmanService
from hearth.cluster.node.runtime.engine.used import UsedImages
from hearth.cluster.node.runtime.engine.watched import Ready
from hearth.cluster.node.runtime.podnets.networks import Networks
from hearth.cluster.node.runtime.shared.aside import Aside
from hearth.cluster.node.runtime.shared.base import ContainerRuntime
from hearth.kube.clock import Clock

log = logging.getLogger(__name__)

_IMAGE_CHECK_SECONDS = 1.0
_NO_LIMITS = (
    "limits of CPU and memory are not enforced: the engine gives containers no control group, "
    "as a rootless one with groups of version 1 does not"
)
_ID = re.compile(r"[0-9a-f]{64}")


class EngineRuntime(ContainerRuntime[EngineImage, Ready, EngineInstance]):
    """``Runtime`` by an engine."""

    _images: Images
    _maker: Maker

    def __init__(
        self,
        node_id: str,
        engine: Dialect,
        images: Images,
        networks: Networks,
        *,
        clock: Clock,
        used: Path,
        folder: Path,
        service: PodmanService | None = None,
    ) -> None:
        self._node_id = node_id
        self._engine = engine
        self._clock = clock
        self._service = service
        self._used = UsedImages(used)
        aside = Aside()
        maker = Maker(node_id, engine, networks, aside=aside, folder=folder)
        super().__init__(images, maker, networks, aside=aside)

    @property
    def version(self) -> str:
        """The engine's."""
        return f"{self._engine.scheme}://{self._engine.version}"

    async def run(self, on_change: Callable[[], None]) -> None:
        """Looks once a second for images that are waited for; keeps a service of ours alive."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_for_images(on_change), name="engine-images")
            if self._service is not None:
                group.create_task(self._service.keep(self._engine.client), name="engine-service")

    async def _look_for_images(self, on_change: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(_IMAGE_CHECK_SECONDS)
            with contextlib.suppress(CreateError):
                if await self._images.have_come():
                    on_change()

    async def _remove_killed(self, instance: EngineInstance) -> None:
        await instance.wait()
        await self._maker.remove(instance.handle)

    async def sweep(self) -> int:
        """Removes what bears the node's label and is not known here."""
        await self._settle()
        try:
            found = await self._engine.find(f"{NODE_LABEL}={self._node_id}")
        except EngineError as error:
            log.warning("containers not looked through", extra={"error": str(error)})
            return 0
        held = set(self._maker.holders.held.values())
        known = self._running.keys() | self._maker.making | held
        strange = [container for container in found if container not in known]
        await asyncio.gather(*map(self._maker.remove, strange))
        await self._networks.sweep()
        return len(strange)

    def hand_over(self, uid: str, to: str) -> None:
        """A pod that was to come is there."""
        super().hand_over(uid, to)
        self._maker.holders.hand_over(uid, to)

    async def _let_go(self, uid: str) -> None:
        await self._maker.holders.let_go(uid)

    async def start(self, request: StartRequest) -> EngineInstance:
        """A container, made now or made ahead."""
        ready = await self._begun(request)
        limits = limits_of(request.raw.get("resources") or {})
        has_group = ready.watched.group is not None or not ready.watched.is_seen
        if not has_group and (limits.memory or limits.cpu_quota):
            request.report("Warning", "LimitsNotEnforced", _NO_LIMITS)
        if self._used.note(ready.image_id, self._clock()):
            self._aside.spawn(asyncio.to_thread(self._used.save))
        return self._track(Owner.of(request), ready, request.files.log)

    def _track(self, owner: Owner, ready: Ready, path: Path) -> EngineInstance:
        state = ready.state
        log_of = None
        if not self._engine.writes_log:
            client = self._engine.client
            log_of = LogFetcher(client, state.container, path, tty=state.tty)
        self._maker.making.discard(state.container)

        async def on_close() -> None:
            if self._running.pop(state.container, None) is not None:
                self._aside.spawn(self._maker.remove(state.container))

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
            spawn=self._aside.spawn,
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
        if not await self._keep_network(request):
            return None
        ready = await self._maker.look(request.raw, handle)
        ready = replace(ready, image=record.image_id)
        instance = self._track(Owner.of(request), ready, request.files.log)
        if state.joins:
            self._maker.holders.held[instance.pod_uid] = state.joins
        instance.started_at = record.running.started_at if record.running else state.started_at
        return instance

    async def close(self) -> None:
        """Ends what it still does, and its connections; networks, where nothing runs in them."""
        await self._settle()
        if not self._running:
            for uid in list(self._maker.holders.held):
                await self._let_go(uid)
        await self._release_networks()
        await self._images.close()
        await self._engine.client.close()
        if self._service is not None:
            await self._service.stop()
