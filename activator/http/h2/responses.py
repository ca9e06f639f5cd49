"""Responses as fields, both ways (RFC 9113, section 8.3.2). Pure."""

from __future__ import annotations

import re

from activator.http.events import BodyForm, FieldsHead, ResponseHead
from activator.http.fields import Field
from activator.http.h2.codes import Code, StreamFault
from activator.http.h2.decoder import Block
from activator.http.h2.encoder import Encoder
from activator.http.h2.requests import Malformed, check_field

_STATUS = re.compile(rb"[1-9][0-9]{2}")
_DIGITS = re.compile(rb"[0-9]{1,18}")
_KEPT, _KEPT_OCTETS = 256, 2048
_NO_BODY = frozenset((204, 304))


class Shape:
    """What a block says of a response."""

    __slots__ = ("fields", "length", "status")

    def __init__(self, status: int, fields: list[Field], length: int) -> None:
        self.status = status
        self.fields = fields
        # Of the body; negative where nobody has told.
        self.length = length


def read_response(stream: int, block: Block) -> Shape:
    """What a block says. Raises StreamFault."""
    made = block.made
    if not isinstance(made, Shape):
        try:
            if block.is_too_large:
                raise Malformed("the head is too large")
            made = block.made = _read(block.fields)
        except Malformed as error:
            raise StreamFault(stream, Code.PROTOCOL_ERROR, str(error)) from None
    return made


def _read(fields: list[Field]) -> Shape:
    if not fields or fields[0][0] != b":status" or _STATUS.fullmatch(fields[0][1]) is None:
        raise Malformed("there is no status")
    lengths: set[bytes] = set()
    for name, value in fields[1:]:
        check_field(name, value)
        if name == b"content-length":
            lengths.add(value)
    status = int(fields[0][1])
    if status == 101:
        raise Malformed("HTTP/2 has no 101")
    # As with HTTP/1, equal ones are one.
    if len(lengths) > 1 or not all(map(_DIGITS.fullmatch, lengths)):
        raise Malformed("content-length is malformed")
    length = int(lengths.pop()) if lengths else -1
    return Shape(status, fields[1:], length)


def response_head(shape: Shape, body: bytes = b"") -> ResponseHead:
    """The head as events have it."""
    head = FieldsHead(shape.status, shape.fields, body)
    if shape.length < 0 and shape.status >= 200 and shape.status not in _NO_BODY:
        head.form = BodyForm.OPEN
    return head


def response_block(head: ResponseHead, encoder: Encoder) -> bytes:
    """A response to be sent, as a block."""
    if isinstance(head, FieldsHead):
        return encoder.encode_again(head.fields, head.status, lambda: response_fields(head))
    fields = response_fields(head)
    return encoder.encode_again(fields, None, lambda: fields)


# Heads of HTTP/1 by their octets: applications say the same for a second at least.
_known: dict[bytes, list[Field]] = {}


def response_fields(head: ResponseHead) -> list[Field]:
    """A response to be sent, as fields."""
    if isinstance(head, FieldsHead):
        return [(b":status", b"%d" % head.status), *head.fields]
    key = head.wire[: head.body_at]
    found = _known.get(key)
    if found is None:
        found = [(b":status", b"%d" % head.status)]
        found.extend((name.lower(), value) for name, value in head.fields)
        if len(_known) >= _KEPT:
            _known.clear()
        if len(key) <= _KEPT_OCTETS:
            _known[key] = found
    return found
