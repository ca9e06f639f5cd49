"""Has an engine make containers to the last step before their programs, begin and remove them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.runtime.api import CreateError, StartError, StartRequest
from hearth.cluster.node.runtime.containers.launching import launch_text
from hearth.cluster.node.runtime.containers.plan import ContainerPlan
from hearth.cluster.node.runtime.containers.waiter import WORD
from hearth.cluster.node.runtime.engine.client import EngineError
from hearth.cluster.node.runtime.engine.commands import Commands
from hearth.cluster.node.runtime.engine.console import Console
from hearth.cluster.node.runtime.engine.holders import CONTAINER, Holders
from hearth.cluster.node.runtime.engine.images import EngineImage
from hearth.cluster.node.runtime.engine.seam import Dialect, Making
from hearth.cluster.node.runtime.engine.watched import Ready, Watched
from hearth.cluster.node.runtime.podnets.networks import Networks
from hearth.cluster.node.runtime.shared.aside import Aside
from hearth.cluster.node.runtime.shared.waiting import made_to_wait, until_waiting
from hearth.kube import meta

log = logging.getLogger(__name__)

NODE_LABEL = "dev.hearth.node"
_AT_ONCE = 8  # an engine takes no more at a time without making all of them wait


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a container is."""

    uid: str
    namespace: str
    pod: str
    container: str

    @classmethod
    def of(cls, request: StartRequest) -> Owner:
        """The pod and container of a request."""
        pod = request.facts.pod
        return cls(meta.uid(pod), meta.namespace(pod), meta.name(pod), request.container.name)


class Maker:
    """The containers of one node in one engine."""

    def __init__(
        self,
        node_id: str,
        engine: Dialect,
        networks: Networks,
        *,
        aside: Aside,
        folder: Path,
    ) -> None:
        self.making: set[str] = set()
        """Ids of containers that are being started."""
        self.holders = Holders(engine, networks, folder)
        self._node_id = node_id
        self._engine = engine
        self._networks = networks
        self._aside = aside
        self._folder = folder
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def key(self, plan: ContainerPlan, image: EngineImage) -> str:
        """What goes into a container but for what is its pod's own."""
        return f"{plan.key}@{image.id}"

    async def create(
        self,
        request: StartRequest,
        image: EngineImage,
        plan: ContainerPlan,
        network: PodNetwork,
        *,
        ahead: bool = False,
    ) -> Ready:
        """A container that is ready, if the engine can do that; else one that is only made.

        One that is made ``ahead`` of its pod runs, and waits.
        """
        owner = Owner.of(request)
        async with self._turns:
            try:
                holding = self._labels(replace(owner, container=CONTAINER))
                joins = await self.holders.of(request, image.id, network, holding)
                making = Making(
                    name=f"hearth-{owner.uid[:8]}-{owner.container}-{secrets.token_hex(4)}",
                    image=image.id,
                    plan=made_to_wait(plan, self._folder) if ahead else plan,
                    labels=self._labels(owner),
                    log=request.files.log,
                    joins=joins,
                    **self._networks.place(network),
                )
                made = await self._engine.create(making)
            except EngineError as error:
                raise CreateError("CreateContainerError", str(error)) from error
            self.making.add(made)
            try:
                ready = await self._prepare(request.raw, made, ahead=ahead)
            except BaseException as error:
                self._give_up(made)
                if isinstance(error, EngineError):
                    raise StartError(launch_text(str(error))) from error
                raise
        return replace(ready, image=image.digest, image_id=image.id)

    async def _prepare(self, raw: Mapping[str, Any], made: str, *, ahead: bool) -> Ready:
        if ahead:
            await self._engine.start(made)
        elif self._engine.can_init:
            await self._engine.init(made)
        ready = await self.look(raw, made)
        if not ahead:
            return ready
        try:
            await until_waiting(ready.state.pid)
        except BaseException:
            await ready.close()
            raise
        return replace(ready, waits=True, state=replace(ready.state, started_at=0.0))

    async def begin(self, ready: Ready) -> Ready:
        """The program begins, watched from its first step where that can be; or StartError."""
        made = ready.state.container
        try:
            if ready.waits:
                await self._give_word(ready)
            else:
                await self._engine.start(made)
            return ready if ready.watched.is_seen else await self._seen(ready)
        except BaseException as error:
            await ready.close()
            self._give_up(made)
            if isinstance(error, EngineError):
                raise StartError(launch_text(str(error))) from error
            raise

    async def _give_word(self, ready: Ready) -> None:
        if ready.watched.has_ended:
            raise StartError("it has ended while it waited")
        if not ready.watched.signal(WORD):  # not ours to do
            await self._engine.kill(ready.state.container, WORD.name)

    async def _seen(self, ready: Ready) -> Ready:
        """Of an engine that makes the first process with the start."""
        state = await self._engine.inspect(ready.state.container)
        if state is None:
            raise StartError("the container was removed while it started")
        return replace(ready, state=state, watched=Watched(state.pid))

    def _give_up(self, made: str) -> None:
        self.making.discard(made)
        self._aside.spawn(self.remove(made))

    async def drop(self, ready: Ready) -> None:
        """Removes one that has not begun."""
        made = ready.state.container
        await ready.close()
        self.making.discard(made)
        await self.remove(made)

    async def remove(self, container: str) -> None:
        """Removes a container; one that the engine does not remove now is the next sweep's."""
        try:
            async with self._turns:
                await self._engine.remove(container)
        except EngineError as error:
            facts = {"container": container[:12], "error": str(error)}
            log.warning("container not removed", extra=facts)

    def _labels(self, owner: Owner) -> dict[str, str]:
        return {
            NODE_LABEL: self._node_id,
            "io.kubernetes.pod.namespace": owner.namespace,
            "io.kubernetes.pod.name": owner.pod,
            "io.kubernetes.pod.uid": owner.uid,
            "io.kubernetes.container.name": owner.container,
        }

    async def look(self, raw: Mapping[str, Any], made: str) -> Ready:
        """A container as it is now, watched; raises StartError where there is none."""
        state = await self._engine.inspect(made)
        if state is None:
            raise StartError("the container was removed while it started")
        watched = Watched(state.pid)
        try:
            console = await Console.open(Commands(self._engine.client, made), raw)
        except BaseException:
            watched.close()
            raise
        return Ready(state, watched, console)
