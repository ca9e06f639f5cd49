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
    """The event of a binary-mode message; raises CodecError naming the attribute at fault."""
    attributes: dict[str, AttributeValue] = {}
    lines: list[bytes] = []
    for name, value in headers:
        attribute = _KNOWN_NAMES.get(name)
        if attribute is None:
            if name[:3] != b"ce-":
                if name == b"content-type" and value:
                    attributes["datacontenttype"] = _content_type(value)
                    lines += (b"content-type: ", value, b"\r\n")
                continue
            attribute = _attribute_name(name)
        if attribute in attributes:
            raise CodecError("given more than once", attribute=attribute)
        if _PLAIN(value) is not None:
            attributes[attribute] = value.decode()
        else:
            text = attributes[attribute] = decode_value(attribute, value)
            value = encode_value(text)
        lines += (name, b": ", value, b"\r\n")
    check_attributes(attributes)
    data = body if body or "datacontenttype" in attributes else None
    return Event(attributes, data, b"".join(lines), True)


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
    """Unquotes, undoes one round of percent-encoding, and insists on valid UTF-8."""
    value = value.strip(b" \t")
    if len(value) >= 2 and value.startswith(b'"') and value.endswith(b'"'):
        value = _QUOTED_PAIR.sub(rb"\1", value[1:-1])
    if b"%" in value:
        value = _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), value)
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise CodecError("is not valid UTF-8", attribute=attribute) from None
    check_text(attribute, text)
    return text


def encode_value(text: str) -> bytes:
    """Percent-encodes space, quote, percent sign and all that is not U+0021-7E."""
    return quote(text, safe=_KEEP).encode("ascii")


def render_head(event: Event) -> bytes:
    """The binary-mode header lines of an event, each ended by CR LF."""
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
    """The attributes of header lines that ``render_head`` or ``decode_binary`` made."""
    found: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        if line.startswith(b"ce-"):
            name, _, value = line.partition(b": ")
            plain = b"%" not in value
            found[name[3:].decode()] = value.decode() if plain else decode_value("", value)
        elif line.startswith(b"content-type: "):
            found["datacontenttype"] = line[14:].decode()
    return found
