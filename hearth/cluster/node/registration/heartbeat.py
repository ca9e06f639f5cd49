"""Keeps the Node object and its Lease: registration, then a renewal every ten seconds."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from hearth.cluster.node.registration.nodeobject import (
    LEASE_NAMESPACE,
    RENEW_SECONDS,
    Machine,
    make_labels,
    make_lease,
    make_node,
    make_status,
)
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock
from hearth.kube.errors import AlreadyExists, ApiError, NotFound, Unavailable
from hearth.kube.meta import Object
from hearth.kube.resources import LEASES, NAMESPACES, NODES

log = logging.getLogger(__name__)

_STATUS_SECONDS = 300.0  # how often kubelet writes an unchanged status
_RETRY_SECONDS = 0.2


@dataclass(slots=True)
class Heartbeat:
    """Keeps the Node object and its Lease current."""

    client: KubeClient
    name: str
    machine: Machine
    clock: Clock
    _status_at: float = 0.0

    async def register(self) -> None:
        """Creates the node, or takes over the one that is there. Waits for the API server."""
        while True:
            try:
                await self._write_node()
                return
            except Unavailable:
                await asyncio.sleep(_RETRY_SECONDS)

    async def run(self) -> None:
        """Renews until cancelled; what fails is tried again at the next renewal."""
        while True:
            try:
                await self._renew()
                if self.clock() - self._status_at > _STATUS_SECONDS:
                    await self._write_node()
            except ApiError as error:
                log.warning("node not renewed", extra={"error": error.message})
            await asyncio.sleep(RENEW_SECONDS)

    async def _write_node(self) -> None:
        try:
            await self.client.create(NODES, make_node(self.name, self.machine))
        except AlreadyExists:
            labels = make_labels(self.name, self.machine)
            await self.client.patch(NODES, self.name, None, {"metadata": {"labels": labels}})
        node = await self.client.get(NODES, self.name)
        now = self.clock()
        status = make_status(self.name, self.machine, node.get("status") or {}, now=now)
        await self.client.patch(NODES, self.name, None, {"status": status}, subresource="status")
        self._status_at = now

    async def _renew(self) -> None:
        lease = make_lease(self.name, now=self.clock())
        try:
            await self.client.patch(LEASES, self.name, LEASE_NAMESPACE, {"spec": lease["spec"]})
        except NotFound:
            await self._create_lease(lease)

    async def _create_lease(self, lease: Object) -> None:
        try:
            await self.client.create(LEASES, lease)
        except NotFound:
            namespace = {"apiVersion": "v1", "kind": "Namespace",
                         "metadata": {"name": LEASE_NAMESPACE}}  # fmt: skip
            await self.client.create(NAMESPACES, namespace)
            await self.client.create(LEASES, lease)
