"""The event as the broker holds it, and the rules an event must keep.

CloudEvents 1.0 section 3 (and 0.3, which Knative still takes). An event is never filled in: what
is missing or wrong is refused, with the attribute at fault named.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

AttributeValue = str | int | bool
"""Attributes are text on the wire; integers and booleans of the JSON format keep their type."""

REQUIRED = ("id", "source", "specversion", "type")
SPEC_VERSIONS = frozenset({"1.0", "0.3"})
TEXT_ATTRIBUTES = frozenset(
    {*REQUIRED, "subject", "time", "dataschema", "schemaurl", "datacontenttype"}
)
"""Attributes of the specification: all of them are strings, of one form or another."""
_NOT_EMPTY = ("subject", "dataschema", "schemaurl", "datacontenttype")

_NAME = re.compile(r"[a-z0-9]+")
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)
)
_NOT_IN_TEXT = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_NONCHARACTERS}]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*+:")
_HOST_AND_PORT = re.compile(r"(?:\[[^\[\]\s]*+\]|[^\[\]:\s]*+)(?::[0-9]*+)?", re.ASCII)
_PATH_ON = re.compile(r"[/?#]")
_TIME = re.compile(
    r"(\d{4})-(0[1-9]|1[0-2])-([0-2][0-9]|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_TOKEN = r"[!#$%&'*+\-.^_`{|}~0-9A-Za-z]++"
_BLANK = r"[ \t]*+"  # possessive, as the token: a long value is read in linear time
# Groups are not: until 3.11.5 Python lets them match too little, and what follows them too much.
_PARAMETER = rf";{_BLANK}{_TOKEN}{_BLANK}={_BLANK}(?:{_TOKEN}|\"(?:[^\"\\\r\n]|\\.)*\"){_BLANK}"
_MEDIA_TYPE = re.compile(rf"{_BLANK}{_TOKEN}(?:/{_TOKEN})?{_BLANK}(?:{_PARAMETER})*(?:;{_BLANK})?")


_LONGEST_SAID = 200


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_SAID:
        return text
    half = _LONGEST_SAID // 2
    return f"{text[:half]}...{text[-half:]}"


class CodecError(ValueError):
    """A message that is not a valid event. ``status`` is the HTTP answer it deserves."""

    def __init__(self, message: str, *, attribute: str | None = None, status: int = 400) -> None:
        # What was sent may be long, and is known to who sent it.
        said = _shortened(message)
        super().__init__(f'attribute "{_shortened(attribute)}": {said}' if attribute else said)
        self.attribute = attribute
        self.status = status


@dataclass(slots=True)
class Event:
    """Attributes, the data as it came, and the binary-mode header lines if already rendered.

    ``attributes`` includes ``datacontenttype``. ``data`` is None for an event without data.
    """

    attributes: dict[str, AttributeValue]
    data: bytes | None = None
    head: bytes | None = field(default=None, compare=False, repr=False)
    is_text: bool = field(default=False, compare=False, repr=False)
    """Whether all attributes are known to be text, as they are in binary mode."""

    def text(self, name: str) -> str | None:
        """Return an attribute in its text form, or None."""
        value = self.attributes.get(name)
        return None if value is None else text_of(value)

    def texts(self) -> dict[str, str]:
        """Return all attributes in text form, as filters see them."""
        return {name: text_of(value) for name, value in self.attributes.items()}


def text_of(value: AttributeValue) -> str:
    """Return the canonical text of a value: booleans in lower case, integers in decimal."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return value if isinstance(value, str) else str(value)


def check_attributes(attributes: Mapping[str, AttributeValue]) -> None:
    """Raise CodecError naming the first attribute at fault."""
    try:
        complete = (
            attributes["id"]
            and attributes["source"]
            and attributes["type"]
            and attributes["specversion"] in SPEC_VERSIONS
        )
    except KeyError:
        complete = False
    if not complete:
        raise _required_at_fault(attributes)
    if "" in attributes.values():
        for name in _NOT_EMPTY:
            if attributes.get(name) == "":
                raise CodecError("must not be empty when present", attribute=name)
    check_uri_reference("source", text_of(attributes["source"]))
    if "dataschema" in attributes:
        check_uri("dataschema", text_of(attributes["dataschema"]))
    if "time" in attributes:
        check_time(text_of(attributes["time"]))
    if "datacontenttype" in attributes:
        check_media_type(text_of(attributes["datacontenttype"]))


def _required_at_fault(attributes: Mapping[str, AttributeValue]) -> CodecError:
    for required in REQUIRED:
        if not attributes.get(required):
            return CodecError("required, but missing or empty", attribute=required)
    return CodecError(
        f'unsupported version "{attributes["specversion"]}", expected 1.0 or 0.3',
        attribute="specversion",
    )


def check_name(name: str) -> None:
    """Raise CodecError unless a name is lower-case letters and digits, and not ``data``."""
    if _NAME.fullmatch(name) is None:
        raise CodecError("names are made of a-z and 0-9 only", attribute=name)
    if name == "data":
        raise CodecError("is reserved for the data of the event", attribute=name)


def check_text(name: str, value: str) -> None:
    """Raise CodecError for what no attribute may hold (CloudEvents 1.0, section 3.1.1)."""
    if value.isascii() and value.isprintable():
        return  # as nearly all are: twenty times quicker than to look for each code point
    if _NOT_IN_TEXT.search(value) is not None:
        raise CodecError("holds a control character or an invalid code point", attribute=name)


def check_uri_reference(name: str, value: str) -> None:
    """Raise CodecError for what Go's URL parser refuses, as Knative's ingress does."""
    plain_path = value[:1] == "/" and value[1:2] != "/" and "%" not in value
    if not plain_path and not _is_uri_reference(value):
        raise CodecError(f'"{value}" is not a URI reference', attribute=name)


def check_uri(name: str, value: str) -> None:
    """Raise CodecError unless a value is an absolute URI, as Knative's ingress does."""
    if _SCHEME.match(value) is None or not _is_uri_reference(value):
        raise CodecError(f'"{value}" is not a URI', attribute=name)


@lru_cache(maxsize=256)
def _is_uri_reference(value: str) -> bool:
    if "%" in value and _BAD_ESCAPE.search(value) is not None:
        return False
    scheme = _SCHEME.match(value)
    rest = value if scheme is None else value[scheme.end() :]
    if rest.startswith("//"):
        authority = _PATH_ON.split(rest[2:], maxsplit=1)[0]
        return _HOST_AND_PORT.fullmatch(authority.rpartition("@")[2]) is not None
    # RFC 3986, section 4.2: where there is no scheme, nothing may look like one.
    return scheme is not None or ":" not in _PATH_ON.split(rest, maxsplit=1)[0]


@lru_cache(maxsize=64)
def check_media_type(value: str) -> None:
    """Raise CodecError unless the data's type is one that Go's parser reads.

    RFC 9110, section 8.3.1, and beyond it a type without a subtype: what passes here is not
    refused by a subscriber that is written with the Go SDK.
    """
    if _MEDIA_TYPE.fullmatch(value) is None:
        raise CodecError(f'"{value}" is not a media type', attribute="datacontenttype")


def check_time(value: str) -> None:
    """Raise CodecError unless a time is one of RFC 3339, a leap second included."""
    match = _TIME.fullmatch(value)
    try:
        if match is None:
            raise ValueError
        if not "01" <= match[3] <= "28":
            datetime.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        raise CodecError(f'"{value}" is not an RFC 3339 time', attribute="time") from None


def is_json(content_type: str | None) -> bool:
    """Whether data of this type is JSON text; without a type, the JSON format assumes it is."""
    if content_type is None:
        return True
    media_type = content_type.split(";", 1)[0].strip().lower()
    subtype = media_type.rpartition("/")[2]
    return subtype == "json" or subtype.endswith("+json")
