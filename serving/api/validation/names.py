"""Name rules that only serving needs, with Kubernetes' messages."""

from __future__ import annotations

from hearth.kube.gotext import quote
from hearth.kube.names import (
    dns1035_label_problems,
    dns1123_label_problems,
    dns1123_subdomain_problems,
)


def domain_problem(value: str, *, field: str = "name") -> str:
    """Say what is wrong with a fully qualified domain name; empty when nothing is.

    As ``IsFullyQualifiedDomainName`` of apimachinery: no label may be longer than 63 characters.
    """
    if not value:
        return f"{field}: Required value"
    name = value.removesuffix(".")
    problems = dns1123_subdomain_problems(name)
    at = name
    if not problems and "." not in name:
        problems = ["should be a domain with at least two segments separated by dots"]
    for label in name.split("."):
        if not problems:
            problems, at = dns1123_label_problems(label), label
    return f"{field}: Invalid value: {quote(at)}: {','.join(problems)}" if problems else ""


def generate_name_problems(value: str) -> list[str]:
    """A DNS-1035 label that may end in a dash, since more follows."""
    masked = value[:-2] + "a" if len(value) > 1 and value.endswith("-") else value
    return dns1035_label_problems(masked)
