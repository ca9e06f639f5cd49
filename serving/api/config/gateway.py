"""What config-network says to the gateway alone. Hearth's own keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hearth.knative.configmap import Reader


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """``trust_forwarded_headers``: what clients say in X-Forwarded-* and Forwarded is kept."""

    trust_forwarded_headers: bool = True

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> GatewayConfig:
        """Read the ConfigMap's data. Raises ValueError."""
        trusts = Reader(data).boolean("trust-forwarded-headers", default=True)
        return cls(trust_forwarded_headers=trusts)
