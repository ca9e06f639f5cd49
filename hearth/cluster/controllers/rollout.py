"""The arithmetic of a rolling update: how many replicas each ReplicaSet gets next. Pure.

Source of the rules: Kubernetes' documentation of ``maxSurge``, ``maxUnavailable`` and
proportional scaling.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Group:
    """One ReplicaSet as the arithmetic sees it."""

    name: str
    replicas: int
    """Asked for now, in its spec."""
    available: int
    created: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a rollout may go above and below the Deployment's replicas."""

    surge: int
    unavailable: int


def limits(strategy: Mapping[str, Any], replicas: int) -> Limits:
    """Return absolute limits; surge rounds up, unavailable down, and never are both 0."""
    if strategy.get("type") == "Recreate":
        return Limits(surge=0, unavailable=replicas)
    rolling = strategy.get("rollingUpdate") or {}
    surge = _resolve(rolling.get("maxSurge", "25%"), replicas, round_up=True)
    unavailable = _resolve(rolling.get("maxUnavailable", "25%"), replicas, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(surge=surge, unavailable=min(unavailable, replicas))


def _resolve(value: int | str, total: int, *, round_up: bool) -> int:
    if isinstance(value, int):
        return value
    share = int(value.removesuffix("%")) * total / 100
    return math.ceil(share) if round_up else math.floor(share)


def roll(new: Group, old: Sequence[Group], *, replicas: int, allowed: Limits) -> dict[str, int]:
    """Return the next sizes: the new group grows into the surge, old ones shrink as pods allow."""
    sizes = {new.name: _grow(new, old, replicas=replicas, allowed=allowed)}
    total = new.replicas + sum(group.replicas for group in old)
    unavailable_new = new.replicas - new.available
    min_available = replicas - allowed.unavailable
    to_drop = total - min_available - unavailable_new
    sizes |= {group.name: group.replicas for group in old}
    if to_drop <= 0:
        return sizes
    to_drop -= _drop_broken(old, sizes, to_drop)
    spare = new.available + sum(min(g.available, sizes[g.name]) for g in old) - min_available
    _drop_healthy(old, sizes, min(to_drop, spare))
    return sizes


def _grow(new: Group, old: Sequence[Group], *, replicas: int, allowed: Limits) -> int:
    if new.replicas >= replicas:
        return replicas
    total = new.replicas + sum(group.replicas for group in old)
    room = replicas + allowed.surge - total
    return min(replicas, new.replicas + max(0, room))


def _oldest_first(groups: Sequence[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: (group.created, group.name))


def _drop_broken(old: Sequence[Group], sizes: dict[str, int], limit: int) -> int:
    """Drop old replicas that are not available first: they serve nobody. Return how many."""
    dropped = 0
    for group in _oldest_first(old):
        broken = min(group.replicas - group.available, limit - dropped)
        if broken > 0:
            sizes[group.name] -= broken
            dropped += broken
    return dropped


def _drop_healthy(old: Sequence[Group], sizes: dict[str, int], limit: int) -> None:
    for group in _oldest_first(old):
        step = min(sizes[group.name], limit)
        if step > 0:
            sizes[group.name] -= step
            limit -= step


def scale_proportionally(groups: Sequence[Group], *, total: int) -> dict[str, int]:
    """Return sizes that add up to ``total``, shared as before: for a resize in mid-rollout.

    What rounding leaves over goes to the largest group.
    """
    before = sum(group.replicas for group in groups)
    ordered = sorted(groups, key=lambda g: (-g.replicas, g.created, g.name))
    if not ordered:
        return {}
    if before == 0:
        return {g.name: total if g is ordered[0] else 0 for g in ordered}
    sizes = {g.name: g.replicas * total // before for g in ordered}
    sizes[ordered[0].name] += total - sum(sizes.values())
    return sizes
