"""Keeps the chain of webhooks in step with their configurations in the store.

Also answers what the chain asks of the server: labels of namespaces, versions of kinds, and the
address behind a Service whose pods serve a webhook.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from hearth.cluster.admission.chain import AdmissionChain, Surroundings
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.objects import Change, Key, Object
from hearth.cluster.model.served import ServedKinds
from hearth.cluster.store.store import Store

MUTATING = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
VALIDATING = "validatingwebhookconfigurations.admissionregistration.k8s.io"
_SLICES = "endpointslices.discovery.k8s.io"
_SERVICE_LABEL = "kubernetes.io/service-name"

_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def following(
    store: Store, kinds: ServedKinds, new_uid: Callable[[], str]
) -> AsyncIterator[AdmissionChain]:
    """A chain that knows every configuration as soon as its write is done."""
    chain = AdmissionChain(
        Surroundings(
            namespace_labels=lambda name: _namespace_labels(store, name),
            versions=lambda kind: _versions(kinds, kind),
            services=lambda namespace, name, port: find_endpoint(store, namespace, name, port=port),
            new_uid=new_uid,
        )
    )

    def changed(change: Change) -> None:
        if change.now.key.resource in (MUTATING, VALIDATING):
            _register(store, chain)

    _register(store, chain)
    stop = store.listen_to_all(changed)
    try:
        yield chain
    finally:
        stop()
        await chain.close()


def _register(store: Store, chain: AdmissionChain) -> None:
    mutating, validating = _all(store, MUTATING), _all(store, VALIDATING)
    chain.register(mutating, validating)
    facts = {"mutating": len(mutating), "validating": len(validating)}
    _log.debug("webhook configurations registered", extra=facts)


def _all(store: Store, resource: str) -> list[Object]:
    return [entry.parse() for entry in store.state.entries(resource)]


def _namespace_labels(store: Store, name: str) -> Mapping[str, str] | None:
    entry = store.get(Key("namespaces", "", name))
    return None if entry is None else entry.labels


def _versions(kinds: ServedKinds, kind: Kind) -> Sequence[Kind]:
    """All served versions of a resource, the given one first."""
    if not kind.custom:
        return (kind,)
    others = [k for k in kinds.custom(kind.group_resource) if k.version != kind.version]
    return (kind, *others)


def find_endpoint(
    store: Store, namespace: str, name: str, *, port: int, external: bool = True
) -> tuple[str, int]:
    """A ready address behind a port of a Service; LookupError in Kubernetes' words.

    Without ``external`` a Service that is a name of some other host has none.
    """
    entry = store.get(Key("services", namespace, name))
    if entry is None:
        raise LookupError(f'service "{name}" not found')
    spec = entry.parse().get("spec") or {}
    if spec.get("type") == "ExternalName" and external:
        return str(spec["externalName"]), port
    declared = next((p for p in spec.get("ports") or () if p.get("port") == port), None)
    if declared is None:
        raise LookupError(f'no service port {port} found for service "{name}"')
    for address in _ready(store, namespace, name, port_name=declared.get("name") or ""):
        return address
    raise LookupError(f'no endpoints available for service "{name}"')


def _ready(store: Store, namespace: str, name: str, *, port_name: str) -> Iterator[tuple[str, int]]:
    for entry in store.state.entries(_SLICES, namespace):
        if entry.labels.get(_SERVICE_LABEL) != name:
            continue
        endpoints: dict[str, Any] = entry.parse()
        ports = endpoints.get("ports") or ()
        numbers = [p["port"] for p in ports if (p.get("name") or "") == port_name and "port" in p]
        for endpoint in endpoints.get("endpoints") or ():
            if numbers and (endpoint.get("conditions") or {}).get("ready") is not False:
                yield endpoint["addresses"][0], numbers[0]
