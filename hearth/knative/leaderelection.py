"""Leader election as knative.dev/pkg configures it: config-leader-election, buckets, identities.

A component that may have a second replica is given a ``Candidacy`` and ``stand``s; without one it
is alone. The ConfigMap is read once, at the start, as Knative does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from hearth.knative.configmap import Reader
from hearth.kube.client import KubeClient
from hearth.kube.election import Timing, holder_of
from hearth.kube.errors import NotFound
from hearth.kube.gotext import parse_uint
from hearth.kube.holders import Holders
from hearth.kube.leadership import ALONE, Elected, Leadership
from hearth.kube.meta import Object
from hearth.kube.resources import CONFIGMAPS

log = logging.getLogger(__name__)

CONFIG_MAP = "config-leader-election"
_MAX_BUCKETS = 10
_LEASE_PREFIX = "map-lease-prefix."

Address = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True, slots=True)
class LeaderElectionConfig:
    """config-leader-election."""

    timing: Timing = field(default_factory=Timing)
    buckets: int = 1
    lease_prefixes: Mapping[str, str] = field(default_factory=dict)
    """What the Leases of a component are called instead of its name."""

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> LeaderElectionConfig:
        """Read a ConfigMap's data; raises ValueError in the words of Knative and client-go."""
        reader, usual = Reader(data), Timing()
        timing = {
            "lease_duration": reader.seconds(
                "leaseDuration", "lease-duration", default=usual.lease_duration
            ),
            "renew_deadline": reader.seconds(
                "renewDeadline", "renew-deadline", default=usual.renew_deadline
            ),
            "retry_period": reader.seconds(
                "retryPeriod", "retry-period", default=usual.retry_period
            ),
        }
        buckets = reader.read(("buckets",), 1, lambda text: parse_uint(text, 32))
        if not 1 <= buckets <= _MAX_BUCKETS:
            raise ValueError(f"buckets: value must be between 1 <= {buckets} <= {_MAX_BUCKETS}")
        prefixes = {
            key.removeprefix(_LEASE_PREFIX): value
            for key, value in data.items()
            if key.startswith(_LEASE_PREFIX)
        }
        return cls(Timing(**timing), buckets, prefixes)

    def leases(self, component: str) -> list[str]:
        """Return the names of a component's Leases, one for each bucket."""
        prefix = self.lease_prefixes.get(component) or component
        return [
            f"{prefix}.{number:02d}-of-{self.buckets:02d}".lower() for number in range(self.buckets)
        ]


@dataclass(frozen=True, slots=True)
class Candidacy:
    """Who stands for election: a name that no other replica has, and where it can be reached."""

    pod: str
    host: str = ""
    namespace: str = ""
    """Where its pod is, and those of the others; "" where that is not known."""

    def identity(self, port: int = 0) -> str:
        """Return what holds a Lease: ``POD_HOST``, with the port where there is one to reach."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.pod}_{host}:{port}" if port else f"{self.pod}_{host}"


def address_of(lease: Object | None) -> Address | None:
    """Return where the holder of a Lease can be reached; None where nobody holds it."""
    _, found, address = holder_of(lease).partition("_")
    host, _, port = address.rpartition(":")
    if not found or not host or not port.isdigit():
        return None
    return host.strip("[]"), int(port)


async def read_config(client: KubeClient, namespace: str) -> LeaderElectionConfig:
    """Read config-leader-election; one that is absent, or cannot be used, means the defaults."""
    try:
        config_map = await client.get(CONFIGMAPS, CONFIG_MAP, namespace)
        return LeaderElectionConfig.from_data(config_map.get("data") or {})
    except NotFound:
        return LeaderElectionConfig()
    except ValueError as error:
        facts = {"config_map": CONFIG_MAP, "error": str(error)}
        log.error("config map ignored, the defaults hold", extra=facts)
        return LeaderElectionConfig()


async def stand(
    client: KubeClient,
    candidacy: Candidacy | None,
    *,
    component: str,
    namespace: str,
    port: int = 0,
) -> Leadership:
    """Return the leadership of a component; without a candidacy it is alone."""
    if candidacy is None:
        return ALONE
    config = await read_config(client, namespace)
    holders = None
    if candidacy.namespace:
        holders = Holders(client, candidacy.namespace, candidacy.pod)
    return Elected(
        client,
        namespace=namespace,
        buckets=config.leases(component),
        identity=candidacy.identity(port),
        timing=config.timing,
        holders=holders,
    )
