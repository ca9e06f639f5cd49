"""What Routes and DomainMappings have to do with Certificates. Pure.

A Certificate is asked for with ``requested``, and somebody of its class makes it come true. What a
KIngress is told of it, and what the owner's condition says, follow from its status (``Outcome``).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

from hearth.knative.conditions import ConditionManager
from hearth.knative.resources import CERTIFICATES
from hearth.kube import meta
from hearth.kube.meta import Object, is_controlled_by, name, namespace, owner_reference, uid
from hearth.kube.plan import Action, Create, Event, Update
from serving.api import keys, views
from serving.api.config import network
from serving.api.settings import Settings
from serving.kinds.ingress import NOT_FOR_INGRESSES
from serving.kinds.metadata import without

EXTERNAL, CLUSTER_LOCAL = "external-domain", "cluster-local-domain"
"""Types of certificates: for names outside the cluster, and for those inside."""


class Outcome(IntEnum):
    """How far a certificate has come, the worst last."""

    READY = 0
    DOWNGRADED = 1
    """Not there yet, and plain http is served meanwhile."""
    NOT_READY = 2
    FAILED = 3
    NOT_OWNED = 4


@dataclass(frozen=True, slots=True)
class Provision:
    """One certificate: what is to be done for it, and what has become of it."""

    certificate: Object
    outcome: Outcome
    actions: tuple[Action, ...] = ()

    @property
    def name(self) -> str:
        """The name of the Certificate."""
        return name(self.certificate)

    @property
    def reason(self) -> str:
        """Why it is not ready, by the word of who makes it."""
        return views.Certificate(self.certificate).reason


def is_asked_for(owner: Object, settings: Settings) -> bool:
    """Whether names outside the cluster get certificates."""
    disabled = keys.DISABLE_EXTERNAL_TLS.value(meta.annotations(owner)).lower()
    return settings.asks_for_certificates and disabled not in ("true", "t", "1")


def route_certificate(route: Object, tag: str) -> str:
    """Return the name of a route's Certificate: short enough with any tag."""
    suffix = f"-{zlib.adler32(tag.encode())}" if tag else ""
    return f"route-{uid(route)}{suffix}"


def requested(
    owner: Object,
    label: str,
    title: str,
    hosts: Sequence[str],
    *,
    domain: str,
    kind: str = EXTERNAL,
    settings: Settings,
) -> Object:
    """Return the Certificate for some hosts of an owner, who is known by ``label``."""
    given = meta.annotations(owner)
    asked = keys.CERTIFICATE_CLASS.value(given) or settings.certificate_class
    return {
        "apiVersion": CERTIFICATES.api_version,
        "kind": CERTIFICATES.kind,
        "metadata": {
            "name": title,
            "namespace": namespace(owner),
            "labels": {label: name(owner), keys.CERTIFICATE_TYPE: kind},
            "annotations": {
                **without(given, NOT_FOR_INGRESSES.__contains__),
                keys.CERTIFICATE_CLASS.key: asked,
            },
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": {"dnsNames": list(hosts), "domain": domain, "secretName": title},
    }


def provide(desired: Object, existing: Object | None, owner: Object) -> Provision:
    """Ask for a certificate, and tell how far it has come."""
    if existing is None:
        message = f"Created Certificate {namespace(desired)}/{name(desired)}"
        event = Event(owner, "Normal", "Created", message)
        return Provision(desired, Outcome.NOT_READY, (Create(CERTIFICATES, desired), event))
    if not is_controlled_by(existing, owner):
        return Provision(existing, Outcome.NOT_OWNED)
    if existing.get("spec") != desired["spec"]:
        updated = {**existing, "spec": desired["spec"]}
        message = f"Updated Spec for Certificate {namespace(desired)}/{name(desired)}"
        event = Event(owner, "Normal", "Updated", message)
        return Provision(updated, Outcome.NOT_READY, (Update(CERTIFICATES, updated), event))
    return Provision(existing, outcome_of(existing))


def outcome_of(certificate: Object) -> Outcome:
    """How far a Certificate has come by its status."""
    status = views.Certificate(certificate).ready_status
    if status == "True":
        return Outcome.READY
    return Outcome.FAILED if status == "False" else Outcome.NOT_READY


def downgraded(provision: Provision, settings: Settings) -> Provision:
    """The same where plain http is served as long as there is no certificate."""
    waits = provision.outcome in (Outcome.NOT_READY, Outcome.FAILED)
    if waits and settings.network.http_protocol == network.HTTP_ENABLED:
        return Provision(provision.certificate, Outcome.DOWNGRADED, provision.actions)
    return provision


def shown(certificate: Object, hosts: Iterable[str]) -> dict[str, Any]:
    """Return the entry of a KIngress by which hosts show a certificate."""
    return {
        "hosts": sorted(hosts),
        "secretName": views.Certificate(certificate).secret_name,
        "secretNamespace": namespace(certificate),
    }


def wildcard_for(hosts: Iterable[str], certificates: Iterable[Object]) -> Object | None:
    """Return a certificate whose wildcards stand for all of these hosts."""
    wanted = {host.partition(".")[2] for host in hosts}
    for certificate in certificates:
        names = views.Certificate(certificate).dns_names
        if wanted <= {each.partition(".")[2] for each in names if "." in each}:
            return certificate
    return None


def challenges_of(certificate: Object) -> tuple[Mapping[str, Any], ...]:
    """Return what an ACME server wants to see by plain http before it signs, or signs again."""
    view = views.Certificate(certificate)
    return () if view.ready_status == "True" and not view.is_renewed else view.challenges


def challenge_paths(challenges: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the paths of a KIngress that lead to the solvers of challenges, by host."""
    paths: dict[str, list[dict[str, Any]]] = {}
    for challenge in sorted(challenges, key=lambda each: str(each.get("url", ""))):
        url = urlsplit(str(challenge.get("url") or ""))
        split = {
            "serviceNamespace": challenge.get("serviceNamespace", ""),
            "serviceName": challenge.get("serviceName", ""),
            "servicePort": challenge.get("servicePort", 0),
            "percent": 100,
        }
        paths.setdefault(url.hostname or "", []).append({"path": url.path, "splits": [split]})
    return paths


def mark(conditions: ConditionManager, provided: Provision) -> bool:
    """Say in Knative's words how far a certificate has come, where all say it alike.

    False while it is not ready, or fails: a Route says why, a DomainMapping does not.
    """
    kind, title = keys.CERTIFICATE_PROVISIONED, provided.name
    match provided.outcome:
        case Outcome.READY:
            conditions.mark_true(kind)
        case Outcome.DOWNGRADED:
            message = f"Certificate {title} is not ready downgrade HTTP."
            conditions.mark_true(kind, "HTTPDowngrade", message)
        case Outcome.NOT_OWNED:
            message = f"There is an existing certificate {title} that we don't own."
            conditions.mark_false(kind, "CertificateNotOwned", message)
        case _:
            return False
    return True
