"""KIngress: what a Route or DomainMapping asks of the gateway; and Certificate, ClusterDomainClaim.

Their group is ``networking.internal.knative.dev``.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hearth.knative.duck import STRING_MAP, Status
from hearth.kube.models import GoType, IntOrString, Kept, Model, Required, Schema

_Percent = Annotated[int, GoType("int")]


class HeaderMatch(Model):
    """What a header has to be for a path to apply."""

    exact: Annotated[Kept[str], Required()] = ""


class IngressBackend(Model):
    """The Service that gets the requests."""

    service_namespace: Annotated[Kept[str], Required()] = ""
    service_name: Annotated[Kept[str], Required()] = ""
    service_port: Annotated[Kept[IntOrString], Required()] = 0


class IngressBackendSplit(IngressBackend):
    """A backend with its share of the requests and headers to add."""

    go_type: ClassVar[str] = "v1alpha1.IngressBackendSplit"

    percent: _Percent = 0
    """Share of the traffic; all shares add up to 100."""
    append_headers: STRING_MAP = Field(default_factory=dict)
    """Headers set on the way to this backend."""


class HTTPIngressPath(Model):
    """Requests of one path and set of headers, and how they are split."""

    go_type: ClassVar[str] = "v1alpha1.HTTPIngressPath"

    path: str = ""
    """A literal prefix; empty for every path."""
    rewrite_host: str = ""
    """The host the backend is told."""
    headers: dict[str, HeaderMatch] = Field(default_factory=dict)
    """Headers a request must have."""
    splits: Annotated[Kept[list[IngressBackendSplit] | None], Required()] = None
    """Where requests go."""
    append_headers: STRING_MAP = Field(default_factory=dict)
    """Headers set on the way to any backend."""


class HTTPIngressRuleValue(Model):
    """The paths of a rule."""

    go_type: ClassVar[str] = "v1alpha1.HTTPIngressRuleValue"

    paths: Annotated[Kept[list[HTTPIngressPath] | None], Required()] = None


class IngressRule(Model):
    """Hosts, who may reach them, and what they lead to."""

    go_type: ClassVar[str] = "v1alpha1.IngressRule"

    hosts: list[str] = Field(default_factory=list)
    """Host names this rule is for."""
    visibility: str = ""
    """ExternalIP or ClusterLocal."""
    http: HTTPIngressRuleValue | None = None


class IngressTLS(Model):
    """The certificate of some hosts."""

    go_type: ClassVar[str] = "v1alpha1.IngressTLS"

    hosts: list[str] = Field(default_factory=list)
    secret_name: str = ""
    secret_namespace: str = ""


class IngressSpec(Model):
    """What a KIngress routes."""

    go_type: ClassVar[str] = "v1alpha1.IngressSpec"

    tls: list[IngressTLS] = Field(default_factory=list)
    rules: list[IngressRule] = Field(default_factory=list)
    http_option: str = ""
    """Enabled, or Redirected to HTTPS."""


class LoadBalancerIngressStatus(Model):
    """One address that serves the KIngress."""

    ip: str = ""
    domain: str = ""
    domain_internal: str = ""
    mesh_only: bool = False


class LoadBalancerStatus(Model):
    """The addresses that serve the KIngress."""

    ingress: list[LoadBalancerIngressStatus] = Field(default_factory=list)


class IngressStatus(Status):
    """Who serves the KIngress, outside and inside the cluster."""

    public_load_balancer: LoadBalancerStatus | None = None
    private_load_balancer: LoadBalancerStatus | None = None


class ClusterDomainClaimSpec(Model):
    """The namespace that may use the name."""

    go_type: ClassVar[str] = "v1alpha1.ClusterDomainClaimSpec"

    namespace: Annotated[Kept[str], Required()] = ""
    """The namespace that may use the domain this object is named after."""


class HTTP01Challenge(Model):
    """An ACME challenge to be answered over http."""

    url: str | None = None
    service_name: str = ""
    service_namespace: str = ""
    service_port: Kept[IntOrString] = 0


class CertificateSpec(Model):
    """What a certificate is for and where it is put."""

    go_type: ClassVar[str] = "v1alpha1.CertificateSpec"

    dns_names: Annotated[Kept[list[str] | None], Required()] = None
    domain: str = ""
    secret_name: Annotated[Kept[str], Required()] = ""


class CertificateStatus(Status):
    """Until when the certificate holds."""

    not_after: Annotated[str | None, Schema({"format": "date-time"})] = None
    http01_challenges: list[HTTP01Challenge] = Field(default_factory=list, alias="http01Challenges")
