"""config-network: names of routes, ingress class, TLS, rollout."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hearth.knative import duck
from hearth.knative.configmap import Reader, read_yaml
from hearth.knative.structs import read_struct
from hearth.kube.gotext import quote
from hearth.kube.models import dump
from hearth.kube.selectors import OBJECT_OPERATORS, LabelSelector, selector_from_object
from serving.api import gotemplate, keys
from serving.api.config.gateway import GatewayConfig

DEFAULT_DOMAIN_TEMPLATE = "{{.Name}}.{{.Namespace}}.{{.Domain}}"
DEFAULT_TAG_TEMPLATE = "{{.Tag}}-{{.Name}}"
DEFAULT_CERTIFICATE_CLASS = "cert-manager.certificate.networking.knative.dev"
_NOT_IN_HOSTS = re.compile(r"[\s\\^`{|}]")
HTTP_ENABLED = "enabled"
HTTP_DISABLED = "disabled"
HTTP_REDIRECTED = "redirected"


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The default ingress class is Hearth's own activator, where Knative names Istio."""

    ingress_class: str = keys.HEARTH_INGRESS_CLASS
    certificate_class: str = DEFAULT_CERTIFICATE_CLASS
    domain_template: str = DEFAULT_DOMAIN_TEMPLATE
    tag_template: str = DEFAULT_TAG_TEMPLATE
    external_domain_tls: bool = False
    cluster_local_domain_tls: bool = False
    system_internal_tls: bool = False
    http_protocol: str = HTTP_ENABLED
    namespace_wildcard_cert_selector: LabelSelector | None = None
    rollout_duration_seconds: int = 0
    autocreate_cluster_domain_claims: bool = False
    enable_mesh_pod_addressability: bool = False
    mesh_compatibility_mode: str = "auto"
    default_external_scheme: str = "http"
    gateway: GatewayConfig = field(default_factory=GatewayConfig)

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> NetworkConfig:
        """Read the ConfigMap's data; raises ValueError in Knative's words."""
        config = _read(Reader(data), data)
        if config.rollout_duration_seconds < 0:
            raise ValueError(
                "rollout-duration must be a positive integer, "
                f"but was {config.rollout_duration_seconds}"
            )
        _check_domain_template(config)
        config.tag_name("v2", "foo")
        _check_protocols(data)
        return config

    def domain_name(
        self,
        *,
        name: str,
        namespace: str,
        domain: str,
        labels: Mapping[str, str],
        annotations: Mapping[str, str],
    ) -> str:
        """A route's host by the domain template."""
        values = {
            "Name": name,
            "Namespace": namespace,
            "Domain": domain,
            "Annotations": annotations,
            "Labels": labels,
        }
        template = gotemplate.parse("domain-template", self.domain_template)
        return template.execute(gotemplate.Struct("config.DomainTemplateValues", values))

    def tag_name(self, tag: str, name: str) -> str:
        """The name that stands for a tag of a route: ``v2-hello``."""
        values = gotemplate.Struct("config.TagTemplateValues", {"Name": name, "Tag": tag})
        return gotemplate.parse("tag-template", self.tag_template).execute(values)


def _read(reader: Reader, data: Mapping[str, str]) -> NetworkConfig:
    protocol = data.get("http-protocol", data.get("httpProtocol", "")).lower()
    tls = next((data[k] for k in ("external-domain-tls", "auto-tls", "autoTLS") if k in data), "")
    return NetworkConfig(
        ingress_class=reader.text(
            "ingress.class", "ingress-class", default=keys.HEARTH_INGRESS_CLASS
        ),
        certificate_class=reader.text(
            "certificate.class", "certificate-class", default=DEFAULT_CERTIFICATE_CLASS
        ),
        domain_template=reader.text(
            "domainTemplate", "domain-template", default=DEFAULT_DOMAIN_TEMPLATE
        ),
        tag_template=reader.text("tagTemplate", "tag-template", default=DEFAULT_TAG_TEMPLATE),
        rollout_duration_seconds=reader.integer("rolloutDuration", "rollout-duration", default=0),
        autocreate_cluster_domain_claims=reader.boolean(
            "autocreateClusterDomainClaims", "autocreate-cluster-domain-claims", default=False
        ),
        enable_mesh_pod_addressability=reader.boolean(
            "enable-mesh-pod-addressability", default=False
        ),
        default_external_scheme=reader.text(
            "defaultExternalScheme", "default-external-scheme", default="http"
        ),
        system_internal_tls=reader.boolean("internal-encryption", default=False)
        or data.get("system-internal-tls", "").lower() == "enabled",
        mesh_compatibility_mode=reader.choice(
            "mesh-compatibility-mode", default="auto", of=("enabled", "disabled", "auto")
        ),
        namespace_wildcard_cert_selector=_selector(data),
        external_domain_tls=tls.lower() == "enabled",
        http_protocol=protocol or HTTP_ENABLED,
        cluster_local_domain_tls=data.get("cluster-local-domain-tls", "").lower() == "enabled",
        gateway=GatewayConfig.from_data(data),
    )


def _selector(data: Mapping[str, str]) -> LabelSelector | None:
    given = read_yaml(data.get("namespace-wildcard-cert-selector", ""))
    if given is None:
        return None
    selector = read_struct(given, duck.LabelSelector, go_type="v1.LabelSelector")
    for each in selector.match_expressions:
        # Knative takes it, and then fails at each namespace.
        if each.operator not in OBJECT_OPERATORS:
            raise ValueError(
                "invalid label selector for namespaces: "
                f"{quote(each.operator)} is not a valid label selector operator"
            )
    return selector_from_object(dump(selector))


def _check_domain_template(config: NetworkConfig) -> None:
    """A trial with sample values has to give a host and nothing else."""
    host = config.domain_name(
        name="foo", namespace="bar", domain="baz.com", labels={}, annotations={}
    )
    if problem := _host_problem(re.split("[/?#]", host, maxsplit=1)[0]):
        raise ValueError(f"parse {quote(f'https://{host}')}: {problem}")
    url = urlsplit(f"https://{host}")
    if not url.hostname:
        raise ValueError("empty hostname")
    request = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    if request != "/":
        raise ValueError(f"domain template has url path: {request}")


def _host_problem(authority: str) -> str:
    """Say what keeps Go from reading a host; "" when nothing does."""
    _, colon, port = authority.rpartition(":")
    if colon and port and not (port.isascii() and port.isdigit()):
        return f"invalid port {quote(f':{port}')} after host"
    if "%" in authority:
        return f"invalid URL escape {quote(authority[authority.index('%') :][:3])}"
    bad = _NOT_IN_HOSTS.search(authority)
    return f"invalid character {quote(bad[0])} in host name" if bad else ""


def _check_protocols(data: Mapping[str, str]) -> None:
    protocol = data.get("http-protocol", data.get("httpProtocol", "")).lower()
    if protocol not in ("", HTTP_ENABLED, HTTP_DISABLED, HTTP_REDIRECTED):
        raise ValueError(
            f"httpProtocol {data.get('http-protocol', '')} "
            "in config-network ConfigMap is not supported"
        )
    for key in ("system-internal-tls", "cluster-local-domain-tls"):
        if data.get(key, "").lower() not in ("", "enabled", "disabled"):
            raise ValueError(
                f"{key} with value: {quote(data[key])} in config-network ConfigMap is not supported"
            )
