"""Where webhooks reach the receiver: a DomainMapping that leads to its Service. Pure.

``hooks.DOMAIN`` is made with the first WebhookSource. One that an administrator makes (of a name,
and with a certificate, of his own) comes before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eventing.api import keys
from eventing.kinds.references import Lookup
from hearth.knative.destinations import Reference, Unresolved
from hearth.knative.resources import CLUSTERDOMAINCLAIMS, DOMAINMAPPINGS
from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object, name
from hearth.kube.plan import Action, Create, Delete
from hearth.kube.resources import CONFIGMAPS
from hearth.kube.selectors import EVERYTHING
from serving.api.config.domain import DEFAULT_DOMAIN, DomainConfig

RECEIVER = "webhooksource-receiver"
"""The Service, the Deployment, and the account of it."""
_LABEL = "eventing.hearth.dev/webhooks"
"""On what is made here."""
_SERVING = "knative-serving"


@dataclass(frozen=True, slots=True)
class Address:
    """What there is of it."""

    domain: str = ""
    """In which names are given; empty where the cluster has none but its own."""
    mapping: Object | None = None
    claim: Object | None = None
    """Of the name that is made here; with it, it is taken away."""

    @property
    def host(self) -> str:
        """The name that is made where there is no other."""
        return f"hooks.{self.domain}"

    def url(self, cluster_domain: str) -> str:
        """Return what URLs begin with; nothing as long as that is not known."""
        if self.mapping is None:
            inside = f"http://{RECEIVER}.{keys.SYSTEM_NAMESPACE}.svc.{cluster_domain}"
            return "" if self.domain else inside
        return str((self.mapping.get("status") or {}).get("url") or "")

    def problem(self) -> tuple[str, str] | None:
        """Return why it is not reached yet: a reason and words."""
        if self.mapping is None:
            return (
                ("DomainMappingMissing", f"{self.host} is not made yet.") if self.domain else None
            )
        ready = Conditions.of(self.mapping).get(keys.READY)
        if ready is not None and ready["status"] == "True":
            return None
        said = (ready or {}).get("message") or "it is not ready yet"
        return "DomainMappingNotReady", f"DomainMapping {name(self.mapping)}: {said}"


def look_up(lookup: Lookup) -> Address:
    """Find the mapping that leads to the receiver, and what a new one is to be called."""
    where = keys.SYSTEM_NAMESPACE
    of = DOMAINMAPPINGS
    found = lookup.list(Reference(of.api_version, of.kind, where, ""), EVERYTHING)
    mapping = _chosen(() if isinstance(found, Unresolved) else found)
    domain = _domain(lookup)
    claim = None
    if domain and (mapping is None or _is_made_here(mapping)):
        of = CLUSTERDOMAINCLAIMS
        title = name(mapping) if mapping is not None else f"hooks.{domain}"
        claim = lookup.get(Reference(of.api_version, of.kind, "", title))
    return Address(domain, mapping, None if isinstance(claim, Unresolved) else claim)


def _chosen(mappings: Sequence[Object]) -> Object | None:
    ours = [each for each in mappings if (each["spec"].get("ref") or {}).get("name") == RECEIVER]
    alive = [each for each in ours if not meta.is_deleting(each)]
    return min(alive, key=lambda each: (_is_made_here(each), name(each)), default=None)


def _is_made_here(obj: Object) -> bool:
    return _LABEL in meta.labels(obj)


def _domain(lookup: Lookup) -> str:
    of = CONFIGMAPS
    found = lookup.get(Reference(of.api_version, of.kind, _SERVING, "config-domain"))
    if found is None or isinstance(found, Unresolved):
        return ""
    try:
        domain = DomainConfig.from_data(found.get("data") or {}).lookup({})
    except ValueError:
        return ""
    return "" if domain == DEFAULT_DOMAIN else domain


def ensured_address(address: Address) -> tuple[Action, ...]:
    """Return what makes a mapping where there is none, with the claim that it needs."""
    if address.mapping is not None or not address.domain:
        return ()
    reference = {"apiVersion": "v1", "kind": "Service", "name": RECEIVER}
    mapping: dict[str, Any] = {
        "apiVersion": DOMAINMAPPINGS.api_version,
        "kind": DOMAINMAPPINGS.kind,
        "metadata": {
            "name": address.host,
            "namespace": keys.SYSTEM_NAMESPACE,
            "labels": {_LABEL: "true"},
        },
        "spec": {"ref": reference},
    }
    claim: dict[str, Any] = {
        "apiVersion": CLUSTERDOMAINCLAIMS.api_version,
        "kind": CLUSTERDOMAINCLAIMS.kind,
        "metadata": {"name": address.host, "labels": {_LABEL: "true"}},
        "spec": {"namespace": keys.SYSTEM_NAMESPACE},
    }
    claims = (Create(CLUSTERDOMAINCLAIMS, claim),) if address.claim is None else ()
    return *claims, Create(DOMAINMAPPINGS, mapping)


def removed_address(address: Address) -> tuple[Action, ...]:
    """Return what takes away what was made here."""
    mapping, claim = address.mapping, address.claim
    if mapping is None or not _is_made_here(mapping):
        return ()
    where = keys.SYSTEM_NAMESPACE
    gone: tuple[Action, ...] = (
        Delete(DOMAINMAPPINGS, where, name(mapping), uid=meta.uid(mapping)),
    )
    if claim is not None and _is_made_here(claim):
        gone += (Delete(CLUSTERDOMAINCLAIMS, "", name(claim), uid=meta.uid(claim)),)
    return gone
