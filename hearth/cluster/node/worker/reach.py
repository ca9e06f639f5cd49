"""How the containers of this node reach the cluster: found out when there is the first one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from hearth.cluster.node.names.way import Way
from hearth.cluster.node.pod.dns import PodDns
from hearth.cluster.node.pod.network import NODE_ADDRESS
from hearth.cluster.node.runtime.api import Bridge
from hearth.kube import meta
from hearth.kube.meta import Object


class Attach(Protocol):
    """What serves a bridge (``names.service.Names``)."""

    async def attach(self, bridge: str, gateway: str) -> Way:
        """Serves the containers of a bridge from now on."""


class Reach:
    """``find`` before a pod's first container; ``dns`` says what each of a pod is given."""

    def __init__(
        self, bridge: Callable[[], Awaitable[Bridge | None]], names: Attach | None
    ) -> None:
        self._bridge = bridge
        self._names = names
        self._way: Way | None = None
        self._finding = asyncio.Lock()

    async def find(self) -> None:
        """Has names served where the runtime makes containers; nothing is done for processes."""
        if self._way is not None or self._names is None:
            return
        async with self._finding:
            bridge = await self._bridge()
            if bridge is not None and self._way is None:
                self._way = await self._names.attach(bridge.name, bridge.gateway)

    @property
    def host(self) -> str:
        """This machine's address as containers see it."""
        return (self._way.gateway if self._way is not None else "") or NODE_ADDRESS

    def dns(self, pod: Object, ip: str, folder: Path) -> PodDns:
        """The files are written when they are asked for first."""
        way = self._way
        if way is None:
            return PodDns()
        resolv_conf = way.resolv_conf(pod)
        return PodDns(
            hosts=_written(folder / "hosts", way.hosts(pod, ip)),
            resolv_conf=None
            if resolv_conf is None
            else _written(folder / "resolv.conf", resolv_conf),
            environment=way.environment(meta.namespace(pod)),
            inside=way.inside,
        )


def _written(path: Path, text: str) -> Path:
    if not path.exists():
        path.write_text(text)
        path.chmod(0o644)  # to be read by any user of a container; the folder is ours alone
    return path
