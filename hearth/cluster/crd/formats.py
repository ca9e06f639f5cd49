"""String formats that schemas can ask for: which texts fit them, as kube-apiserver decides."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date
from email.utils import parseaddr
from urllib.parse import urlsplit

from hearth.kube.durations import parse_go_duration
from hearth.kube.names import dns1123_label_problems, dns1123_subdomain_problems

_HEX = "[0-9a-f]"
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))\Z")
# Matched from the first digit of a number only: else a long number costs the square of its length.
_SCALA_DURATION = re.compile(r"(?<![0-9])[0-9]++\s*+([A-Za-zµ]+)", re.ASCII)
_DURATION_UNITS = re.compile(
    r"^(ns|nanos?|nanoseconds?|us|µs|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|"
    r"seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)\Z"
)
_HOST_LABEL = re.compile(r"^[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?\Z")


def _pattern(text: str, flags: int = 0) -> Callable[[str], bool]:
    compiled = re.compile(text, flags | re.ASCII)
    return lambda value: compiled.match(value) is not None and not value.endswith("\n")


def _uuid(middle: str) -> Callable[[str], bool]:
    four = f"{_HEX}{{4}}"
    return _pattern(f"^{_HEX}{{8}}-?{four}-?{middle}{_HEX}{{12}}$", re.I)


def _is_date(text: str) -> bool:
    try:
        return _DATE.fullmatch(text) is not None and date.fromisoformat(text) is not None
    except ValueError:
        return False


def _is_date_time(text: str) -> bool:
    parts = text.lower().split("t")
    if len(text) < 4 or len(parts) < 2 or not _is_date(parts[0]):
        return False
    match = _TIME.match(parts[1])
    return match is not None and match[1] <= "23" and match[2] <= "59" and match[3] <= "59"


def _is_duration(text: str) -> bool:
    try:
        parse_go_duration(text)
        return True
    except ValueError:
        units = _SCALA_DURATION.findall(text)
        return any(_DURATION_UNITS.match(unit.lower()) for unit in units)


def _is_ip(version: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version == version and "%" not in text
        except ValueError:
            return False

    return check


def _is_cidr(text: str) -> bool:
    try:
        return "/" in text and ipaddress.ip_network(text, strict=False) is not None
    except ValueError:
        return False


def _is_uri(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(text) and (bool(parts.scheme) or text.startswith("/")) and " " not in text


def _is_email(text: str) -> bool:
    try:
        _, address = parseaddr(text)
    except RecursionError:  # comments in comments, a thousand deep
        return False
    return "@" in address[1:-1]


def _is_hostname(text: str) -> bool:
    if not text or len(text) > 255:
        return False
    labels = text.split(".")
    if len(labels) > 1 and not (len(labels[-1]) >= 2 and labels[-1].isalpha()):
        return False
    return all(_HOST_LABEL.match(label) for label in labels)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
        return True
    except (binascii.Error, ValueError):
        return False


def _is_isbn(text: str) -> bool:
    return _is_isbn10(text) or _is_isbn13(text)


def _is_isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.match(r"^[0-9]{9}[0-9X]\Z", digits):
        return False
    values = [10 if digit == "X" else int(digit) for digit in digits]
    return sum((index + 1) * value for index, value in enumerate(values)) % 11 == 0


def _is_isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.match(r"^[0-9]{13}\Z", digits):
        return False
    return sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits)) % 10 == 0


def _is_credit_card(text: str) -> bool:
    digits = re.sub("[^0-9]+", "", text)
    if not 12 <= len(digits) <= 19:
        return False
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


_FORMATS: dict[str, Callable[[str], bool]] = {
    "bsonobjectid": _pattern("^[0-9a-fA-F]{24}$"),
    "uri": _is_uri,
    "email": _is_email,
    "hostname": _is_hostname,
    "ipv4": _is_ip(4),
    "ipv6": _is_ip(6),
    "cidr": _is_cidr,
    "mac": _pattern(r"^(([0-9a-f]{2}[:-]){5}[0-9a-f]{2}|([0-9a-f]{4}\.){2}[0-9a-f]{4})$", re.I),
    "uuid": _uuid(f"{_HEX}{{4}}-?{_HEX}{{4}}-?"),
    "uuid3": _uuid(f"3{_HEX}{{3}}-?{_HEX}{{4}}-?"),
    "uuid4": _uuid(f"4{_HEX}{{3}}-?[89ab]{_HEX}{{3}}-?"),
    "uuid5": _uuid(f"5{_HEX}{{3}}-?[89ab]{_HEX}{{3}}-?"),
    "isbn": _is_isbn,
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "creditcard": _is_credit_card,
    "ssn": _pattern(r"^\d{3}[- ]?\d{2}[- ]?\d{4}$"),
    "hexcolor": _pattern("^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"),
    "rgbcolor": _pattern(
        r"^rgb\(\s*((0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*){2}"
        r"(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$"
    ),
    "byte": _is_base64,
    "password": lambda text: True,
    "date": _is_date,
    "duration": _is_duration,
    "datetime": _is_date_time,
    "k8sshortname": lambda text: not dns1123_label_problems(text),
    "k8slongname": lambda text: not dns1123_subdomain_problems(text),
}  # fmt: skip


def names() -> list[str]:
    """Every format that is checked, without its dashes."""
    return list(_FORMATS)


def effective_format(declared: str, types: tuple[str, ...]) -> str:
    """The format that is enforced: "" for formats unknown or of no meaning for the type."""
    kind = types[0] if len(types) == 1 else ""
    if kind in ("", "string"):
        return declared if declared.replace("-", "") in _FORMATS else ""
    if kind == "integer":
        return declared if declared in ("int32", "int64") else ""
    return declared if kind == "number" and declared in ("float", "double") else ""


def fits(declared: str, text: str) -> bool:
    """Whether a text has the format; every text has one that is unknown."""
    check = _FORMATS.get(declared.replace("-", ""))
    return check is None or check(text)
