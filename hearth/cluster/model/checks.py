"""Checks of single values with Kubernetes' messages, shared by the rules of all kinds. Pure.

A ``..._problems`` function returns the messages about a value, without its path; the others return
field errors. Sources of the rules: ``k8s.io/apimachinery/pkg/util/validation``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hearth.cluster.model.fielderrors import FieldError, forbidden, invalid, not_supported, required
from hearth.kube.names import (
    label_value_problems,
    qualified_name_problems,
    regex_problem,
)

Problems = Callable[[str], list[str]]
Errors = list[FieldError]

IMMUTABLE = "field is immutable"
NEGATIVE = "must be greater than or equal to 0"
EMPTY = "must be non-empty"


def max_length_problem(limit: int) -> str:
    """The message about a text above ``limit`` characters."""
    return f"must be no more than {limit} characters"


def range_problem(low: int, high: int) -> str:
    """The message about a number outside of ``low`` to ``high``."""
    return f"must be between {low} and {high}, inclusive"


def _fits(pattern: str, value: str) -> bool:
    return re.fullmatch(pattern, value) is not None


def config_map_key_problems(value: str) -> list[str]:
    """What is wrong with a key of a ConfigMap or Secret."""
    problems = [max_length_problem(253)] if len(value) > 253 else []
    pattern = "[-._a-zA-Z0-9]+"
    if not _fits(pattern, value):
        text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        problems.append(regex_problem(text, pattern, "key.name", "KEY_NAME", "key-name"))
    return problems + dotted_prefix_problems(value)


def dotted_prefix_problems(value: str) -> list[str]:
    """What is wrong with a file name that begins with dots."""
    if value in (".", ".."):
        return [f"must not be '{value}'"]
    return ["must not start with '..'"] if value.startswith("..") else []


def env_name_problems(value: str) -> list[str]:
    """What is wrong with the name of an environment variable."""
    problems = [f"environment variable name {EMPTY}"] if not value else []
    if any(not " " <= c <= "~" or c == "=" for c in value):
        problems.append(
            "a valid environment variable name must consist only of printable ASCII characters "
            "other than '='"
        )
    return problems


def port_name_problems(value: str) -> list[str]:
    """What is wrong with the name of a port (IANA service name)."""
    problems = [max_length_problem(15)] if len(value) > 15 else []
    if not _fits("[-a-z0-9]+", value):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        problems.append("must contain at least one letter (a-z)")
    if "--" in value:
        problems.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def port_number_problems(value: int) -> list[str]:
    """What is wrong with the number of a port."""
    return [] if 1 <= value <= 65535 else [range_problem(1, 65535)]


def percent_problems(value: str) -> list[str]:
    """What is wrong with a percentage such as ``25%``."""
    if _fits("[0-9]+%", value):
        return []
    text = "a valid percent string must be a numeric string followed by an ending '%'"
    return [regex_problem(text, "[0-9]+%", "1%", "93%")]


def http_header_problems(value: str) -> list[str]:
    """What is wrong with the name of an HTTP header."""
    if _fits("[-A-Za-z0-9]+", value):
        return []
    text = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return [regex_problem(text, "[-A-Za-z0-9]+", "X-Header-Name")]


_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"


def wildcard_subdomain_problems(value: str) -> list[str]:
    """What is wrong with a host such as ``*.example.com``."""
    problems = [max_length_problem(253)] if len(value) > 253 else []
    pattern = r"\*\." + _SUBDOMAIN
    if not _fits(pattern, value):
        text = (
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS "
            "subdomain, which must consist of lower case alphanumeric characters, '-' or '.' "
            "and end with an alphanumeric character"
        )
        problems.append(regex_problem(text, pattern, "*.example.com"))
    return problems


def path_segment_problems(value: str) -> list[str]:
    """What no name may be, whatever its kind: it is one part of a URL path."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{part}'" for part in ("/", "%") if part in value]


def ip_problems(value: str) -> list[str]:
    """What is wrong with an IP address."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    if address.version == 6 and address.ipv4_mapped is not None:
        return ["must not be an IPv4-mapped IPv6 address"]
    return []


def cidr_problems(value: str) -> list[str]:
    """What is wrong with a network such as ``10.0.0.0/8``."""
    try:
        ipaddress.ip_network(value, strict="/" in value)
    except ValueError:
        try:
            ipaddress.ip_interface(value)
        except ValueError:
            return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
        return ["must not have bits set beyond the prefix length"]
    if "/" not in value:
        return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
    return []


# -- Field errors --------------------------------------------------------------------------


def each(path: str, value: Any, problems: Iterable[str]) -> Iterator[FieldError]:
    """One Invalid error for each message about a value."""
    for problem in problems:
        yield invalid(path, value, problem)


def non_negative(obj: Mapping[str, Any], key: str, path: str) -> Iterator[FieldError]:
    """Complains about a number below 0 under a key."""
    value = obj.get(key)
    if isinstance(value, int) and value < 0:
        yield invalid(f"{path}.{key}", value, NEGATIVE)


def immutable(new: Any, old: Any, path: str) -> Iterator[FieldError]:
    """Complains about a value that was changed and may not be."""
    if new != old:
        yield invalid(path, new, IMMUTABLE)


def one_of(value: Any, supported: Iterable[str], path: str) -> Iterator[FieldError]:
    """Complains about a value that is none of the supported ones."""
    names = list(supported)
    if value not in names:
        yield not_supported(path, value, names)


def labels_errors(labels: Mapping[str, str] | None, path: str) -> Iterator[FieldError]:
    """Checks keys and values of labels."""
    for key, value in (labels or {}).items():
        yield from each(path, key, qualified_name_problems(key))
        yield from each(path, value, label_value_problems(value))


def label_selector_errors(selector: Mapping[str, Any] | None, path: str) -> Iterator[FieldError]:
    """Checks a LabelSelector; None is none."""
    if selector is None:
        return
    yield from labels_errors(selector.get("matchLabels"), f"{path}.matchLabels")
    for i, requirement in enumerate(selector.get("matchExpressions") or ()):
        yield from _requirement_errors(requirement, f"{path}.matchExpressions[{i}]")


def _requirement_errors(requirement: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from operator_errors(requirement, path)
    yield from each(f"{path}.key", requirement["key"], qualified_name_problems(requirement["key"]))
    for i, value in enumerate(requirement.get("values") or ()):
        yield from each(f"{path}.values[{i}]", value, label_value_problems(value))


def operator_errors(
    requirement: Mapping[str, Any], path: str, *, comparing: bool = False
) -> Iterator[FieldError]:
    """Checks the operator of a selector's requirement and how many values go with it.

    ``comparing`` allows Gt and Lt, which selectors of nodes have.
    """
    operator, values = requirement.get("operator", ""), requirement.get("values") or []
    if operator in ("In", "NotIn"):
        if not values:
            detail = "must be specified when `operator` is 'In' or 'NotIn'"
            yield required(f"{path}.values", detail)
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            yield forbidden(f"{path}.values", detail)
    elif comparing and operator in ("Gt", "Lt"):
        if len(values) != 1:
            detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            yield required(f"{path}.values", detail)
    else:
        yield invalid(f"{path}.operator", operator, "not a valid selector operator")


def duplicates(values: Iterable[Any]) -> Iterator[int]:
    """The indexes of values that were there before."""
    seen: list[Any] = []
    for i, value in enumerate(values):
        if value in seen:
            yield i
        seen.append(value)
