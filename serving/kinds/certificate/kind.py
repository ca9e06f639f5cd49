"""What the Certificates' controllers watch and observe. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import partial

from hearth.knative.resources import CERTIFICATES
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Index, Lister, Source, Watch, owner_key
from hearth.kube.meta import Key, Object, labels, metadata, name, namespace
from hearth.kube.resources import NAMESPACES, SECRETS
from serving.api import keys, views
from serving.api.settings import Settings
from serving.kinds import sources
from serving.kinds.certificate import certmanager, local, wildcards
from serving.kinds.certificate.request import CHALLENGES, REQUESTS, SHORT
from serving.kinds.status import NEWS_SECONDS, is_without_news

_ISSUED = Source(SECRETS, label_selector=keys.CERTIFICATE_UID)
"""Secrets that were made for Certificates, and no others."""


def _observe(lister: Lister, key: Key) -> local.Observed | None:
    certificate = lister.get(sources.CERTIFICATES, *key)
    if certificate is None:
        return None
    secret = lister.get(_ISSUED, key[0], views.Certificate(certificate).secret_name)
    return local.Observed(certificate, secret)


def local_controller(authority: local.Authority) -> ControllerSpec[local.Observed, Settings]:
    """Declare the controller of certificates that an authority of this machine signs."""
    return ControllerSpec(
        "serving-certificate",
        sources.CERTIFICATES,
        _observe,
        partial(local.reconcile, authority=authority),
        watches=(Watch(_ISSUED, owner_key(CERTIFICATES)),),
        can_wait=is_without_news,
        delay_seconds=NEWS_SECONDS,
    )


# -- cert-manager ------------------------------------------------------------------------------

_REQUESTS, _CHALLENGES = Source(REQUESTS), Source(CHALLENGES)
OF_CERT_MANAGER = (_REQUESTS, _CHALLENGES)
"""What is there only where cert-manager is installed."""
_HTTP_DOMAIN = "acme.cert-manager.io/http-domain"
"""On the Service of a solver: the Adler-32 sum of the name that it answers for (cert-manager)."""
_SOLVERS = Index(sources.K8S_SERVICES, sources.by_label(_HTTP_DOMAIN))


def _sums(certificate: Object) -> Iterator[str]:
    """Index a Certificate by the sums of its names, the short one with them."""
    view = views.Certificate(certificate)
    for host in {*view.dns_names, f"{SHORT}{view.spec.get('domain')}"}:
        yield f"{namespace(certificate)}/{zlib.adler32(host.encode())}"


_BY_SUM = Index(sources.CERTIFICATES, _sums)


def _observe_request(lister: Lister, key: Key) -> certmanager.Observed | None:
    certificate = lister.get(sources.CERTIFICATES, *key)
    if certificate is None:
        return None
    solvers = [s for each in _sums(certificate) for s in lister.by_index(_SOLVERS, each)]
    owners = (metadata(solver).get("ownerReferences") or () for solver in solvers)
    challenges = (lister.get(_CHALLENGES, key[0], owner[0]["name"]) for owner in owners if owner)
    return certmanager.Observed(
        certificate,
        lister.get(_REQUESTS, *key),
        solvers,
        {name(challenge): challenge for challenge in challenges if challenge is not None},
    )


def _of_solver(lister: Lister, service: Object) -> Iterator[Key]:
    """Map a Service to the Certificates for whose names it answers challenges."""
    label = labels(service).get(_HTTP_DOMAIN)
    if label:
        found = lister.by_index(_BY_SUM, f"{namespace(service)}/{label}")
        yield from map(meta.key, found)


def _of_challenge(lister: Lister, challenge: Object) -> Iterator[Key]:
    """Map a Challenge to the Certificates that its name is of."""
    host = str((challenge.get("spec") or {}).get("dnsName") or "")
    where = f"{namespace(challenge)}/{zlib.adler32(host.encode())}"
    yield from map(meta.key, lister.by_index(_BY_SUM, where))


CERT_MANAGER: ControllerSpec[certmanager.Observed, Settings] = ControllerSpec(
    "serving-certmanager",
    sources.CERTIFICATES,
    _observe_request,
    certmanager.reconcile,
    watches=(
        Watch(_REQUESTS, owner_key(CERTIFICATES)),
        Watch(sources.K8S_SERVICES, _of_solver),
        Watch(_CHALLENGES, _of_challenge),
    ),
    indexes=(_SOLVERS, _BY_SUM),
    can_wait=is_without_news,
    delay_seconds=NEWS_SECONDS,
)
"""For clusters with cert-manager; its kinds may come at any time."""


# -- wildcards of namespaces -------------------------------------------------------------------

_NAMESPACES = Source(NAMESPACES)
OF_NAMESPACES = (_NAMESPACES,)
"""What is watched only where namespaces get wildcards."""


def _wildcard_namespace(certificate: Object) -> Iterator[str]:
    """Index a Certificate for all names of a domain by its namespace."""
    if keys.WILDCARD_DOMAIN in labels(certificate):
        yield namespace(certificate)


_WILDCARDS_IN = Index(sources.CERTIFICATES, _wildcard_namespace)


def _observe_namespace(lister: Lister, key: Key) -> wildcards.Observed | None:
    where = lister.get(_NAMESPACES, *key)
    if where is None:
        return None
    return wildcards.Observed(where, tuple(lister.by_index(_WILDCARDS_IN, key[1])))


def _namespace_of(_lister: Lister, certificate: Object) -> Iterator[Key]:
    """Map a Certificate for all names of a domain to its namespace."""
    if keys.WILDCARD_DOMAIN in labels(certificate):
        yield "", namespace(certificate)


NAMESPACE_WILDCARDS: ControllerSpec[wildcards.Observed, Settings] = ControllerSpec(
    "serving-namespace-wildcards",
    _NAMESPACES,
    _observe_namespace,
    wildcards.reconcile,
    watches=(Watch(sources.CERTIFICATES, _namespace_of),),
    indexes=(_WILDCARDS_IN,),
)
"""Runs once ``namespace-wildcard-cert-selector`` is set, or has left certificates behind."""
