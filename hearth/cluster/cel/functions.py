"""What Kubernetes adds to the functions of CEL: strings, lists, quantities, URLs, addresses.

Values of Kubernetes' own types travel through the library as maps of their text. Pure.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hearth.cluster.cel import regex
from hearth.cluster.cel.library import library
from hearth.kube.quantity import Quantity, parse_quantity


def _quantity_of(value: Any) -> Quantity:
    try:
        return parse_quantity(value)
    except ValueError:
        raise ValueError(
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        ) from None


def _is_quantity(value: Any) -> bool:
    try:
        parse_quantity(value)
        return True
    except ValueError:
        return False


_QUANTITY, _URL, _IP, _CIDR = "quantity", "url", "ip", "cidr"


def _wrapped(kind: str, text: str) -> dict[str, str]:
    return {"type": kind, "text": text}


def _text(value: Any) -> str:
    return str(value["text"]) if isinstance(value, dict) else str(value)


def _quantity(value: Any) -> dict[str, str]:
    _quantity_of(value)
    return _wrapped(_QUANTITY, str(value))


def _amount(value: Any) -> Any:
    return _quantity_of(_text(value)).value


def _compare_to(one: Any, other: Any) -> int:
    left, right = _amount(one), _amount(other)
    return int(left > right) - int(left < right)


def _as_integer(value: Any) -> int:
    amount = _amount(value)
    if amount != int(amount):
        raise ValueError("cannot convert value to integer")
    return int(amount)


def _url(value: str) -> dict[str, str]:
    if not _is_url(value):
        raise ValueError(f'URL parse error during conversion from string: parse "{value}"')
    return _wrapped(_URL, value)


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return bool(parts.scheme and parts.netloc) or value.startswith("/")
    except ValueError:
        return False


def _is_ip(value: str) -> bool:
    try:
        return "%" not in value and ipaddress.ip_address(value) is not None
    except ValueError:
        return False


def _is_cidr(value: str) -> bool:
    try:
        return "/" in value and ipaddress.ip_interface(value) is not None
    except ValueError:
        return False


def _ip(value: str) -> dict[str, str]:
    if not _is_ip(value):
        raise ValueError(f'IP Address "{value}" parse error during conversion from string')
    return _wrapped(_IP, value)


def _cidr(value: str) -> dict[str, str]:
    if not _is_cidr(value):
        raise ValueError(f'network address parse error during conversion from string: "{value}"')
    return _wrapped(_CIDR, value)


def _network(value: Any) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    return ipaddress.ip_interface(_text(value))


def _family(value: Any) -> int:
    return _network(value).version


def _contains_ip(network: Any, address: Any) -> bool:
    return ipaddress.ip_address(_text(address)) in _network(network).network


def _contains_cidr(network: Any, other: Any) -> bool:
    outer, inner = _network(network).network, _network(other).network
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _index_of(value: Any, item: Any, start: int = 0) -> int:
    if isinstance(value, list):
        return value.index(item) if item in value else -1
    return int(value.find(item, start))


def _last_index_of(value: Any, item: Any) -> int:
    if isinstance(value, list):
        return len(value) - 1 - value[::-1].index(item) if item in value else -1
    return int(value.rfind(item))


def _substring(value: str, start: int, end: int | None = None) -> str:
    last = len(value) if end is None else end
    if not 0 <= start <= last <= len(value):
        raise ValueError(f"index out of range: {start if start < 0 or start > last else last}")
    return value[start:last]


def _char_at(value: str, index: int) -> str:
    if not 0 <= index <= len(value):
        raise ValueError(f"index out of range: {index}")
    return value[index : index + 1]


def _replace(value: str, old: str, new: str, limit: int = -1) -> str:
    return value.replace(old, new, limit)


def _split(value: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if not separator:
        return list(value)
    return value.split(separator, -1 if limit < 0 else limit - 1)


def _ascii(convert: Callable[[str], str]) -> Callable[[str], str]:
    return lambda value: "".join(convert(c) if c.isascii() else c for c in value)


def _find(value: str, pattern: str) -> str:
    return next(regex.find_all(pattern, value), "")


def _find_all(value: str, pattern: str, limit: int = -1) -> list[str]:
    matches = regex.find_all(pattern, value)
    return list(matches if limit < 0 else itertools.islice(matches, limit))


def _is_sorted(value: list[Any]) -> bool:
    return all(one <= other for one, other in itertools.pairwise(value))


def _min(value: list[Any]) -> Any:
    if not value:
        raise ValueError("min called on empty list")
    return min(value)


def _max(value: list[Any]) -> Any:
    if not value:
        raise ValueError("max called on empty list")
    return max(value)


def _optional_at(value: Any, key: Any) -> Any:
    """The optional value at a field, key or index; of nothing there is nothing."""
    kind = library().OptionalValue
    if isinstance(value, kind):
        if not value.has_value():
            return value
        value = value.value()
    if isinstance(value, list):
        is_present = isinstance(key, int) and 0 <= key < len(value)
    else:
        is_present = isinstance(value, dict) and key in value
    return kind.of(value[key]) if is_present else kind.none()


def _indices(value: Any) -> list[Any]:
    """The keys of a map, or the positions in a list."""
    return list(range(len(value))) if isinstance(value, list) else list(value)


_VERB = re.compile(r"%(?:\.(\d+))?([sdfebxXo%])")


def _format(template: str, arguments: list[Any]) -> str:
    values = iter(arguments)

    def one(match: re.Match[str]) -> str:
        if match[2] == "%":
            return "%"
        value = next(values)
        if match[2] == "s":
            return _shown(value)
        if match[2] in "fe":
            return f"{value:.{match[1] or 6}{match[2]}}"
        if isinstance(value, str):
            return value.encode().hex()
        return format(value, match[2])

    return _VERB.sub(one, template)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return json.dumps(value) if isinstance(value, (bool, type(None))) else str(value)


def _url_port(value: Any) -> str:
    port = urlsplit(_text(value)).port
    return "" if port is None else str(port)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "matches": lambda value, pattern: regex.matches(pattern, value),
    "find": _find,
    "findAll": _find_all,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "charAt": _char_at,
    "lowerAscii": _ascii(str.lower),
    "upperAscii": _ascii(str.upper),
    "replace": _replace,
    "split": _split,
    "join": lambda values, separator="": separator.join(values),
    "substring": _substring,
    "trim": str.strip,
    "reverse": lambda value: value[::-1],
    "format": _format,
    "optionalAt": _optional_at,
    "indices": _indices,
    "isSorted": _is_sorted,
    "sum": lambda values: sum(values),
    "min": _min,
    "max": _max,
    "isQuantity": _is_quantity,
    "quantity": _quantity,
    "isInteger": lambda value: _amount(value) == int(_amount(value)),
    "asInteger": _as_integer,
    "asApproximateFloat": lambda value: float(_amount(value)),
    "sign": lambda value: _compare_to(value, "0"),
    "add": lambda one, other: _wrapped(_QUANTITY, str(_amount(one) + _amount(other))),
    "sub": lambda one, other: _wrapped(_QUANTITY, str(_amount(one) - _amount(other))),
    "isGreaterThan": lambda one, other: _compare_to(one, other) > 0,
    "isLessThan": lambda one, other: _compare_to(one, other) < 0,
    "compareTo": _compare_to,
    "isURL": _is_url,
    "url": _url,
    "getScheme": lambda value: urlsplit(_text(value)).scheme,
    "getHost": lambda value: urlsplit(_text(value)).netloc.rpartition("@")[2],
    "getHostname": lambda value: urlsplit(_text(value)).hostname or "",
    "getPort": _url_port,
    "getEscapedPath": lambda value: urlsplit(_text(value)).path,
    "getQuery": lambda value: parse_qs(urlsplit(_text(value)).query),
    "isIP": _is_ip,
    "ip": _ip,
    "family": _family,
    "isLoopback": lambda value: _network(value).is_loopback,
    "isUnspecified": lambda value: _network(value).is_unspecified,
    "isCIDR": _is_cidr,
    "cidr": _cidr,
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "prefixLength": lambda value: _network(value).network.prefixlen,
    "masked": lambda value: _wrapped(_CIDR, str(_network(value).network)),
}  # fmt: skip

_BUILTIN = frozenset(
    {
        *("size", "contains", "startsWith", "endsWith", "has", "all", "exists", "exists_one"),
        *("existsOne", "map", "filter", "int", "uint", "double", "string", "bytes", "bool"),
        *("duration", "timestamp", "type", "dyn", "getDate", "getDayOfMonth", "getDayOfWeek"),
        *("getDayOfYear", "getFullYear", "getHours", "getMilliseconds", "getMinutes", "getMonth"),
        *("getSeconds", "hasValue", "value", "orValue", "or", "optional", "of", "none"),
        *("ofNonZeroValue", "optional.none", "optional.of", "optional.ofNonZeroValue"),
        *("abs", "ceil", "floor", "round"),
    }
)


def is_known(name: str) -> bool:
    """Whether the library or ``FUNCTIONS`` has a function of this name."""
    return name in FUNCTIONS or name in _BUILTIN or not name[:1].isalpha()
