"""Requests as fields: pseudo-header fields and the rules of RFC 9113, section 8, both ways. Pure.

Strict, as everything that a client says: what two readers could understand differently is no
request. What was made of a block that comes again is kept with it, so it is looked at once.
"""

from __future__ import annotations

import re

from activator.http.events import UNKNOWN, RequestHead
from activator.http.fields import Field, Trailers, may_be_trailer
from activator.http.h1.fieldtable import FieldTable
from activator.http.h1.framing import settle_expectation
from activator.http.h2.codes import Code, StreamFault
from activator.http.h2.decoder import Block
from activator.http.h2.encoder import Encoder

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PATH = re.compile(rb'/[!"$-~\x80-\xff]*')
_AUTHORITY = re.compile(rb"[!-.0->A-~]+")
# Section 8.2.1: no control characters that others take for an end, no whitespace around.
_VALUE = re.compile(rb"(?:[^\x00\r\n \t](?:[^\x00\r\n]*[^\x00\r\n \t])?)?")
_DIGITS = re.compile(rb"[0-9]{1,18}")
_PSEUDO = frozenset((b":method", b":scheme", b":authority", b":path", b":protocol"))
# Section 8.2.2.
_OF_A_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
_SCHEMES = frozenset((b"http", b"https"))


class Reading:
    """A request that is being read, as far as its fields have a say (see ``fieldtable``)."""

    __slots__ = (
        "connection",
        "expect",
        "head",
        "hosts",
        "http2_settings",
        "offered",
        "transfer_encoding",
    )

    def __init__(self) -> None:
        self.head = RequestHead()
        self.hosts = 0
        self.connection = self.offered = self.transfer_encoding = b""
        self.expect: bytes | None = None
        self.http2_settings: list[bytes] = []


class Malformed(Exception):
    """Fields that make no message."""


def read_request(stream: int, block: Block, table: FieldTable, end: bool) -> RequestHead:
    """A request's head of its own. Raises StreamFault (section 8.1.1).

    FramingError where it is a request, and is to be refused.
    """
    made = block.made
    if not isinstance(made, RequestHead):
        try:
            made = block.made = _read(block.fields, table)
        except Malformed as error:
            raise StreamFault(stream, Code.PROTOCOL_ERROR, str(error)) from None
    head = _copy(made)
    if end:
        if head.has_length and head.length:
            raise StreamFault(stream, Code.PROTOCOL_ERROR, "content-length and no body")
        head.length = 0
        head.has_length = False
    return head


def _copy(made: RequestHead) -> RequestHead:
    """Every slot, for the first one may be asked for many times; lists are never changed."""
    head = RequestHead.__new__(RequestHead)
    head.method = made.method
    head.target = made.target
    head.is_absolute = False
    head.authority = made.authority
    head.fields = made.fields
    head.blocks = ()
    head.taken = made.taken
    head.length = made.length
    head.has_length = made.has_length
    head.body = b""
    head.upgrade = b""
    head.expects_continue = made.expects_continue
    head.wants_trailers = made.wants_trailers
    return head


def _read(fields: list[Field], table: FieldTable) -> RequestHead:
    pseudo: dict[bytes, bytes] = {}
    cookies: list[bytes] = []
    reading = Reading()
    head = reading.head
    head.length = UNKNOWN
    at = 0
    for name, value in fields:
        if not name.startswith(b":"):
            break
        if name not in _PSEUDO or name in pseudo:
            raise Malformed("an unknown or repeated pseudo-header field")
        pseudo[name] = value
        at += 1
    for name, value in fields[at:]:
        check_field(name, value)
        if name == b"cookie":
            cookies.append(value)
            continue
        if name == b"content-length":
            _check_length(value, head)
        known = table.seen.get(name) or table.learn(name)
        if isinstance(known, bytes):
            head.fields.append((known, value))
        else:
            known(reading, value)
    if cookies:
        # Section 8.2.3: other versions know one line of them.
        head.fields.append((b"cookie", b"; ".join(cookies)))
    _settle(pseudo, reading)
    if reading.expect is not None:
        settle_expectation(head, reading.expect, is_11=True)
    return head


def check_field(name: bytes, value: bytes) -> None:
    """Whether a field may be in a message. Raises Malformed."""
    if _NAME.fullmatch(name) is None:
        raise Malformed("a field's name is malformed")
    if _VALUE.fullmatch(value) is None:
        raise Malformed("a field's value is malformed")
    if name in _OF_A_CONNECTION or (name == b"te" and value.lower() != b"trailers"):
        raise Malformed("a field about a connection")


def _check_length(value: bytes, head: RequestHead) -> None:
    if head.has_length or _DIGITS.fullmatch(value) is None:
        raise Malformed("content-length is malformed, or there is another")


def _settle(pseudo: dict[bytes, bytes], reading: Reading) -> None:
    head = reading.head
    method, path = pseudo.get(b":method", b""), pseudo.get(b":path")
    if _METHOD.fullmatch(method) is None:
        raise Malformed("there is no method")
    if b":protocol" in pseudo:
        raise Malformed(":protocol, which nobody allowed")
    authority = pseudo.get(b":authority")
    host = head.authority if reading.hosts else None
    if reading.hosts > 1 or (host is not None and authority is not None and host != authority):
        raise Malformed(":authority and host differ")
    authority = host if authority is None else authority
    head.method = method
    head.authority = authority or b""
    if method == b"CONNECT":
        # Section 8.5; who reads the head refuses it.
        if b":scheme" in pseudo or path is not None or not authority:
            raise Malformed("CONNECT with a path")
        head.target = head.authority
        return
    if pseudo.get(b":scheme", b"").lower() not in _SCHEMES:
        raise Malformed("there is no scheme")
    if path is None or not (_PATH.fullmatch(path) or (path == b"*" and method == b"OPTIONS")):
        raise Malformed("there is no path")
    if not authority or _AUTHORITY.fullmatch(authority) is None:
        raise Malformed("there is no authority")
    head.target = path


def read_trailers(stream: int, block: Block, refused: frozenset[bytes] = frozenset()) -> Trailers:
    """The fields behind a body. Raises StreamFault."""
    made = block.made
    if isinstance(made, list):
        return made
    trailers: list[Field] = []
    for name, value in block.fields:
        try:
            check_field(name, value)
        except Malformed as error:
            raise StreamFault(stream, Code.PROTOCOL_ERROR, str(error)) from None
        if may_be_trailer(name, refused):
            trailers.append((name, value))
    if block.is_too_large:
        raise StreamFault(stream, Code.ENHANCE_YOUR_CALM, "the trailers are too large")
    block.made = trailers
    return trailers


def request_block(head: RequestHead, encoder: Encoder) -> bytes:
    """A request to be sent, as a block: one of a client's head that came again is known."""
    more = (
        head.target,
        head.authority,
        head.blocks,
        head.length,
        head.has_length,
        head.method,
        head.wants_trailers,
    )
    return encoder.encode_again(head.fields, more, lambda: request_fields(head))


def request_fields(head: RequestHead) -> list[Field]:
    """A request to be sent, as fields."""
    fields: list[Field] = [
        (b":method", head.method),
        (b":scheme", b"http"),
        (b":path", head.target),
    ]
    if head.authority:
        fields.append((b":authority", head.authority))
    for block in head.blocks:
        fields.extend(block.lowered)
    for name, value in head.fields:
        # HTTP/1 allows for blanks behind a value.
        fields.append((name if name.islower() else name.lower(), value.rstrip(b" \t")))
    if head.has_length:
        fields.append((b"content-length", b"%d" % head.length))
    if head.wants_trailers:
        fields.append((b"te", b"trailers"))
    if head.expects_continue and head.length:
        fields.append((b"expect", b"100-continue"))
    return fields
