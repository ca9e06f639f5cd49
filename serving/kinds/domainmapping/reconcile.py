"""DomainMapping: claims a domain name and leads it to a Service or Route. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from hearth.knative.conditions import ConditionSet
from hearth.knative.resources import CLUSTERDOMAINCLAIMS, DOMAINMAPPINGS, KINGRESSES
from hearth.knative.views import KIngress, KnativeView
from hearth.kube import meta
from hearth.kube.meta import (
    Key,
    Object,
    is_controlled_by,
    is_deleting,
    labels,
    name,
    namespace,
    uid,
)
from hearth.kube.plan import Action, Create, Delete, Event, Plan, Update
from serving.api import keys, views
from serving.api.domainpaths import paths_of
from serving.api.settings import Settings
from serving.kinds import certificates
from serving.kinds.certificates import Outcome, Provision
from serving.kinds.domainmapping.children import (
    certificate_name,
    make_domain_claim,
    make_mapping_ingress,
    mapped_hosts,
)
from serving.kinds.drift import exact_drift
from serving.kinds.ingress import OptionError
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
_CLAIMED_BY_ANOTHER = (
    "DomainAlreadyClaimed",
    "The domain name is already in use by another DomainMapping",
)


@dataclass(frozen=True, slots=True)
class Observed:
    """What the reconciler sees of one DomainMapping."""

    key: Key
    mapping: Object | None
    claim: Object | None = None
    target: Object | None = None
    """What ``spec.ref`` names."""
    ingress: Object | None = None
    holders: Holders = field(default_factory=dict)
    """Under the mapping's name: other objects whose KIngress has it as a host."""
    certificate: Object | None = None
    """The Certificate that the mapping asks for, or another of its name."""
    services: frozenset[str] = frozenset()
    """Of the Services that its paths lead to, those that there are."""


def reconcile(observed: Observed, *, settings: Settings, now: float) -> Plan:
    """Claim the domain, resolve the reference and program the KIngress; or release the claim."""
    mapping = observed.mapping
    if mapping is None or is_deleting(mapping):
        return Plan(_released(observed))
    draft = Draft(mapping, CONDITIONS, now=now)
    if draft.is_new_generation:
        draft.conditions.mark_unknown(keys.INGRESS_READY, *_NOT_CONFIGURED)
    actions: list[Action] = []
    _put_url(draft, mapping, settings, is_secured=views.DomainMapping(mapping).has_tls)
    if _claim(observed, mapping, draft=draft, actions=actions, settings=settings):
        secured = _certify(observed, mapping, draft=draft, actions=actions, settings=settings)
        _put_url(draft, mapping, settings, is_secured=secured.is_shown)
        domain = f"svc.{settings.cluster_domain}"
        target = _resolve(observed, mapping, draft=draft, domain=domain)
        if target is not None:
            try:
                desired = make_mapping_ingress(
                    mapping,
                    settings,
                    host=target[0],
                    service=target[1],
                    paths=[
                        (each, f"{each.service}.{namespace(mapping)}.{domain}")
                        for each in paths_of(meta.annotations(mapping))
                    ],
                    tls=secured.tls,
                    challenges=secured.challenges,
                )
                _program(observed, mapping, desired, draft=draft, actions=actions)
            except OptionError as error:
                draft.conditions.mark_false(keys.INGRESS_READY, "ErrorConfig", str(error))
    return Plan((*actions, *draft.writes(DOMAINMAPPINGS)))


def _released(observed: Observed) -> tuple[Action, ...]:
    """Delete a claim that was made for the mapping together with it."""
    claim, own = observed.claim, observed.key[0]
    if claim is None or labels(claim).get(keys.DOMAIN_MAPPING_NAMESPACE) != own:
        return ()
    if views.DomainClaim(claim).namespace != own:
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
    elif views.DomainClaim(claim).namespace != namespace(mapping):
        draft.conditions.mark_false(keys.DOMAIN_CLAIMED, *_CLAIMED_BY_ANOTHER)
        return False
    draft.conditions.mark_true(keys.DOMAIN_CLAIMED)
    return True


def _put_url(draft: Draft, mapping: Object, settings: Settings, *, is_secured: bool) -> None:
    url = Naming.of(settings).external_url(name(mapping), "https" if is_secured else "")
    draft.put("url", url)
    draft.put("address", {"url": url})


@dataclass(frozen=True, slots=True)
class _Secured:
    """What the KIngress is told of the name's certificate, and whether URLs say https."""

    tls: tuple[Mapping[str, Any], ...] = ()
    challenges: tuple[Mapping[str, Any], ...] = ()
    is_shown: bool = False


def _certify(
    observed: Observed,
    mapping: Object,
    *,
    draft: Draft,
    actions: list[Action],
    settings: Settings,
) -> _Secured:
    """Say how the name is secured. Whether a Secret is good is for the ingress to say."""
    view, conditions = views.DomainMapping(mapping), draft.conditions
    if view.has_tls:
        reason = "CertificateExternallyProvided"
        message = "TLS certificate was provided externally"
        conditions.mark_true(keys.CERTIFICATE_PROVISIONED, reason, message)
        entry = {
            "hosts": mapped_hosts(mapping),
            "secretName": view.secret_name,
            "secretNamespace": namespace(mapping),
        }
        return _Secured((entry,), is_shown=True)
    if not certificates.is_asked_for(mapping, settings):
        message = "external-domain-tls is not enabled"
        conditions.mark_true(keys.CERTIFICATE_PROVISIONED, "TLSNotEnabled", message)
        return _Secured()
    hosts = mapped_hosts(mapping)
    desired = certificates.requested(
        mapping,
        keys.DOMAIN_MAPPING_UID,
        certificate_name(mapping),
        hosts,
        domain=name(mapping),
        settings=settings,
    )
    provided = certificates.provide(desired, observed.certificate, mapping)
    actions += provided.actions
    provided = certificates.downgraded(provided, settings)
    _mark(draft, provided)
    challenges = certificates.challenges_of(provided.certificate)
    if provided.outcome is Outcome.READY:
        entry = certificates.shown(provided.certificate, hosts)
        return _Secured((entry,), challenges, is_shown=True)
    return _Secured((), challenges, is_shown=provided.outcome is Outcome.NOT_READY)


def _mark(draft: Draft, provided: Provision) -> None:
    if not certificates.mark(draft.conditions, provided):
        message = f"Certificate {provided.name} is not ready."
        kind = keys.CERTIFICATE_PROVISIONED
        draft.conditions.mark_unknown(kind, "CertificateNotReady", message)


def _resolve(
    observed: Observed, mapping: Object, *, draft: Draft, domain: str
) -> tuple[str, str] | None:
    """Return host and Service name behind the reference; None where it leads nowhere."""
    reference = views.DomainMapping(mapping).reference
    target = _target_of(reference, observed.target, namespace(mapping), domain=domain)
    missing = (
        each.service
        for each in paths_of(meta.annotations(mapping))
        if each.service not in observed.services
    )
    if not isinstance(target, str) and (service := next(missing, None)) is not None:
        target = _not_found(namespace(mapping), service, "services")
    if isinstance(target, str):
        draft.conditions.mark_false(keys.REFERENCE_RESOLVED, "ResolveFailed", target)
        return None
    draft.conditions.mark_true(keys.REFERENCE_RESOLVED)
    return target


def _not_found(namespace: str, name: str, resource: str) -> str:
    return f'failed to get object {namespace}/{name}: {resource} "{name}" not found'


def _target_of(
    reference: Mapping[str, Any], target: Object | None, own: str, *, domain: str
) -> tuple[str, str] | str:
    """Return host and Service, or what is wrong with the reference.

    ``own`` is the namespace, ``domain`` what names of Services in the cluster end in.
    """
    own_name, kind = reference.get("name", ""), reference.get("kind", "")
    if target is None:
        group = str(reference.get("apiVersion", "")).rpartition("/")[0]
        resource = f"{kind.lower()}s" + (f".{group}" if group else "")
        return _not_found(own, own_name, resource)
    if reference.get("apiVersion") == "v1":
        return f"{own_name}.{own}.{domain}", own_name
    url = KnativeView(target).address_url
    if not url:
        return f"address not set for {kind} {own}/{own_name}"
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.path.rstrip("/"):
        return f'resolved URI "{url}" contains a path'
    pieces = host.removesuffix(f".{domain}").split(".")
    if not host.endswith(f".{domain}") or len(pieces) != 2:
        return f'resolved URI "{url}" must be of the form {{name}}.{{namespace}}.{domain}'
    if pieces[1] != own:
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
            deletion = Delete(KINGRESSES, namespace(existing), name(existing), uid=uid(existing))
            actions.append(deletion)
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
    view = KIngress(existing)
    ready = view.ready
    if updated is not None or ready is None or not view.is_observed:
        draft.conditions.mark_unknown(keys.INGRESS_READY, *_NOT_CONFIGURED)
    else:
        draft.conditions.propagate(keys.INGRESS_READY, ready)
