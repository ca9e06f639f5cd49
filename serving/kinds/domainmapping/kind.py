"""What the DomainMapping's controller watches and observes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hearth.knative.resources import DOMAINMAPPINGS
from hearth.kube import meta
from hearth.kube.controllerspec import (
    ControllerSpec,
    Index,
    Lister,
    Mapper,
    Source,
    Watch,
    owner_key,
)
from hearth.kube.meta import Key, Object, labels, name, namespace
from hearth.kube.resources import Resource
from serving.api import keys, views
from serving.api.domainpaths import paths_of
from serving.api.settings import Settings
from serving.kinds import sources
from serving.kinds.domainmapping.children import certificate_name, ingress_name, mapped_hosts
from serving.kinds.domainmapping.reconcile import Observed, reconcile
from serving.routing.hosts import hosts_of

_TARGETS = (sources.SERVICES, sources.ROUTES, sources.K8S_SERVICES)
"""What a mapping may lead to."""


def observe(lister: Lister, key: Key) -> Observed:
    """Look up the mapping, the claim on its name, its target and its KIngress.

    A mapping that is gone is observed too: its claim is to be released.
    """
    mapping = lister.get(sources.DOMAINMAPPINGS, *key)
    claim = lister.get(sources.CLAIMS, "", key[1])
    if mapping is None:
        return Observed(key, None, claim)
    return Observed(
        key,
        mapping,
        claim,
        _target(lister, views.DomainMapping(mapping).reference, key[0]),
        lister.get(sources.INGRESSES, key[0], ingress_name(mapping)),
        sources.holders(lister, mapped_hosts(mapping), mapping),
        lister.get(sources.CERTIFICATES, key[0], certificate_name(mapping)),
        frozenset(
            each
            for each in _services_of(mapping)
            if lister.get(sources.K8S_SERVICES, key[0], each) is not None
        ),
    )


def _target(lister: Lister, reference: Mapping[str, str], namespace: str) -> Object | None:
    asked = (reference.get("apiVersion", ""), reference.get("kind", ""))
    for source in _TARGETS:
        if asked == (source.resource.api_version, source.resource.kind):
            return lister.get(source, namespace, reference.get("name", ""))
    return None


def _services_of(mapping: Object) -> set[str]:
    """The Services that paths of a mapping lead to; a Knative one has one of its name."""
    return {each.service for each in paths_of(meta.annotations(mapping))}


def _reference(mapping: Object) -> Iterator[str]:
    reference = views.DomainMapping(mapping).reference
    kind = f"{reference.get('apiVersion', '')}/{reference.get('kind', '')}"
    yield f"{kind}/{namespace(mapping)}/{reference.get('name', '')}"
    for service in _services_of(mapping):
        yield f"v1/Service/{namespace(mapping)}/{service}"


_BY_REFERENCE = Index(sources.DOMAINMAPPINGS, _reference)
_BY_NAME = Index(sources.DOMAINMAPPINGS, lambda mapping: (name(mapping),))


def _mappings_to(resource: Resource) -> Mapper:
    """Map an object of this kind to the mappings that lead to it."""

    def to_keys(lister: Lister, obj: Object) -> Iterator[Key]:
        value = f"{resource.api_version}/{resource.kind}/{namespace(obj)}/{name(obj)}"
        yield from map(meta.key, lister.by_index(_BY_REFERENCE, value))

    return to_keys


def _mappings_of_claim(lister: Lister, claim: Object) -> Iterator[Key]:
    yield from map(meta.key, lister.by_index(_BY_NAME, name(claim)))
    made_for = labels(claim).get(keys.DOMAIN_MAPPING_NAMESPACE)
    if made_for:
        yield made_for, name(claim)


def _mappings_of_hosts(lister: Lister, ingress: Object) -> Iterator[Key]:
    """Map a KIngress to the mappings whose names are among its hosts."""
    for host in hosts_of(ingress):
        yield from map(meta.key, lister.by_index(_BY_NAME, host.removeprefix("*.")))


def _watch_target(source: Source) -> Watch:
    return Watch(source, _mappings_to(source.resource))


CONTROLLER: ControllerSpec[Observed, Settings] = ControllerSpec(
    "serving-domainmapping",
    sources.DOMAINMAPPINGS,
    observe,
    reconcile,
    watches=(
        Watch(sources.CLAIMS, _mappings_of_claim),
        Watch(sources.INGRESSES, owner_key(DOMAINMAPPINGS)),
        Watch(sources.CERTIFICATES, owner_key(DOMAINMAPPINGS)),
        Watch(sources.INGRESSES, _mappings_of_hosts),
        *map(_watch_target, _TARGETS),
    ),
    indexes=(_BY_REFERENCE, _BY_NAME, sources.INGRESSES_BY_HOST),
)
