"""Request lines: what one looks like, and what it is when it does not (RFC 9112, section 3). Pure.

llhttp is lenient about the line and knows a list of methods only, so it is looked at here as well.
"""

from __future__ import annotations

import re

from activator.http import refusals
from activator.http.refusals import FramingError

END_OF_HEAD = b"\r\n\r\n"
# RFC 9112, section 3: exactly one space between the words. llhttp would take several.
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") [!-~\x80-\xff]+ HTTP/1\.[01]\r\n")
# One whose target needs no second look.
PLAIN_LINE = re.compile(rb"(" + _TOKEN + rb") (/[!\"$-~\x80-\xff]*) HTTP/1\.1\r\n")
_OTHER_VERSION = re.compile(_TOKEN + rb" [!-~\x80-\xff]+ HTTP/(?!0|1\.[01])[0-9]\.[0-9]\r\n")
PART_OF_LINE = re.compile(_TOKEN + rb"(?: (?:[!-~\x80-\xff]+(?: [HTP/0-9.]{0,8}\r?)?)?)?")
_LARGE_OCTETS, _MOST_TRIES = 4096, 100
_HTTP2_LINE = b"PRI * HTTP/2.0\r\n"

# Those that llhttp takes in a request of HTTP.
USUAL_METHODS = frozenset(
    b"ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY"
    b" MKCALENDAR MKCOL MOVE NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND"
    b" REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split()
)


class Http2Preface(FramingError):
    """What came is no request but the beginning of HTTP/2; all of it is in ``data``."""

    def __init__(self, data: bytes) -> None:
        super().__init__(refusals.UNSUPPORTED_VERSION)
        self.data = data


def find_empty_line(data: bytes, at: int) -> int:
    """Where an empty line and the line end before it begin; -1 where there is none.

    In a large piece of a body one octet is found ten times as fast as four, where it is rare.
    """
    if len(data) - at > _LARGE_OCTETS:
        for _ in range(_MOST_TRIES):
            at = data.find(b"\r", at)
            if at < 0 or data.startswith(END_OF_HEAD, at):
                return at
            at += 1
    return data.find(END_OF_HEAD, at)


def is_of_another_version(data: bytes) -> bool:
    """Whether it begins with the request line of a version that is not spoken here."""
    return _OTHER_VERSION.match(data) is not None


def refused_line(data: bytes) -> FramingError:
    """Why a request line is none."""
    if data.startswith(_HTTP2_LINE):
        return Http2Preface(data)
    is_other = is_of_another_version(data)
    return FramingError(refusals.UNSUPPORTED_VERSION if is_other else refusals.BAD_REQUEST)


def odd_method(data: bytes, at: int) -> bytes:
    """The method of a request line that begins there, if llhttp does not know it; else nothing."""
    found = REQUEST_LINE.match(data, at)
    method = b"" if found is None else found[1]
    return b"" if method in USUAL_METHODS else method


def behind_empty_lines(data: bytes, at: int) -> int:
    """Where the first line begins that is not empty."""
    while data.startswith(b"\r\n", at):
        at += 2
    return at
