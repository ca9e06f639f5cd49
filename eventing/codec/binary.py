"""Binary mode: attributes in ``ce-`` headers, the data as the body, byte for byte.

The hot path of the broker. Header values that need no decoding are forwarded as the very bytes
that came; only values with quotes, percent signs or spaces are decoded and encoded anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from eventing.codec.event import (
    AttributeValue,
    CodecError,
    Event,
    check_attributes,
    check_name,
    check_text,
    text_of,
)

Header = tuple[bytes, bytes]
"""Name in lower case, value."""

_PLAIN = re.compile(rb"[!#$&-~]+").fullmatch  # U+0021-7E without the quote and the percent sign
_QUOTED_PAIR = re.compile(rb"\\(.)")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_KEEP = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("%", "")
_KNOWN_NAMES = {
    b"ce-" + name.encode(): name
    for name in (
        *("id", "source", "specversion", "type", "time", "subject", "dataschema"),
        *("traceparent", "tracestate", "partitionkey", "knativearrivaltime", "knativebrokerttl"),
    )
}


def decode_binary(headers: Iterable[Header], body: bytes) -> Event:
    """Return the event of a message; raise CodecError naming the attribute at fault."""
    attributes: dict[str, AttributeValue] = {}
    lines: list[bytes] = []
    for header in headers:
        decoded = _remembered.get(header)
        if decoded is None:
            if header[0][:3] != b"ce-" and (header[0] != b"content-type" or not header[1]):
                continue
            decoded = _decode_header(header)
        attribute, text, line = decoded
        if attribute in attributes:
            raise CodecError("given more than once", attribute=attribute)
        attributes[attribute] = text
        lines.append(line)
    check_attributes(attributes)
    data = body if body or "datacontenttype" in attributes else None
    return Event(attributes, data, b"".join(lines), True)


_Decoded = tuple[str, str, bytes]
"""An attribute's name and text, and the header line that goes on."""

_REPEATED = frozenset((b"content-type", b"ce-specversion", b"ce-source", b"ce-type"))
_REMEMBERED_BYTES, _REMEMBERED = 128, 1024
_remembered: dict[Header, _Decoded] = {}
"""Headers that come with many events, decoded; a producer cannot make it grow."""


def _decode_header(header: Header) -> _Decoded:
    name, value = header
    if name == b"content-type":
        attribute, text = "datacontenttype", _content_type(value)
    else:
        attribute = _KNOWN_NAMES.get(name) or _attribute_name(name)
        if _PLAIN(value) is not None:
            text = value.decode()
        else:
            text = decode_value(attribute, value)
            value = encode_value(text)
    decoded = attribute, text, b"%b: %b\r\n" % (name, value)
    if name in _REPEATED and len(header[1]) <= _REMEMBERED_BYTES:
        if len(_remembered) >= _REMEMBERED:
            _remembered.clear()
        _remembered[header] = decoded
    return decoded


def _attribute_name(header: bytes) -> str:
    try:
        name = header[3:].decode("ascii")
    except UnicodeDecodeError:
        raise CodecError(f"header {header!r} is not an attribute name") from None
    check_name(name)
    if name == "datacontenttype":
        raise CodecError("is carried by the Content-Type header", attribute=name)
    return name


def _content_type(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise CodecError("is not valid UTF-8", attribute="datacontenttype") from None
    if not text.isprintable():
        check_text("datacontenttype", text)
    return text


def decode_value(attribute: str, value: bytes) -> str:
    """Unquote, undo one round of percent-encoding, and insist on valid UTF-8."""
    value = value.strip(b" \t")
    if len(value) >= 2 and value.startswith(b'"') and value.endswith(b'"'):
        value = _QUOTED_PAIR.sub(rb"\1", value[1:-1])
    if b"%" in value:
        value = _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), value)
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise CodecError("is not valid UTF-8", attribute=attribute) from None
    check_text(attribute, text)
    return text


def encode_value(text: str) -> bytes:
    """Percent-encode space, quote, percent sign and all that is not U+0021-7E."""
    return quote(text, safe=_KEEP).encode("ascii")


def render_head(event: Event) -> bytes:
    """Return the binary-mode header lines of an event, each ended by CR LF."""
    if event.head is not None:
        return event.head
    lines = []
    for name, value in event.attributes.items():
        if name == "datacontenttype":
            lines.append(b"content-type: %b\r\n" % text_of(value).encode("utf-8"))
        else:
            lines.append(b"ce-%b: %b\r\n" % (name.encode(), encode_value(text_of(value))))
    event.head = b"".join(lines)
    return event.head


def attributes_of_head(head: bytes) -> dict[str, str]:
    """Return the attributes of header lines that ``render_head`` or ``decode_binary`` made."""
    attributes: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        if line.startswith(b"ce-"):
            name, _, value = line.partition(b": ")
            plain = b"%" not in value
            attributes[name[3:].decode()] = value.decode() if plain else decode_value("", value)
        elif line.startswith(b"content-type: "):
            attributes["datacontenttype"] = line[14:].decode()
    return attributes
