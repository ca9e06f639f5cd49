"""What eventing's kinds refer to, and what accounts may do there."""

from __future__ import annotations

from eventing.api import keys
from eventing.kinds.permissions import Permissions
from hearth.knative import references
from hearth.knative.destinations import Reference
from hearth.knative.references import LOOK_AGAIN_SECONDS, Lookup, NotServed, Referrer
from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from hearth.kube.manager import Manager
from hearth.kube.resources import CONFIGMAPS, DEPLOYMENTS, ROLEBINDINGS, ROLES, SERVICEACCOUNTS

__all__ = ["LOOK_AGAIN_SECONDS", "Lookup", "NotServed", "References", "Referrer"]

_NEAR = (CONFIGMAPS, SERVICEACCOUNTS, ROLES, ROLEBINDINGS)


class References(references.References):
    """Follows what is referred to, and asks what service accounts may do."""

    def __init__(self, manager: Manager, cluster_domain: str = CLUSTER_DOMAIN) -> None:
        super().__init__(manager, cluster_domain, is_near=_is_near)
        self.permissions = Permissions(manager)


def _is_near(reference: Reference) -> bool:
    """ConfigMaps, and what adapters are made of."""
    is_own = reference.resource == DEPLOYMENTS and reference.namespace == keys.SYSTEM_NAMESPACE
    return is_own or reference.resource in _NEAR
