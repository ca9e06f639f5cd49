"""Wildcard certificates of namespaces that ``namespace-wildcard-cert-selector`` picks. Pure.

One for each domain of ``config-domain``, for the names that routes of the namespace have there; a
route that finds one asks for none of its own. As ``pkg/reconciler/nscert`` of Knative.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hearth.knative.resources import CERTIFICATES
from hearth.kube import meta
from hearth.kube.meta import Object, is_controlled_by, is_deleting, labels, name, owner_reference
from hearth.kube.plan import Action, Create, Delete, Event, Plan, Update
from serving.api import keys, views
from serving.api.config.domain import DEFAULT_DOMAIN, WILDCARD
from serving.api.settings import Settings


@dataclass(frozen=True, slots=True)
class Observed:
    """A namespace, and the certificates in it that are for all names of a domain."""

    where: Object
    wildcards: tuple[Object, ...] = ()


def reconcile(observed: Observed, *, settings: Settings, now: float) -> Plan:
    """Ask for the wildcards that are missing, and give up those of ours that nobody asks for."""
    where = observed.where
    if is_deleting(where):
        return Plan()
    selector = settings.network.namespace_wildcard_cert_selector
    wanted: tuple[str, ...] = ()
    if selector is not None and selector.matches(labels(where)):
        domains = settings.domain.domains.items()
        wanted = tuple(domain for domain, options in domains if options.type == WILDCARD)
    actions: list[Action] = []
    for domain in sorted(wanted):
        actions += _provided(observed, domain, settings)
    return Plan((*actions, *_orphans(observed, wanted)))


def _provided(observed: Observed, domain: str, settings: Settings) -> Iterator[Action]:
    where = observed.where
    try:
        host = wildcard_host(name(where), domain, settings)
    except ValueError as error:
        text = f"failed to apply domain template {settings.network.domain_template} to domain "
        text += f"{domain} and namespace {name(where)}: {error}"
        yield Event(where, "Warning", "InternalError", text)
        return
    if any(host in views.Certificate(each).dns_names for each in observed.wildcards):
        return
    desired = _desired(where, host, domain, settings)
    title = f"{name(where)}/{name(desired)}"
    own = (c for c in observed.wildcards if is_controlled_by(c, where))
    existing = next((c for c in own if labels(c)[keys.WILDCARD_DOMAIN] == domain), None)
    if existing is None:
        yield Create(CERTIFICATES, desired)
        yield Event(desired, "Normal", "Created", f"Created Knative Certificate {title}")
        return
    yield Update(CERTIFICATES, {**existing, "spec": desired["spec"]})
    yield Event(existing, "Normal", "Updated", f"Updated Spec for Knative Certificate {title}")


def wildcard_host(namespace: str, domain: str, settings: Settings) -> str:
    """Return the name that stands for all routes of a namespace; ValueError: there is none."""
    if domain == DEFAULT_DOMAIN:
        domain = f"svc.{settings.cluster_domain}"
    host = settings.network.domain_name(
        name="*", namespace=namespace, domain=domain, labels={}, annotations={}
    )
    if not host.startswith("*.") or host == "*.":
        # Such as {{.Name}}-{{.Namespace}}.{{.Domain}}: a wildcard is a whole label.
        raise ValueError(f"invalid DomainTemplate: {host}")
    return host


def _desired(where: Object, host: str, domain: str, settings: Settings) -> Object:
    asked = keys.CERTIFICATE_CLASS.value(meta.annotations(where)) or settings.certificate_class
    title = host.removeprefix("*.")
    return {
        "apiVersion": CERTIFICATES.api_version,
        "kind": CERTIFICATES.kind,
        "metadata": {
            "name": title,
            "namespace": name(where),
            "annotations": {keys.CERTIFICATE_CLASS.key: asked},
            "labels": {keys.WILDCARD_DOMAIN: domain},
            "ownerReferences": [owner_reference(where)],
        },
        "spec": {"dnsNames": [host], "secretName": title},
    }


def _orphans(observed: Observed, wanted: tuple[str, ...]) -> Iterator[Action]:
    for each in observed.wildcards:
        is_ours = is_controlled_by(each, observed.where)
        if is_ours and labels(each)[keys.WILDCARD_DOMAIN] not in wanted:
            title = f"{name(observed.where)}/{name(each)}"
            yield Delete(CERTIFICATES, name(observed.where), name(each), uid=meta.uid(each))
            yield Event(each, "Normal", "Deleted", f"Deleted Knative Certificate {title}")
