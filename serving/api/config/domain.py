"""config-domain: the domain of a route, by its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import Field

from hearth.knative.configmap import EXAMPLE, read_yaml, with_texts
from hearth.knative.structs import read_struct
from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from hearth.kube.models import Model
from serving.api import keys

DEFAULT_DOMAIN = f"svc.{CLUSTER_DOMAIN}"
"""Stands for the cluster's own domain, whatever that is."""
WILDCARD = "wildcard"


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain: the labels a route needs for it, and whether certificates are wildcards."""

    selector: Mapping[str, str] = field(default_factory=dict)
    type: str = WILDCARD


@dataclass(frozen=True, slots=True)
class DomainConfig:
    """The domains of routes, each with the labels that choose it."""

    domains: Mapping[str, Domain] = field(default_factory=lambda: {DEFAULT_DOMAIN: Domain()})

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> DomainConfig:
        """Read the ConfigMap's data; raises ValueError in Knative's words."""
        domains = {name: _domain(text) for name, text in data.items() if name != EXAMPLE}
        if all(domain.selector for domain in domains.values()):
            domains[DEFAULT_DOMAIN] = Domain()
        return cls(domains)

    def lookup(self, labels: Mapping[str, str]) -> str:
        """The domain for these labels: the most specific selector, then the first by name."""
        if labels.get(keys.VISIBILITY) == keys.VISIBILITY_CLUSTER_LOCAL:
            return DEFAULT_DOMAIN
        fitting = [
            (-len(domain.selector), name)
            for name, domain in self.domains.items()
            if all(labels.get(key) == value for key, value in domain.selector.items())
        ]
        return min(fitting)[1] if fitting else ""


class _Options(Model):
    selector: dict[str, str] = Field(default_factory=dict)
    type: str = ""


def _domain(text: str) -> Domain:
    given = read_yaml(text)
    if isinstance(given, dict):
        given = {**given, "selector": with_texts(given.get("selector"))}
    options = read_struct(given, _Options, go_type="config.domainInternalConfig")
    return Domain(options.selector, options.type if options.selector else WILDCARD)
