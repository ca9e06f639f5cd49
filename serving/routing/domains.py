"""Hosts and URLs of a Route and its tags, inside the cluster and outside.

Pure; the templates and domains come from config-network and config-domain. Called by the Route's
reconciler and the builders of its children.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from hearth.kube import meta
from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from hearth.kube.meta import Object, labels, name, namespace
from hearth.kube.names import dns1035_label_problems
from serving.api import gotemplate, keys
from serving.api.config.domain import DEFAULT_DOMAIN, DomainConfig
from serving.api.config.network import DEFAULT_DOMAIN_TEMPLATE, NetworkConfig
from serving.api.settings import Settings
from serving.api.validation.names import domain_problem
from serving.routing.targets import DEFAULT

_DEFAULT_PORTS = {"http": 80, "https": 443}


class DomainError(Exception):
    """The templates give no usable name for this route."""


@dataclass(frozen=True, slots=True)
class Naming:
    """Where names come from; the ports are the gateway's, by http and by https, shown in URLs."""

    network: NetworkConfig
    domains: DomainConfig
    external_port: int = 80
    external_tls_port: int = 443
    cluster_domain: str = CLUSTER_DOMAIN

    @classmethod
    def of(cls, settings: Settings) -> Naming:
        """Return the naming that the settings ask for."""
        return cls(
            settings.network,
            settings.domain,
            settings.external_port,
            settings.external_tls_port,
            settings.cluster_domain,
        )

    def hostname(self, route: Object, tag: str) -> str:
        """Return the name of the route or of one of its tags: ``hello``, ``next-hello``.

        A Service of this name reserves it, so what cannot be one raises DomainError.
        """
        if tag == DEFAULT:
            return name(route)
        try:
            hostname = self.network.tag_name(tag, name(route))
        except gotemplate.TemplateError as error:
            raise DomainError(
                f"domain name error: error executing the TagTemplate: {error}"
            ) from error
        problems = dns1035_label_problems(hostname)
        if problems:
            raise DomainError(
                f'domain name error: invalid name "{hostname}" of tag "{tag}": {problems[0]}'
            )
        return hostname

    def domain(self, route: Object, tag: str, *, local: bool) -> str:
        """Return the host: ``hello.default.example.com``, ``hello.default.svc.cluster.local``."""
        own = {k: v for k, v in labels(route).items() if k != keys.VISIBILITY}
        if local:
            own[keys.VISIBILITY] = keys.VISIBILITY_CLUSTER_LOCAL
        host = self._domain(route, self.hostname(route, tag), own_labels=own, local=local)
        problem = domain_problem(host, field="url")
        if problem:
            raise DomainError(f'domain name error: invalid domain name "{host}": {problem}')
        return host

    def hosts(self, route: Object, tags: Iterable[str]) -> set[str]:
        """Every host the route and its tags may have, inside the cluster and outside.

        Those that cannot be named are left out; ``domain`` says why.
        """
        hosts: set[str] = set()
        for tag in (DEFAULT, *tags):
            with contextlib.suppress(DomainError):
                hosts.update(expanded(self.domain(route, tag, local=True)))
                hosts.add(self.domain(route, tag, local=False))
        return hosts

    def _domain(
        self, route: Object, hostname: str, *, own_labels: Mapping[str, str], local: bool
    ) -> str:
        domain = self.domains.lookup(own_labels)
        if domain == DEFAULT_DOMAIN:
            domain = f"svc.{self.cluster_domain}"
        if local or self.network.domain_template == DEFAULT_DOMAIN_TEMPLATE:
            return f"{hostname}.{namespace(route)}.{domain}"
        try:
            return self.network.domain_name(
                name=hostname,
                namespace=namespace(route),
                domain=domain,
                labels=own_labels,
                annotations=meta.annotations(route),
            )
        except gotemplate.TemplateError as error:
            raise DomainError(
                f"domain name error: error executing the DomainTemplate: {error}"
            ) from error

    def url(self, route: Object, tag: str, *, local: bool, secured: Container[str] = ()) -> str:
        """Return the URL of the route or of one of its tags; ``secured`` hosts are for https."""
        host = self.domain(route, tag, local=local)
        scheme = "https" if host in secured else ""
        if local:
            return f"{scheme or 'http'}://{host}"
        return self.external_url(host, scheme)

    def local_address(self, route: Object, secured: Container[str] = ()) -> str:
        """Return the URL by which pods reach the route."""
        host = f"{name(route)}.{namespace(route)}.svc.{self.cluster_domain}"
        return f"https://{host}" if host in secured else f"http://{host}"

    def is_local(self, host: str) -> bool:
        """Whether a host is of the cluster, and of no use outside."""
        return host.endswith(f".svc.{self.cluster_domain}")

    def external_url(self, host: str, scheme: str = "") -> str:
        """Return the URL of a host outside the cluster, with the port where it shows."""
        if scheme == "https":
            # Where this gateway ends TLS; somebody in front of it has the usual port.
            port = self.external_tls_port
        else:
            scheme = scheme or self.network.default_external_scheme
            port = self.external_port if scheme == "http" else _DEFAULT_PORTS.get(scheme, 0)
        is_usual = port == _DEFAULT_PORTS.get(scheme, 0)
        return f"{scheme}://{host}" if is_usual else f"{scheme}://{host}:{port}"

    def visibility(
        self, route: Object, tags: Iterable[str], local_services: frozenset[str]
    ) -> dict[str, str]:
        """Return who may reach each tag; ``local_services`` are cluster-local placeholders."""
        if self.domains.lookup(labels(route)) == DEFAULT_DOMAIN:
            return {tag: keys.CLUSTER_LOCAL for tag in (DEFAULT, *tags)}
        return {
            tag: keys.CLUSTER_LOCAL
            if self.hostname(route, tag) in local_services
            else keys.EXTERNAL_IP
            for tag in (DEFAULT, *tags)
        }


def expanded(host: str) -> list[str]:
    """Return a cluster-local host and its short forms, sorted."""
    labels_of_host = host.split(".")
    if labels_of_host[2:3] != ["svc"]:
        return [host]
    short = ".".join(labels_of_host[:2])
    return sorted({short, f"{short}.svc", host})
