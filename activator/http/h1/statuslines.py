"""The first line of a response (RFC 9112, section 4), which llhttp is lenient about. Pure."""

from __future__ import annotations

import re
from http import HTTPStatus

from activator.http.h1.watching import BadResponse

_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [\t -~\x80-\xff]*)?")
_NO_BODY = frozenset((204, 304))
_KEPT, _KEPT_OCTETS = 1000, 64

# Lines of HTTP/1.1 for responses with a body: how nearly every response begins. In one look it is
# known that the line is one.
_usual = {
    b"HTTP/1.1 %d %b" % (status, status.phrase.encode()): int(status)
    for status in HTTPStatus
    if status >= 200 and status not in _NO_BODY
}


def usual_status(data: bytes) -> int:
    """The status of a final response of HTTP/1.1 with a body; 0 for any other one.

    Raises BadResponse where its line is none.
    """
    line = data[: data.find(b"\r")]
    return _usual.get(line) or _look_at(line)


def interim_status(data: bytes) -> int:
    """The status of a response before the response. Raises BadResponse."""
    found = _LINE.fullmatch(data[: data.find(b"\r")])
    if found is None:
        raise BadResponse("the status line is malformed")
    return int(found[1])


def _look_at(line: bytes) -> int:
    found = _LINE.fullmatch(line)
    if found is None:
        raise BadResponse("the status line is malformed")
    status = int(found[1])
    if status in _NO_BODY or line[7:8] == b"0":
        return 0
    # Applications choose their phrases, so there is a bound to how many are kept.
    if len(_usual) < _KEPT and len(line) <= _KEPT_OCTETS:
        _usual[line] = status
    return status
