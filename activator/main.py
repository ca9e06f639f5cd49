"""The activator's process: listeners, watches, reporter, and an orderly end.

Called by ``hearth.process`` with a configuration; runs until cancelled, then stops accepting, lets
requests in flight finish within ``drain_seconds`` and closes.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from activator.downstream import ClientConnection
from activator.gateway import Gateway, Limits
from activator.ingress_status import LoadBalancers
from activator.metrics import ActivatorCollector
from activator.prober import Prober
from activator.reporter import Reporter, StatsAddress
from activator.watches import INGRESS_CLASS, Watches
from hearth.kube.client import KubeClient
from hearth.observability.metrics import REGISTRY

log = logging.getLogger(__name__)

# Connections that arrive faster than they are accepted wait here; a burst of 1,000 must not be
# refused by the kernel. It caps the number at net.core.somaxconn (4096 by default).
BACKLOG = 4096
_TRIM_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ActivatorConfig:
    """``port`` is the gateway's, ``internal_port`` the in-cluster listener's; 0: a free one."""

    kubeconfig: Path
    host: str = "127.0.0.1"
    port: int = 8080
    internal_host: str = "127.0.0.1"
    internal_port: int = 8081
    # host:port of the autoscaler's statistics listener.
    stats_address: str = ""
    stats_token: str = ""
    name: str = "activator"
    ingress_class: str = INGRESS_CLASS
    # Time for load balancers to see that /healthz fails before connections are refused.
    drain_delay_seconds: float = 0.0
    drain_seconds: float = 30.0
    limits: Limits = field(default_factory=Limits)
    load_balancers: LoadBalancers = field(default_factory=LoadBalancers)


async def run(config: ActivatorConfig, ready: Callable[[], None]) -> None:
    """Serve until cancelled."""
    gateway = Gateway(limits=config.limits)
    reporter = _make_reporter(config, gateway)
    collector = ActivatorCollector(gateway, reporter)
    gateway.listeners_of_demand = [Prober(gateway), *([reporter] if reporter else [])]
    async with AsyncExitStack() as stack:
        REGISTRY.register(collector)
        stack.callback(REGISTRY.unregister, collector)
        client = await stack.enter_async_context(
            KubeClient.from_kubeconfig(config.kubeconfig, user_agent="hearth-activator")
        )
        watches = Watches(
            gateway, client, ingress_class=config.ingress_class, addresses=config.load_balancers
        )
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [
            group.create_task(watches.run(), name="watches"),
            group.create_task(_trim_regularly(gateway), name="trim"),
        ]
        if reporter is not None:
            tasks.append(group.create_task(reporter.run(), name="reporter"))
        await _serve(gateway, config, watches, ready=ready, background=tasks)


async def _serve(
    gateway: Gateway,
    config: ActivatorConfig,
    watches: Watches,
    *,
    ready: Callable[[], None],
    background: list[asyncio.Task[None]],
) -> None:
    servers: list[asyncio.Server] = []
    try:
        # Connections are accepted once the routes are known: nobody gets a 404 by a race.
        await watches.synced()
        servers = [
            await listen(gateway, config.host, config.port, internal=False),
            await listen(gateway, config.internal_host, config.internal_port, internal=True),
        ]
        gateway.ready = True
        ready()
        log.info(
            "activator serves",
            extra={"gateway": address_of(servers[0]), "internal": address_of(servers[1])},
        )
        await asyncio.Event().wait()
    finally:
        await drain(
            gateway,
            servers,
            delay_seconds=config.drain_delay_seconds,
            drain_seconds=config.drain_seconds,
        )
        for task in background:
            task.cancel()


async def listen(gateway: Gateway, host: str, port: int, *, internal: bool) -> asyncio.Server:
    """One listener. The address may be taken again at once after a restart."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return await asyncio.get_running_loop().create_server(
        lambda: ClientConnection(gateway, internal=internal), sock=sock, backlog=BACKLOG
    )


def address_of(server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"{host}:{port}"


async def drain(
    gateway: Gateway,
    servers: list[asyncio.Server],
    *,
    delay_seconds: float,
    drain_seconds: float,
) -> None:
    """Not ready, stop accepting, finish what is in flight, close; each step bounded."""
    gateway.ready = False
    if delay_seconds:
        await asyncio.sleep(delay_seconds)
    for server in servers:
        server.close()
    gateway.draining = True
    for client in list(gateway.clients):
        client.drain()
    try:
        await asyncio.wait_for(gateway.clients_gone(), drain_seconds)
    except TimeoutError:
        log.warning("connections cut at shutdown", extra={"connections": len(gateway.clients)})
    await gateway.close()


async def _trim_regularly(gateway: Gateway) -> None:
    while True:
        await asyncio.sleep(_TRIM_SECONDS)
        gateway.trim_idle()


def _make_reporter(config: ActivatorConfig, gateway: Gateway) -> Reporter | None:
    if not config.stats_address:
        return None
    host, _, port = config.stats_address.rpartition(":")
    return Reporter(
        gateway, StatsAddress(host, int(port)), token=config.stats_token, name=config.name
    )
