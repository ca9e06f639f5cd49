"""config-domain: the domain of a route, by its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from serving.api import keys
from serving.api.config.reading import EXAMPLE

NAME = "config-domain"
DEFAULT_DOMAIN = f"svc.{keys.CLUSTER_DOMAIN}"
WILDCARD = "wildcard"


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain: the labels a route needs for it, and whether certificates are wildcards."""

    selector: Mapping[str, str] = field(default_factory=dict)
    type: str = WILDCARD


@dataclass(frozen=True, slots=True)
class DomainConfig:
    domains: Mapping[str, Domain] = field(default_factory=lambda: {DEFAULT_DOMAIN: Domain()})

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> DomainConfig:
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


def _domain(text: str) -> Domain:
    try:
        found: Any = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"error converting YAML to JSON: {error}") from None
    if not isinstance(found, dict):
        kind = {str: "string", list: "array", bool: "bool"}.get(type(found), "number")
        raise ValueError(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
            f"{kind} into Go value of type config.domainInternalConfig"
        )
    selector = {str(key): str(value) for key, value in (found.get("selector") or {}).items()}
    return Domain(selector, str(found.get("type", "")) if selector else WILDCARD)
