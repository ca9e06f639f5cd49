"""Containers that wait, all but started, for the next pod of a workload that sleeps."""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from hearth.cluster import readynames
from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.spec import PodSpec, parse_pod
from hearth.cluster.node.runtime.api import CreateError, StartError, StartRequest
from hearth.cluster.node.runtime.containers.ahead import MOST, next_name, owner_of, successor
from hearth.cluster.node.runtime.podnets.networks import NetworkError, Networks
from hearth.cluster.node.runtime.shared.handover import Parting, hand_over, write_files
from hearth.kube import meta
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object

log = logging.getLogger(__name__)

IsAsleep = Callable[[Object], Awaitable[bool]]
"""Whether the workload of a pod is at zero, and there."""


class Keyed(Protocol):
    """A container that is all but started."""

    @property
    def key(self) -> str:
        """What went into it."""


Ready = TypeVar("Ready", bound=Keyed)


@dataclass(slots=True)
class Spare(Generic[Ready]):
    """A container that waits for a pod of this name."""

    namespace: str
    name: str
    owner: str
    pod: Object
    network: PodNetwork
    folder: Path
    ready: Ready
    claimed_by: str = ""
    """The uid of the pod that has come for it, and has its network."""


class Spares(Generic[Ready]):
    """At most ``MOST``, one for each ReplicaSet."""

    def __init__(
        self,
        folder: Path,
        networks: Networks,
        *,
        make: Callable[[StartRequest], Awaitable[Ready]],
        drop: Callable[[Ready], Awaitable[None]],
        is_asleep: IsAsleep,
    ) -> None:
        self._folder = folder
        self._networks = networks
        self._make = make
        self._drop = drop
        self._is_asleep = is_asleep
        self._spares: dict[str, Spare[Ready]] = {}  # by owner, the oldest first
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier run

    async def make_after(self, request: StartRequest, parting: Parting) -> None:
        """Makes one for the pod after that of a request, where its workload sleeps."""
        pod = request.facts.pod
        owner = owner_of(pod)
        try:
            if owner in self._spares or not await self._is_asleep(pod):
                return
            network = await self._networks.make(parse_pod(pod), PodNetwork())
        except (ApiError, NetworkError) as error:
            log.debug("no container made ahead", extra={"error": str(error)})
            return
        name = next_name(pod, secrets.token_bytes(5))
        folder = self._folder / f"spare-{secrets.token_hex(8)}"
        following = successor(request, name, network=network, folder=folder)
        try:
            write_files(request, following, parting)
            ready = await self._make(following)
        except (CreateError, StartError, OSError) as error:
            log.debug("no container made ahead", extra={"error": str(error)})
            await self._forget(network, folder)
            return
        spare = Spare(meta.namespace(pod), name, owner, pod, network, folder, ready)
        self._spares[owner] = spare
        readynames.offer(owner, name)
        while len(self._spares) > MOST:
            await self.drop(next(iter(self._spares.values())))

    async def check(self) -> None:
        """Drops those whose workload is gone or runs, and paths that lead nowhere any more."""
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            if path.is_symlink() and not path.exists():
                path.unlink()
        for spare in list(self._spares.values()):
            with contextlib.suppress(ApiError):  # not known: it stays
                if not spare.claimed_by and not await self._is_asleep(spare.pod):
                    await self.drop(spare)

    def claim(self, pod: PodSpec) -> PodNetwork | None:
        """The network of the spare that waits for this pod, which is the pod's from now on."""
        for spare in self._spares.values():
            if (spare.namespace, spare.name) == (pod.namespace, pod.name) and not spare.claimed_by:
                spare.claimed_by = pod.uid
                readynames.withdraw(spare.owner, spare.name)
                return spare.network
        return None

    async def take(self, request: StartRequest, key: str) -> Ready | None:
        """The container for a start, where it is as that asks for; its files become the pod's."""
        uid = meta.uid(request.facts.pod)
        spare = next((s for s in self._spares.values() if s.claimed_by == uid), None)
        if spare is None:
            return None
        del self._spares[spare.owner]
        if request.restarts == 0 and spare.ready.key == key:
            with contextlib.suppress(OSError):
                hand_over(spare.folder, request)
                return spare.ready
        await self._drop(spare.ready)
        shutil.rmtree(spare.folder, ignore_errors=True)
        return None

    async def abandon(self, uid: str) -> None:
        """A pod has gone that came for one and did not take it."""
        for spare in [s for s in self._spares.values() if s.claimed_by == uid]:
            await self.drop(spare)

    async def drop(self, spare: Spare[Ready]) -> None:
        """Removes one, and what it held; its network stays with a pod that has it."""
        readynames.withdraw(spare.owner, spare.name)
        self._spares.pop(spare.owner, None)
        await self._drop(spare.ready)
        if spare.claimed_by:
            shutil.rmtree(spare.folder, ignore_errors=True)
        else:
            await self._forget(spare.network, spare.folder)

    async def _forget(self, network: PodNetwork, folder: Path) -> None:
        await self._networks.release(network)
        shutil.rmtree(folder, ignore_errors=True)

    async def drop_all(self) -> None:
        """At the end of the node."""
        for spare in list(self._spares.values()):
            await self.drop(spare)
