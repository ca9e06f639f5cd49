"""Containers that only hold the network of a pod of several, as kubelet's sandbox does.

Only where an engine makes the networks: a container of its own then has one, before all others and
after them, whichever of them begins or ends. It runs the waiter, which is never given its word.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.runtime.api import StartRequest
from hearth.cluster.node.runtime.containers.limits import limits_of
from hearth.cluster.node.runtime.containers.plan import ContainerPlan, hostname_of
from hearth.cluster.node.runtime.containers.security import Security
from hearth.cluster.node.runtime.containers.waiter import PLACE
from hearth.cluster.node.runtime.engine.client import EngineError
from hearth.cluster.node.runtime.engine.seam import Dialect, Making
from hearth.cluster.node.runtime.podnets.networks import Networks
from hearth.cluster.node.runtime.shared.waiting import made_to_wait
from hearth.kube import meta

CONTAINER = "POD"
"""What kubelet calls it in labels."""


class Holders:
    """At most one for each pod; the waiter lies in ``folder``."""

    def __init__(self, engine: Dialect, networks: Networks, folder: Path) -> None:
        self.held: dict[str, str] = {}
        """By uid of the pod."""
        self._engine = engine
        self._networks = networks
        self._folder = folder
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(
        self, request: StartRequest, image: str, network: PodNetwork, labels: Mapping[str, str]
    ) -> str:
        """The holder of a request's pod, made of that image where none runs; empty for no need.

        Raises EngineError, and CreateError where there is no waiter for this processor.
        """
        spec, uid = request.facts.pod["spec"], meta.uid(request.facts.pod)
        place = self._networks.place(network)
        if "namespace" in place or len([*spec["containers"], *spec.get("initContainers", ())]) < 2:
            return ""
        async with self._turns[uid]:
            held = self.held.get(uid, "")
            if held and not await self._runs(held):
                await self._engine.remove(held)
                held = ""
            if not held:
                making = self._making(request, image, labels)
                held = self.held[uid] = await self._engine.create(Making(**making, **place))
                await self._engine.start(held)
            return held

    def _making(
        self, request: StartRequest, image: str, labels: Mapping[str, str]
    ) -> dict[str, Any]:
        pod = request.facts.pod
        args, limits = (PLACE,), limits_of({})
        plan = ContainerPlan(args, {}, "/", hostname_of(pod), Security(), limits)
        return {
            "name": f"hearth-{meta.uid(pod)[:8]}-{CONTAINER}-{secrets.token_hex(4)}",
            "image": image,
            "plan": made_to_wait(plan, self._folder),
            "labels": labels,
            "log": request.volumes.pod / "network.log",
        }

    async def _runs(self, held: str) -> bool:
        state = await self._engine.inspect(held)
        return state is not None and state.code is None and bool(state.pid)

    def hand_over(self, uid: str, to: str) -> None:
        """What was made for one uid is for a pod of another."""
        if uid in self.held:
            self.held[to] = self.held.pop(uid)

    async def let_go(self, uid: str) -> None:
        """Removes that of a pod; one that the engine does not remove now is the next sweep's."""
        self._turns.pop(uid, None)
        held = self.held.pop(uid, "")
        if held:
            with contextlib.suppress(EngineError):
                await self._engine.remove(held)
