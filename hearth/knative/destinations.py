"""From a destination (an object, a URL, or both) to the URL events are sent to. Pure.

The messages are those of Knative's resolver, which end up in conditions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from hearth.kube.gotext import quote
from hearth.kube.meta import Object
from hearth.kube.resources import Resource


@dataclass(frozen=True, slots=True)
class Resolved:
    """An address with what it takes to trust it."""

    url: str
    ca_certs: str | None = None
    audience: str | None = None


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why there is no address."""

    message: str


Resolution = Resolved | Unresolved


@dataclass(frozen=True, slots=True)
class Reference:
    """An object referred to, and the resource it is of as far as can be told from its kind."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def resource(self) -> Resource:
        """The resource, its plural guessed from the kind as apimachinery does."""
        group, _, version = self.api_version.rpartition("/")
        return Resource(group, version, plural_of(self.kind), self.kind)

    @property
    def resource_name(self) -> str:
        """``services.serving.knative.dev``; without a group the plural alone."""
        resource = self.resource
        return f"{resource.plural}.{resource.group}" if resource.group else resource.plural

    def __str__(self) -> str:
        return (
            f"Kind = {self.kind}, Namespace = {self.namespace}, Name = {self.name}, "
            f"APIVersion = {self.api_version}, Group = , Address = "
        )


def plural_of(kind: str) -> str:
    """Return the plural of a kind as apimachinery guesses it."""
    singular = kind.lower()
    if singular.endswith("endpoints"):
        return singular
    if singular.endswith("s"):
        return f"{singular}es"
    if singular.endswith("y"):
        return f"{singular[:-1]}ies"
    return f"{singular}s"


def reference_of(destination: dict[str, Any], namespace: str) -> Reference | None:
    """Return the object a destination refers to, by default in the referrer's namespace."""
    given = destination.get("ref")
    if not given:
        return None
    return Reference(
        given.get("apiVersion", ""),
        given.get("kind", ""),
        given.get("namespace") or namespace,
        given.get("name", ""),
    )


def resolve(
    destination: dict[str, Any],
    reference: Reference | None,
    referred: Object | Unresolved | None,
    *,
    cluster_domain: str = CLUSTER_DOMAIN,
) -> Resolution:
    """``referred`` is the object referred to; None where there is no such object."""
    uri = destination.get("uri")
    if reference is None:
        return _absolute(destination, uri)
    if isinstance(referred, Unresolved):
        return referred
    if referred is None:
        return Unresolved(
            f"failed to get object {reference.namespace}/{reference.name}: {not_found(reference)}"
        )
    address = _address(destination, reference, referred, cluster_domain=cluster_domain)
    if isinstance(address, Unresolved) or not uri:
        return address
    if urlsplit(uri).scheme:
        return Unresolved("absolute URI is not allowed when Ref or [apiVersion, kind, name] exists")
    return Resolved(urljoin(address.url, uri), address.ca_certs, address.audience)


def not_found(reference: Reference) -> str:
    """As the API server says it."""
    return f"{reference.resource_name} {quote(reference.name)} not found"


def _absolute(destination: dict[str, Any], uri: str | None) -> Resolution:
    if not uri:
        return Unresolved("destination missing Ref and URI, expected at least one")
    parts = urlsplit(uri)
    if not parts.scheme or not parts.netloc:
        return Unresolved(
            f"URI is not absolute (both scheme and host should be non-empty): {quote(uri)}"
        )
    return Resolved(uri, destination.get("CACerts"), destination.get("audience"))


def _address(
    destination: dict[str, Any], reference: Reference, referred: Object, *, cluster_domain: str
) -> Resolution:
    certificates, audience = destination.get("CACerts"), destination.get("audience")
    if (reference.api_version, reference.kind) == ("v1", "Service"):
        scheme = "https" if certificates else "http"
        host = f"{reference.name}.{reference.namespace}.svc.{cluster_domain}"
        return Resolved(f"{scheme}://{host}", certificates, audience)
    asked = (destination.get("ref") or {}).get("address")
    address = _select(referred.get("status") or {}, asked)
    if address is None and asked:
        return Unresolved(f"address with name {quote(asked)} not found for {reference}")
    if address is None:
        return Unresolved(f"address not set for {reference}")
    if not address.get("url"):
        return Unresolved(f"URL missing in address of {reference}")
    if not urlsplit(address["url"]).netloc:
        return Unresolved(f"hostname missing in address of {reference}")
    return Resolved(
        address["url"],
        certificates or address.get("CACerts"),
        audience or address.get("audience"),
    )


def _select(status: dict[str, Any], asked: str | None) -> dict[str, Any] | None:
    """Return the address of that name, else the first of several, else the only one."""
    several: list[dict[str, Any]] = status.get("addresses") or []
    if asked:
        return next((each for each in several if each.get("name") == asked), None)
    return several[0] if several else status.get("address")
