"""The Certificates of a Route: one for each name outside, one for each tag inside. Pure.

Inside, names get certificates where ``cluster-local-domain-tls`` asks for them. A wildcard
certificate of the namespace takes the place of others (``networking.knative.dev/wildcardDomain``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.knative.conditions import ConditionManager
from hearth.knative.resources import CERTIFICATES
from hearth.kube.meta import Object, is_controlled_by, labels, name, namespace, uid
from hearth.kube.plan import Action, Delete, Event
from serving.api import keys, views
from serving.api.settings import Settings
from serving.kinds import certificates
from serving.kinds.certificates import CLUSTER_LOCAL, EXTERNAL, Outcome, Provision
from serving.routing.domains import Naming, expanded
from serving.routing.targets import DEFAULT

_LOCAL = "-local"
_NOT_ENABLED = "external-domain-tls is not enabled"
_NOT_FOR_LOCAL = "TLS is not enabled for cluster-local"


@dataclass(frozen=True, slots=True)
class Secured:
    """What is asked for, what a KIngress is told, and what the route's condition says."""

    actions: tuple[Action, ...] = ()
    tls: tuple[Mapping[str, Any], ...] = ()
    challenges: tuple[Mapping[str, Any], ...] = ()
    https: frozenset[str] = frozenset()
    """Hosts whose URLs say https."""
    worst: Provision | None = None
    """The certificate that has come least far; None: there are none."""
    why_none: str = ""


def certificate_names(route: Object, settings: Settings) -> Iterator[str]:
    """Return the names of the Certificates that a route may ask for."""
    for tag in (DEFAULT, *views.Route(route).tags):
        title = certificates.route_certificate(route, tag)
        yield title
        if settings.network.cluster_local_domain_tls:
            yield title + _LOCAL


def secure(
    route: Object,
    tags: Sequence[str],
    visibility: Mapping[str, str],
    existing: Mapping[str, Object],
    wildcards: Sequence[Object],
    *,
    settings: Settings,
) -> Secured:
    """Ask for what is missing, and give up what no host needs any more."""
    found: list[tuple[Provision, list[str]]] = []
    used: dict[str, set[str]] = {}
    if certificates.is_asked_for(route, settings):
        hosts = _public(route, tags, visibility, settings)
        used[EXTERNAL] = set(hosts.values())
        for tag, host in hosts.items():
            provision = _external(route, tag, host, existing, wildcards, settings=settings)
            found.append((certificates.downgraded(provision, settings), [host]))
    if settings.network.cluster_local_domain_tls:
        for tag in tags:
            local = expanded(Naming.of(settings).domain(route, tag, local=True))
            used.setdefault(CLUSTER_LOCAL, set()).update(local)
            found.append((_inside(route, tag, local, existing, settings=settings), local))
    return _summed(route, found, used, existing, settings=settings)


def _public(
    route: Object, tags: Sequence[str], visibility: Mapping[str, str], settings: Settings
) -> dict[str, str]:
    """The host outside the cluster of each tag that has one."""
    naming = Naming.of(settings)
    hosts = {
        tag: naming.domain(route, tag, local=False)
        for tag in tags
        if visibility.get(tag) != keys.CLUSTER_LOCAL
    }
    return {tag: host for tag, host in hosts.items() if not naming.is_local(host)}


def _external(
    route: Object,
    tag: str,
    host: str,
    existing: Mapping[str, Object],
    wildcards: Sequence[Object],
    *,
    settings: Settings,
) -> Provision:
    wildcard = certificates.wildcard_for([host], wildcards)
    if wildcard is not None:
        return Provision(wildcard, certificates.outcome_of(wildcard))
    title = certificates.route_certificate(route, tag)
    desired = certificates.requested(
        route,
        keys.ROUTE,
        title,
        [host],
        domain=settings.domain.lookup(labels(route)),
        settings=settings,
    )
    return certificates.provide(desired, existing.get(title), route)


def _inside(
    route: Object,
    tag: str,
    hosts: Sequence[str],
    existing: Mapping[str, Object],
    *,
    settings: Settings,
) -> Provision:
    title = certificates.route_certificate(route, tag) + _LOCAL
    desired = certificates.requested(
        route,
        keys.ROUTE,
        title,
        hosts,
        domain=f"svc.{settings.cluster_domain}",
        kind=CLUSTER_LOCAL,
        settings=settings,
    )
    return certificates.provide(desired, existing.get(title), route)


def _summed(
    route: Object,
    found: Sequence[tuple[Provision, list[str]]],
    used: Mapping[str, set[str]],
    existing: Mapping[str, Object],
    *,
    settings: Settings,
) -> Secured:
    asked = certificates.is_asked_for(route, settings)
    https: set[str] = set()
    for provision, hosts in found:
        is_external = not hosts or hosts[0] in used.get(EXTERNAL, ())
        # Outside, where plain http leads to https, https is what there is to say.
        promised = (Outcome.READY, Outcome.NOT_READY) if is_external else (Outcome.READY,)
        if provision.outcome in promised:
            https.update(hosts)
    actions = [action for provision, _ in found for action in provision.actions]
    return Secured(
        (*actions, *_orphans(route, used, existing)),
        tuple(
            certificates.shown(provision.certificate, hosts)
            for provision, hosts in found
            if provision.outcome is Outcome.READY
        ),
        tuple(each for p, _ in found for each in certificates.challenges_of(p.certificate)),
        frozenset(https),
        max((p for p, _ in found), key=lambda p: p.outcome, default=None),
        _NOT_FOR_LOCAL if asked else _NOT_ENABLED,
    )


def _orphans(
    route: Object, used: Mapping[str, set[str]], existing: Mapping[str, Object]
) -> Iterator[Action]:
    """Delete certificates for names that the route has no more."""
    for title, certificate in sorted(existing.items()):
        hosts = used.get(labels(certificate).get(keys.CERTIFICATE_TYPE, ""))
        is_used = hosts is None or hosts & set(views.Certificate(certificate).dns_names)
        if not is_used and is_controlled_by(certificate, route):
            yield Delete(CERTIFICATES, namespace(certificate), title, uid=uid(certificate))
            where = f"{namespace(certificate)}/{name(certificate)}"
            message = f"Deleted orphaned Knative Certificate {where}"
            yield Event(route, "Normal", "Deleted", message)


def mark(conditions: ConditionManager, secured: Secured) -> None:
    """Say in Knative's words how far the certificate has come that has come least far."""
    kind, worst = keys.CERTIFICATE_PROVISIONED, secured.worst
    if worst is None:
        conditions.mark_true(kind, "TLSNotEnabled", secured.why_none)
        return
    if certificates.mark(conditions, worst):
        return
    if worst.outcome is Outcome.FAILED:
        message = f"Certificate {worst.name} fails to be provisioned: {worst.reason}"
        conditions.mark_false(kind, "CertificateProvisionFailed", message)
    else:
        message = f"Certificate {worst.name} is not ready: {worst.reason}"
        conditions.mark_unknown(kind, "CertificateNotReady", message)
