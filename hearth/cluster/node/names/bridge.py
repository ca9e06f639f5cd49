"""What serves the containers of one bridge: a resolver, and the open ports of Services."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from hearth.cluster.model.clusterips import API_ADDRESS, CLUSTER_IPS, RESOLVER_ADDRESS
from hearth.cluster.node.names.forwarder import Forwarder
from hearth.cluster.node.names.resolver import Resolver
from hearth.cluster.node.names.routing import Routing, transparent
from hearth.cluster.node.names.way import API_PORT, Address
from hearth.cluster.node.names.zone import API_SERVICE, Found
from hearth.kube.meta import Key

log = logging.getLogger(__name__)

_DNS_PORT = 53


class Knowledge(Protocol):
    """What is asked about names and Services."""

    async def find(self, name: str, forwarder: Forwarder) -> Found | None:
        """What is under a name; where that is a Service, its ports are open then."""

    def destinations(self, key: Key, port: int) -> Sequence[Address]:
        """Where a port of a Service leads now."""

    def machine_servers(self) -> Sequence[str]:
        """Who answers for names of the world."""


class ServedBridge:
    """``open`` and later ``close``."""

    def __init__(self, name: str, known: Knowledge) -> None:
        self.forwarder = Forwarder(
            partial(transparent, socket.SOCK_STREAM, name), known.destinations
        )
        self.resolver = Resolver(
            lambda asked: known.find(asked, self.forwarder), known.machine_servers
        )
        self._name = name
        self._routing = Routing(name, CLUSTER_IPS)

    async def open(self) -> None:
        """Raises OSError where this machine does not let us."""
        at = (RESOLVER_ADDRESS, _DNS_PORT)
        self._routing.add()
        by_udp = transparent(socket.SOCK_DGRAM, self._name, at)
        try:
            by_tcp = transparent(socket.SOCK_STREAM, self._name, at)
        except OSError:
            by_udp.close()
            raise
        await self.resolver.listen(by_udp, by_tcp)
        await self.forwarder.open(API_SERVICE, API_ADDRESS, [API_PORT])

    async def close(self) -> None:
        """Answers and forwards no more, and takes back what the kernel was told."""
        await self.resolver.close()
        await self.forwarder.close()
        try:
            self._routing.remove()
        except OSError as error:
            log.debug("routes not removed", extra={"error": str(error)})
