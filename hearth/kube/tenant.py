"""Kinds of another project that a process keeps beside its own: its caches, its webhook server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hearth.kube.admission import Handler
from hearth.kube.client import KubeClient
from hearth.kube.manager import Manager
from hearth.kube.registration import Registration


class Tenant(Protocol):
    """Called in this order by the process's main module."""

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What answers at which path of the server."""
        ...

    async def install(self, client: KubeClient) -> None:
        """Put in the kinds; called on one machine alone."""
        ...

    def follow(self, manager: Manager) -> None:
        """Add the controllers, and follow what webhooks go by."""
        ...

    async def register(self, registration: Registration) -> None:
        """Have API servers ask, once caches are complete."""
        ...

    async def run(self, registration: Registration) -> None:
        """Register anew whenever something else is to be asked about, until cancelled."""
        ...
