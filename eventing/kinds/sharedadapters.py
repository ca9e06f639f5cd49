"""The Deployment of an adapter that serves all sources of a kind. Pure.

It is made for the first of them and scaled to zero when the last one goes. How many replicas it has
beyond one is the operator's to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventing.api import keys, trust
from eventing.kinds.adapters import Adapters, adapter_deployment
from eventing.kinds.workloads import covers
from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.plan import Action, Create, Patch, Update
from hearth.kube.resources import DEPLOYMENTS


@dataclass(frozen=True, slots=True)
class SharedAdapter:
    """What an adapter is called, with its service account, and what its pods run."""

    name: str
    component: str
    labels: Mapping[str, str]
    env: Sequence[Mapping[str, Any]] = ()
    takes_events: bool = False

    def deployment(
        self, adapters: Adapters, account: Object | None, bundles: trust.Names = ()
    ) -> Object:
        """Return its Deployment; it goes with its service account, where it has one."""
        metadata: dict[str, Any] = {"name": self.name, "namespace": keys.SYSTEM_NAMESPACE}
        if account is not None:
            owner = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account["metadata"]}
            metadata["ownerReferences"] = [meta.owner_reference(owner, controller=False)]
        return adapter_deployment(
            adapters,
            metadata=metadata,
            component=self.component,
            labels=self.labels,
            account=self.name,
            env=self.env,
            bundles=bundles,
            takes_events=self.takes_events,
        )


def kept(existing: Object | None, desired: Object) -> tuple[Action, ...]:
    """Have the Deployment run as it should."""
    if existing is None:
        return (Create(DEPLOYMENTS, desired),)
    spec, template = existing["spec"], desired["spec"]["template"]
    is_current = covers(spec.get("template"), template)
    if is_current and spec.get("replicas", 1) > 0:
        return ()
    changed = {**spec, "replicas": spec.get("replicas", 1) or 1}
    if not is_current:
        changed["template"] = template
    return (Update(DEPLOYMENTS, {**existing, "spec": changed}),)


def ended(existing: Object | None) -> tuple[Action, ...]:
    """Have nothing of it run any more."""
    if existing is None or existing["spec"].get("replicas", 1) == 0:
        return ()
    nothing = {"spec": {"replicas": 0}}
    return (Patch(DEPLOYMENTS, meta.name(existing), meta.namespace(existing), nothing),)
