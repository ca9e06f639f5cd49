"""What a container may use: Kubernetes' resources as the kernel takes them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hearth.kube.quantity import parse_quantity

CPU_PERIOD = 100_000
_LEAST_SHARES, _MOST_SHARES, _LEAST_QUOTA = 2, 262_144, 1_000
_PIDS = 2048  # podman's own default: a fork bomb ends in its container


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of cgroups: microseconds of each ``CPU_PERIOD``, weights, bytes; 0 is no limit."""

    cpu_quota: int = 0
    cpu_shares: int = _LEAST_SHARES
    memory: int = 0
    pids: int = _PIDS


def limits_of(resources: Mapping[str, Any]) -> Limits:
    """What kubelet makes of ``resources``; a limit without a request is the request as well."""
    limits = resources.get("limits") or {}
    requests = {**limits, **(resources.get("requests") or {})}
    milli = _amount(limits, "cpu", 1000)
    shares = _amount(requests, "cpu", 1000) * 1024 // 1000
    return Limits(
        cpu_quota=max(milli * CPU_PERIOD // 1000, _LEAST_QUOTA) if milli else 0,
        cpu_shares=min(max(shares, _LEAST_SHARES), _MOST_SHARES),
        memory=_amount(limits, "memory", 1),
    )


def _amount(given: Mapping[str, Any], name: str, factor: int) -> int:
    quantity = given.get(name)
    return 0 if quantity is None else int(parse_quantity(str(quantity)).amount * factor)
