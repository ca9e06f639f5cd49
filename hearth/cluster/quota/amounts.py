"""Amounts of several resources (``v1.ResourceList``), and those of a pod. Pure.

Rules of ``k8s.io/apiserver/pkg/quota/v1`` and ``k8s.io/component-helpers/resource``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from hearth.kube.quantity import Quantity, parse_quantity

Amounts = Mapping[str, Quantity]
ZERO, ONE = Quantity(Decimal(0)), Quantity(Decimal(1))
_ALWAYS = "Always"


def parse_amounts(texts: Mapping[str, Any] | None) -> dict[str, Quantity]:
    """The amounts of ``requests``, ``limits`` or ``hard``."""
    return {name: parse_quantity(text) for name, text in (texts or {}).items()}


def plus(left: Amounts, right: Amounts) -> dict[str, Quantity]:
    """The sum; a name in one of them alone counts as it is."""
    total = dict(left)
    for name, quantity in right.items():
        before = total.get(name, ZERO)
        family = before.family if before.amount else quantity.family
        total[name] = Quantity(before.amount + quantity.amount, family)
    return total


def minus(left: Amounts, right: Amounts) -> dict[str, Quantity]:
    """What is left of the first, never below zero."""
    return {
        name: Quantity(max(quantity.amount - right.get(name, ZERO).amount, ZERO.amount), family)
        for name, quantity in left.items()
        for family in (quantity.family,)
    }


def only(amounts: Amounts, names: Iterable[str]) -> dict[str, Quantity]:
    """The amounts of these names."""
    kept = frozenset(names)
    return {name: quantity for name, quantity in amounts.items() if name in kept}


def words(amounts: Amounts) -> str:
    """As messages have them: ``pods=1,requests.cpu=100m``."""
    return ",".join(f"{name}={quantity}" for name, quantity in sorted(amounts.items()))


def pod_amounts(spec: Mapping[str, Any], which: str) -> dict[str, Quantity]:
    """The ``requests`` or ``limits`` of a whole pod, without its overhead.

    Containers count together with sidecars; an init container beside the sidecars before it.
    What the pod says for itself holds instead.
    """
    total: dict[str, Quantity] = {}
    for container in spec.get("containers") or ():
        total = plus(total, _of(container, which))
    sidecars: dict[str, Quantity] = {}
    most: dict[str, Quantity] = {}
    for container in spec.get("initContainers") or ():
        own = _of(container, which)
        if container.get("restartPolicy") == _ALWAYS:
            total, sidecars = plus(total, own), plus(sidecars, own)
            own = sidecars
        else:
            own = plus(own, sidecars)
        most = _larger(most, own)
    return _larger(total, most) | _of(spec, which)


def _of(holder: Mapping[str, Any], which: str) -> dict[str, Quantity]:
    return parse_amounts((holder.get("resources") or {}).get(which))


def _larger(left: Amounts, right: Amounts) -> dict[str, Quantity]:
    larger = dict(left)
    for name, quantity in right.items():
        if name not in larger or quantity.amount > larger[name].amount:
            larger[name] = quantity
    return larger
