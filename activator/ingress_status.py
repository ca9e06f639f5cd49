"""The status of a KIngress that the activator has taken over. Pure; called by the status writer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hearth.knative.conditions import ConditionSet

Object = dict[str, Any]

CONDITIONS = ConditionSet("Ready", ("LoadBalancerReady", "NetworkConfigured"))
INVALID_REASON = "InvalidIngress"
CONFLICT_REASON = "DomainConflict"
CERTIFICATE_REASON = "CertificateNotServed"


GATEWAY_NAMESPACE = "knative-serving"
GATEWAY_SERVICES = ("hearth-gateway", "hearth-internal-gateway")
"""The public listener's and the one for the cluster."""


@dataclass(frozen=True, slots=True)
class LoadBalancers:
    """In-cluster names of the two listeners, as the Route's placeholder Service points to them."""

    public: str
    private: str

    @classmethod
    def within(cls, cluster_domain: str) -> LoadBalancers:
        """Return the names in a cluster with this domain."""
        suffix = f"{GATEWAY_NAMESPACE}.svc.{cluster_domain}"
        return cls(*(f"{name}.{suffix}" for name in GATEWAY_SERVICES))


def routed_status(ingress: Object, addresses: LoadBalancers, *, now: float) -> Object:
    """The whole status once the published table holds this generation."""
    conditions = CONDITIONS.manage((ingress.get("status") or {}).get("conditions"), now=now)
    conditions.mark_true("NetworkConfigured")
    conditions.mark_true("LoadBalancerReady")
    return {
        "conditions": conditions.list(),
        "observedGeneration": _generation(ingress),
        "privateLoadBalancer": _load_balancer(addresses.private),
        "publicLoadBalancer": _load_balancer(addresses.public),
    }


def refused_status(
    ingress: Object, message: str, *, now: float, reason: str = INVALID_REASON
) -> Object:
    """The status of a KIngress that cannot be routed; what was routed before stays."""
    status: Object = dict(ingress.get("status") or {})
    conditions = CONDITIONS.manage(status.get("conditions"), now=now)
    conditions.initialize()
    conditions.mark_false("NetworkConfigured", reason, message)
    status["conditions"] = conditions.list()
    status["observedGeneration"] = _generation(ingress)
    return status


def uncertified_status(ingress: Object, message: str, *, now: float, may_come: bool) -> Object:
    """The status of one that is routed, and whose certificates are not shown.

    ``may_come``: what is missing is waited for; else somebody has to mend it.
    """
    status: Object = dict(ingress.get("status") or {})
    conditions = CONDITIONS.manage(status.get("conditions"), now=now)
    conditions.initialize()
    mark = conditions.mark_unknown if may_come else conditions.mark_false
    mark("NetworkConfigured", CERTIFICATE_REASON, message)
    status["conditions"] = conditions.list()
    status["observedGeneration"] = _generation(ingress)
    return status


def _generation(ingress: Object) -> int:
    return int(ingress["metadata"].get("generation", 0))


def _load_balancer(name: str) -> Object:
    return {"ingress": [{"domainInternal": name}]}
