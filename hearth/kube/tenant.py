"""Kinds of another project that a process keeps beside its own: its caches, its webhook server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hearth.kube.admission import Handler
from hearth.kube.client import KubeClient
from hearth.kube.manager import Manager
from hearth.kube.registration import FollowedWebhook


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

    @property
    def webhook(self) -> FollowedWebhook:
        """What API servers ask about, once caches are complete."""
        ...
