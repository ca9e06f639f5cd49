"""What config-network says to the gateway alone. Hearth's own keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hearth.knative.configmap import Reader
from hearth.kube.gotext import parse_int
from hearth.kube.quantity import parse_quantity

_MEBI = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BacklogLimits:
    """How much may wait for pods in one activator: requests, and octets held of them.

    Octets are those of heads and of the first part of bodies; the rest stays with the client.
    """

    # Of one revision: Knative's breakerQueueDepth.
    requests: int = 10_000
    octets: int = 256 * _MEBI
    # Of all together: three at once may have Knative's depth.
    all_requests: int = 40_000
    all_octets: int = 512 * _MEBI

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> BacklogLimits:
        """Read the ConfigMap's data. Raises ValueError."""
        reader, default = Reader(data), cls()
        return cls(
            requests=reader.read(("revision-queue-requests",), default.requests, _count),
            octets=reader.read(("revision-queue-bytes",), default.octets, _octets),
            all_requests=reader.read(("activator-queue-requests",), default.all_requests, _count),
            all_octets=reader.read(("activator-queue-bytes",), default.all_octets, _octets),
        )


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """``trust_forwarded_headers``: what clients say in X-Forwarded-* and Forwarded is kept.

    ``default_certificate`` is the Secret, by namespace and name, whose certificate is shown to
    clients that name no host, or one without a certificate of its own.
    """

    trust_forwarded_headers: bool = True
    backlog: BacklogLimits = field(default_factory=BacklogLimits)
    default_certificate: tuple[str, str] | None = None

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> GatewayConfig:
        """Read the ConfigMap's data. Raises ValueError."""
        reader = Reader(data)
        return cls(
            trust_forwarded_headers=reader.boolean("trust-forwarded-headers", default=True),
            backlog=BacklogLimits.from_data(data),
            default_certificate=_secret(reader.text("default-certificate-secret", default="")),
        )


def _count(text: str) -> int:
    return _positive(parse_int(text.strip()), text)


def _octets(text: str) -> int:
    return _positive(parse_quantity(text.strip()).value, text)


def _positive(number: int, text: str) -> int:
    if number < 1:
        raise ValueError(f"{text.strip()} is less than 1")
    return number


def _secret(text: str) -> tuple[str, str] | None:
    if not text:
        return None
    namespace, _, name = text.partition("/")
    if not namespace or not name or "/" in name:
        raise ValueError(f'default-certificate-secret must be NAMESPACE/NAME, but was "{text}"')
    return namespace, name
