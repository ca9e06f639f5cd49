"""Controllers that run only once somebody asks for what they do: certificates of two sorts.

``serving.controlplane`` starts them. What nobody asks for is not watched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.controllerspec import ControllerSpec, Source
from hearth.kube.errors import ApiError
from hearth.kube.keptfiles import woken
from hearth.kube.manager import Manager
from hearth.kube.resources import NAMESPACES, resources_of
from serving.api.settings import Settings
from serving.kinds import sources
from serving.kinds.certificate import kind as certificate
from serving.kinds.certificate.request import CHALLENGES, REQUESTS

_LOOK_SECONDS = 10.0
"""How often is asked whether cert-manager is there, while certificates are asked for."""


class Latecomers:
    """Each method waits until its controller is asked for, and runs it from then on."""

    def __init__(self, manager: Manager, *, settings: Callable[[], Settings]) -> None:
        self._manager = manager
        self._settings = settings
        self._has_new_settings = asyncio.Event()

    def look(self) -> None:
        """Look at the settings again: they have changed."""
        self._has_new_settings.set()

    async def cert_manager(self) -> None:
        """Ask cert-manager for certificates, once somebody asks for some and it is installed."""
        while not (self._asks_for_certificates() and await _has_cert_manager(self._manager.client)):
            self._has_new_settings.clear()
            await woken(self._has_new_settings, _LOOK_SECONDS)
        await self._run(certificate.CERT_MANAGER, certificate.OF_CERT_MANAGER)

    async def namespace_wildcards(self) -> None:
        """Ask for wildcard certificates of namespaces, once the setting picks some."""
        while not self._asks_for_wildcards():
            self._has_new_settings.clear()
            await self._has_new_settings.wait()
        await self._run(certificate.NAMESPACE_WILDCARDS, certificate.OF_NAMESPACES)

    def _asks_for_certificates(self) -> bool:
        network = self._settings().network
        return (
            network.external_domain_tls
            or network.cluster_local_domain_tls
            or network.namespace_wildcard_cert_selector is not None
        )

    def _asks_for_wildcards(self) -> bool:
        """Whether the setting is there, or was and has left certificates behind."""
        return self._settings().network.namespace_wildcard_cert_selector is not None or any(
            (meta.controller_of(each) or {}).get("kind") == NAMESPACES.kind
            for each in self._manager.list(sources.CERTIFICATES)
        )

    async def _run(self, spec: ControllerSpec[Any, Settings], new: tuple[Source, ...]) -> None:
        for source in new:
            await self._manager.cache(source).synced()
        await self._manager.add(spec, self._settings).run()


async def _has_cert_manager(client: KubeClient) -> bool:
    for resource in (REQUESTS, CHALLENGES):
        try:
            served = await client.request("GET", f"/apis/{resource.api_version}")
        except ApiError:
            return False
        if resource not in resources_of(served):
            return False
    return True
