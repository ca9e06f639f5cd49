"""The data plane put together: everything between a listener and a pod, without Kubernetes.

The one place that knows all parts. ``main`` adds what watches the cluster; benchmarks and tests use
it as it is.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from activator import forwarding
from activator.backends import Backend, BackendContext, Backends, PodSharing, Waker
from activator.backlog import DEFAULT_LIMITS, Room
from activator.dispatch import Dispatcher
from activator.gateway import Gateway, GatewayLimits
from activator.http.context import ServerContext, ServerLimits
from activator.http.server import Door, HttpServer
from activator.http.timers import Timers
from activator.leftovers import Leftovers
from activator.pools import DIALS, Pools
from activator.prober import Prober
from activator.tasks import TaskSet
from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from serving.api.config.gateway import BacklogLimits


class ClusterView(Protocol):
    """What the data plane asks of whoever watches the cluster."""

    def has_service(self, namespace: str, name: str) -> bool:
        """Whether there is a Service of that name."""

    def fill(self, backend: Backend) -> None:
        """Tell a new backend what is known of it."""


class NoCluster:
    """Knows nothing: backends are told by hand."""

    def has_service(self, namespace: str, name: str) -> bool:
        """No Service is known."""
        return False

    def fill(self, backend: Backend) -> None:
        """Nothing is known."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Everything that keeps a slow or greedy peer from taking the gateway down."""

    backlog: BacklogLimits = DEFAULT_LIMITS
    server: ServerLimits = field(default_factory=ServerLimits)
    gateway: GatewayLimits = field(default_factory=GatewayLimits)
    connect_seconds: float = 10.0
    # Connections to pods that are opened at a time; one pod alone gets half of them.
    dials: int = DIALS
    # Of a connection to a pod that nobody uses (Go's transport: 90 s).
    pod_idle_seconds: float = 90.0


class DataPlane:
    """The parts, made in the order in which they need each other."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        cluster: ClusterView | None = None,
        wakers: Sequence[Waker] = (),
        sharing: PodSharing | None = None,
        clock: Callable[[], float] = time.monotonic,
        roll: Callable[[], float] = random.random,
        cluster_domain: str = CLUSTER_DOMAIN,
        secure_port: int = 443,
    ) -> None:
        """``wakers`` hear of requests that wait, after the prober of this activator."""
        limits = limits or Limits()
        cluster = cluster or NoCluster()
        self.tasks = TaskSet()
        self.timers = Timers(clock)
        self.pools = Pools(
            clock,
            self.tasks,
            connect_seconds=limits.connect_seconds,
            idle_seconds=limits.pod_idle_seconds,
            dials=limits.dials,
        )
        self.room = Room(limits.backlog)
        prober = Prober(self.pools, self.tasks, clock)
        context = BackendContext(
            clock,
            roll,
            self.room,
            wakers=(prober, *wakers),
            dropped=self.pools.drop,
            rerouted=lambda: self.gateway.reroute(),
            sharing=sharing,
        )
        self.backends = Backends(context, cluster.fill)
        self.gateway = Gateway(
            self.backends,
            self.pools,
            Leftovers(self.timers),
            has_service=cluster.has_service,
            clock=clock,
            roll=roll,
            limits=limits.gateway,
            cluster_domain=cluster_domain,
            secure_port=secure_port,
        )
        self.clients = ServerContext(
            self.timers,
            limits.server,
            refuse=self.gateway.refuse,
            taken=forwarding.TAKEN,
            dropped=forwarding.DROPPED,
        )
        self.server = HttpServer(self.clients)

    async def listen(
        self,
        host: str,
        port: int,
        *,
        internal: bool,
        door: Door | None = None,
        held: socket.socket | None = None,
    ) -> tuple[str, int]:
        """Open a listener, the gateway's or the in-cluster one; returns its address.

        With ``held`` it is that listening socket.
        """
        gateway = self.gateway
        return await self.server.listen(
            host,
            port,
            lambda peer: Dispatcher(gateway, peer, internal=internal),
            door=door,
            held=held,
        )

    def uses_slots(self) -> bool:
        """Whether requests here count against a limit of their pods, or still may."""
        limited = [each for each in self.backends.all() if each.throttler.container_concurrency]
        return bool(limited) and (
            self.server.takes_requests
            or any(backend.stats.active for backend in limited)
            or any(pod.in_flight for backend in limited for pod in backend.throttler.pods.values())
        )

    async def drain(self, *, delay_seconds: float, drain_seconds: float) -> int:
        """Not ready, stop accepting, finish what is in flight, close; each step bounded.

        Returns how many connections were cut.
        """
        self.gateway.is_ready = False
        cut = await self.server.drain(drain_seconds, delay_seconds=delay_seconds)
        self.pools.close()
        await self.tasks.close()
        return cut
