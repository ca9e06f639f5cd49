"""Typed looks at what all objects of Knative have, and at KIngress. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hearth.kube.conditions import UNKNOWN, Condition
from hearth.kube.views import View

READY = "Ready"


class KnativeView(View):
    """What kinds of Knative have: Ready, and an address when they are addressable."""

    __slots__ = ()

    @property
    def ready(self) -> Condition | None:
        """The condition that sums the others up."""
        return self.conditions.get(READY)

    @property
    def ready_status(self) -> str:
        """The status of Ready; a True one counts only for the generation it was observed at."""
        status = self.conditions.status(READY)
        return UNKNOWN if status == "True" and not self.is_observed else status

    @property
    def address_url(self) -> str:
        """Where it is reached; "" when it is not addressable (yet)."""
        return str((self.status.get("address") or {}).get("url") or "")


class KIngress(KnativeView):
    """The routing table of one Route or DomainMapping."""

    __slots__ = ()

    @property
    def load_balancer(self) -> Mapping[str, Any] | None:
        """Where it is served: the cluster-internal address before the public one."""
        for field in ("privateLoadBalancer", "publicLoadBalancer"):
            entries = (self.status.get(field) or {}).get("ingress") or ()
            if entries:
                first: Mapping[str, Any] = entries[0]
                return first
        return None

    @property
    def hosts(self) -> Iterator[str]:
        """Every host of its rules."""
        for rule in self.spec.get("rules") or ():
            yield from rule.get("hosts") or ()
