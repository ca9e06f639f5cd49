"""DomainMapping: claims a domain name and leads it to a Service or Route. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from hearth.knative.conditions import ConditionSet
from hearth.knative.resources import CLUSTERDOMAINCLAIMS, DOMAINMAPPINGS, KINGRESSES
from hearth.kube.meta import (
    Key,
    Object,
    generation,
    is_controlled_by,
    is_deleting,
    labels,
    name,
    namespace,
    uid,
)
from hearth.kube.plan import Action, Create, Delete, Event, Plan, Update
from serving.api import keys
from serving.api.config.domain import DEFAULT_DOMAIN
from serving.api.settings import Settings
from serving.kinds.domainmapping.children import make_domain_claim, make_mapping_ingress
from serving.kinds.drift import exact_drift
from serving.kinds.route.children import ingress_class
from serving.kinds.status import Draft
from serving.routing.domains import Naming
from serving.routing.hosts import REASON, Holders, grant

CONDITIONS = ConditionSet(
    keys.READY,
    (
        keys.CERTIFICATE_PROVISIONED,
        keys.DOMAIN_CLAIMED,
        keys.INGRESS_READY,
        keys.REFERENCE_RESOLVED,
    ),
)
_NOT_CONFIGURED = ("IngressNotConfigured", "Ingress has not yet been reconciled.")
_TLS_NOT_SERVED = (
    "TLSNotServed",
    "spec.tls asks for https, which the gateway does not serve; the name is reached by http.",
)
_CLAIMED_BY_ANOTHER = (
    "DomainAlreadyClaimed",
    "The domain name is already in use by another DomainMapping",
)


@dataclass(frozen=True, slots=True)
class Observed:
    key: Key
    mapping: Object | None
    claim: Object | None = None
    target: Object | None = None
    """What ``spec.ref`` names."""
    ingress: Object | None = None
    holders: Holders = field(default_factory=dict)
    """Under the mapping's name: other objects whose KIngress has it as a host."""


def reconcile(observed: Observed, *, settings: Settings, now: float) -> Plan:
    mapping = observed.mapping
    if mapping is None or is_deleting(mapping):
        return Plan(_released(observed))
    draft = Draft(mapping, CONDITIONS, now=now)
    if draft.is_new_generation:
        draft.conditions.mark_unknown(keys.INGRESS_READY, *_NOT_CONFIGURED)
    is_secured = bool(mapping["spec"].get("tls"))
    is_served = ingress_class(mapping, settings) != keys.HEARTH_INGRESS_CLASS
    scheme = "https" if is_secured and is_served else ""
    url = Naming.of(settings).external_url(name(mapping), scheme)
    draft.put("url", url)
    draft.put("address", {"url": url})
    actions: list[Action] = []
    if _claim(observed, mapping, draft=draft, actions=actions, settings=settings):
        _certify(draft, is_secured=is_secured, is_served=is_served)
        found = _resolve(observed, mapping, draft=draft)
        if found is not None:
            desired = make_mapping_ingress(mapping, settings, host=found[0], service=found[1])
            _program(observed, mapping, desired, draft=draft, actions=actions)
    return Plan((*actions, *draft.writes(DOMAINMAPPINGS)))


def _released(observed: Observed) -> tuple[Action, ...]:
    """A claim that was made for the mapping goes with it."""
    claim, space = observed.claim, observed.key[0]
    if claim is None or labels(claim).get(keys.DOMAIN_MAPPING_NAMESPACE) != space:
        return ()
    if claim["spec"].get("namespace") != space:
        return ()
    return (Delete(CLUSTERDOMAINCLAIMS, "", name(claim), uid=uid(claim)),)


def _claim(
    observed: Observed,
    mapping: Object,
    *,
    draft: Draft,
    actions: list[Action],
    settings: Settings,
) -> bool:
    claim = observed.claim
    if claim is None and settings.network.autocreate_cluster_domain_claims:
        actions.append(Create(CLUSTERDOMAINCLAIMS, make_domain_claim(mapping)))
    elif claim is None or claim["spec"].get("namespace") != namespace(mapping):
        draft.conditions.mark_false(keys.DOMAIN_CLAIMED, *_CLAIMED_BY_ANOTHER)
        return False
    draft.conditions.mark_true(keys.DOMAIN_CLAIMED)
    return True


def _certify(draft: Draft, *, is_secured: bool, is_served: bool) -> None:
    """Say how the name is secured. ``is_served``: the ingress of this class serves TLS."""
    if is_secured and not is_served:
        draft.conditions.mark_false(keys.CERTIFICATE_PROVISIONED, *_TLS_NOT_SERVED)
        return
    if is_secured:
        reason = "CertificateExternallyProvided"
        message = "TLS certificate was provided externally"
    else:
        reason, message = "TLSNotEnabled", "external-domain-tls is not enabled"
    draft.conditions.mark_true(keys.CERTIFICATE_PROVISIONED, reason, message)


def _resolve(observed: Observed, mapping: Object, *, draft: Draft) -> tuple[str, str] | None:
    """Host and Service name behind the reference."""
    found = _target_of(mapping["spec"]["ref"], observed.target, namespace(mapping))
    if isinstance(found, str):
        draft.conditions.mark_false(keys.REFERENCE_RESOLVED, "ResolveFailed", found)
        return None
    draft.conditions.mark_true(keys.REFERENCE_RESOLVED)
    return found


def _target_of(
    reference: dict[str, Any], target: Object | None, space: str
) -> tuple[str, str] | str:
    """Host and Service, or what is wrong with the reference."""
    own_name, kind = reference.get("name", ""), reference.get("kind", "")
    if target is None:
        group = str(reference.get("apiVersion", "")).rpartition("/")[0]
        resource = f"{kind.lower()}s" + (f".{group}" if group else "")
        return f'failed to get object {space}/{own_name}: {resource} "{own_name}" not found'
    if reference.get("apiVersion") == "v1":
        return f"{own_name}.{space}.{DEFAULT_DOMAIN}", own_name
    url = ((target.get("status") or {}).get("address") or {}).get("url")
    if not url:
        return f"address not set for {kind} {space}/{own_name}"
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.path.rstrip("/"):
        return f'resolved URI "{url}" contains a path'
    pieces = host.removesuffix(f".{DEFAULT_DOMAIN}").split(".")
    if not host.endswith(f".{DEFAULT_DOMAIN}") or len(pieces) != 2:
        return f'resolved URI "{url}" must be of the form {{name}}.{{namespace}}.{DEFAULT_DOMAIN}'
    if pieces[1] != space:
        return f'resolved URI "{url}" must be in same namespace as DomainMapping'
    return host, pieces[0]


def _program(
    observed: Observed,
    mapping: Object,
    desired: Object,
    *,
    draft: Draft,
    actions: list[Action],
) -> None:
    existing = observed.ingress
    granted = grant(desired, mapping, observed.holders)
    if granted.conflict:
        draft.conditions.mark_false(keys.INGRESS_READY, REASON, granted.conflict)
        if existing is not None and is_controlled_by(existing, mapping):
            space = namespace(existing)
            actions.append(Delete(KINGRESSES, space, name(existing), uid=uid(existing)))
        return
    if existing is None:
        message = f'Created Ingress "{name(desired)}"'
        actions += [
            Create(KINGRESSES, desired),
            Event(mapping, "Normal", "Created", message),
        ]
        draft.conditions.mark_unknown(keys.INGRESS_READY, *_NOT_CONFIGURED)
        return
    if not is_controlled_by(existing, mapping):
        message = f'There is an existing Ingress "{name(existing)}" that we do not own.'
        draft.conditions.mark_false(keys.INGRESS_READY, "NotOwned", message)
        return
    updated = exact_drift(desired, existing)
    if updated is not None:
        actions.append(Update(KINGRESSES, updated))
    status = existing.get("status") or {}
    ready = next((c for c in status.get("conditions") or () if c["type"] == keys.READY), None)
    if (
        updated is not None
        or ready is None
        or status.get("observedGeneration") != generation(existing)
    ):
        draft.conditions.mark_unknown(keys.INGRESS_READY, *_NOT_CONFIGURED)
    else:
        draft.conditions.propagate(keys.INGRESS_READY, ready)
