"""What all requests of one activator share: the published table, limits and the way to pods.

Holds no decision of its own: routing is ``routes``, admission is ``throttler``. Made by
``dataplane``, used by the dispatchers and the exchanges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from activator.backends import Backend, Backends
from activator.failures import grpc_answer, is_grpc, refusal_answer
from activator.http.events import Refusal, RequestHead, ResponseHead
from activator.ingress_status import GATEWAY_NAMESPACE, GATEWAY_SERVICES
from activator.leftovers import Leftovers
from activator.notes import RequestObserver
from activator.pools import Pools
from activator.routes import BackendRef, HostMap, RouteTable
from hearth.kube.clusterdomain import CLUSTER_DOMAIN

# The gateway's own Services: a request for one of them would come back here, again and again.
_OWN = frozenset((GATEWAY_NAMESPACE, name) for name in GATEWAY_SERVICES)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What an operator decides; follows the ConfigMap while the activator runs."""

    # Whether X-Forwarded-* and Forwarded of a client are another proxy's word, to be extended, or
    # anybody's, to be replaced.
    trusts_forwarded: bool = True


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """Bounds of one request."""

    # Of a request that waits for a pod; the rest stays in the client's socket.
    held_octets: int = 64 * 1024
    # Of all bodies together that are waited for before their requests take a slot.
    awaited_octets: int = 64 * 1024 * 1024


class Gateway:
    """Shared state of the data plane; everything runs on one loop."""

    def __init__(
        self,
        backends: Backends,
        pools: Pools,
        leftovers: Leftovers,
        *,
        has_service: Callable[[str, str], bool],
        clock: Callable[[], float],
        roll: Callable[[], float],
        limits: GatewayLimits | None = None,
        cluster_domain: str = CLUSTER_DOMAIN,
        secure_port: int = 443,
    ) -> None:
        """``has_service`` knows plain Services; ``roll`` gives numbers in [0, 1).

        ``secure_port`` is where clients reach us by TLS, as redirects have it.
        """
        self.secure_port = secure_port
        self.cluster_domain = cluster_domain.encode("ascii")
        self.backends = backends
        self.pools = pools
        self.leftovers = leftovers
        self.clock = clock
        self.roll = roll
        self.limits = limits or GatewayLimits()
        self.settings = GatewaySettings()
        self.table: RouteTable[Backend] = RouteTable(HostMap({}, {}), HostMap({}, {}), {})
        # Who watches requests; nobody, most of the time.
        self.observer: RequestObserver | None = None
        self.is_ready = False
        self.refusals: dict[str, int] = {}
        self.forwarded_requests = 0
        # Whether any target keeps sessions; nobody looks further where none does.
        self.has_sessions = False
        self.awaited_octets = 0
        self._has_service = has_service

    def publish(self, table: RouteTable[Backend]) -> None:
        """From here on every request sees this table."""
        self.table = table

    def observe(self, observer: RequestObserver | None) -> None:
        """From here on somebody else watches requests, or nobody."""
        self.observer = observer

    def reroute(self) -> None:
        """Backends have changed: what was looked up in the table is to be looked up again."""
        self.has_sessions = any(backend.sessions for backend in self.backends.all())
        self.publish(replace(self.table))

    def plain_service(self, namespace: str, name: str, port: int) -> Backend | None:
        """The backend of a Service that no route needs to name (internal listener)."""
        if (namespace, name) in _OWN or not self._has_service(namespace, name):
            return None
        return self.backends.resolve(BackendRef(namespace, name, port))

    def refuse(self, refusal: Refusal, head: RequestHead | None = None) -> ResponseHead:
        """The answer to a refusal, which is counted; a gRPC request gets one of gRPC."""
        self.refusals[refusal.reason] = self.refusals.get(refusal.reason, 0) + 1
        if head is not None and is_grpc(head.fields):
            return grpc_answer(refusal)
        return refusal_answer(refusal)
